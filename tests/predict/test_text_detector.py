"""Searching photos: what cannot be read is told, and what fails is not taken for a photo without text."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.evaluate.detection import evaluate_detector
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.text_detector import TextDetector, find_on
from scenetext.system.files import read_json, sha256_file
from scenetext.text.photo_labels import read_photo_labels


class Maps:
    """An engine whose maps are empty, and of half the size if it is another network's."""

    workers = 1

    def __init__(self, step: int = 1):
        self.step = step

    def run(self, batch: np.ndarray) -> np.ndarray:
        return np.zeros((1, 1, *batch.shape[2:]), np.float32)[:, :, :: self.step, :: self.step]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "good.png"), np.full((64, 96, 3), 200, np.uint8))
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    box = '[{"transcription": "a", "points": [[0, 0], [20, 0], [20, 20], [0, 20]]}]'
    (tmp_path / "label.txt").write_text("".join(f"{name}.png\t{box}\n" for name in ("good", "torn")))
    return tmp_path


def test_a_photo_that_cannot_be_read_has_no_boxes_and_a_reason(photos: Path) -> None:
    detect, source = TextDetector(Maps(), DetectionSettings()), open_images(photos)
    assert find_on(detect, source, "good.png") == ([], None)
    boxes, problem = find_on(detect, source, "torn.png")
    assert boxes == [] and "torn.png" in problem
    evaluation = evaluate_detector(detect, read_photo_labels(photos / "label.txt"), photos, progress=False)
    assert set(evaluation.unreadable) == {"torn.png"} and evaluation.counts.truths == 2


def test_scores_hold_the_checksum_of_their_boxes(photos: Path, tmp_path: Path) -> None:
    detect, labels = TextDetector(Maps(), DetectionSettings()), read_photo_labels(photos / "label.txt")
    for _ in range(2):  # the second takes the place of the first
        evaluate_detector(detect, labels, photos, tmp_path / "out", progress=False)
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"boxes.txt", "scores.json"}
        scores = read_json(tmp_path / "out" / "scores.json")
        assert scores["predictions_sha256"] == sha256_file(tmp_path / "out" / "boxes.txt") and scores["hmean"] == 0


def test_a_network_that_is_no_detector_is_an_error_and_not_a_photo_without_text(photos: Path) -> None:
    detect, labels = TextDetector(Maps(step=2), DetectionSettings()), read_photo_labels(photos / "label.txt")
    with pytest.raises(InputError, match="the program is another network's"):
        find_on(detect, open_images(photos), "good.png")
    with pytest.raises(InputError, match="the program is another network's"):
        evaluate_detector(detect, labels, photos, progress=False)
