"""Diverged weights never replace good ones, a message names only what was checked, and the batch is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest
from drawn import draw_digits, tiny_config

from scenetext.config import load_config
from scenetext.errors import InputError, RunError
from scenetext.models import build_model
from scenetext.train import recognition
from scenetext.train.divergence import LARGEST_WEIGHT, check_weights
from scenetext.train.optimiser import build_optimiser
from scenetext.train.trainer import train
from scenetext.weights.loading import load_weights
from scenetext.weights.pdparams import read_pdparams


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_digits(tmp_path_factory.mktemp("data"), 8)


@pytest.fixture(scope="module")
def good(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "good"
    train(load_config(one_step_an_epoch(data)), folder, progress=False)
    return folder


def one_step_an_epoch(data: Path, **settings: object) -> dict:
    config = tiny_config(data, **{"epoch_num": 1, **settings})
    config["Train"]["loader"] = {"batch_size_per_card": 64}
    return config


RATES = {
    "a step to 1e38, its own loss still finite": ("Adam", 1e38, "has grown to"),
    "a step to 1e10": ("Adam", 1e10, "has grown to"),
    "a step to 1e6": ("Adam", 1e6, "has grown to"),
    "weights that are infinite": ("Momentum", 1e38, "is not finite|has grown to"),
}


@pytest.mark.parametrize(("optimiser", "rate", "told"), RATES.values(), ids=RATES)
def test_good_weights_survive_a_step_that_diverges(optimiser, rate, told, good, data, tmp_path):
    shutil.copytree(good, tmp_path / "run")
    config = one_step_an_epoch(data, epoch_num=3, checkpoints=str(tmp_path / "run" / "latest"))
    config["Optimizer"] = {"name": optimiser, "lr": {"name": "Const", "learning_rate": rate}}
    if optimiser == "Momentum":
        config["Global"] |= {"checkpoints": None, "pretrained_model": str(good / "latest")}
    before = {path.name: path.read_bytes() for path in good.glob("best*.pd*")}
    with pytest.raises(RunError, match=told) as caught:
        train(load_config(config), tmp_path / "run", progress=False, allow_changed=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("best*.pd*")} == before
    weights = read_pdparams(tmp_path / "run" / "latest")
    assert max(np.abs(array).max() for key, array in weights.items() if "_variance" not in key) < 100
    if optimiser == "Adam":
        assert (tmp_path / "run" / "latest.pdopt").read_bytes() == (good / "latest.pdopt").read_bytes()
        prefix = tmp_path / "run" / "latest"
        kept = f"the checkpoint {prefix} of step 1, whose weights are finite and whose files are whole, is unchanged"
        assert kept in str(caught.value)
        config["Optimizer"]["lr"]["learning_rate"] = 1e-3  # what the message advises
        train(load_config(config), tmp_path / "run", progress=False, allow_changed=True)


def test_without_a_checkpoint_none_is_named(data, tmp_path):
    config = one_step_an_epoch(data)
    config["Optimizer"] = {"name": "Adam", "lr": {"name": "Const", "learning_rate": 1e10}}
    with pytest.raises(RunError, match="no checkpoint had been saved before"):
        train(load_config(config), tmp_path / "run", progress=False)
    assert not list((tmp_path / "run").glob("*.pdparams"))


@pytest.mark.parametrize("spoil", ["touched", "cut"])
def test_a_checkpoint_that_is_not_whole_is_not_named(spoil, good, data, tmp_path):
    shutil.copytree(good, tmp_path / "run")
    path = tmp_path / "run" / "latest.pdparams"
    path.write_bytes(b"" if spoil == "touched" else path.read_bytes()[:-100])
    config = load_config(one_step_an_epoch(data))
    model = build_model(config)
    model.state_dict()["head.fc.bias"].set_value(paddle.full([11], float("nan")))
    with pytest.raises(RunError, match=r"head\.fc\.bias is not finite.*no checkpoint had been saved before"):
        check_weights(model, build_optimiser(config, model, 1, 1), 5, tmp_path / "run" / "latest")


def test_large_statistics_are_no_divergence(data, tmp_path):
    """The running variance of a normalisation may be large; trained weights may not."""
    config = load_config(one_step_an_epoch(data))
    model = build_model(config)
    variance = next(tensor for key, tensor in model.state_dict().items() if key.endswith("_variance"))
    variance.set_value(paddle.full(variance.shape, 10 * LARGEST_WEIGHT))
    check_weights(model, build_optimiser(config, model, 1, 1), 5, tmp_path / "latest")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_training_and_keeps_the_batch(value, good, data, tmp_path, monkeypatch):
    shutil.copytree(good, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.pd*")}
    build = recognition.build_loss

    def spoilt(config):
        loss = build(config)
        return lambda outputs, targets: {"loss": loss(outputs, targets)["loss"] * value}

    monkeypatch.setattr(recognition, "build_loss", spoilt)
    config = one_step_an_epoch(data, epoch_num=2, checkpoints=str(tmp_path / "run" / "latest"))
    with pytest.raises(RunError) as caught:
        train(load_config(config), tmp_path / "run", progress=False)
    folder = tmp_path / "run" / "stopped_at_step_2"
    told = str(caught.value)
    assert f"The loss became {value} at step 2" in told and "the batch (8 lines: " in told and str(folder) in told
    assert "latest of step 1" in told
    history = [json.loads(row) for row in (tmp_path / "run" / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (history[-1]["kind"], history[-1]["reason"], history[-1]["problem"]) == ("ended", "failed", told)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.pd*")} == before
    arrays = np.load(folder / "batch.npz")
    assert arrays["images"].shape[:2] == (8, 3) and len(arrays["ids"]) == len(arrays["lengths"]) == 8
    rows = [line.split("\t") for line in (folder / "labels.txt").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 8 and all((folder / name).is_file() and "train.txt:" in place for name, _, place in rows)


def test_an_empty_validation_set_is_found_before_the_first_step(data, tmp_path):
    (tmp_path / "val.txt").write_text("")
    config = one_step_an_epoch(data)
    config["Eval"]["dataset"] = {**config["Eval"]["dataset"], "label_file_list": [str(tmp_path / "val.txt")]}
    with pytest.raises(InputError, match=r"val\.txt.*--val"):
        train(load_config(config), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("section", ["Train", "Eval"])
@pytest.mark.parametrize("fault", ["missing", "truncated", "no picture"])
def test_bad_pictures_are_found_before_the_first_step(section, fault, data, tmp_path):
    broken = shutil.copytree(data, tmp_path / "data")
    picture = broken / "images" / "5.png"
    if fault == "missing":
        picture.unlink()
    else:
        picture.write_bytes(picture.read_bytes()[:-20] if fault == "truncated" else b"<html>")
    config = one_step_an_epoch(data)
    config[section]["dataset"] = {**config[section]["dataset"], "data_dir": str(broken / "images")}
    what = "training" if section == "Train" else "validation"
    with pytest.raises(InputError, match=rf"1 of the 8 pictures of the {what} set.*5\.png"):
        train(load_config(config), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_labels_that_no_canvas_of_the_training_can_hold_are_an_error(tmp_path):
    draw_digits(tmp_path, 6, longest=9, shortest=9)
    config = tiny_config(tmp_path)
    config["Train"]["sampler"] = None
    for section in ("Train", "Eval"):  # a canvas of 32 pixels has 8 time steps
        dataset = {**config[section]["dataset"], "transforms": [{"RecResizeImg": {"image_shape": [3, 32, 32]}}]}
        config[section]["dataset"] = dataset
    with pytest.raises(InputError, match="No line can be learnt: all 6 labels need more than the 8 time steps"):
        train(load_config(config), tmp_path / "run", progress=False)


def test_a_training_too_short_for_its_first_evaluation_says_so_at_its_begin(data, tmp_path):
    config = one_step_an_epoch(data, epoch_num=2, eval_batch_epoch=None, eval_batch_step=[0, 2000])
    assert train(load_config(config), tmp_path / "run", progress=False).best_score == -1
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "only latest: the first evaluation is due after step 2000 (Global.eval_batch_step), but there are" in log
    assert "Global.eval_batch_epoch=1" in log and (tmp_path / "run" / "latest.pdparams").is_file()
    with pytest.raises(InputError, match=r"never evaluated \(Global\.eval_batch_step.*latest\.pdparams"):
        load_weights(build_model(load_config(config)), tmp_path / "run" / "best_accuracy")
