"""The maps that a detector is trained to give, and how photos and outlines change together before."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from drawn import detector_config, draw_photos

from scenetext.config import load_config
from scenetext.data.detection.clipping_crop import clipped, clipping_crop
from scenetext.data.detection.geometry import Crop, Photo, cut, paste, random_crop, random_matrix, transformed
from scenetext.data.detection.maps import border_map, shrink_map
from scenetext.data.detection.photos import load_maps_ahead, photo_records, training_photos
from scenetext.errors import InputError

SIZE = (96, 128)


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


CURVE = np.array([[x, 60 + (x - 60) ** 2 / 100] for x in range(20, 101, 13)][:7], np.float32)
FOURTEEN = np.concatenate([CURVE, CURVE[::-1] - [0, 24]])


@pytest.mark.parametrize(("epoch", "ratio"), [(None, 0.4), (250, 0.5), (500, 0.6)])
def test_maps_equal_the_reference(shared, epoch, ratio):
    expected = np.load(shared / "parity" / "expected" / "det_maps.npz")
    compared = 0
    for name, given in json.loads(str(expected["__sets"])).items():
        key = name if epoch is None else f"{name}_epoch{epoch}"
        if f"{key}_shrink_map" not in expected:
            continue
        outlines = [np.array(outline, np.float64) for outline in given["polys"]]
        size = tuple(given["shape"])
        border, border_mask = border_map(outlines, given["ignore"], size, ratio, 0.3, 0.7)
        text, mask, ignored = shrink_map(outlines, given["ignore"], size, ratio, 8)
        np.testing.assert_allclose(border, expected[f"{key}_threshold_map"], atol=1e-6)
        for own, part in ((border_mask, "threshold_mask"), (text, "shrink_map"), (mask, "shrink_mask")):
            assert (own == expected[f"{key}_{part}"]).all(), (key, part)
        assert (ignored == expected[f"{key}_ignore_after"]).all()
        compared += 1
    assert compared >= 2


@pytest.mark.parametrize(
    ("outline", "ignored", "text", "masked"),
    [
        (rectangle(10, 10, 110, 40), False, True, False),
        (rectangle(10, 10, 110, 40), True, False, True),
        (rectangle(10, 10, 110, 16), False, False, True),  # too thin
        (rectangle(100, 60, 180, 120), False, True, False),  # partly outside
        (rectangle(200, 10, 260, 40), False, False, True),  # outside
        (FOURTEEN, False, True, False),
        (rectangle(10, 10, 10, 40), False, False, True),  # no area
    ],
)
def test_text_is_learned_ignored_or_left_out(outline, ignored, text, masked):
    shrunk, mask, left_out = shrink_map([outline], [ignored], SIZE, 0.4, 8)
    assert (shrunk.any(), (mask == 0).any()) == (text, masked) and left_out[0] == (not text)
    border, border_mask = border_map([outline], [ignored], SIZE, 0.4, 0.3, 0.7)
    assert border.min() >= 0.3 - 1e-6 and border.max() <= 0.7 + 1e-6 and border.shape == border_mask.shape == SIZE
    if ignored:
        assert not border_mask.any() and (border == np.float32(0.3)).all()


def test_a_photo_without_text_has_empty_maps():
    shrunk, mask, _ = shrink_map([], [], SIZE, 0.4, 8)
    border, border_mask = border_map([], [], SIZE, 0.4, 0.3, 0.7)
    assert not shrunk.any() and mask.all() and not border_mask.any() and np.ptp(border) == 0


def marked(outline: np.ndarray) -> Photo:
    """A black photo whose text is white."""
    image = np.zeros((*SIZE, 3), np.uint8)
    cv2.fillPoly(image, [outline.astype(np.int32)], (255, 255, 255))
    return Photo(image, [outline], [False])


AUGMENTERS = {
    "flip": [{"type": "Fliplr", "args": {"p": 1.0}}],
    "turn": [{"type": "Affine", "args": {"p": 1.0, "rotate": [20, 20], "fit_output": False}}],
    "turn on a larger canvas": [{"type": "Affine", "args": {"p": 1.0, "rotate": [45, 45], "fit_output": True}}],
    "smaller": [{"type": "Resize", "args": {"size": [0.3, 0.3]}}],
    "all": [
        {"type": "Fliplr", "args": {"p": 0.5}},
        {"type": "Affine", "args": {"p": 1.0, "rotate": [-10, 10], "fit_output": False}},
        {"type": "Resize", "args": {"size": [0.5, 3]}},
    ],
}


@pytest.mark.parametrize("augmenters", AUGMENTERS.values(), ids=AUGMENTERS)
@pytest.mark.parametrize("keep_ratio", [True, False])
def test_pixels_and_outlines_stay_together(augmenters, keep_ratio):
    outline = rectangle(40, 30, 90, 60)
    rng = np.random.default_rng(5)
    matrix, width, height = random_matrix(augmenters, SIZE[1], SIZE[0], rng)
    canvas = cut(marked(outline), matrix, Crop(0, 0, width, height), (160, 128), keep_ratio)
    drawn = np.zeros((128, 160), np.uint8)
    cv2.fillPoly(drawn, [np.rint(canvas.outlines[0]).astype(np.int32)], 255)
    both, either = (drawn > 127) & (canvas.image[..., 0] > 127), (drawn > 127) | (canvas.image[..., 0] > 127)
    assert both.sum() > 0.85 * either.sum() and canvas.image.shape == (128, 160, 3)


def test_a_crop_cuts_no_text_and_holds_one():
    outlines = [rectangle(10, 10, 50, 30), rectangle(70, 50, 120, 80)]
    smaller = 0
    for seed in range(40):
        crop = random_crop(outlines, 128, 96, 50, 0.1, np.random.default_rng(seed))
        inside = []
        for outline in outlines:
            (left, top), (right, bottom) = outline.min(0), outline.max(0)
            whole = (
                crop.left <= left
                and right <= crop.left + crop.width
                and crop.top <= top
                and bottom <= crop.top + crop.height
            )
            apart = (
                right <= crop.left
                or left >= crop.left + crop.width
                or bottom <= crop.top
                or top >= crop.top + crop.height
            )
            assert whole or apart
            inside.append(whole)
        assert any(inside)
        smaller += crop.width < 128
    assert smaller > 20


@pytest.mark.parametrize("cared", [[], [rectangle(-5, -5, 200, 200)]])  # no text; text everywhere
def test_without_a_line_that_is_free_the_whole_photo_is_taken(cared):
    assert random_crop(cared, 128, 96, 10, 0.1, np.random.default_rng(0)) == Crop(0, 0, 128, 96)


def test_pasted_texts_touch_no_other_and_bring_their_pixels():
    other = marked(rectangle(30, 30, 60, 42))
    for seed in range(10):
        photo = Photo(np.zeros((200, 240, 3), np.uint8), [rectangle(10, 10, 100, 40)], [False])
        pasted = paste(photo, other, True, np.random.default_rng(seed))
        assert len(pasted.outlines) == 2 and not photo.image.any()
        (left, top), (right, bottom) = pasted.outlines[1].min(0), pasted.outlines[1].max(0)
        assert left > 100 or top > 40 or right < 10 or bottom < 10
        middle = pasted.outlines[1].mean(0).astype(int)
        assert pasted.image[middle[1], middle[0]].min() > 200
        sides = np.linalg.norm(pasted.outlines[1] - np.roll(pasted.outlines[1], -1, axis=0), axis=1)
        np.testing.assert_allclose(sorted(sides), [12, 12, 30, 30], atol=1.5)


CUT = {
    "inside": (rectangle(10, 10, 50, 30), rectangle(10, 10, 50, 30)),
    "outside": (rectangle(110, 10, 150, 30), None),
    "its right half cut off": (rectangle(60, 10, 140, 30), rectangle(60, 10, 100, 30)),
    "less than 0.35 of its height left": (rectangle(94, 10, 140, 30), None),
    "half of its height cut off": (rectangle(10, 80, 60, 120), rectangle(10, 80, 60, 100)),
    "less than 80 square pixels left": (rectangle(93, 10, 140, 20), None),
    "a corner alone": (np.array([[60.0, 50], [130, -20], [200, 50], [130, 120]]), None),
    "no polygon": (np.array([[90.0, 10], [140, 40], [140, 10], [90, 40]]), None),
}


@pytest.mark.parametrize(("outline", "left"), CUT.values(), ids=CUT)
def test_what_a_crop_leaves_of_a_text(outline, left):
    found = clipped(outline, Crop(0, 0, 100, 100))
    assert (found is None) == (left is None)
    if left is not None:
        assert sorted(map(tuple, found.round(3))) == sorted(map(tuple, left))


def test_a_slanted_text_keeps_four_corners_when_it_is_cut():
    slanted = np.array([[40.0, 80], [80, 40], [120, 80], [80, 120]])
    found = clipped(slanted, Crop(0, 0, 100, 200))
    assert len(found) == 4 and found[:, 0].max() <= 100


@pytest.mark.parametrize("seed", range(8))
def test_a_crop_that_may_cut_lies_on_the_canvas_with_its_texts_and_is_not_enlarged(seed):
    rng = np.random.default_rng(seed)
    image = np.full((300, 500, 3), 60, np.uint8)
    outlines = [rectangle(40, 40, 240, 80), rectangle(300, 200, 420, 240), rectangle(400, 20, 480, 60)]
    for outline in outlines:
        cv2.fillPoly(image, [outline.astype(np.int32)], (250, 250, 250))
    photo = Photo(image, outlines, [False, False, True])
    made = clipping_crop(photo, np.eye(3), (500, 300), (128, 96), 50, 0.1, rng)
    assert made.image.shape == (96, 128, 3) and not all(made.ignored)
    for outline, ignored in zip(made.outlines, made.ignored, strict=True):
        assert (outline > -0.01).all() and (outline < (129, 97)).all()  # a part is cut to whole pixels
        middle = outline.mean(0).astype(int)
        assert ignored or made.image[middle[1], middle[0]].min() > 200
        assert np.ptp(outline, axis=0)[1] <= 40.01
    again = clipping_crop(photo, np.eye(3), (500, 300), (128, 96), 50, 0.1, np.random.default_rng(seed))
    assert (again.image == made.image).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("photos"), 6)


def test_a_sample_depends_on_seed_epoch_and_number_alone(folder):
    config = load_config(detector_config(folder))
    first, again, other = (training_photos(config, seed, False) for seed in (7, 7, 8))
    sample = first.load(2, 1)
    assert sample.images.shape == (3, 64, 64) and sample.shrink_map.shape == (64, 64)
    assert (sample.images == again.load(2, 1).images).all() and (sample.shrink_map == again.load(2, 1).shrink_map).all()
    assert any((first.load(i, 1).images != first.load(i, 2).images).any() for i in range(6))
    assert any((first.load(i, 1).images != other.load(i, 1).images).any() for i in range(6))
    restored = first.pixels(sample.images)
    assert np.abs(restored.astype(int) - first.picture(2, 1)).max() <= 1


def test_outlines_outside_the_photo_and_of_many_points_can_be_trained_on(folder, tmp_path):
    boxes = [
        {"transcription": "a", "points": FOURTEEN.tolist()},
        {"transcription": "b", "points": [[-30, -30], [40, -30], [40, 20], [-30, 20]]},
        {"transcription": "c", "points": [[500, 500], [600, 500], [600, 520], [500, 520]]},
        {"transcription": "###", "points": [[90, 60], [120, 60], [120, 80]]},
    ]
    (tmp_path / "l.txt").write_text(f"0.png\t{json.dumps(boxes)}\n1.png\t[]\n", encoding="utf-8")
    config = detector_config(folder)
    config["Train"]["dataset"]["label_file_list"] = [str(tmp_path / "l.txt")]
    photos = training_photos(load_config(config), 0, False)
    for epoch in range(6):
        for batch in load_maps_ahead(photos, [type("Plan", (), {"indices": np.arange(2)})()], epoch, 1):
            assert batch.images.shape == (2, 3, 64, 64) and np.isfinite(batch.threshold_map).all()
            assert set(np.unique(batch.shrink_map)) <= {0.0, 1.0} and set(np.unique(batch.shrink_mask)) <= {0.0, 1.0}


BAD_SECTIONS = {
    "a sampler of lines": ({"sampler": {"name": "WidthBucketSampler", "max_width": 64}}, "leave Train.sampler empty"),
    "a side of 100": (
        {"transforms": [{"DetLabelEncode": None}, {"EastRandomCropData": {"size": [100, 64]}}]},
        "multiples",
    ),
    "two crops": (
        {"transforms": [{"DetLabelEncode": None}, {"EastRandomCropData": None}, {"RandomCrop": None}]},
        "keep one of them",
    ),
}


@pytest.mark.parametrize(("change", "told"), BAD_SECTIONS.values(), ids=BAD_SECTIONS)
def test_sections_that_no_detector_can_use_are_refused(folder, change, told):
    config = detector_config(folder)
    for key, value in change.items():
        (config["Train"] if key == "sampler" else config["Train"]["dataset"])[key] = value
    with pytest.raises(InputError, match=told):
        training_photos(load_config(config), 0, False)


def test_a_missing_label_file_is_named(folder):
    config = detector_config(folder)
    config["Eval"]["dataset"]["label_file_list"] = ["nothing.txt"]
    with pytest.raises(InputError, match=r"Eval\.dataset\.label_file_list: nothing\.txt does not exist"):
        photo_records(load_config(config), "Eval")


def test_points_follow_a_matrix():
    np.testing.assert_allclose(
        transformed(np.array([[1.0, 2.0]]), np.array([[0, 1, 5], [1, 0, 7], [0, 0, 1.0]])), [[7, 8]]
    )
