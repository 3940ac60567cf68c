"""Photos on their way to a detector and crops of them on their way to a recogniser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenetext.data.detection.crops import crop_text
from scenetext.data.detection.polygons import order_corners
from scenetext.data.detection.resize import DetectionSize, padded, standardised_photo


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (720, 1280, (736, 1312)),
        (4000, 3000, (4000, 3008)),  # as in PaddleOCR
        (40, 3000, (64, 4000)),  # there 736 x 55,200
        (3000, 40, (4000, 64)),
        (12000, 4000, (4000, 1344)),
        (1, 60000, (32, 4000)),
    ],
)
def test_the_size_of_a_photo_is_bounded(height: int, width: int, size: tuple[int, int]) -> None:
    assert DetectionSize().size(height, width) == size


def test_without_its_bound_the_size_is_that_of_paddleocr(shared: Path) -> None:
    expected = np.load(shared / "parity" / "expected" / "det_postprocess.npz")
    options = json.loads(str(expected["resize_options"]))
    compared = 0
    for (name, given), table in zip(options.items(), expected["resize_table"], strict=True):
        for hw, row in zip(expected["resize_hw"].tolist(), table, strict=True):
            if not np.isnan(row).any():
                photo = padded(np.zeros((*hw, 3), np.uint8))
                size = DetectionSize(**given, longest_px=None).size(*photo.shape[:2])
                assert size == tuple(row[:2]), (name, hw)
                compared += 1
    assert compared > 150


def test_a_tiny_photo_is_padded_and_then_resized() -> None:
    photo = np.full((20, 30, 3), 200, np.uint8)
    assert padded(photo).shape == (32, 32, 3) and padded(photo)[20:].max() == 0
    assert DetectionSize().resize(photo).shape == (736, 736, 3)


def test_pixels_are_standardised_channel_by_channel() -> None:
    photo = np.zeros((2, 3, 3), np.uint8)
    photo[..., 0] = 255
    pixels = standardised_photo(photo)
    assert pixels.shape == (3, 2, 3) and pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[:, 0, 0], [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-5)


def test_crops_are_those_of_paddleocr(shared: Path) -> None:
    expected = np.load(shared / "parity" / "expected" / "det_crops.npz")
    names = [name.removesuffix("_points") for name in expected.files if name.endswith("_points")]
    for name in names:
        crop = "minarea_crop" if name == "minarea_poly" else name
        np.testing.assert_array_equal(crop_text(expected["img"], expected[f"{name}_points"]), expected[crop], name)
    assert len(names) == 9
    for quad, ordered in zip(expected["order_in"], expected["order_out"], strict=True):
        is_broken = len(np.unique(ordered, axis=0)) < 4  # a square on its corner, which has a corner twice there
        if not is_broken:
            np.testing.assert_array_equal(order_corners(quad), ordered)


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize(
    ("width", "height", "degrees", "turns"),
    [
        *((100, 20, degrees, 0) for degrees in (0, 30, 44, 45, 46, 59, -45, -59)),
        (100, 20, 75, 1),  # a column that leans to one side
        (100, 20, -75, -1),
        (20, 100, 10, 0),
        (20, 100, -10, 0),
        (20, 18, 40, 0),  # a single character
        (20, 20, 50, 1),
    ],
)
def test_corners_are_ordered_as_the_text_is_read(
    width: int, height: int, degrees: float, turns: int, start: int
) -> None:
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = np.deg2rad(degrees)
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + 200
    ordered = order_corners(np.roll(corners, start, axis=0))
    np.testing.assert_allclose(ordered, np.roll(corners, turns, axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    "quad",
    [
        [[205, 164], [230, 166], [203, 361], [178, 362]],  # a column that leans
        [[129, 409], [348, 204], [408, 257], [181, 462]],  # a line that rises
    ],
)
def test_the_boxes_of_a_public_report_do_not_cross_themselves(quad: list[list[int]]) -> None:
    """PaddleOCR's issue 5752: its order makes a cross of them."""
    np.testing.assert_array_equal(order_corners(np.array(quad)), quad)


def test_a_square_that_stands_on_a_corner_keeps_all_four() -> None:
    assert len(np.unique(order_corners(np.array([[30, 0], [60, 30], [30, 60], [0, 30]])), axis=0)) == 4


def test_a_tall_text_is_turned_counter_clockwise() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[5:15, 10:20] = 255  # the upper end of the text
    crop = crop_text(photo, np.array([[10, 5], [20, 5], [20, 35], [10, 35]]))
    assert crop.shape == (10, 30, 3) and crop[:, :8].min() > 200 and crop[:, 12:].max() == 0


@pytest.mark.parametrize(
    "outline",
    [
        [[5, 5], [5, 5], [5, 9], [5, 9]],  # no width
        [[5, 5], [9, 5], [9, 5], [5, 5]],  # no height
        [[5, 5], [5, 6], [5, 7], [5, 8], [5, 9]],  # a line of five points
    ],
)
def test_an_outline_without_area_has_no_crop(outline: list[list[int]]) -> None:
    assert crop_text(np.zeros((20, 20, 3), np.uint8), np.array(outline)) is None


def test_an_outline_beyond_the_photo_repeats_its_border() -> None:
    photo = np.full((20, 20, 3), 7, np.uint8)
    crop = crop_text(photo, np.array([[-30, 5], [50, 5], [50, 15], [-30, 15]]))
    assert crop.shape == (10, 80, 3) and crop.min() == crop.max() == 7
