"""Configurations: PaddleOCR's schema read, checked, overridden and written back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scenetext.config import ignored_keys, load_config, setting, write_config
from scenetext.config.checking import walk
from scenetext.config.schema import SCHEMA
from scenetext.config.yaml_text import parse
from scenetext.errors import InputError

# The keys and shapes that PaddleOCR's files for CRNN and for PP-OCR with two heads consist of, nulls and all.
CRNN = """
Global:
  use_gpu: true
  epoch_num: 500
  log_smooth_window: 20
  print_batch_step: 10
  save_model_dir: ./output/rec
  save_epoch_step: 3
  eval_batch_step: [0, 2000]
  cal_metric_during_train: True
  pretrained_model:
  checkpoints:
  save_inference_dir:
  use_visualdl: False
  infer_img: doc/imgs_words/ch/word_1.jpg
  character_dict_path: ppocr/utils/ppocr_keys_v1.txt
  character_type: ch
  max_text_length: 25
  infer_mode: False
  use_space_char: True
Optimizer:
  name: Adam
  beta1: 0.9
  beta2: 0.999
  lr: {name: Cosine, learning_rate: 0.001}
  regularizer: {name: 'L2', factor: 0}
Architecture:
  model_type: rec
  algorithm: CRNN
  Transform:
  Backbone: {name: MobileNetV3, scale: 0.5, model_name: small, small_stride: [1, 2, 2, 2]}
  Neck: {name: SequenceEncoder, encoder_type: rnn, hidden_size: 48}
  Head: {name: CTCHead, fc_decay: 0.00001}
Loss: {name: CTCLoss}
PostProcess: {name: CTCLabelDecode}
Metric: {name: RecMetric, main_indicator: acc}
Train:
  dataset:
    name: SimpleDataSet
    data_dir: ./train_data/
    label_file_list: ["./train_data/train_list.txt"]
    transforms:
      - DecodeImage: # load image
          img_mode: BGR
          channel_first: False
      - RecAug:
      - CTCLabelEncode: # Class handling label
      - RecResizeImg: {image_shape: [3, 32, 320]}
      - KeepKeys: {keep_keys: ['image', 'label', 'length']}
  loader: {shuffle: True, batch_size_per_card: 256, drop_last: True, num_workers: 8}
Eval:
  dataset:
    name: SimpleDataSet
    data_dir: ./train_data
    label_file_list: ["./train_data/val_list.txt"]
    transforms:
      - DecodeImage: {img_mode: BGR, channel_first: False}
      - CTCLabelEncode:
      - RecResizeImg: {image_shape: [3, 32, 320]}
      - KeepKeys: {keep_keys: ['image', 'label', 'length']}
  loader: {shuffle: False, drop_last: False, batch_size_per_card: 256, num_workers: 8}
"""
TWO_HEADS = """
Global:
  model_name: PP-OCRv5_mobile_rec # To use static model for inference.
  debug: false
  epoch_num: 75
  max_text_length: &max_text_length 25
  distributed: true
  d2s_train_image_shape: [3, 48, 320]
Optimizer:
  name: AdamW
  epsilon: 1.e-8
  weight_decay: 0.05
  no_weight_decay_name: norm pos_embed
  one_dim_param_no_weight_decay: True
  lr: {name: Cosine, learning_rate: 0.001, warmup_epoch: 5}
Architecture:
  model_type: rec
  algorithm: SVTR_HGNet
  Transform:
  Backbone: {name: SVTRv2, local_k: [[5, 5], [5, 5], [-1, -1]]}
  Head:
    name: MultiHead
    head_list:
      - CTCHead:
          Neck: {name: svtr, dims: 120, kernel_size: [1, 3], use_guide: True}
          Head: {fc_decay: 0.00001}
      - NRTRHead: {nrtr_dim: 384, max_text_length: *max_text_length}
Loss:
  name: MultiLoss
  loss_config_list:
    - CTCLoss:
    - NRTRLoss:
PostProcess: {name: CTCLabelDecode}
Metric: {name: RecMetric, main_indicator: acc, ignore_space: False}
Train:
  dataset:
    name: MultiScaleDataSet
    ds_width: false
    data_dir: ./train_data/
    ext_op_transform_idx: 1
    label_file_list: [./train_data/train_list.txt]
    ratio_list: [0.5]
    transforms:
    - DecodeImage: {img_mode: BGR, channel_first: false}
    - RecConAug: {prob: 0.5, ext_data_num: 2, image_shape: [48, 320, 3], max_text_length: *max_text_length}
    - RecAug:
    - MultiLabelEncode: {gtc_encode: NRTRLabelEncode}
    - KeepKeys: {keep_keys: [image, label_ctc, label_gtc, length, valid_ratio]}
  sampler:
    name: MultiScaleSampler
    scales: [[320, 32], [320, 48], [320, 64]]
    first_bs: &bs 128
    fix_bs: false
    divided_factor: [8, 16] # w, h
    is_training: True
  loader: {shuffle: true, batch_size_per_card: *bs, drop_last: true, num_workers: 8}
