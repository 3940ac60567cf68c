"""Configurations: PaddleOCR's schema read, checked, overridden and written back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from paddleocr_files import CRNN, TWO_HEADS, config_file, value_at, without_nothing

from scenetext.config import Config, load_config, write_config
from scenetext.config.schema import walk
from scenetext.config.section import is_unread
from scenetext.config.yaml_text import parse
from scenetext.errors import InputError


@pytest.mark.parametrize("text", [CRNN, TWO_HEADS])
def test_a_file_of_paddleocrs_loads_unedited_with_every_value_as_yaml_has_it(tmp_path: Path, text: str) -> None:
    given = load_config(config_file(tmp_path, text)).model_dump(exclude_unset=True)
    assert without_nothing(given) == without_nothing(yaml.safe_load(text))


def test_settings_that_mean_nothing_here_are_listed(tmp_path: Path) -> None:
    ignored = load_config(config_file(tmp_path, CRNN)).ignored
    assert {"Global.infer_img", "Global.character_type", "Train.dataset.transforms.4.KeepKeys"} <= set(ignored)
    assert "Global.epoch_num" not in ignored and "Global.save_inference_dir" not in ignored
    assert {"Eval.loader", "PostProcess"} <= set(ignored)  # whole sections are listed once
    assert not [key for key in ignored if key.startswith(("Eval.loader.", "PostProcess.")) or "KeepKeys." in key]


def test_every_setting_said_to_be_read_is_named_where_it_could_be_read(root: Path) -> None:
    words: set[str] = set()
    for path in (root / "src" / "scenetext").rglob("*.py"):
        if "config" not in path.parts:
            words |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    built_later = ("Architecture", "Loss", "PostProcess")  # parts that refuse what they do not know when built
    read = {path for path, field in walk() if path[0] not in built_later and not is_unread(field)}
    one_value_is_possible = {"base_metric_name", "channel_first", "ds_width", "delimiter", "ema_decay_type"}
    assert {".".join(path) for path in read if path[-1] not in words | one_value_is_possible} == set()


def test_every_config_of_ours_loads_and_has_nothing_to_ignore(root: Path) -> None:
    files = sorted((root / "configs").rglob("*.yml"))
    assert len(files) >= 4
    for file in files:
        assert load_config(file).ignored == [], file


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
    assert load_config(root / "configs" / ours).Architecture.model_dump(exclude_unset=True) == theirs


@pytest.mark.parametrize(
    ("line", "changed", "told"),
    [
        ("  epoch_num: 500", "  epoch_nmu: 500", ["config.yml:4", "Global.epoch_nmu", "nearest is epoch_num"]),
        ("  epoch_num: 500", "  learning_rate: 1", ["config.yml:4", "nearest is Optimizer.lr.learning_rate"]),
        ("  epoch_num: 500", "  epoch_num: many", ["config.yml:4", "Global.epoch_num", "a whole number", "'many'"]),
        ("  epoch_num: 500", "  epoch_num: 0", ["Global.epoch_num", "at least 1"]),
        ("  epoch_num: 500", "  epoch_num: true", ["Global.epoch_num", "a whole number", "True"]),
        ("  use_gpu: true", "  use_gpu: 1", ["config.yml:3", "Global.use_gpu", "true or false"]),
        ("  epoch_num: 500", "  epoch_num: 5\n  epoch_num: 6", ["config.yml:5", "'epoch_num' is also given at", ":4"]),
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
            "too many for such a file",
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
    assert value_at(config, key) == value


def test_an_override_leaves_everything_else_as_it_was(tmp_path: Path) -> None:
    path = config_file(tmp_path, TWO_HEADS)
    plain, changed = (load_config(path, own).model_dump() for own in ([], ["Train.sampler.first_bs=3"]))
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
        ("Global.epoch_num.more=1", "which has no settings below it"),
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
    parts = "{Backbone: {name: ResNet, layers: 34}, Neck: {hidden_size: 256}}"
    text = f"base: ../base.yml\nGlobal: {{epoch_num: 3}}\nArchitecture: {parts}"
    config = load_config(config_file(tmp_path / "sub", text))
    assert "base" not in config.model_dump()
    assert (config.Global.epoch_num, config.Global.max_text_length) == (3, 25)
    assert config.Architecture.Backbone == {"name": "ResNet", "layers": 34}  # no `scale` of MobileNetV3
    assert config.Architecture.Neck == {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 256}


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
    written = (tmp_path / "out.yml").read_text(encoding="utf-8")
    assert load_config(tmp_path / "out.yml") == config
    assert yaml.safe_load(written) == config.model_dump()
    assert "learning_rate: 7.0e-05\n" in written  # YAML 1.1 reads 7e-05 as text


def test_what_is_written_is_complete_and_lacks_what_has_no_meaning_and_was_not_given(tmp_path: Path) -> None:
    config = load_config(config_file(tmp_path, CRNN))
    write_config(config, tmp_path / "out.yml")
    written = yaml.safe_load((tmp_path / "out.yml").read_text(encoding="utf-8"))
    assert list(written) == [name for name in Config.model_fields if name in written]  # in the schema's order
    assert (written["Global"]["seed"], written["Optimizer"]["epsilon"]) == (1024, 1e-8)
    assert written["Train"]["sampler"] is None and written["Train"]["dataset"]["ratio_list"] == [1.0]
    assert written["Global"]["infer_img"] == "doc/imgs_words/ch/word_1.jpg" and "use_xpu" not in written["Global"]
    assert load_config(tmp_path / "out.yml").ignored == config.ignored


def test_the_given_dict_is_left_alone() -> None:
    given = {"Global": {"epoch_num": 3}}
    load_config(given, ["Global.epoch_num=4"])
    assert given == {"Global": {"epoch_num": 3}}


def test_a_checked_configuration_is_returned_itself_and_overridden_in_a_copy(tmp_path: Path) -> None:
    config = load_config(config_file(tmp_path, CRNN))
    assert load_config(config) is config
    changed = load_config(config, ["Global.epoch_num=7"])
    assert (changed.Global.epoch_num, config.Global.epoch_num) == (7, 500)
    assert load_config(changed, ["Global.epoch_num=500"]) == config
    with pytest.raises(InputError, match=r"^-o Global.epoch_num=0: Global.epoch_num must be"):
        load_config(config, ["Global.epoch_num=0"])


def test_a_setting_that_is_absent_has_its_default_or_is_asked_for() -> None:
    assert load_config({}).Global.seed == 1024
    assert load_config({"Global": {"seed": 7}}).Global.seed == 7
    dataset = {"name": "LMDBDataSet", "data_dir": "here"}
    bucket = {"name": "WidthBucketSampler", "max_width": 9}
    train = {"dataset": dataset, "sampler": bucket, "loader": {"batch_size_per_card": 1}}
    assert load_config({"Train": train}).Train.sampler.pixels_per_batch is None
    assert load_config({"Train": train | {"sampler": None}}).Train.sampler is None
    with pytest.raises(InputError, match="Train.dataset.data_dir is missing: add it, or give it by -o Train.dataset"):
        load_config({"Train": train | {"dataset": {"name": "LMDBDataSet"}}})
    with pytest.raises(InputError, match="Train.loader.batch_size_per_card is missing"):
        load_config({"Train": {"dataset": dataset}})
    with pytest.raises(InputError, match="Global.sede is no known setting: the nearest is seed"):
        load_config({}, ["Global.sede=1"])


@pytest.mark.parametrize("section", ["Architecture", "Loss", "Train", "Eval"])
def test_a_section_that_is_absent_is_asked_for_by_name_when_it_is_read(section: str) -> None:
    config = load_config({})
    assert not config.has(section) and section not in config.model_dump()
    with pytest.raises(InputError, match=f"no section {section}: add it"):
        getattr(config, section)


@pytest.mark.parametrize("section", ["Global:", "Optimizer:", "Metric:", "Train:", "Loss:", "Optimizer: {lr: }"])
def test_a_section_without_anything_in_it_counts_as_absent(tmp_path: Path, section: str) -> None:
    assert load_config(config_file(tmp_path, section)) == load_config({})


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
