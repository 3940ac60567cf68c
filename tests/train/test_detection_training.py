"""A detector is trained, resumed, scored and exported by the same commands as a recogniser."""

from __future__ import annotations

import json
import shutil

import numpy as np
import paddle
import pytest
import yaml
from drawn import detector_config, draw_photos
from parity import SMALL_ACTIVATIONS, fill

from scenetext.cli import main
from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.evaluate.detection import evaluate_detector
from scenetext.export.exporter import export_model
from scenetext.models import build_model
from scenetext.predict.boxes import Box
from scenetext.predict.detector_folder import DetectorSettings, is_detector, read_detector_yml
from scenetext.predict.text_detector import open_detector
from scenetext.text.photo_labels import read_photo_labels
from scenetext.train.detection import DetectionTask
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams

PHOTOS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("photos"), PHOTOS)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    return train(load_config(detector_config(folder)), path, progress=False)


def rows(run) -> list[dict]:
    return [json.loads(line) for line in (run.folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_training_logs_the_parts_of_the_loss_and_the_scores(run):
    trained = [row for row in rows(run) if row["kind"] == "train"]
    assert run.steps == len(trained) == 4 and run.stopped == "finished"
    for row in trained:
        parts = [row[f"loss_{name}_maps"] for name in ("shrink", "threshold", "binary")]
        assert row["loss"] > 0 and np.isfinite(parts).all()
    scored = [row for row in rows(run) if row["kind"] == "eval"]
    assert len(scored) == 2 and {"precision", "recall", "hmean"} <= set(scored[0])
    assert run.best_score == max(row["hmean"] for row in scored)
    assert not (run.folder / "charset.txt").exists()
    saved = load_config(run.folder / "config.yml")
    assert saved.Architecture.Head == {"name": "DBHead", "k": 50.0, "fix_nan": False, "aux_in_channels": 0}


def test_a_resumed_training_ends_with_the_weights_of_one_that_ran_through(run, folder, tmp_path):
    half = train(load_config(detector_config(folder, epoch_num=1)), tmp_path / "run", progress=False)
    config = load_config(detector_config(folder, checkpoints=str(half.latest)))
    resumed = train(config, tmp_path / "run", progress=False)
    assert resumed.steps == run.steps
    own, whole = (read_pdparams(f"{result.latest}.pdparams") for result in (resumed, run))
    assert all((own[key] == whole[key]).all() for key in whole)


def test_other_photos_are_another_training(run, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "photos")
    text = (folder / "label.txt").read_text(encoding="utf-8")
    (tmp_path / "photos" / "label.txt").write_text(text.replace("出口", "###", 1), encoding="utf-8")
    config = load_config(detector_config(tmp_path / "photos", epoch_num=3, checkpoints=str(run.latest)))
    with pytest.raises(InputError, match="the lines of Train"):
        train(config, tmp_path / "run", progress=False)


def test_photos_without_text_that_counts_teach_nothing(folder, tmp_path):
    (tmp_path / "none.txt").write_text("0.png\t[]\n1.png\t[]\n", encoding="utf-8")
    config = detector_config(folder)
    config["Train"]["dataset"]["label_file_list"] = [str(tmp_path / "none.txt")]
    with pytest.raises(InputError, match="None of the 2 photos of Train has a text that counts"):
        train(load_config(config), tmp_path / "run", progress=False)


def truth(folder):
    labels = read_photo_labels(folder / "label.txt")
    return labels, {label.name: label.outlines for label in labels}


def test_scores_of_a_perfect_and_of_a_blind_detector(folder, tmp_path):
    labels, outlines = truth(folder)
    names = iter(label.name for label in labels)

    def perfect(image):
        return [Box(outline.astype(np.int64), 0.9) for outline in outlines[next(names)]]

    found = evaluate_detector(perfect, labels, folder, tmp_path / "scores", progress=False)
    assert (found.counts.precision, found.counts.recall, found.counts.hmean) == (1.0, 1.0, 1.0)
    written = json.loads((tmp_path / "scores" / "scores.json").read_text(encoding="utf-8"))
    assert written["hmean"] == 1.0 and len(written["photos"]) == PHOTOS
    again = read_photo_labels(tmp_path / "scores" / "boxes.txt")  # its form is that of a label file
    assert [len(label.boxes) for label in again] == [2] * PHOTOS
    blind = evaluate_detector(lambda image: [], labels, folder, progress=False)
    assert blind.counts.hmean == 0.0 and blind.counts.truths == 2 * PHOTOS


def test_a_photo_that_cannot_be_read_counts_and_is_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "photos")
    (tmp_path / "photos" / "0.png").write_bytes(b"%PDF-1.7 no photo")
    labels, _ = truth(folder)
    found = evaluate_detector(lambda image: [], labels, tmp_path / "photos", progress=False)
    assert list(found.unreadable) == ["0.png"] and found.counts.truths == 2 * PHOTOS
    assert "1 photos could not be read" in str(found)


def test_a_photo_that_breaks_during_a_training_is_no_photo_without_text(folder, tmp_path):
    photos = shutil.copytree(folder, tmp_path / "photos")
    config = load_config(detector_config(photos))
    task = DetectionTask(config, build_model(config), False)
    assert task.evaluate().count == PHOTOS
    (photos / "0.png").write_bytes(b"%PDF-1.7 no photo")
    with pytest.raises(InputError, match="0.png"):
        task.evaluate()


@pytest.fixture(scope="module")
def config_file(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "detector.yml"
    path.write_text(yaml.safe_dump(detector_config(folder)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def weights(config_file, tmp_path_factory):
    """The prefix of weights as after a long training: after a few steps a network depends on rounding."""
    path = tmp_path_factory.mktemp("weights") / "filled.pdparams"
    model = build_model(config_file)
    fill(model, SMALL_ACTIVATIONS)
    paddle.save(model.state_dict(), str(path))
    return path.with_suffix("")


@pytest.fixture(scope="module")
def exported(weights, config_file, folder, tmp_path_factory):
    """The folder that `scenetext export` writes within 4 MB, with its scores."""
    out = tmp_path_factory.mktemp("exported") / "model"
    arguments = ["-c", str(config_file), "--weights", str(weights), "--out", str(out), "--max-mb", "4"]
    assert main(["export", *arguments, "--labels", str(folder / "label.txt"), "--images", str(folder)]) == 0
    return out


def test_an_export_fits_its_budget_and_finds_what_the_network_finds(exported, config_file):
    report = json.loads((exported / "report.json").read_text(encoding="utf-8"))
    assert report["size_bytes"] <= 4_000_000 and report["unit"] == "photo" and report["classes"] is None
    assert set(report["accuracy"]) == {"trained", "exported"} and report["accuracy"]["exported"]["photos"] == PHOTOS
    assert max(report["max_difference"].values()) < 1e-4
    assert is_detector(exported)
    settings = read_detector_yml(exported)
    expected = DetectorSettings.of(load_config(config_file))
    assert settings.detection == expected.detection and settings.model_name == "PP-OCRv5_mobile_det"
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert "a detector of text in photos" in card and f"Measured on {PHOTOS} labelled photos" in card
    assert "{{" not in card and "{%" not in card and "\n\n\n" not in card
    photo = np.full((70, 100, 3), 200, np.uint8)
    found = open_detector(exported, "paddle").map(photo)
    assert found.shape == (96, 128) and 0 <= found.min() <= found.max() <= 1


def test_the_command_scores_an_exported_detector(exported, folder, tmp_path, capsys):
    labels = ["--labels", str(folder / "label.txt"), "--images", str(folder)]
    assert main(["evaluate", "--model", str(exported), *labels, "--out", str(tmp_path / "scores")]) == 0
    assert "hmean" in capsys.readouterr().out and (tmp_path / "scores" / "boxes.txt").is_file()


REFUSED = {
    "labels of recognition": ("evaluate", "rec.txt", "a text, as in a label file of text recognition"),
    "a text that is no JSON": ("evaluate", "broken.txt", "needs the boxes as JSON"),
    "an empty file": ("evaluate", "empty.txt", "holds no label"),
}


@pytest.mark.parametrize(("verb", "labels", "told"), REFUSED.values(), ids=REFUSED)
def test_labels_that_are_none_are_refused_in_a_sentence(exported, folder, tmp_path, capsys, verb, labels, told):
    (tmp_path / "rec.txt").write_text("0.png\t出口\n", encoding="utf-8")
    (tmp_path / "broken.txt").write_text("0.png\t[{'transcription': '出口'}]\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    arguments = ["--labels", str(tmp_path / labels), "--images", str(folder), "--out", str(tmp_path / "out")]
    assert main([verb, "--model", str(exported), *arguments]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_characters_of_a_detector_cannot_be_chosen(config_file, run, tmp_path):
    with pytest.raises(InputError, match="a detector has none"):
        export_model(load_config(config_file), run.latest, tmp_path / "out", characters="ab", progress=False)


TASKS = {
    "a recogniser's head": ({"Architecture.Head.name": "CTCHead"}, r"Architecture\.Head\.name is 'CTCHead'"),
    "a recogniser's backbone": (
        {"Architecture.Backbone.name": "RepSVTR"},
        r"Architecture\.Backbone\.name is 'RepSVTR'",
    ),
    "a recogniser's loss": ({"Loss.name": "CTCLoss"}, r"Loss\.name is CTCLoss.*detection"),
    "a recogniser's metric": ({"Metric.name": "RecMetric"}, r"Metric\.name is RecMetric.*give DetMetric"),
    "a detector called a recogniser": ({"Architecture.model_type": "rec"}, r"is DBLoss.*recognition"),
    "a rectifier": ({"Architecture.Transform": {"name": "TPS"}}, "Transform rectifies lines"),
    "det: false": ({"Architecture.Backbone": {"name": "PPLCNetV3", "det": False}}, "det is false"),
}


@pytest.mark.parametrize(("changes", "told"), TASKS.values(), ids=TASKS)
def test_parts_of_two_tasks_are_refused(folder, changes, told):
    config = detector_config(folder)
    for key, value in changes.items():
        section = config
        *above, last = key.split(".")
        for part in above:
            section = section[part]
        section[last] = value
    with pytest.raises(InputError, match=told):
        build_model(config)


def test_transforms_of_the_other_task_are_refused(folder):
    config = detector_config(folder)
    config["Train"]["dataset"]["transforms"] = [{"CTCLabelEncode": None}]
    with pytest.raises(InputError, match=r"Train\.dataset\.transforms lack DetLabelEncode"):
        load_config(config)


def test_a_recognisers_folder_is_no_detector(tmp_path):
    (tmp_path / "inference.yml").write_text("PostProcess: {name: CTCLabelDecode}\n", encoding="utf-8")
    assert not is_detector(tmp_path)
    with pytest.raises(InputError, match="is no detector: its PostProcess.name is"):
        open_detector(tmp_path)
    with pytest.raises(InputError, match=r"holds no inference\.yml"):
        open_detector(tmp_path / "nothing")
