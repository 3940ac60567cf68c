"""Scores of detectors, and of detector and recogniser together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenetext.errors import InputError
from scenetext.evaluate.box_metrics import BoxCounts, count_boxes
from scenetext.evaluate.end_to_end import EndToEndScores, PlacedText, end_to_end_scores
from scenetext.evaluate.photos import score_photo_folder, score_photos
from scenetext.text.normalise import normalise_for_score
from scenetext.text.photo_labels import read_photo_labels


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


TEXT = rectangle(0, 0, 100, 20)
IGNORED = rectangle(0, 40, 100, 60)
BOW_TIE = np.array([[0, 0], [100, 20], [100, 0], [0, 20]], float)
CURVE = np.array([[x, 5 * (x / 50 - 1) ** 2] for x in range(0, 101, 20)] + [[x, 25] for x in range(100, -1, -20)])
LOWER = CURVE + np.array([0, 200])


@pytest.mark.parametrize(
    ("detections", "expected"),
    [
        ([TEXT], (1, 1, 1)),
        ([rectangle(0, 0, 51, 20)], (1, 1, 1)),
        ([rectangle(0, 0, 50, 20)], (0, 1, 1)),  # exactly a half is not enough
        ([rectangle(0, 0, 60, 20), TEXT], (1, 2, 1)),  # the first, not the best
        ([TEXT, TEXT], (1, 2, 1)),
        ([rectangle(10, 42, 40, 52)], (0, 0, 1)),  # in the ignored text
        ([rectangle(50, 40, 151, 60)], (0, 1, 1)),  # less than half in it
        ([BOW_TIE, TEXT], (1, 1, 1)),
        ([CURVE], (1, 1, 1)),
        ([TEXT[:2], TEXT[[0, 1, 0]]], (0, 0, 1)),  # no area
        ([], (0, 0, 1)),
    ],
)
def test_boxes_of_a_photo(detections: list[np.ndarray], expected: tuple[int, int, int]) -> None:
    counts = count_boxes([TEXT, IGNORED], [False, True], detections)
    assert (counts.matched, counts.found, counts.truths) == expected


def test_ratios_without_anything_to_divide_by_are_zero() -> None:
    nothing = BoxCounts.total([])
    assert (nothing.precision, nothing.recall, nothing.hmean) == (0.0, 0.0, 0.0)
    assert count_boxes([], [], [TEXT]).hmean == 0.0


def test_boxes_score_as_in_paddleocr(shared: Path) -> None:
    expected = json.loads((shared / "parity" / "expected" / "det_metric.json").read_text(encoding="utf-8"))
    photos = []
    for case in expected["cases"]:
        texts, detections = ([np.array(points, float) for points in case[side]] for side in ("gt", "det"))
        photos.append(count_boxes(texts, list(map(bool, case["ignore"])), detections))
        counts = {"gtCare": photos[-1].truths, "detCare": photos[-1].found, "detMatched": photos[-1].matched}
        assert counts == case["per_image"], case["name"]
        assert {name: getattr(photos[-1], name) for name in case["metric"]} == case["metric"], case["name"]
    total = BoxCounts.total(photos)
    wanted = expected["all_cases_together"]
    assert len(photos) == 15 and {name: getattr(total, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("read", "hits", "detections", "edits"),
    [
        ([(TEXT, "ABC 1")], 1, 1, 0),
        ([(TEXT, " ＡＢＣ 1\u3000")], 1, 1, 0),
        ([(TEXT, "abc 1")], 0, 1, 3),
        ([(TEXT, "ABC")], 0, 1, 2),
        ([(rectangle(0, 0, 50, 20), "ABC 1")], 1, 1, 0),  # a half is enough here
        ([(rectangle(0, 0, 60, 20), "x"), (TEXT, "ABC 1")], 1, 2, 1),  # the best, not the first
        ([(IGNORED, "y")], 0, 0, 5),
        ([(rectangle(0, 80, 9, 90), "yz")], 0, 1, 7),
        ([], 0, 0, 5),
    ],
)
def test_texts_of_a_photo(read: list[tuple[np.ndarray, str]], hits: int, detections: int, edits: int) -> None:
    texts = [PlacedText(TEXT, "ABC 1"), PlacedText(IGNORED, "###")]
    scores = end_to_end_scores(texts, [PlacedText(*each) for each in read])
    assert scores == EndToEndScores(hits, detections, 1, edits, 5, 1)


def test_another_fold_forgives_more() -> None:
    scores = end_to_end_scores([PlacedText(TEXT, "Shop 1")], [PlacedText(TEXT, "SHOP1")], fold=normalise_for_score)
    assert (scores.fmeasure, scores.character_accuracy) == (1.0, 1.0)


def test_texts_score_as_in_paddleocr(shared: Path) -> None:
    expected = json.loads((shared / "parity" / "expected" / "det_e2e.json").read_text(encoding="utf-8"))
    for case in expected["cases"]:
        total = EndToEndScores()
        read = {Path(name).name: texts for name, texts in case["pred"].items()}
        for name, texts in case["gt"].items():
            sides = (texts, read.get(Path(name).name, []))
            total += end_to_end_scores(
                *([PlacedText(np.array(t["points"]), t["transcription"]) for t in s] for s in sides)
            )
        assert printed(total) == case["printed"], case["name"]
    assert len(expected["cases"]) == 12


def printed(scores: EndToEndScores) -> list[str]:
    return [
        f"hit, dt_count, gt_count {scores.hits} {scores.detections} {scores.texts}",
        f"character_acc: {100 * scores.character_accuracy:.2f}%",
        f"avg_edit_dist_field: {scores.edits_per_text:.2f}",
        f"avg_edit_dist_img: {scores.edits_per_photo:.2f}",
        f"precision: {100 * scores.precision:.2f}%",
        f"recall: {100 * scores.recall:.2f}%",
        f"fmeasure: {100 * scores.fmeasure:.2f}%",
    ]


def read_line(points: np.ndarray, text: str) -> dict:
    return {"text": text, "confidence": 0.9, "points": points.tolist(), "box_score": 0.9}


def photo(name: str, *lines: dict, rejected: tuple[dict, ...] = ()) -> dict:
    return {"photo": name, "height": 100, "width": 100, "lines": list(lines), "rejected": list(rejected)}


def label(name: str, *texts: tuple[np.ndarray, str]) -> str:
    boxes = [{"transcription": text, "points": points.tolist()} for points, text in texts]
    return f"{name}\t{json.dumps(boxes, ensure_ascii=False)}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What was read on three photos, one of them without a label, and a label file in which another photo is named."""
    rejected = (read_line(LOWER, "?"),)
    records = [
        photo("a.jpg", read_line(TEXT, "出口 a"), rejected=rejected),
        photo("x/b.jpg"),
        photo("new.jpg", read_line(TEXT, "x")),
    ]
    (tmp_path / "photos.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    labels = [
        label("images/a.jpg", (TEXT, "出口A"), (LOWER, "曲线"), (IGNORED, "###")),
        label("x/b.jpg", (TEXT - 500, "beyond")),
        label("other.jpg", (TEXT, "y")),
    ]
    (tmp_path / "labels.txt").write_text("".join(labels), encoding="utf-8")
    return tmp_path


