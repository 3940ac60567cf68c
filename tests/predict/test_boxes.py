"""From a detector's map to boxes in the photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenetext.predict.boxes import BoxRule


def drawn_map(*rectangles: tuple[int, int, int, int], size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """Probability 0.9 in rectangles (left, top, right, bottom; inclusive), 0 elsewhere."""
    probabilities = np.zeros(size, np.float32)
    for left, top, right, bottom in rectangles:
        probabilities[top : bottom + 1, left : right + 1] = 0.9
    return probabilities


def test_boxes_are_enlarged_scaled_and_scored() -> None:
    probabilities = drawn_map((10, 10, 50, 20), (60, 40, 80, 50))
    lower, upper = BoxRule(unclip_ratio=1.5).boxes(probabilities, (128, 96))
    # 40 x 10: area 400, perimeter 100, so 6 pixels more on each side; heights are doubled
    np.testing.assert_array_equal(upper.points, [[4, 8], [56, 8], [56, 52], [4, 52]])
    assert upper.score == pytest.approx(0.9) and lower.points[0, 1] > upper.points[0, 1]


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        (BoxRule(), 2),
        (BoxRule(box_thresh=0.95), 0),
        (BoxRule(thresh=0.9001), 0),
        (BoxRule(max_candidates=1), 1),
        (BoxRule(box_type="poly"), 2),
    ],
)
def test_the_settings_decide_what_counts(rule: BoxRule, count: int) -> None:
    assert len(rule.boxes(drawn_map((10, 10, 50, 20), (60, 40, 80, 50)), (64, 96))) == count


@pytest.mark.parametrize(
    "probabilities",
    [drawn_map(), drawn_map((10, 10, 50, 11)), drawn_map((5, 5, 5, 5)), np.full((64, 64), np.nan, np.float32)],
    ids=["empty", "thin", "a pixel", "not a number"],
)
@pytest.mark.parametrize("box_type", ["quad", "poly"])
def test_no_text_gives_no_box(probabilities: np.ndarray, box_type: str) -> None:
    assert BoxRule(box_type=box_type).boxes(probabilities, (64, 64)) == []


def test_boxes_stay_within_the_photo() -> None:
    (box,) = BoxRule().boxes(np.full((32, 64), 0.9, np.float32), (320, 640))
    assert box.points.min() == 0 and box.points.max(axis=0).tolist() == [640, 320]


def test_boxes_are_those_of_paddleocr(shared: Path) -> None:
    expected = np.load(shared / "parity" / "expected" / "det_postprocess.npz")
    variants, shapes = (json.loads(str(expected[name])) for name in ("__variants", "__shapes"))
    compared = 0
    for key in (name.removesuffix("_scores") for name in expected.files if name.endswith("_scores")):
        variant, map_name, shape = key.split("__")
        boxes = BoxRule(**variants[variant]).boxes(expected[f"map_{map_name}"], shapes[shape])
        if f"{key}_n" in expected.files:  # outlines of different lengths, one after the other
            wanted = np.split(expected[f"{key}_points"], np.cumsum(expected[f"{key}_n"]))[:-1]
        else:
            wanted = list(expected[f"{key}_boxes"])
        assert len(boxes) == len(wanted), key
        for box, points in zip(boxes, wanted, strict=True):
            np.testing.assert_array_equal(box.points, points, err_msg=key)
        np.testing.assert_allclose([box.score for box in boxes], expected[f"{key}_scores"], atol=1e-12, err_msg=key)
        compared += len(boxes)
    assert compared == 156
