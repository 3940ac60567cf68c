"""The texts of the drawn lines: names, addresses, numbers, prices, menus, slogans and brands.

`write_line(rng, ems)` invents one line of about the wanted length. Lengths are measured in ems, the width of one
Chinese character; a Latin letter or digit is half an em wide or slightly more. Every line can be encoded in GB2312, the
encoding of the competition's label files; as there, some lines have full-width digits, letters and punctuation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from scenetext.synth import words
from scenetext.synth.fonts import package_file

FULL_WIDTH_RATE = 0.15  # probability that a line with ASCII is written in full-width forms
RARE_RATE = 0.03  # probability that a single character or a line of words uses characters that signs seldom use
TRIES = 5  # lines invented for a wanted length, of which the nearest is kept

_NARROW = frozenset("iljtfrI1.,:;'|!-()[]/ ")
# Characters of war, crime, death and party politics, which a dictionary has and a shop sign has not.
_OFF_SIGNS = frozenset(
    "武混死杀奸毒尸淫党军匪战枪炮弹兵敌贼囚狱刑尿屎粪娼嫖妓赌殉葬坟墓鬼魔癌瘤癫疯奴妾诛斩屠刺谋叛逆暴乱共反独裁警贪贿核辱骂侵"
)


def width_em(text: str) -> float:
    """The approximate width of a text in a crop, over the height of the crop.

    A Chinese character is about as wide as the crop is high. Crops of Latin letters alone are cut closer, so each
    letter counts more.

    Args:
        text: one line.

    Returns:
        Ems.
    """
    return sum(_character_em(character) for character in text) * (1.3 if text.isascii() else 1.0)


def write_line(rng: np.random.Generator, ems: float) -> str:
    """Invents a line of about `ems` ems.

    Args:
        rng: the source of every choice.
        ems: the wanted length; the length of the line is usually within a fifth of it.

    Returns:
        A line of 1 to about 77 characters of GB2312, without white space at its ends.
    """
    kinds = [(kind, weight) for kind, weight, least, most in KINDS if least <= ems < most]
    weights = np.array([weight for _, weight in kinds], float)
    best, best_distance = "", np.inf
    for _ in range(TRIES):
        kind = kinds[rng.choice(len(kinds), p=weights / weights.sum())][0]
        text = kind(rng, ems).strip()
        if rng.random() < FULL_WIDTH_RATE:
            text = full_width(text)
        distance = abs(np.log((width_em(text) or 1e-3) / ems))
        if distance < best_distance and fits_gb2312(text):
            best, best_distance = text, distance
        if best_distance < 0.12:
            break
    return best or _word(rng, ems)


def full_width(text: str) -> str:
    """Replaces ASCII by its full-width forms, and the space by U+3000.

    Args:
        text: of any characters; others stay.
    """
    return "".join(
        "\u3000" if character == " " else chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character
        for character in text
    )


def fits_gb2312(text: str) -> bool:
    """Whether every character of a text exists in GB2312.

    Args:
        text: of any characters.
    """
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _character_em(character: str) -> float:
    if ord(character) >= 0x80:
        return 1.0
    return 0.3 if character in _NARROW else 0.68 if character.isupper() else 0.55


@cache
def _everyday() -> frozenset[str]:
    """The characters that occur in the lists of `words`, about 800."""
    lists = (value for name, value in vars(words).items() if name.isupper())
    return frozenset("".join("".join(value) for value in lists) + "市县区镇")


@cache
def _vocabulary(length: int, rare: bool = False) -> tuple[str, ...]:
    """Common words of `length` characters from jieba's dictionary, in its order.

    Their characters are everyday ones: 2,000 training lines must have nearly all characters of the 300 test lines, as
    the real 50,000 lines have those of the 10,000. With `rare`, the words may have any characters.
    """
    tags = {"n", "nz", "a", "v"} if length == 1 else {"n", "nz", "vn", "b"}
    found = []
    with open(package_file("jieba", "dict.txt"), encoding="utf-8") as file:
        for line in file:
            word, count, tag = line.split()
            allowed = rare or _everyday().issuperset(word)
            fits = len(word) == length and allowed and not _OFF_SIGNS.intersection(word) and fits_gb2312(word)
            if fits and tag in tags and int(count) >= 100:
                found.append(word)
    return tuple(found)


@cache
def _places() -> tuple[str, ...]:
    """Towns, counties and districts from jieba's dictionary."""
    with open(package_file("jieba", "dict.txt"), encoding="utf-8") as file:
        rows = (line.split() for line in file)
        towns = (word for word, _, tag in rows if tag == "ns" and 3 <= len(word) <= 4 and word[-1] in "市县区镇")
        return tuple(word for word in towns if _everyday().issuperset(word))


