"""Scoring a reader against the original labels: what counts, what is named, what is written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from scenetext.errors import InputError
from scenetext.evaluate.breakdown import Confusion, confusions, group_scores, range_name
from scenetext.evaluate.evaluation import evaluate, evaluate_command
from scenetext.export.exporter import export_model
from scenetext.models import build_model
from scenetext.text.charset import Charset
from scenetext.text.records import Record
from scenetext.train.checkpoint import save_weights

# name, label, what the reader says, correct raw, correct normalised
LINES = [
    ("0.png", "烤鱼", "烤鱼", True, True),
    ("1.png", "ＡＢ 1", "ab1", False, True),  # width, case and space are forgiven
    ("2.png", "停车场", "停车埸", False, False),
    ("3.png", "入口", "", False, False),  # nothing read: an empty prediction, and it counts
    ("4.png", '他说"好",\\n', '他说"好",\\n', True, True),  # quotes and commas survive the CSV
    ("5.png", "龘", "龙", False, False),  # a character that the charset lacks
]
CONFIDENCE = 0.75


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A picture a line; the value of its pixels is the line's number."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, (name, *_) in enumerate(LINES):
        cv2.imwrite(str(folder / name), np.full((48, 40 * (number + 1), 3), number, np.uint8))
    return folder


def read(pictures: list[np.ndarray]) -> list[tuple[str, float]]:
    """A reader that says what `LINES` has for the picture."""
    return [(LINES[picture[0, 0, 0]][2], CONFIDENCE) for picture in pictures]


def records(count: int = len(LINES)) -> list[Record]:
    return [Record(name, text, f"val.txt:{number}") for number, (name, text, *_) in enumerate(LINES[:count], 1)]


def test_every_line_counts_once_against_its_original_label(images: Path, tmp_path: Path) -> None:
    found = evaluate(read, records(), images, tmp_path / "out", progress=False)
    assert [(line.correct_raw, line.correct_normalised) for line in found.lines] == [
        (raw, normalised) for _, _, _, raw, normalised in LINES
    ]
    assert found.scores.lines == len(LINES) and found.scores.empty == 1
    assert found.scores.raw.value == pytest.approx(2 / 6)
    assert found.scores.normalised.value == pytest.approx(3 / 6)
    assert found.scores.normalised.low <= 0.5 <= found.scores.normalised.high


def test_the_rows_written_are_the_lines_and_their_shares_the_scores(images: Path, tmp_path: Path) -> None:
    found = evaluate(read, records(), images, tmp_path / "out", progress=False)
    with open(tmp_path / "out" / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "name", "target", "prediction", "confidence", "correct_raw", "correct_normalised", "width_px", "height_px",
    ]  # fmt: skip
    assert [(row["name"], row["target"], row["prediction"]) for row in rows] == [line[:3] for line in LINES]
    assert [(row["width_px"], row["height_px"]) for row in rows] == [(str(40 * n), "48") for n in range(1, 7)]
    scores = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    assert scores["raw"]["value"] == sum(row["correct_raw"] == "1" for row in rows) / len(rows)
    assert scores["normalised"]["value"] == found.scores.normalised.value
    assert sum(group["lines"] for group in scores["by_length"]) == scores["lines"] == len(rows)
    assert sum(group["lines"] for group in scores["by_width"]) == len(rows)


def test_an_unreadable_picture_is_an_empty_prediction_and_is_named(images: Path, tmp_path: Path) -> None:
    (images / "0.png").write_bytes(b"")
    (images / "1.png").unlink()
    found = evaluate(read, records(), images, progress=False)
    assert sorted(found.unreadable) == ["0.png", "1.png"]
    assert "0 bytes" in found.unreadable["0.png"] and "val.txt:1" in found.unreadable["0.png"]
    assert [line.prediction for line in found.lines[:3]] == ["", "", "停车埸"]
    assert found.scores.lines == len(LINES) and found.scores.empty == 3
    assert sum(group.lines for group in found.by_width) == len(LINES) - 2


def test_a_folder_without_any_of_the_pictures_is_an_error_not_a_score_of_zero(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="Not one of 6 pictures"):
        evaluate(read, records(), tmp_path / "empty", progress=False)


def test_labels_that_the_charset_cannot_spell_are_counted_and_stay_in_the_score(images: Path) -> None:
    charset = Charset.from_labels(text for _, text, *_ in LINES[:5])
    found = evaluate(read, records(), images, charset=charset, progress=False)
    assert (found.lines_with_unknown, found.unknown_characters) == (2, {" ": 1, "龘": 1})
    assert found.scores.lines == len(LINES)
    assert evaluate(read, records(), images, progress=False).lines_with_unknown is None


def test_the_worst_lines_are_wrong_ones_with_least_in_common_first(images: Path) -> None:
    found = evaluate(read, records(), images, progress=False)
    assert [line.name for line in found.worst(10)] == ["5.png", "3.png", "2.png"] or [
        line.name for line in found.worst(10)
    ] == ["3.png", "5.png", "2.png"]
    assert len(found.worst(1)) == 1


@pytest.mark.parametrize(
    ("target", "prediction", "expected"),
    [
        ("停车场", "停车埸", [Confusion("场", "埸", 1, False)]),
        ("停车场", "停车", [Confusion("场", "", 1, False)]),
        ("停车", "停车场", [Confusion("", "场", 1, False)]),
        ("Ａ", "a", [Confusion("Ａ", "a", 1, True)]),
        ("a b", "ab", [Confusion(" ", "", 1, True)]),
        ("88", "BB", [Confusion("8", "B", 2, False)]),
        ("同", "同", []),
    ],
)
def test_confused_characters_are_counted_by_alignment(target, prediction, expected) -> None:
    assert confusions([prediction], [target]) == expected


def test_groups_cover_every_value_and_leave_out_empty_ranges() -> None:
    groups = group_scores(["a", "b", "c", "d"], ["a", "b", "x", "d"], [1, 2, 2, 90], (1, 2, 3, 5, 9))
    assert [(group.group, group.lines, group.raw) for group in groups] == [("1", 1, 1.0), ("2", 2, 0.5), ("9+", 1, 1.0)]
    assert range_name((0, 64, 128), 0) == "0-63"


@pytest.mark.parametrize(
    ("content", "out", "told"),
    [
        (b"", "out", "labels.csv"),
        (b"name,value\n", "out", "labels.csv"),
        (b"name,value\n0.png,\n", "out", r"labels\.csv holds no label that can be scored"),
        (b"name,value\n0.png,A\n", "labels.csv", r"labels\.csv is a file; give the name of a folder"),
    ],
)
def test_labels_and_places_that_cannot_be_used_are_told_before_the_model_is_opened(
    content: bytes, out: str, told: str, images: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_bytes(content)
    with pytest.raises(InputError, match=told):
        evaluate_command(
            config=None, weights=None, model="none", labels=str(labels), images=str(images), out=str(tmp_path / out)
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels.csv"]
    assert labels.read_bytes() == content


def test_the_command_scores_trained_weights_and_an_exported_folder_alike(images: Path, tmp_path: Path, root) -> None:
    (tmp_path / "charset.txt").write_text("烤\n鱼\n1\n", encoding="utf-8")
    (tmp_path / "labels.csv").write_text("name,value\n0.png,烤鱼\n1.png,1\n2.png,\n", encoding="gb2312")
    config = tmp_path / "tiny.yml"
    config.write_text(
        f"base: {root}/configs/crnn_mobile.yml\nGlobal:\n  character_dict_path: {tmp_path}/charset.txt\n", "utf-8"
    )
    weights, exported = tmp_path / "weights", tmp_path / "exported"
    save_weights(build_model(config), weights)
    export_model(config, weights, exported, progress=False)
    common = ["--labels", str(tmp_path / "labels.csv"), "--images", str(images)]
    found = {}
    for name, model in (
        ("trained", ["-c", str(config), "--weights", str(weights)]),
        ("exported", ["--model", str(exported)]),
    ):
        out = tmp_path / name
        command = [sys.executable, "-m", "scenetext", "evaluate", *model, *common, "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ}, timeout=600)
        assert done.returncode == 0, done.stderr
        assert "labels.csv:4" in done.stderr and "of 2 lines" in done.stdout  # the empty label is named, not scored
        found[name] = (out / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[:3] for row in found["trained"]] == [row.split(",")[:3] for row in found["exported"]]
