"""Ranges of settings, relations between them, and names that switch them: checked when a configuration is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from paddleocr_files import CRNN, config_file, value_at

from scenetext.config import load_config, write_config
from scenetext.config.kinds import LARGEST_SEED, Kind
from scenetext.config.schema import walk
from scenetext.errors import InputError

FILES = '    label_file_list: ["./train_data/train_list.txt"]'
LOADER = "  loader: {shuffle: True, batch_size_per_card: 256"
RATE = "lr: {name: Cosine, learning_rate: 0.001}"
SHAPE = "RecResizeImg: {image_shape: [3, 32, 320]}"
EPOCHS, EVALUATIONS = "  epoch_num: 500", "  eval_batch_step: [0, 2000]"
LONGEST, BETA_1, BETA_2 = "  max_text_length: 25", "  beta1: 0.9\n", "  beta2: 0.999\n"
AUGMENT = "      - RecAug:"
REGULARIZER = "{name: 'L2', factor: 0}"
LOSS = "Loss: {name: CTCLoss}"


def changed(*changes: tuple[str, str]) -> str:
    """The file for CRNN with parts replaced, each once."""
    text = CRNN
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def sampler(name: str = "MultiScaleSampler", **options: object) -> tuple[str, str]:
    return LOADER, f"  sampler: {yaml.safe_dump({'name': name, **options}, default_flow_style=True, width=999)}{LOADER}"


def scales(**options: object) -> tuple[str, str]:
    return sampler(**{"scales": [[320, 32]], "first_bs": 8, **options})


COUNT = "must be a whole number of at least 1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        # as many ratios as label files, each above 0
        ((FILES, f"{FILES}\n    ratio_list: [0.5, 0.5]"), "Train.dataset.ratio_list has 2 ratios for 1 files"),
        ((FILES, f"{FILES}\n    ratio_list: []"), "Train.dataset.ratio_list has 0 ratios for 1 files"),
        ((FILES, f"{FILES}\n    ratio_list: [0]"), "Train.dataset.ratio_list must be a number above 0, at most 1"),
        ((FILES, f"{FILES}\n    ratio_list: 1.5"), "Train.dataset.ratio_list must be a number above 0, at most 1"),
        # evaluations that never come, or divide by nothing
        ((EVALUATIONS, "  eval_batch_step: [0, 0]"), f"Global.eval_batch_step {COUNT}, or a list of 2"),
        ((EVALUATIONS, "  eval_batch_step: [-1, 5]"), f"Global.eval_batch_step {COUNT}, or a list of 2"),
        ((EVALUATIONS, "  eval_batch_step: 0"), f"Global.eval_batch_step {COUNT}, or a list of 2"),
        ((EVALUATIONS, "  eval_batch_epoch: 0"), f"Global.eval_batch_epoch {COUNT} or nothing"),
        # samplers
        (scales(scales=[]), "Train.sampler.scales is empty: give at least one pair of width and height."),
        (
            scales(scales=[[320, 32], [320, 8]]),
            "scales.1 is [320, 8], smaller than divided_factor, [8, 16]: enlarge it.",
        ),
        (scales(scales=[[7, 32]]), "scales.0 is [7, 32], smaller than divided_factor, [8, 16]: enlarge it."),
        (scales(scales=[[0, 32]]), "Train.sampler.scales must be a list of pairs of whole numbers of at least 1"),
        (
            scales(divided_factor=[0, 16]),
            "Train.sampler.divided_factor must be a list of 2 whole numbers of at least 1",
        ),
        (scales(first_bs=0), "Train.sampler.first_bs must be a whole number from 1 to 1000000"),
        (sampler("WidthBucketSampler", max_width=0), f"Train.sampler.max_width {COUNT}"),
        (sampler("WidthBucketSampler"), "Train.sampler.max_width is missing"),
        (sampler("WidthBucketSampler", max_width=9, pixels_per_batch=0), f"Train.sampler.pixels_per_batch {COUNT}"),
        # learning rates and the means of gradients
        (
            (RATE, "lr: {name: Piecewise, decay_epochs: [3, 5], values: [1, 2]}"),
            "values has 2 values, but 2 decay_epochs",
        ),
        (
            (RATE, "lr: {name: Piecewise, decay_epochs: [5, 5], values: [1, 2, 3]}"),
            "Optimizer.lr.decay_epochs must rise",
        ),
        ((RATE, "lr: {name: Piecewise, decay_epochs: [5]}"), "Optimizer.lr.values is missing"),
        ((RATE, "lr: {name: Piecewise, decay_epochs: [], values: [1], learning_rate: 0}"), "lr.learning_rate must be"),
        ((RATE, "lr: {name: Linear, learning_rate: 0}"), "Optimizer.lr.learning_rate must be a number above 0"),
        ((RATE, "lr: {name: Sine}"), "Optimizer.lr.name is 'Sine', which is unknown"),
        ((BETA_1, "  beta1: 1\n"), "Optimizer.beta1 must be a number from 0 to below 1"),
        ((BETA_2, "  beta2: -0.1\n"), "Optimizer.beta2 must be a number from 0 to below 1"),
        ((BETA_1, "  momentum: 0.9\n"), "Optimizer.momentum is no known setting of Adam"),
        # pictures
        ((SHAPE, "RecResizeImg: {image_shape: [1, 32, 320]}"), "RecResizeImg.image_shape must be a list of 3 whole"),
        ((SHAPE, "RecResizeImg: {image_shape: [3, 0, 320]}"), "RecResizeImg.image_shape must be a list of 3 whole"),
        ((SHAPE, "RecResizeImg: {image_shape: [3, 32, -1]}"), "RecResizeImg.image_shape must be a list of 3 whole"),
        ((SHAPE, "RecResizeImg:"), "Train.dataset.transforms.3.RecResizeImg.image_shape is missing"),
        (
            (SHAPE, "RecResizeImg: {image_shape: [3, 48, 320]}"),
            "Eval.dataset.transforms.2.RecResizeImg.image_shape is [3, 32, 320], but Train's lines are 48 pixels high",
        ),
        # seeds and lengths
        ((EPOCHS, "  seed: -1"), "Global.seed must be a whole number from 0 to 18446744073709551615"),
        ((EPOCHS, "  seed: 18446744073709551616"), "not 18446744073709551616"),
        ((EPOCHS, "  seed: 1.5"), "Global.seed must be a whole number"),
        ((LONGEST, "  max_text_length: 0"), "Global.max_text_length must be a whole number from 1 to 100000"),
        ((EPOCHS, "  seed: 12345678901234567891.0"), "Global.seed must be"),  # a float has not so many digits
        ((EPOCHS, "  seed: 1.0e+19"), "Global.seed must be"),
        ((EPOCHS, "  epoch_num: 99999999999999999999"), f"Global.epoch_num {COUNT}"),
        (("  print_batch_step: 10", "  print_batch_step: 0"), f"Global.print_batch_step {COUNT}"),
        (("  log_smooth_window: 20", "  log_smooth_window: -1"), f"Global.log_smooth_window {COUNT}"),
        ((EPOCHS, "  early_stop_evals: -1"), "Global.early_stop_evals must be a whole number of at least 0"),
        ((EPOCHS, "  weight_interpolation: 1.5"), "Global.weight_interpolation must be a number from 0 to 1"),
        ((EPOCHS, "  scale_loss: 0"), "Global.scale_loss must be a number above 0"),
        ((EPOCHS, "  scale_loss: 1.0e+39"), "Global.scale_loss must be a number above 0"),
        ((EPOCHS, '  model_name: "a\\0b"'), "Global.model_name must be text or nothing"),
        (
            (EPOCHS, "  amp_custom_black_list: [exp, log]\n  amp_custom_white_list: [log]"),
            "Global.amp_custom_black_list and amp_custom_white_list both hold 'log': keep one.",
        ),
        # label files
        ((FILES, "    label_file_list: []"), "label_file_list must be the name of a file or a list of at least one"),
        ((FILES, "    label_file_list: ['']"), "label_file_list must be the name of a file or a list of at least one"),
        ((FILES, "    label_file_list: ' '"), "label_file_list must be the name of a file or a list of at least one"),
        ((FILES, f"{FILES}\n    ratio_list: [-0.5]"), "Train.dataset.ratio_list must be a number above 0, at most 1"),
        ((FILES, f"{FILES}\n    ratio_list: [.nan]"), "Train.dataset.ratio_list must be a number above 0, at most 1"),
        ((FILES, f"{FILES}\n    delimiter: ','"), "Train.dataset.delimiter must be one of"),
        # operations of which one can count
        (
            (AUGMENT, f"{AUGMENT}\n{AUGMENT}"),
            "Train.dataset.transforms holds RecAug and RecAug, of which one can count",
        ),
        (
            (SHAPE, f"{SHAPE}\n      - SVTRRecResizeImg: {{image_shape: [3, 32, 320]}}"),
            "Train.dataset.transforms holds RecResizeImg and SVTRRecResizeImg, of which one can count: keep one.",
        ),
        ((AUGMENT, "      - NRTRLabelEncode:"), "transforms holds NRTRLabelEncode and CTCLabelEncode, of which one"),
        ((AUGMENT, "      - RecConAug: {prob: 1.5}"), "RecConAug.prob must be a number from 0 to 1"),
        (
            (AUGMENT, "      - RecConAug: {ext_data_num: 1001}"),
            "RecConAug.ext_data_num must be a whole number from 0 to",
        ),
        (
            (AUGMENT, "      - RecConAug: {image_shape: [3, 32, 320]}"),
            "RecConAug.image_shape must be a list of 3 whole",
        ),
        ((AUGMENT, "      - RecAug: {tia_prob: -0.1}"), "RecAug.tia_prob must be a number from 0 to 1"),
        # sizes that no memory holds
        ((SHAPE, "RecResizeImg: {image_shape: [3, 32, 1000000]}"), "a height and a width from 1 to 10000"),
        (
            scales(scales=[[320, 100_000]]),
            "Train.sampler.scales must be a list of pairs of whole numbers of at least 1, at",
        ),
        (scales(scales=[[320]]), "Train.sampler.scales must be a list of pairs"),
        (scales(scales=[[320, 64]]), "image_shape is [3, 32, 320], but Train's lines are 64 pixels high"),
        (scales(first_bs=10**7), "Train.sampler.first_bs must be a whole number from 1 to 1000000"),
        (
            (LOADER, "  loader: {batch_size_per_card: 0"),
            "Train.loader.batch_size_per_card must be a whole number from 1",
        ),
        (("drop_last: True, num_workers: 8", "drop_last: True, num_workers: -1"), "Train.loader.num_workers must be"),
        # the optimiser
        ((BETA_1, "  beta1: 0.999999999\n"), "Optimizer.beta1 must be a number from 0 to below 1"),  # 1 in float32
        ((BETA_1, "  epsilon: 0\n"), "Optimizer.epsilon must be a number from 1e-30 to 1"),
        ((BETA_1, "  epsilon: 1.0e-60\n"), "Optimizer.epsilon must be a number from 1e-30 to 1"),
        ((BETA_1, "  clip_norm: 0\n"), "Optimizer.clip_norm must be a number above 0 or nothing"),
        ((BETA_1, "  clip_norm_global: -1\n"), "Optimizer.clip_norm_global must be a number above 0 or nothing"),
        (
            (BETA_1, "  clip_norm: 1\n  clip_norm_global: 1\n"),
            "Optimizer.clip_norm cannot be given beside clip_norm_global: keep one of the two.",
        ),
        ((REGULARIZER, "{name: L3}"), "Optimizer.regularizer.name must be one of L1, L2"),
        ((REGULARIZER, "{factor: -1}"), "Optimizer.regularizer.factor must be a number of at least 0"),
        ((RATE, "lr: {name: Cosine, learning_rate: -1}"), "Optimizer.lr.learning_rate must be a number of at least 0"),
        ((RATE, "lr: {name: Cosine, learning_rate: 1.0e+39}"), "Optimizer.lr.learning_rate must be"),
        ((RATE, "lr: {name: Cosine, warmup_epoch: -1}"), "Optimizer.lr.warmup_epoch must be a number of at least 0"),
        ((RATE, "lr: {name: Linear, end_lr: 1}"), "Optimizer.lr.end_lr is 1.0, above learning_rate, 0.001: lower it."),
        ((RATE, "lr: {name: Linear, power: -1}"), "Optimizer.lr.power must be a number of at least 0"),
        (
            (RATE, "lr: {name: Piecewise, decay_epochs: [3], values: [1, -1]}"),
            "Optimizer.lr.values must be a list of numbers of at least 0",
        ),
        # the network and its loss
        (("  algorithm: CRNN", "  in_channels: 1"), "Architecture.in_channels must be one of 3"),
        ((LOSS, "Loss: {name: MultiLoss, loss_config_list: []}"), "Loss.loss_config_list is empty"),
        (
            (LOSS, "Loss: {name: MultiLoss, loss_config_list: [CTCLoss, CTCLoss]}"),
            "Loss.loss_config_list holds CTCLoss 2 times: keep one.",
        ),
        (
            (LOSS, "Loss: {name: MultiLoss, weight_1: -1, loss_config_list: [CTCLoss]}"),
            "Loss.weight_1 must be a number",
        ),
        (
            (LOSS, "Loss: {name: MultiLoss, weight_1: 0, loss_config_list: [CTCLoss]}"),
            "Loss.weight_1 is 0, and so is every part of the loss: nothing would be learned.",
        ),
        (
            (LOSS, "Loss: {name: CombinedLoss, loss_config_list: [DistillationCTCLoss: {model_name_list: [Student]}]}"),
            "Loss.name is CombinedLoss, but Architecture has one network",
        ),
    ],
)
def test_what_would_be_a_traceback_or_silence_is_a_sentence_when_the_file_is_read(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    with pytest.raises(InputError) as error:
        load_config(config_file(tmp_path, changed(change)))
    assert told in str(error.value) and re.match(r"[^ ]*config\.yml:\d+: \w", str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


def test_a_relation_that_an_override_breaks_is_named_with_the_override(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^-o Train.dataset.ratio_list=\[1, 1\]: Train.dataset.ratio_list has 2 ratios"
    ):
        load_config(config_file(tmp_path, CRNN), ["Train.dataset.ratio_list=[1, 1]"])


def test_evaluation_may_be_at_the_height_of_one_of_several_scales(tmp_path: Path) -> None:
    text = changed((SHAPE, "RecResizeImg: {image_shape: [3, 48, 320]}"), scales(scales=[[325, 32], [320, 48]]))
    assert load_config(config_file(tmp_path, text)).Train.sampler.sizes_px == [(320, 32), (320, 48)]


@pytest.mark.parametrize(
    ("ratios", "found"), [("0.5", [0.5, 0.5]), ("[0.5]", [0.5, 0.5]), ("[0.5, 1]", [0.5, 1.0]), ("", [1.0, 1.0])]
)
def test_a_ratio_counts_for_each_file_or_for_all(tmp_path: Path, ratios: str, found: list[float]) -> None:
    files = "    label_file_list: [a.txt, b.txt]\n" + (f"    ratio_list: {ratios}" if ratios else "")
    assert load_config(config_file(tmp_path, changed((FILES, files)))).Train.dataset.ratios == found


@pytest.mark.parametrize("seed", [12345678901234567891, 2**53 + 1, 0, LARGEST_SEED])
def test_a_seed_keeps_every_digit(tmp_path: Path, seed: int) -> None:
    for written in (str(seed), f"'{seed}'"):
        config = load_config(config_file(tmp_path, f"Global: {{seed: {written}}}"))
        write_config(config, tmp_path / "out.yml")
        assert config.Global.seed == load_config(tmp_path / "out.yml").Global.seed == seed


def test_the_largest_seed_is_the_largest_that_all_generators_take() -> None:
    import paddle

    from scenetext.models.device import seed_everything

    seed_everything(LARGEST_SEED)
    with pytest.raises(TypeError):
        paddle.seed(LARGEST_SEED + 1)
    paddle.seed(0)


@pytest.mark.parametrize(
    ("given", "override", "shares"),
    [
        ("", None, (0.4, 0.4)),
        ("", "prob=0.15", (0.15, 0.15)),
        ("{reverse_prob: 0}", "prob=0.15", (0.15, 0.0)),
        ("{prob: 0.1, reverse_prob: 0}", "prob=0.15", (0.15, 0.0)),
        ("{prob: 0.1}", "reverse_prob=0.3", (0.1, 0.3)),
    ],
)
def test_recaugs_prob_counts_for_all_changes_without_a_share_also_in_what_a_run_wrote(
    tmp_path: Path, given: str, override: str | None, shares: tuple[float, float]
) -> None:
    text = changed((AUGMENT, f"{AUGMENT} {given}"))
    write_config(load_config(config_file(tmp_path, text)), tmp_path / "out.yml")
    overrides = [f"Train.dataset.transforms.RecAug.{override}"] if override else []
    for file in ("config.yml", "out.yml"):
        found = load_config(tmp_path / file, overrides).Train.dataset.operation("RecAug").shares
        assert (found["tia_prob"], found["reverse_prob"]) == shares and len(found) == 7


@pytest.mark.parametrize(
    ("overrides", "gone", "kept"),
    [
        (
            ["Train.dataset.name=LMDBDataSet"],
            ["Train.dataset.label_file_list", "Train.dataset.ratio_list", "Train.dataset.delimiter"],
            {"Train.dataset.data_dir": "./train_data/", "Train.dataset.cache_dir": None},
        ),
        (
            ["Train.dataset.name=MultiScaleDataSet"],
            [],
            {"Train.dataset.label_file_list": ["./train_data/train_list.txt"], "Train.dataset.ds_width": False},
        ),
        (
            ["Optimizer.name=AdamW"],
            ["Optimizer.regularizer"],
            {"Optimizer.beta1": 0.8, "Optimizer.lr.learning_rate": 0.001},
        ),
        (["Optimizer.name=Momentum"], ["Optimizer.beta1"], {"Optimizer.regularizer.factor": 0.0}),
        (["Optimizer.lr.name=Linear"], [], {"Optimizer.lr.learning_rate": 0.001, "Optimizer.lr.power": 1.0}),
        (["Loss.name=AttentionLoss"], ["Loss.use_focal_loss"], {}),
        (["PostProcess.name=AttnLabelDecode"], ["PostProcess.model_name"], {}),
        (["Train.sampler.name=WidthBucketSampler", "Train.sampler.max_width=9"], ["Train.sampler.scales"], {}),
    ],
)
def test_a_name_switches_the_settings_of_its_section(
    tmp_path: Path, overrides: list[str], gone: list[str], kept: dict[str, object]
) -> None:
    text = changed(
        scales(),
        (BETA_1, "  beta1: 0.8\n"),
        ("Loss: {name: CTCLoss}", "Loss: {name: CTCLoss, use_focal_loss: true}"),
        ("{name: CTCLabelDecode}", "{name: DistillationCTCLabelDecode, model_name: [Student]}"),
    )
    path = config_file(tmp_path, text)
    for source in (path, load_config(path)):  # what a file gives, and what a complete configuration holds
        config = load_config(source, overrides)
        assert [key for key in gone if value_at(config, key) is not None] == []
        assert {key: value_at(config, key) for key in kept} == kept


@pytest.mark.parametrize(
    "overrides",
    [
        ["Optimizer.name=Momentum", "Optimizer.beta1=0.5"],
        ["Optimizer.beta1=0.5", "Optimizer.name=Momentum"],
        ["Train.dataset.name=LMDBDataSet", "Train.dataset.label_file_list=[a.txt]"],
        ["Train.dataset.label_file_list=[a.txt]", "Train.dataset.name=LMDBDataSet"],
        ["Train.dataset.label_file_list.0=a.txt", "Train.dataset.name=LMDBDataSet"],
    ],
)
def test_a_setting_that_the_same_command_line_gives_is_not_dropped_for_a_name(
    tmp_path: Path, overrides: list[str]
) -> None:
    with pytest.raises(InputError, match="is no known setting of (Momentum|LMDBDataSet)"):
        load_config(config_file(tmp_path, CRNN), overrides)


def test_a_data_set_of_another_kind_keeps_the_transforms_of_the_file_that_it_extends(tmp_path: Path) -> None:
    """Without them, training would silently do without augmentation."""
    config_file(tmp_path, CRNN, "base.yml")
    text = "base: base.yml\nTrain: {dataset: {name: LMDBDataSet, data_dir: lmdb}}\n"
    found, base = load_config(config_file(tmp_path, text)).Train, load_config(tmp_path / "base.yml").Train
    assert (found.dataset.name, found.dataset.data_dir, found.dataset.label_files) == ("LMDBDataSet", "lmdb", [])
    assert found.dataset.transforms == base.dataset.transforms and found.loader == base.loader


def distillation(loss: object, frozen: tuple[str, ...] = ("Teacher",)) -> dict[str, object]:
    models = {name: {"freeze_params": name in frozen} for name in ("Teacher", "Student")}
    return {"Architecture": {"name": "DistillationModel", "Models": models}, "Loss": loss}


def combined(**options: object) -> dict[str, object]:
    own = {"model_name_pairs": [["Student", "Teacher"]], **options}
    return {"name": "CombinedLoss", "loss_config_list": [{"DistillationDKDLoss": own}]}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (distillation({"name": "CTCLoss"}), "Loss.name is CTCLoss, but Architecture has 2 networks"),
        (
            distillation(combined(model_name_pairs=[["Student", "Techer"]])),
            "'Techer' in DistillationDKDLoss: the nearest is",
        ),
        (distillation(combined(model_name_pairs=[])), "model_name_pairs must be a list of at least one pair of names"),
        (distillation(combined(weight=0)), "Loss.loss_config_list has the weight 0 for every part"),
        (distillation(combined(weight=-1)), "weight must be a number of at least 0"),
        (distillation(combined(temperature=0)), "temperature must be a number above 0"),
        (distillation(combined(), ("Teacher", "Student")), "Architecture.Models are all frozen by freeze_params"),
        ({"Architecture": {"name": "DistillationModel", "Models": {}}}, "Architecture.Models is empty"),
    ],
)
def test_a_loss_and_networks_that_do_not_fit_are_named(config: dict[str, object], told: str) -> None:
    load_config(distillation(combined()))
    with pytest.raises(InputError) as error:
        load_config(config)
    assert told in str(error.value)


def test_every_number_has_a_range_and_every_setting_refuses_what_is_far_beyond_it() -> None:
    """Whatever the setting, 10**39 is no count, no size and no rate that a training could work with."""
    for path, field in walk():
        kinds = [mark for mark in field.metadata if isinstance(mark, Kind)]
        for kind in kinds:
            for value in (10**39, -(10**39), float("inf"), float("nan"), [10**39], [float("nan")] * 3, "\0"):
                with pytest.raises((ValueError, TypeError)):
                    kind.convert(value)
                    pytest.fail(f"{'.'.join(map(str, path))} takes {value!r}")


def test_the_former_key_of_weight_interpolation_is_unknown_like_any_other() -> None:
    with pytest.raises(InputError, match="Global.finetuned_share is no known setting: "):
        load_config({"Global": {"finetuned_share": 0.5}})