profiler_options: null
"""


def config_file(folder: Path, text: str, name: str = "config.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [CRNN, TWO_HEADS])
def test_a_file_of_paddleocrs_loads_unedited_with_every_value_as_yaml_has_it(tmp_path: Path, text: str) -> None:
    assert load_config(config_file(tmp_path, text)) == yaml.safe_load(text)


def test_settings_that_mean_nothing_here_are_listed(tmp_path: Path) -> None:
    ignored = ignored_keys(load_config(config_file(tmp_path, CRNN)))
    assert {"Global.infer_img", "Global.character_type", "Train.dataset.transforms.4.KeepKeys"} <= set(ignored)
    assert "Global.epoch_num" not in ignored and "Global.save_inference_dir" not in ignored


def test_every_setting_said_to_be_read_is_named_where_it_could_be_read(root: Path) -> None:
    words: set[str] = set()
    for path in (root / "src" / "scenetext").rglob("*.py"):
        if "config" not in path.parts:
            words |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    built_later = ("Architecture", "Loss", "PostProcess")  # parts that refuse what they do not know when built
    settings = [(path, setting) for path, setting in walk(SCHEMA) if path[0] not in built_later]
    checked_only = {"base_metric_name", "channel_first", "ds_width", "delimiter"}  # one value is possible
    assert {
        ".".join(path) for path, setting in settings if setting.read and path[-1] not in words | checked_only
    } == set()


def test_every_config_of_ours_loads_and_has_nothing_to_ignore(root: Path) -> None:
    files = sorted((root / "configs").glob("*.yml"))
    assert len(files) >= 4
    for file in files:
        assert ignored_keys(load_config(file)) == [], file


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            "crnn_mobile.yml",
            {
                "model_type": "rec",
                "algorithm": "CRNN",
                "Transform": None,
                "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "small", "small_stride": [1, 2, 2, 2]},
                "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 48},
                "Head": {"name": "CTCHead", "fc_decay": 1e-5},
            },
        ),
        (
            "crnn_server.yml",
            {
                "model_type": "rec",
                "algorithm": "CRNN",
                "Transform": None,
                "Backbone": {"name": "ResNet", "layers": 34},
                "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 256},
                "Head": {"name": "CTCHead", "fc_decay": 4e-5},
            },
        ),
    ],
)
def test_the_crnn_configs_hold_paddleocrs_architectures(root: Path, ours: str, theirs: dict) -> None:
    assert load_config(root / "configs" / ours)["Architecture"] == theirs


@pytest.mark.parametrize(
    ("line", "changed", "told"),
    [
        ("  epoch_num: 500", "  epoch_nmu: 500", ["config.yml:4", "Global.epoch_nmu", "nearest is epoch_num"]),
        ("  epoch_num: 500", "  learning_rate: 1", ["config.yml:4", "nearest is Optimizer.lr.learning_rate"]),
        ("  epoch_num: 500", "  epoch_num: many", ["config.yml:4", "Global.epoch_num", "a whole number", "'many'"]),
        ("  epoch_num: 500", "  epoch_num: 0", ["Global.epoch_num", "at least 1"]),
        ("  epoch_num: 500", "  epoch_num: true", ["Global.epoch_num", "a whole number", "True"]),
        ("  use_gpu: true", "  use_gpu: 1", ["config.yml:3", "Global.use_gpu", "true or false"]),
        ("  epoch_num: 500", "  epoch_num: 5\n  epoch_num: 6", ["config.yml:5", "'epoch_num' already stands in", ":4"]),
        ("  epoch_num: 500", "\tepoch_num: 500", ["config.yml:4", "tab"]),
        ("  epoch_num: 500", "  epoch_num:\t500", ["config.yml:4", "tab"]),
        ("  epoch_num: 500", "  epoch_num 500", ["config.yml:", "not valid YAML"]),
        ("Loss: {name: CTCLoss}", "Loss: {name: CTCLos}", ["Loss.name", "'CTCLos'", "nearest is CTCLoss"]),
        ("Loss: {name: CTCLoss}", "Loss: {}", ["Loss", "needs a `name`"]),
        ("Loss: {name: CTCLoss}", "Lss: {name: CTCLoss}", ["Lss", "nearest is Loss"]),
        ("      - RecAug:", "      - RecAgu:", ["transforms.1.RecAgu", "nearest is RecAug"]),
        ("      - RecAug:", "      - [RecAug]", ["transforms.1", "one operation"]),
        ("      - RecAug:", "      - RecAug: {tia_prob: 2}", ["transforms.1.RecAug.tia_prob", "from 0 to 1"]),
        ("  Transform:", "  Transform: TPS", ["Architecture.Transform", "a mapping"]),
        ("  Transform:", "  Transform: {loc_lr: 1}", ["Architecture.Transform", "needs a `name`"]),
        ("  Transform:", "  Transform: &a {name: TPS, more: *a}", ["config.yml:30", "contains itself"]),
        ("  Transform:", "  Transform: !!python/object/apply:os.getcwd []", ["config.yml:30", "the tag"]),
        ("  epoch_num: 500", "  epoch_num: 1.5", ["a whole number", "1.5"]),
        ("  epoch_num: 500", "  epoch_num: .nan", ["a whole number"]),
    ],
)
def test_a_fault_is_named_with_its_line_and_what_would_be_right(
    tmp_path: Path, line: str, changed: str, told: list[str]
) -> None:
    assert line in CRNN
    with pytest.raises(InputError) as error:
        load_config(config_file(tmp_path, CRNN.replace(line, changed, 1)))
    message = str(error.value)
    assert all(part in message for part in told), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "does not exist"),
        (b"", "a mapping of sections"),
        (b"- 1\n- 2\n", "a mapping of sections"),
        ("Global: {save_model_dir: 文字}".encode("gb18030"), "not UTF-8"),
        (b"Global: " + b"[" * 5000, "nested too deeply"),
        (
            b"a: &a [1,2,3,4,5,6,7,8,9,10]\n"
            + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(8)),
            "no configuration",
        ),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_sentence(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "config.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        load_config(path)


@pytest.mark.parametrize(
    ("overrides", "key", "value"),
    [
        (["Global.epoch_num=7"], "Global.epoch_num", 7),
        (["Optimizer.lr.learning_rate=1e-3"], "Optimizer.lr.learning_rate", 1e-3),  # YAML 1.1 has a string here
        (["Optimizer.lr.learning_rate='2e-3'"], "Optimizer.lr.learning_rate", 2e-3),
        (["Optimizer.lr.learning_rate=5E-4", "Optimizer.lr.learning_rate=1"], "Optimizer.lr.learning_rate", 1.0),
        (["Global.epoch_num=1e2"], "Global.epoch_num", 100),
        (["Global.eval_batch_step=[0,10]"], "Global.eval_batch_step", [0, 10]),
        (["Global.eval_batch_step=10"], "Global.eval_batch_step", 10),
        (["Global.pretrained_model=https://a.b/c?d=e=f"], "Global.pretrained_model", "https://a.b/c?d=e=f"),
        (
            ["Global.pretrained_model=rapidocr:PP-OCRv6_rec_small"],
            "Global.pretrained_model",
            "rapidocr:PP-OCRv6_rec_small",
        ),
        (["Global.character_dict_path="], "Global.character_dict_path", None),
        (["Global.character_dict_path=null"], "Global.character_dict_path", None),
        (["Global={seed: 3, epoch_num: 4}"], "Global.seed", 3),
        (["Train.dataset.transforms.1.RecAug.tia_prob=0.2"], "Train.dataset.transforms.RecAug.tia_prob", 0.2),
        (["Train.dataset.transforms.RecAug.tia_prob=0.2"], "Train.dataset.transforms.RecAug.tia_prob", 0.2),
        (
            ["Train.dataset.transforms.RecResizeImg.image_shape.2=640"],
            "Train.dataset.transforms.RecResizeImg.image_shape",
            [3, 32, 640],
        ),
        (["Train.dataset.label_file_list.0=b.txt"], "Train.dataset.label_file_list", ["b.txt"]),
        (["Train.sampler.name=WidthBucketSampler", "Train.sampler.max_width=640"], "Train.sampler.max_width", 640),
        (["Architecture.Transform.name=TPS"], "Architecture.Transform.name", "TPS"),
        (["Architecture.Backbone.scale=1"], "Architecture.Backbone.scale", 1),
    ],
)
def test_overrides_change_single_values(tmp_path: Path, overrides: list[str], key: str, value: object) -> None:
    config = load_config(config_file(tmp_path, CRNN), overrides)
    assert setting_or_free(config, key) == value


def setting_or_free(config: dict, key: str) -> object:
    if not key.startswith("Architecture"):
        return setting(config, key)
    for part in key.split("."):
        config = config[part]
    return config


def test_an_override_leaves_everything_else_as_it_was(tmp_path: Path) -> None:
    path = config_file(tmp_path, TWO_HEADS)
    plain, changed = load_config(path), load_config(path, ["Train.sampler.first_bs=3"])
    assert changed["Train"]["sampler"].pop("first_bs") == 3 and plain["Train"]["sampler"].pop("first_bs") == 128
    assert changed == plain  # batch_size_per_card shares the file's anchor and must not follow


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("Global.epoch_nmu=3", "nearest is epoch_num"),
        ("Global.epochs.num=3", "Global.epochs is no known setting: the nearest is epoch_num"),
        ("Architecture.Bakbone.scale=1", "nearest is Backbone"),
        ("Globl.epoch_num=3", "nearest is Global"),
        ("Train.dataset.transforms.9.RecAug=", "5 items"),
        ("Train.dataset.transforms.RecAgu.prob=1", "nearest is RecAug"),
        ("Global.epoch_num.more=1", "nothing can stand below"),
        ("Global.epoch_num", "KEY.KEY=VALUE"),
        ("=3", "KEY.KEY=VALUE"),
        ("Global..epoch_num=3", "KEY.KEY=VALUE"),
        ("Global.eval_batch_step=[1", "not valid YAML"),
        ("Train.sampler.scales=[[1, 2]]", "needs a `name`"),
    ],
)
def test_a_wrong_override_is_named_with_what_would_be_right(tmp_path: Path, override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        load_config(config_file(tmp_path, CRNN), [override])
    assert told in str(error.value) and f"-o {override}" in str(error.value)


def test_a_file_extends_its_base_and_a_part_of_another_name_replaces_the_bases(tmp_path: Path) -> None:
    config_file(tmp_path, CRNN, "base.yml")
    (tmp_path / "sub").mkdir()
    text = "base: ../base.yml\nGlobal: {epoch_num: 3}\nArchitecture: {Backbone: {name: ResNet, layers: 34}, Neck: {hidden_size: 256}}"
    config = load_config(config_file(tmp_path / "sub", text))
    assert "base" not in config
    assert (config["Global"]["epoch_num"], config["Global"]["max_text_length"]) == (3, 25)
    assert config["Architecture"]["Backbone"] == {"name": "ResNet", "layers": 34}  # no `scale` of MobileNetV3
    assert config["Architecture"]["Neck"] == {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 256}


def test_files_that_extend_each_other_are_an_error(tmp_path: Path) -> None:
    config_file(tmp_path, "base: b.yml", "a.yml")
    config_file(tmp_path, "base: a.yml", "b.yml")
    with pytest.raises(InputError, match="never end"):
        load_config(tmp_path / "a.yml")


def test_a_fault_in_the_base_is_named_with_the_bases_line(tmp_path: Path) -> None:
    config_file(tmp_path, "Global:\n  epoch_nmu: 3", "base.yml")
    with pytest.raises(InputError, match=r"base\.yml:2"):
        load_config(config_file(tmp_path, "base: base.yml"))


@pytest.mark.parametrize("text", [CRNN, TWO_HEADS])
def test_what_is_written_reads_back_equal_here_and_in_paddleocrs_loader(tmp_path: Path, text: str) -> None:
    hard = ["Global.save_model_dir='1e-3'", "Global.pretrained_model='12:30'", "Global.character_dict_path='on'"]
    config = load_config(config_file(tmp_path, text), [*hard, "Optimizer.lr.learning_rate=7e-5"])
    write_config(config, tmp_path / "out.yml")
    assert load_config(tmp_path / "out.yml") == config
    assert yaml.safe_load((tmp_path / "out.yml").read_text(encoding="utf-8")) == config


def test_the_given_dict_is_left_alone() -> None:
    given = {"Global": {"epoch_num": 3}}
    load_config(given, ["Global.epoch_num=4"])
    assert given == {"Global": {"epoch_num": 3}}


def test_a_setting_that_is_absent_has_its_default_or_is_asked_for() -> None:
    assert setting({}, "Global.seed") == 1024
    assert setting({"Global": {"seed": 7}}, "Global.seed") == 7
    assert setting({"Train": {"sampler": None}}, "Train.sampler.pixels_per_batch") is None
    with pytest.raises(InputError, match="Train.dataset.data_dir is missing"):
        setting({"Train": {"dataset": {}}}, "Train.dataset.data_dir")
    with pytest.raises(InputError, match="nearest is Global.seed"):
        setting({}, "Global.sede")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.e-8", 1e-8),
        ("-.5", -0.5),
        ("0x1f", 31),
        ("010", 10),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2024-01-02", "2024-01-02"),
        ("yes", True),
        ("~", None),
        ("'1e-3'", "1e-3"),
        ("1e", "1e"),
        ("-", "-"),
        ("v1.2", "v1.2"),
    ],
)
def test_scalars_follow_the_number_rules_stated(text: str, value: object) -> None:
    if text == "-":
        text = "'-'"
    read, _ = parse(text, "here")
    assert read == value and type(read) is type(value)
