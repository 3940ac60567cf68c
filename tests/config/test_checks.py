"""Ranges of settings, relations between them, and names that switch them: checked when a configuration is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from paddleocr_files import CRNN, config_file, value_at

from scenetext.config import load_config, write_config
from scenetext.config.kinds import LARGEST_SEED
from scenetext.errors import InputError

FILES = '    label_file_list: ["./train_data/train_list.txt"]'
LOADER = "  loader: {shuffle: True, batch_size_per_card: 256"
RATE = "lr: {name: Cosine, learning_rate: 0.001}"
SHAPE = "RecResizeImg: {image_shape: [3, 32, 320]}"
EPOCHS, EVALUATIONS = "  epoch_num: 500", "  eval_batch_step: [0, 2000]"
LONGEST, BETA_1, BETA_2 = "  max_text_length: 25", "  beta1: 0.9\n", "  beta2: 0.999\n"
AUGMENT = "      - RecAug:"


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
    ],
)
def test_a_setting_that_the_same_command_line_gives_is_not_dropped_for_a_name(
    tmp_path: Path, overrides: list[str]
) -> None:
    with pytest.raises(InputError, match="Optimizer.beta1 is no known setting of Momentum"):
        load_config(config_file(tmp_path, CRNN), overrides)


def test_a_data_set_of_another_kind_keeps_the_transforms_of_the_file_that_it_extends(tmp_path: Path) -> None:
    """Without them, training would silently do without augmentation."""
    config_file(tmp_path, CRNN, "base.yml")
    text = "base: base.yml\nTrain: {dataset: {name: LMDBDataSet, data_dir: lmdb}}\n"
    found, base = load_config(config_file(tmp_path, text)).Train, load_config(tmp_path / "base.yml").Train
    assert (found.dataset.name, found.dataset.data_dir, found.dataset.label_files) == ("LMDBDataSet", "lmdb", [])
    assert found.dataset.transforms == base.dataset.transforms and found.loader == base.loader


def test_the_former_key_of_weight_interpolation_is_unknown_like_any_other() -> None:
    with pytest.raises(InputError, match="Global.finetuned_share is no known setting: "):
        load_config({"Global": {"finetuned_share": 0.5}})
