"""Processes that share the pictures of an evaluation write what one process writes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import pytest
from drawn import tiny_config
from exported import tiny_export, tiny_folder
from photos import TEXTS, drawn_detector, drawn_photo

from scenetext.config import load_config
from scenetext.evaluate.detection import evaluate_detector_command
from scenetext.evaluate.evaluation import evaluate_command
from scenetext.system.launched import Process


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Labels and pictures of lines, read three at a time, one of them missing."""
    monkeypatch.setattr("scenetext.predict.images.RECORDS_PER_PIECE", 3)
    monkeypatch.setattr("scenetext.evaluate.evaluation.RECORDS_PER_PIECE", 3)
    labels = tiny_folder() / "with_missing.txt"
    labels.write_text((tiny_folder() / "train.txt").read_text() + "missing.png\t5\n")
    return {"labels": str(labels), "images": str(tiny_folder() / "images")}


def same(one: Path, two: Path) -> bool:
    names = {path.name for path in one.iterdir()}
    return names == {path.name for path in two.iterdir()} and all(
        (one / name).read_bytes() == (two / name).read_bytes() for name in names
    )


def test_an_exported_folder(lines: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = dict(config=None, weights=None, model=str(tiny_export("json", "float32")), **lines)

    def part(rank: int) -> bool:
        return evaluate_command(**given, out=str(tmp_path / "two"), process=Process(rank, 2, 2)) is not None

    evaluate_command(**given, out=str(tmp_path / "one"))
    alone = capsys.readouterr().out
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(part, range(2))) == [True, False]
    assert same(tmp_path / "one", tmp_path / "two") and len(list(tmp_path.iterdir())) == 2
    assert capsys.readouterr().out == alone.replace(str(tmp_path / "one"), str(tmp_path / "two"))


def test_trained_weights_while_the_other_process_never_comes(
    lines: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenetext.system.shared_job.GATHERING_S", 0.0)
    config = load_config(tiny_config(tiny_folder()))
    given = dict(config=config, weights=str(tiny_folder() / "tiny"), model=None, **lines)
    evaluate_command(**given, out=str(tmp_path / "one"))
    evaluate_command(**given, out=str(tmp_path / "two"), process=Process(0, 2))
    assert same(tmp_path / "one", tmp_path / "two") and len(list(tmp_path.iterdir())) == 2


def test_a_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenetext.evaluate.detection.PHOTOS_PER_PIECE", 2)
    monkeypatch.setattr("scenetext.system.shared_job.GATHERING_S", 0.0)
    (tmp_path / "photos").mkdir()
    box = {"transcription": "1", "points": [[10, 10], [90, 10], [90, 40], [10, 40]]}
    with open(tmp_path / "labels.txt", "w", encoding="utf-8") as labels:
        for number in range(3):
            cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), drawn_photo(TEXTS[: number + 1]))
            labels.write(f"{number}.png\t{json.dumps([box])}\n")
        labels.write(f"missing.png\t{json.dumps([box])}\n")
    pictures = {"labels": str(tmp_path / "labels.txt"), "images": str(tmp_path / "photos")}
    given = dict(config=None, weights=None, model=str(drawn_detector()), **pictures)
    evaluate_detector_command(**given, out=str(tmp_path / "one"))
    evaluate_detector_command(**given, out=str(tmp_path / "two"), process=Process(0, 2))
    assert same(tmp_path / "one", tmp_path / "two")
