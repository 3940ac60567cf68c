"""A detector's scores at other thresholds than its own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from photos import drawn_detector, drawn_photo

from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.evaluate.command import evaluate_any
from scenetext.evaluate.thresholds import BOX_THRESHES, THRESHES, best_of, table, threshold_scores
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.text_detector import TextDetector
from scenetext.system.launched import Process
from scenetext.text.photo_labels import read_photo_labels

BOX = [[96, 96], [288, 96], [288, 192], [96, 192]]


class Unsure:
    """An engine that is sure of a text to some degree, and to 0.2 of paper beside it."""

    workers = 1

    def __init__(self, probability: float):
        self.probability = probability

    def run(self, batch: np.ndarray) -> np.ndarray:
        maps = np.full((1, 1, *batch.shape[2:]), 0.05, np.float32)
        rows, columns = (side / size for side, size in zip(batch.shape[2:], (480, 640), strict=True))
        maps[..., int(128 * rows) : int(160 * rows), int(128 * columns) : int(256 * columns)] = self.probability
        maps[..., int(300 * rows) : int(340 * rows), int(400 * columns) : int(500 * columns)] = 0.35
        return maps


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, str]:
    """Two photos with a text each, of which one cannot be read."""
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), drawn_photo())
    (tmp_path / "photos" / "b.png").write_bytes(b"no picture")
    boxes = json.dumps([{"transcription": "1", "points": BOX}])
    (tmp_path / "labels.txt").write_text(f"a.png\t{boxes}\nb.png\t{boxes}\n", encoding="utf-8")
    return {"labels": str(tmp_path / "labels.txt"), "images": str(tmp_path / "photos")}


@pytest.mark.parametrize(
    ("probability", "best"),
    [(0.53, (0.5, 0.5)), (0.9, (0.5, 0.7))],  # the highest that find the text and not what is beside it
)
def test_what_a_network_finds_at_other_thresholds(photos, probability: float, best: tuple[float, float]) -> None:
    detector = TextDetector(Unsure(probability), DetectionSettings())
    labels = read_photo_labels(photos["labels"])
    own, scores = threshold_scores(detector, labels, open_images(photos["images"]), progress=False)
    assert [(s.thresh, s.box_thresh) for s in scores] == [(t, b) for t in THRESHES for b in BOX_THRESHES]
    found = {(s.thresh, s.box_thresh): (s.counts.matched, s.counts.found, s.counts.truths) for s in scores}
    assert found[0.3, 0.7] == ((1, 1, 2) if probability > 0.7 else (0, 0, 2))
    assert found[0.3, 0.3] == (1, 2, 2)  # what is beside it, too
    assert [len(boxes) for boxes, _ in own] == [int(probability > 0.7), 0] and "b.png" in own[1][1]
    chosen = best_of(scores)
    assert (chosen.thresh, chosen.box_thresh) == best
    told = f"highest: 0.6667 by -o PostProcess.thresh={best[0]} PostProcess.box_thresh={best[1]}"
    assert told in table(scores)


def test_a_network_that_finds_nothing_is_said_to_need_training(photos) -> None:
    detector = TextDetector(Unsure(0.06), DetectionSettings())
    _, scores = threshold_scores(
        detector, read_photo_labels(photos["labels"]), open_images(photos["images"]), progress=False
    )
    assert "has to be trained for longer" in table(scores)


def test_evaluate_writes_them(photos, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector = str(drawn_detector())
    given = {"config": None, "weights": None, "model": detector, **photos}
    evaluate_any(**given, out=str(tmp_path / "plain"))
    evaluate_any(**given, out=str(tmp_path / "table"), thresholds=True)
    assert "hmean by thresh" in capsys.readouterr().out
    plain, with_table = (json.loads((tmp_path / out / "scores.json").read_text()) for out in ("plain", "table"))
    rows = with_table.pop("thresholds")
    assert with_table == plain and len(rows) == len(THRESHES) * len(BOX_THRESHES)
    assert rows[0].keys() == {"thresh", "box_thresh", *plain.keys()} - {"photos", "unreadable", "predictions_sha256"}


def test_where_they_do_not_belong(photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"config": None, "weights": None, "model": str(drawn_detector()), **photos, "out": str(tmp_path / "out")}
    monkeypatch.setattr("scenetext.evaluate.command.this_process", lambda: Process(0, 2))
    with pytest.raises(InputError, match="--thresholds searches the photos in one process"):
        evaluate_any(**given, thresholds=True)
    monkeypatch.undo()
    from exported import tiny_folder

    with pytest.raises(InputError, match="--thresholds is for a detector"):
        evaluate_any(**{**given, "model": str(tiny_folder())}, thresholds=True)
    assert not (tmp_path / "out").exists()