def _pick(rng: np.random.Generator, choices: tuple[str, ...] | list[str] | str) -> str:
    return choices[int(rng.integers(len(choices)))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(str(digit) for digit in rng.integers(0, 10, count))


def _join_up_to(rng: np.random.Generator, ems: float, make: Callable[[], str], separators: list[str]) -> str:
    """Joins texts from `make` by one separator until the line is about `ems` long."""
    separator, text = _pick(rng, separators), make()
    while width_em(text) < ems - 1.0:
        text += separator + make()
    return text


def _word(rng: np.random.Generator, ems: float) -> str:
    """Chinese words that need not make sense together."""
    text, count, rare = "", max(1, round(ems)), rng.random() < RARE_RATE
    while len(text) < count:
        longest = min(4, count - len(text))
        length = min(longest, int(rng.choice([1, 2, 3, 4], p=[0.06, 0.54, 0.24, 0.16])))
        text += _pick(rng, _vocabulary(length, rare))
    return text


def _single(rng: np.random.Generator, ems: float) -> str:
    """One Chinese character, a capital letter, a symbol, or digits of about the wanted length."""
    if rng.random() < 0.6 and ems > 0.6:
        return _pick(rng, _vocabulary(1, rng.random() < RARE_RATE))
    return _pick(rng, [_digits(rng, max(1, round(ems / 0.55))), chr(rng.integers(65, 91)), _pick(rng, words.SYMBOLS)])


def _shop_name(rng: np.random.Generator, ems: float) -> str:
    owner = _pick(rng, words.SURNAMES) + _pick(rng, ["记", "氏", "家", "师傅", "姐"]) if rng.random() < 0.3 else ""
    name = owner or "".join(_pick(rng, words.LUCKY) for _ in range(int(rng.integers(2, 4))))
    place = _pick(rng, words.CITIES) if ems > 7 and rng.random() < 0.4 else ""
    branch = f"({_pick(rng, words.ROADS)}店)" if ems > 9 and rng.random() < 0.4 else ""
    return place + name + _pick(rng, words.SHOPS) + branch


def _company(rng: np.random.Generator, ems: float) -> str:
    name = "".join(_pick(rng, words.LUCKY) for _ in range(2))
    place = _pick(rng, words.CITIES) + ("市" if rng.random() < 0.5 else "")
    branch = f"有限公司{_pick(rng, words.CITIES)}分公司"
    ending = _pick(rng, ["有限公司", "有限责任公司", "股份有限公司", "集团有限公司", branch])
    return place + name + _pick(rng, words.TRADES) + ending


def _address(rng: np.random.Generator, ems: float) -> str:
    head = _pick(rng, ["地址：", "地址:", "店址:", "", "", ""])
    town = _pick(rng, words.CITIES) + "市" if rng.random() < 0.5 else ""
    district = _pick(rng, _places()) if ems > 9 and rng.random() < 0.6 else ""
    road = _pick(rng, words.ROADS) + _pick(rng, ["路", "大道", "街", "东路", "西路", "南路", "北路", "一路", "巷"])
    number = f"{rng.integers(1, 1200)}" + _pick(rng, ["号", "号", "号", f"-{rng.integers(1, 30)}号"])
    tower = f"{_pick(rng, 'ABCDE')}座{rng.integers(1, 33)}楼"
    detail = _pick(rng, ["", f"{rng.integers(1, 30)}栋", tower, f"{rng.integers(101, 2999)}室"])
    return head + town + district + road + number + (detail if ems > 8 else "")


def _phone(rng: np.random.Generator, ems: float) -> str:
    heads = ["电话:", "电话：", "TEL:", "手机:", "热线：", "订餐电话:", "微信:", "QQ:", "加盟热线：", ""]
    head = _pick(rng, heads) if ems > 6 else ""
    mobile = "1" + _pick(rng, "3589") + _digits(rng, 9)
    land = f"0{rng.integers(10, 999)}-{rng.integers(2, 9)}{_digits(rng, 7)}"
    number = _pick(rng, [mobile, mobile, land, f"400-{_digits(rng, 3)}-{_digits(rng, 4)}"])
    text = head + number
    while width_em(text) < ems - 5:
        text += _pick(rng, ["/", " ", "、"]) + "1" + _pick(rng, "3589") + _digits(rng, 9)
    return text


def _price(rng: np.random.Generator, ems: float) -> str:
    small, most = rng.integers(1, 100), int(_pick(rng, [100, 1000, 9999]))
    amount = f"{small}.{rng.integers(0, 10)}" if rng.random() < 0.25 else f"{rng.integers(1, most)}"
    tail = _pick(rng, ["", "", "元", "元起", "元/斤", "元/份", "折", "%", "件", "kg", "ml", "mm", "℃", "寸"])
    head = (
        _pick(rng, ["", "", "￥", "仅", "特价", "原价", "现价:", "满", "第", "送"])
        if ems > 2
        else _pick(rng, ["", "", "￥"])
    )
    return head + amount + (tail if ems > 1.5 else "")


def _menu(rng: np.random.Generator, ems: float) -> str:
    def dish() -> str:
        price = f"{rng.integers(3, 99)}元" if rng.random() < 0.4 else ""
        return _pick(rng, words.DISHES) + price

    return _join_up_to(rng, ems, dish, ["、", " ", "\u3000", "/", "，"])


def _slogan(rng: np.random.Generator, ems: float) -> str:
    return _join_up_to(
        rng, ems, lambda: _pick(rng, words.PRAISES), ["，", ",", "！", " ", "/", "、", "+", "\u3000", ""]
    )


def _article(rng: np.random.Generator, ems: float) -> str:
    """An article for sale with its size or quality."""
    size = f"{rng.integers(1, 999)}{_pick(rng, words.UNITS)}" if rng.random() < 0.5 else ""
    quality = _pick(rng, _vocabulary(2)) if rng.random() < 0.5 else ""
    text = quality + _pick(rng, words.ITEMS) + size
    return text + (_pick(rng, ["，", " ", "-", "（"]) + _pick(rng, words.PRAISES) if width_em(text) < ems - 3 else "")


def _hours(rng: np.random.Generator, ems: float) -> str:
    def clock(least: int, most: int) -> str:
        return f"{rng.integers(least, most):d}:{_pick(rng, ['00', '30', '00', '15'])}"

    if ems < 4:
        return clock(0, 24)
    span = clock(6, 11) + _pick(rng, ["-", "~", "至", "～"]) + clock(16, 24)
    return (_pick(rng, ["营业时间：", "营业时间:", "开放时间 ", "周一至周五", "时间:"]) if ems > 6.5 else "") + span


def _date(rng: np.random.Generator, ems: float) -> str:
    year, month, day = rng.integers(1998, 2027), rng.integers(1, 13), rng.integers(1, 29)
    short = [f"{month}.{day}", f"{month}月{day}日"]
    full = [
        f"{year}.{month}.{day}",
        f"{year}-{month:02d}-{day:02d}",
        f"{year}/{month}/{day}",
        f"{year}年{month}月{day}日",
    ]
    return (_pick(rng, ["生产日期:", "有效期至", "开业日期："]) if ems > 8 else "") + _pick(rng, short + full)


def _model_number(rng: np.random.Generator, ems: float) -> str:
    letters = "".join(chr(rng.integers(65, 91)) for _ in range(int(rng.integers(1, 5))))
    text = letters + _pick(rng, ["", "-", ""]) + _digits(rng, int(rng.integers(1, 6)))
    while width_em(text) < ems - 1:
        text += _pick(rng, ["-", "/", "", "*", "."]) + _digits(rng, int(rng.integers(1, 5))) + chr(rng.integers(65, 91))
    return text


def _brand(rng: np.random.Generator, ems: float) -> str:
    """An invented brand, so that it cannot be guessed from a word list."""
    text = "".join(_pick(rng, words.SYLLABLES) for _ in range(max(1, round(ems / 1.15))))
    text += _pick(rng, words.ENDINGS) if rng.random() < 0.4 else ""
    return _pick(rng, [text.upper(), text.capitalize(), text.capitalize(), text])


def _english(rng: np.random.Generator, ems: float) -> str:
    case = _pick(rng, ["keep", "upper", "lower", "title"])
    separator = _pick(rng, [" ", " ", ""])
    text = _join_up_to(rng, ems, lambda: _pick(rng, words.ENGLISH), [separator])
    return text if case == "keep" else {"upper": text.upper, "lower": text.lower, "title": text.title}[case]()


def _web(rng: np.random.Generator, ems: float) -> str:
    host = "".join(_pick(rng, words.SYLLABLES) for _ in range(3))
    tail = _pick(rng, [".com", ".cn", ".com.cn", ".net"])
    if ems > 9:
        shop = f"http://shop{_digits(rng, 8)}.{host}{tail}"
        return _pick(rng, [shop, f"https://www.{host}{tail}", f"{host}{_digits(rng, 3)}@{host}{tail}"])
    return _pick(rng, [f"www.{host}{tail}", f"{host}{tail}", f"{host}@qq.com"])


def _bilingual(rng: np.random.Generator, ems: float) -> str:
    chinese = _pick(rng, [*words.ITEMS, *words.SHOPS, *words.DISHES])
    return _pick(
        rng,
        [chinese + _brand(rng, ems / 2), _brand(rng, ems / 2) + chinese, chinese + _english(rng, ems / 3)],
    )


def _notice(rng: np.random.Generator, ems: float) -> str:
    """A long line of names, offers, addresses and phone numbers."""
    makers = (_company, _address, _phone, _slogan, _article, _menu, _shop_name)
    return _join_up_to(
        rng,
        ems,
        lambda: makers[int(rng.integers(len(makers)))](rng, 8),
        [" ", "，", "\u3000", "；", "/", "！"],
    )


# function, relative frequency, and the range of lengths in ems (from, below)
KINDS: tuple[tuple[Callable[[np.random.Generator, float], str], float, float, float], ...] = (
    (_single, 8, 0.0, 1.5),
    (_price, 4, 0.8, 6.0),
    (_model_number, 1.5, 1.0, 12.0),
    (_brand, 2, 1.3, 7.0),
    (_english, 3, 1.8, 30.0),
    (_word, 6, 1.5, 9.0),
    (_hours, 0.7, 1.8, 12.0),
    (_date, 0.7, 1.8, 12.0),
    (_article, 3, 2.0, 13.0),
    (_slogan, 6, 2.5, 60.0),
    (_shop_name, 4, 3.5, 13.0),
    (_menu, 2.5, 2.5, 40.0),
    (_phone, 2, 4.5, 16.0),
    (_address, 2, 4.5, 16.0),
    (_web, 0.7, 4.0, 16.0),
    (_bilingual, 1.5, 3.0, 12.0),
    (_company, 2.5, 7.5, 16.0),
    (_notice, 4, 13.0, 1e9),
)
