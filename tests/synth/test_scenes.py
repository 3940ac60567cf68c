"""Drawn photos: their labels are those of text detection, texts are where the labels say, and a seed repeats them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from scenetext.cli import main
from scenetext.synth import draw_scene, draw_scenes
from scenetext.text.photo_labels import read_photo_labels

SCENES = 3


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, SCENES, seed=1, workers=1, progress=False)
    return folder


def test_the_labels_are_read_and_their_outlines_lie_within_the_photos_and_apart(scenes: Path) -> None:
    labels = read_photo_labels(scenes / "train_label.txt")
    assert [label.name for label in labels] == [f"images/{index}.jpg" for index in range(SCENES)]
    for label in labels:
        height, width = cv2.imread(str(scenes / label.name)).shape[:2]
        assert label.boxes and all(box.text and not box.ignored for box in label.boxes)
        for number, outline in enumerate(label.outlines):
            assert (outline >= 0).all() and (outline <= (width, height)).all()
            for other in label.outlines[:number]:
                assert (outline.max(0) < other.min(0)).any() or (outline.min(0) > other.max(0)).any()


def test_the_texts_are_inside_their_outlines() -> None:
    inside, outside = [], []
    for seed in range(4):
        photo, texts = draw_scene(np.random.default_rng(seed))
        edges = np.abs(cv2.Laplacian(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), cv2.CV_32F))
        mask = np.zeros(edges.shape, np.uint8)
        cv2.fillPoly(mask, [text.outline.astype(np.int32) for text in texts], 1)
        inside.append(edges[mask == 1].mean())
        outside.append(edges[mask == 0].mean())
    assert np.mean(inside) > 1.5 * np.mean(outside)


def test_a_larger_set_begins_with_the_scenes_of_a_smaller_one(scenes: Path, tmp_path: Path) -> None:
    draw_scenes(tmp_path / "one", 1, seed=1, workers=1, progress=False)
    assert (tmp_path / "one/images/0.jpg").read_bytes() == (scenes / "images/0.jpg").read_bytes()
    first, *_ = (scenes / "train_label.txt").read_text(encoding="utf-8").splitlines()
    assert (tmp_path / "one/train_label.txt").read_text(encoding="utf-8") == f"{first}\n"


def test_the_command_draws_the_same_scenes_in_two_processes(scenes: Path, tmp_path: Path) -> None:
    arguments = ["--scenes", str(SCENES), "--seed", "1", "--workers", "2", "--out", str(tmp_path / "out")]
    assert main(["synth", *arguments]) == 0
    for file in scenes.rglob("*.*"):
        assert (tmp_path / "out" / file.relative_to(scenes)).read_bytes() == file.read_bytes()


REFUSED = {
    "no scene": (["--scenes", "0"], "scenes=0 is too small"),
    "a seed below 0": (["--scenes", "1", "--seed", "-1"], "seed=-1 is too small"),
    "texts, which are for lines": (["--scenes", "1", "--texts", "x.txt"], "leave --texts and --fonts out"),
    "an LMDB": (["--scenes", "1", "--out", "x.lmdb"], "scenes go to a folder"),
    "lines of nothing": (["--lines", "1"], "--lines needs --texts"),
    "a folder of other things": (["--scenes", "1", "--out", "."], "holds other things"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused(arguments, told, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kept.txt").touch()
    assert main(["synth", "--out", "new", *arguments]) == 2
    assert told in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