def test_photos_are_scored_by_boxes_and_by_texts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = score_photo_folder(read_photo_labels(folder / "labels.txt"), folder)
    assert (scores.boxes.matched, scores.boxes.found, scores.boxes.truths) == (2, 2, 3)  # rejected boxes count, too
    assert scores.exact == EndToEndScores(0, 1, 3, 2 + 2 + 6, 3 + 2 + 6, 2)
    assert scores.normalised == EndToEndScores(1, 1, 3, 2 + 6, 3 + 2 + 6, 2)
    assert "hmean 0.8000" in str(scores) and "F 0.5000" in str(scores)
    written = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert written == scores.as_dict() and written["boxes"]["hmean"] == pytest.approx(0.8)
    told = capsys.readouterr().err
    assert "1 photos have no label" in told and "1 labels are of other photos" in told


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([label("z.jpg", (TEXT, "a"))], "None of 1 photos has a label; the first label is of z.jpg"),
        ([label("a.jpg", (TEXT, "a"))] * 2, "labels.txt:2: a.jpg has a label already, labels.txt:1"),
        (["a.jpg\tword\n"], "labels.txt:1"),
        ([], "holds no label"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path: Path, lines: list[str], told: str) -> None:
    (tmp_path / "labels.txt").write_text("".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        score_photos(read_photo_labels(tmp_path / "labels.txt"), [photo("a.jpg")])
