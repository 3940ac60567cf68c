"""Distillation from a teacher: whose texts and probabilities a student learns from, and which teachers are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import paddle
import pytest
from drawn import draw_digits, tiny_config
from exported import tiny_export, tiny_folder

from scenetext.config import load_config, write_config
from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.predict.images import predict_images
from scenetext.predict.recognizer import Recognizer
from scenetext.train.losses.answers import answers_loss
from scenetext.train.recognition import RecognitionTask
from scenetext.train.trainer import train
from scenetext.weights.loading import load_weights


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_digits(tmp_path_factory.mktemp("digits"), 6)


@pytest.fixture(scope="module")
def exported() -> Path:
    return tiny_export("json", "float32")


def taught(digits: Path, teacher: dict, replay: tuple = (), answers_weight: float = 0.0, **settings: object) -> dict:
    config = tiny_config(digits, **settings)
    config["Train"] = {**config["Train"], "teacher": teacher, "replay": list(replay)}
    return {**config, "Loss": {"name": "CTCLoss", "answers_weight": answers_weight}}


def config_and_weights(tmp_path: Path) -> dict:
    """The tiny network that `exported` holds, not exported."""
    write_config(load_config(tiny_config(tiny_folder())), tmp_path / "teacher.yml")
    return {"config": str(tmp_path / "teacher.yml"), "weights": str(tiny_folder() / "tiny")}


def task_of(config: dict) -> RecognitionTask:
    checked = load_config(config)
    return RecognitionTask(checked, build_model(checked), progress=False)


@pytest.mark.parametrize("data_dir", [None, "others"])
def test_a_student_learns_the_texts_that_its_dictionary_can_write(
    digits: Path, exported: Path, tmp_path: Path, data_dir: str | None
) -> None:
    pictures = tiny_folder() / "images"  # with labelled lines' own pictures, and with pictures that have no label
    read = {p.name: p.text for p in predict_images(Recognizer(exported), pictures, progress=False)}
    lacked = max("0123456789", key=lambda digit: sum(digit in text for text in read.values()))
    labelled = [row for row in (tiny_folder() / "train.txt").read_text().splitlines() if lacked not in row]
    (tmp_path / "train.txt").write_text("".join(f"{row}\n" for row in labelled))
    (tmp_path / "charset.txt").write_text("".join(f"{digit}\n" for digit in "0123456789" if digit != lacked))
    shutil.copytree(pictures, tmp_path / "images")

    part = {} if data_dir is None else {"data_dir": str(pictures)}
    task = task_of(taught(tmp_path, {"model": str(exported)}, [{"PretrainedAnswers": part}]))
    names = [row.split("\t")[0] for row in labelled] if data_dir is None else sorted(read)
    texts = {name: read[name] for name in names if read[name]}
    others = {name for name, text in texts.items() if lacked in text}
    replayed = {record.name: record.text for record in list(task.samples.records)[len(labelled) :]}
    assert replayed == {name: text for name, text in texts.items() if name not in others} and others
    told = next(note for note in task.notes if "PretrainedAnswers" in note)
    assert f"{len(others)} more that the dictionary cannot write" in told
    assert f"it lacks 1 of their characters ({lacked!r} on {len(others)})" in told and min(others) in told


def test_an_exported_folder_and_its_weights_give_the_same_probabilities(
    digits: Path, exported: Path, tmp_path: Path
) -> None:
    order = "0192837465"  # another order of the classes than the teacher's, and no 4
    (tmp_path / "charset.txt").write_text("".join(f"{digit}\n" for digit in order if digit != "4"))
    (tmp_path / "train.txt").write_text("0.png\t12\n1.png\t3\n")
    shutil.copytree(digits / "images", tmp_path / "images")
    answers = []
    for teacher in ({"model": str(exported)}, config_and_weights(tmp_path)):
        task = task_of(taught(tmp_path, teacher, answers_weight=1.0))
        (images, _), targets = task.to_tensors(next(iter(task.load_ahead(task.sampler.plan(0)[:1], 0, 1))))
        answers.append(paddle.nn.functional.softmax(targets.answers, axis=-1).numpy())
    np.testing.assert_allclose(*answers, atol=1e-4)
    whole = Recognizer(exported).engine.run(images.numpy())[:, :, [0, *(1 + int(d) for d in order if d != "4")]]
    np.testing.assert_allclose(answers[0], whole / whole.sum(axis=-1, keepdims=True), atol=1e-4)


def test_a_student_that_answers_as_its_teacher_has_no_loss(digits: Path, exported: Path) -> None:
    config = load_config(taught(digits, {"model": str(exported)}, answers_weight=1.0))
    model = build_model(config)
    load_weights(model, tiny_folder() / "tiny")
    task = RecognitionTask(config, model, progress=False)
    (images, _), targets = task.to_tensors(next(iter(task.load_ahead(task.sampler.plan(0)[:1], 0, 1))))
    model.eval()
    assert float(answers_loss(model(images), targets.answers)) == pytest.approx(0, abs=1e-3)
    model.head.fc.bias.set_value(model.head.fc.bias + paddle.arange(11, dtype="float32"))
    assert float(answers_loss(model(images), targets.answers)) > 0.1


def test_answers_of_another_number_of_time_steps_are_compared_over_the_line() -> None:
    paddle.seed(0)
    logits = paddle.randn([2, 6, 5])
    twice = paddle.repeat_interleave(logits, 2, axis=1)
    assert float(answers_loss(logits, twice)) == pytest.approx(0, abs=1e-5)
    assert float(answers_loss(logits, paddle.flip(twice, axis=-1))) > 0.01


def test_a_student_trains_on_texts_and_probabilities(digits: Path, exported: Path, tmp_path: Path) -> None:
    config = taught(digits, {"model": str(exported)}, [{"PretrainedAnswers": {}}], answers_weight=0.5, epoch_num=1)
    result = train(load_config(config), tmp_path / "run", progress=False)
    assert result.stopped == "finished" and result.steps >= 2


def broken(exported: Path, folder: Path, old: str, new: str) -> str:
    """A copy of an exported folder whose inference.yml has another text at one place."""
    shutil.copytree(exported, folder)
    text = (folder / "inference.yml").read_text(encoding="utf-8")
    assert old in text
    (folder / "inference.yml").write_text(text.replace(old, new), encoding="utf-8")
    return str(folder)


REFUSED = [
    # the teacher, settings of the student, what is said
    ("shorter dictionary", {}, r"Train.teacher: The network has 11 classes and its dictionary 10 .*another network's"),
    ("without inference.yml", {}, r"Train.teacher: .* holds no inference.yml: give a folder"),
    ("missing", {}, r"Train.teacher: The model folder .* does not exist"),
    ("missing weights", {}, r"Train.teacher: .*nowhere"),
    ("both", {}, r"Train.teacher names model and weights: give model .*, or config and weights"),
    ("nothing", {}, r"Train.teacher names nothing: give model"),
    ("other dictionary", {"answers_weight": 1.0}, r"lacks 1 of the student's characters \(x\).*answers_weight"),
    ("other height", {"answers_weight": 1.0}, r"48 pixels high and the teacher's 32: leave answers_weight out"),
]


@pytest.mark.parametrize(("teacher", "settings", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_teacher_that_cannot_teach_is_refused(
    digits: Path, exported: Path, tmp_path: Path, teacher: str, settings: dict, message: str
) -> None:
    given = {"model": str(exported)}
    if teacher == "shorter dictionary":
        given = {"model": broken(exported, tmp_path / "copy", "  - '8'\n  - '9'\n", "")}
    elif teacher == "without inference.yml":
        (tmp_path / "empty").mkdir()
        given = {"model": str(tmp_path / "empty")}
    elif teacher == "missing":
        given = {"model": str(tmp_path / "nowhere")}
    elif teacher == "missing weights":
        given = {**config_and_weights(tmp_path), "weights": str(tmp_path / "nowhere")}
    elif teacher == "both":
        given["weights"] = "x"
    elif teacher == "nothing":
        given = {}
    if teacher == "other dictionary":
        (tmp_path / "charset.txt").write_text("".join(f"{character}\n" for character in "0123456789x"))
        settings = {**settings, "character_dict_path": str(tmp_path / "charset.txt")}
    config = taught(digits, given, **settings)
    if teacher == "other height":
        for section in ("Train", "Eval"):
            config[section]["dataset"]["transforms"] = [{"RecResizeImg": {"image_shape": [3, 48, 128]}}]
    with pytest.raises(InputError, match=message):
        task_of(config)


def test_pictures_that_a_teacher_shall_read_must_exist(digits: Path, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    part = {"PretrainedAnswers": {"data_dir": str(tmp_path / "empty")}}
    assert not open_images(tmp_path / "empty").names()
    with pytest.raises(InputError, match=r"Train.replay.0.PretrainedAnswers.data_dir: .* holds no picture to replay"):
        task_of(taught(digits, {"model": str(exported)}, [part]))


def test_the_recipe_names_a_teacher_that_can_be_configured() -> None:
    config = load_config("configs/recipes/ppocrv6_tiny_taught.yml")
    assert config.Architecture.Backbone["model_size"] == "tiny"
    assert config.Loss.answers_weight == 0.0  # by texts alone: with probabilities it read worse
    assert [type(part).__name__ for part in config.Train.replay] == ["PretrainedAnswers"]
    assert load_config(config.Train.teacher.config).Architecture.Backbone["model_size"] == "small"
