"""Words of Chinese shop signs, menus and web shops: short lists that lines are made from.

They were written for this project. `texts` takes a broader vocabulary from jieba's dictionary.
"""

from __future__ import annotations

SURNAMES = "王李张刘陈杨赵黄周吴徐孙高林何马"

LUCKY = """
    顺 福 兴 隆 盛 泰 和 安 康 达 华 丰 源 利 美 佳 乐 诚 信 德 宝 金 银 玉 龙 凤 春 品 汇 阳 天 海 江
    山 星 月 蓝 红 万 东 南 西 北 中 新 大 老 小 皇 王 联 同 方 正 立 创 学 思 远 飞 人 家
""".split()

CITIES = """
    北京 上海 广州 成都 南京 西安 长沙 青岛 大连 济南 南昌 南宁 海口 长春 南通 金华 中山 珠海 江门 三亚
""".split()

ROADS = """
    人民 解放 建设 中山 新华 文化 长江 黄河 环城 科技 创业 工业 光明 青年 公园 江南 金沙 石油 体育 南京
    北京 珠江 西湖 南湖 白云 花园
""".split()

TRADES = """
    电子 科技 实业 餐饮管理 广告 装饰工程 建材 五金制品 机电设备 汽车服务 物流 服装 食品 化妆品
    信息技术 网络科技 教育咨询 印刷包装 家具 照明 环保设备 农业开发 酒业 茶业 生物工程 物业管理 自动化
    门窗
""".split()

SHOPS = """
    大药房 超市 便利店 饭店 酒楼 火锅店 烧烤 面馆 小吃 奶茶 茶楼 酒吧 旅馆 理发店 养生馆 手机维修
    电脑城 五金店 建材城 家具城 灯饰 洗衣店 照相馆 打印社 图文广告 汽修 洗车 书店 文具 玩具 花店 水果店
    粮油店 烟酒行 茶叶 干果 蛋糕房 母婴生活馆 女装 男装 鞋业 箱包 珠宝行 钟表 中医馆 开锁 房产中介 彩票
    健身房 画室 服务区 售后服务部 专卖店 直销店
""".split()

DISHES = """
    重庆小面 黄焖鸡米饭 麻辣烫 酸辣粉 炸酱面 阳春面 担担面 热干面 蛋炒饭 卤肉饭 煲仔饭 回锅肉 鱼香肉丝
    宫保鸡丁 麻婆豆腐 水煮鱼 酸菜鱼 红烧肉 北京烤鸭 口水鸡 白切鸡 盐水鸡 小笼包 生煎包 肠粉 油条 豆浆
    豆腐脑 皮蛋瘦肉粥 小米粥 八宝粥 凉皮 肉夹馍 羊肉串 烤全羊 手抓饼 葱油饼 酸梅汤 珍珠奶茶 绿豆沙
    拍黄瓜
""".split()

PRAISES = """
    包邮 正品 全新原装 厂家直销 支持定制 买一送一 限时抢购 新品上市 热卖爆款 特价促销 清仓处理 全国联保
    七天无理由退换 质保一年 三年质保 假一赔十 货到付款 顺丰包邮 当天发货 现货供应 量大从优 欢迎选购
    诚招代理 免费安装 送货上门 以旧换新 专业维修 品质保证 值得信赖 实物拍摄 盗图必究 下单立减 领券购买
    满减优惠 第二件半价 会员专享 超值套餐 买就送 立即购买 加厚耐磨 防水防滑 高清画质 智能控制 节能环保
    安全可靠 操作简便 经久耐用 静音省电 不伤皮肤 温和滋润 控油保湿 美白淡斑 深层清洁 天然植物 绿色健康
    无糖低脂 新鲜直达 手工制作 传统工艺 时尚百搭 显瘦修身 亲肤柔软 送礼佳品 居家必备 办公优选 户外旅行
    一站式服务 二十四小时营业 禁止吸烟 小心地滑 请勿触摸 欢迎光临 谢谢惠顾 注意安全 此处禁止停车
    出入平安 生意兴隆 招聘服务员 旺铺转让 房屋出租
""".split()

ITEMS = """
    运动鞋 手套 手表 音箱 手机壳 台灯 开关 水龙头 地板 螺丝 轮胎 机油 行车记录仪 面膜 洗发水 纸巾
    洗衣液 奶粉 画笔 笔记本 保温杯 炒锅 电饭煲 豆浆机 净水器 风扇 空调 冰箱
""".split()

ENGLISH = """
    NEW SALE HOT BEST TOP OPEN CLOSED EXIT COFFEE TEA BAR HOTEL SPA BEAUTY FASHION STYLE HOME LIFE
    SPORT OUTDOOR BABY KIDS MEN WOMEN GIFT LOVE HAPPY GOOD FRESH PURE NATURAL ORGANIC QUALITY ORIGINAL
    CLASSIC LUXURY PREMIUM SMART FAST FREE SHIPPING WIFI USB LED BLACK WHITE GOLD SILVER BLUE GREEN RED
    PINK SUMMER WINTER SPRING AUTUMN Made China Design Power Energy Water Milk Cream Serum Oil Wash
    Clean Care Skin Hair Body Face Eye Lotion Shampoo Soap Chocolate Cake Bread Pizza Burger Noodle
    Rice Chicken Beef Fish Fruit Apple Orange Lemon Mango Sugar Salt Shop Store Market Mall Center
    Group Studio Club House Garden Park Street Road City World Global Digital Mobile Phone Camera
    Screen Battery Charger Cable Speaker Music Video Game Book Paper Print Photo Wedding Dream Angel
    Star Moon Sun Sky Ocean Forest Flower Rose Lily the of and for with your you we are all day every
    time only now more better great super ultra mini plus pro max
""".split()

SYLLABLES = """
    ba be bi bo ca co da de di do fa fi ga go ha he hi jo ka ki ko la le li lo lu ma me mi mo na ne ni
    no nu pa pe po ra re ri ro sa se si so su ta te ti to tu va ve vi vo xi ya yo za ze zo an en in on
    er ar el is
""".split()

ENDINGS = """
    x n r s t l k ck nd rt st ll ss tech soft life lux max tex ware
""".split()

UNITS = """
    ml g kg mm cm L W V A Hz uF GB TB mAh oz PCS 元 折 片 支 件 套 瓶 盒 袋 斤 寸 米 条 只 双 份
""".split()

SYMBOLS = """
    ★ ● → × ＋ ％ ℃ ￥ ＆ 、 。 ， ！ ？ ： （ ） ～
""".split()
