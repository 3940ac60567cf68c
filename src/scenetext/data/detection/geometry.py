"""IaaAugment, EastRandomCropData and CopyPaste: how a photo and its outlines are changed while a detector trains.

Reference: ppocr/data/imaug/iaa_augment.py, random_crop_data.py and copy_paste.py; the crop is that of EAST (Zhou et
al., CVPR 2017, arXiv:1704.03155). Different here: every draw comes from the generator that the caller passes; flip,
rotation, resize and crop are one matrix, so that pixels are interpolated once; and the crop may use every run of free
lines (PaddleOCR never uses the last one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

PASTED_SHARE, MOST_PASTED = 0.2, 30  # of another photo's texts
PASTE_TRIES = 50
FEWEST_PIXELS_PASTED = 4  # less wide or high texts are not pasted


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo with the outlines of its texts.

    Attributes:
        image: (H, W, 3) uint8, blue first.
        outlines: (N, 2) float each, x and y in pixels; they may lie outside.
        ignored: of each, whether it is neither learned nor counted.
    """

    image: np.ndarray
    outlines: list[np.ndarray]
    ignored: list[bool]

    @property
    def cared(self) -> list[np.ndarray]:
        """The outlines that are not ignored."""
        return [outline for outline, skip in zip(self.outlines, self.ignored, strict=True) if not skip]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a photo, in pixels of the photo after `random_matrix`."""

    left: float
    top: float
    width: float
    height: float


def random_matrix(
    augmenters: Sequence[Mapping[str, Any]], width: int, height: int, rng: np.random.Generator
) -> tuple[np.ndarray, int, int]:
    """Draws what IaaAugment does to a photo.

    Args:
        augmenters: `type` and `args` each, complete, see `config.sections.detection.AUGMENTERS`.
        width, height: of the photo in pixels.
        rng: draws.

    Returns:
        (3, 3) float64, from pixels of the photo to pixels of the changed one, and its width and height.
    """
    matrix = np.eye(3)
    for augmenter in augmenters:
        args = augmenter["args"]
        if augmenter["type"] == "Fliplr":
            if rng.random() < args["p"]:
                matrix = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]]) @ matrix
        elif augmenter["type"] == "Affine":
            if rng.random() < args["p"]:
                turned, width, height = _rotation(rng.uniform(*args["rotate"]), width, height, args["fit_output"])
                matrix = turned @ matrix
        else:
            scale = rng.uniform(*args["size"])
            wide, high = max(1, round(width * scale)), max(1, round(height * scale))
            matrix = np.diag([wide / width, high / height, 1.0]) @ matrix
            width, height = wide, high
    return matrix, width, height


def _rotation(degrees: float, width: int, height: int, fits: bool) -> tuple[np.ndarray, int, int]:
    """A rotation about the middle, and the size afterwards, which grows with the corners if it `fits`."""
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    if not fits:
        return matrix, width, height
    corners = transformed(np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64), matrix)
    low = corners.min(0)
    wide, high = np.maximum(1, np.ceil(corners.max(0) - low)).astype(int)
    return np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]]) @ matrix, int(wide), int(high)


def transformed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (N, 2) after an affine (3, 3)."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def random_crop(
    cared: Sequence[np.ndarray], width: int, height: int, tries: int, least_share: float, rng: np.random.Generator
) -> Crop:
    """Draws a part of a photo whose borders cut no outline and that holds one of them at least.

    Args:
        cared: outlines, in pixels of the photo.
        width, height: of the photo.
        tries: before the whole photo is taken.
        least_share: of each side that the part has at least.
        rng: draws.
    """
    whole = Crop(0, 0, width, height)
    columns, rows = (
        _free_runs([outline[:, axis] for outline in cared], side) for axis, side in ((0, width), (1, height))
    )
    if not cared or not columns or not rows:
        return whole
    for _ in range(tries):
        left, right = _two_lines(columns, rng)
        top, bottom = _two_lines(rows, rng)
        if right - left < least_share * width or bottom - top < least_share * height:
            continue
        crop = Crop(left, top, right - left, bottom - top)
        if any(touches(outline, crop) for outline in cared):
            return crop
    return whole


def _free_runs(extents: Sequence[np.ndarray], side: int) -> list[tuple[int, int]]:
    """First and last of each run of lines that no extent covers."""
    free = np.ones(side, bool)
    for values in extents:
        low, high = np.rint([values.min(), values.max()]).astype(int)
        free[max(low, 0) : max(high, 0)] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(np.int8), [0]])))
    return [(int(start), int(end) - 1) for start, end in edges.reshape(-1, 2)]


def _two_lines(runs: Sequence[tuple[int, int]], rng: np.random.Generator) -> tuple[int, int]:
    """Two free lines: of two runs if there are several, else of the one."""
    chosen = rng.choice(len(runs), 2, replace=False) if len(runs) > 1 else (0, 0)
    lines = [int(rng.integers(runs[run][0], runs[run][1] + 1)) for run in chosen]
    return min(lines), max(lines)


def touches(outline: np.ndarray, crop: Crop) -> bool:
    """Whether an outline's extent is not entirely outside of a crop."""
    (left, top), (right, bottom) = outline.min(0), outline.max(0)
    across = right > crop.left and left < crop.left + crop.width
    return bool(across and bottom > crop.top and top < crop.top + crop.height)


def cut(photo: Photo, matrix: np.ndarray, crop: Crop, size: tuple[int, int], keep_ratio: bool) -> Photo:
    """Lays a crop of a changed photo on a canvas, at its top left, the rest of it black.

    Args:
        photo: the photo.
        matrix: from `random_matrix`.
        crop: in pixels after the matrix.
        size: (width, height) in pixels of the canvas.
        keep_ratio: pad instead of stretching.

    Returns:
        The canvas with the outlines that touch the crop.
    """
    scale = np.array(size) / (crop.width, crop.height)
    scale = np.full(2, scale.min()) if keep_ratio else scale
    onto = np.diag([*scale, 1.0]) @ np.array([[1, 0, -crop.left], [0, 1, -crop.top], [0, 0, 1.0]])
    kept = [touches(transformed(outline, matrix), crop) for outline in photo.outlines]
    total = onto @ matrix
    outlines = [transformed(o, total) for o, inside in zip(photo.outlines, kept, strict=True) if inside]
    ignored = [skip for skip, inside in zip(photo.ignored, kept, strict=True) if inside]
    wide, high = (
        max(1, min(int(side), int(length * s)))
        for side, length, s in zip(size, (crop.width, crop.height), scale, strict=True)
    )
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[:high, :wide] = warped(photo.image, total, wide, high)
    return Photo(canvas, outlines, ignored)


def warped(image: np.ndarray, matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture after an affine, interpolated without aliasing, black outside."""
    shrink = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    if shrink < 0.5:
        small = cv2.resize(image, None, fx=2 * shrink, fy=2 * shrink, interpolation=cv2.INTER_AREA)
        ratio = np.array(image.shape[1::-1]) / small.shape[1::-1]
        matrix, image = matrix @ np.diag([*ratio, 1.0]), small
    return cv2.warpAffine(image, matrix[:2], (width, height), flags=cv2.INTER_LINEAR)


def paste(photo: Photo, other: Photo, is_limited: bool, rng: np.random.Generator) -> Photo:
    """CopyPaste: texts of another photo, each turned by any angle, where they touch no text of this one.

    Args:
        photo: gets them.
        other: has them.
        is_limited: a fifth of the other's texts and 30 at most, one at least; otherwise all of them.
        rng: draws.
    """
    cared = other.cared
    most = max(1, min(int(PASTED_SHARE * len(other.outlines)), MOST_PASTED)) if is_limited else len(cared)
    image, outlines, ignored = photo.image.copy(), list(photo.outlines), list(photo.ignored)
    for number in rng.permutation(len(cared))[:most]:
        pasted = _paste_one(image, outlines, other.image, cared[number], rng)
        if pasted is not None:
            outlines.append(pasted)
            ignored.append(False)
    return replace(photo, image=image, outlines=outlines, ignored=ignored)


def _paste_one(
    image: np.ndarray, outlines: Sequence[np.ndarray], source: np.ndarray, outline: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """Pastes one text; returns its outline there, None where no place was found."""
    corners = outline if len(outline) == 4 else cv2.boxPoints(cv2.minAreaRect(outline.astype(np.float32)))
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = int(max(sides[0], sides[2])), int(max(sides[1], sides[3]))
    if min(width, height) < FEWEST_PIXELS_PASTED:
        return None
    angle = np.deg2rad(int(rng.integers(0, 360)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ turn.T
    turned -= turned.min(0)
    wide, high = np.ceil(turned.max(0)).astype(int) + 1
    place = _free_place(outlines, image.shape, int(wide), int(high), rng)
    if place is None:
        return None
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), turned.astype(np.float32))
    patch = cv2.warpPerspective(source, matrix, (int(wide), int(high)), flags=cv2.INTER_LINEAR)
    shape = np.zeros((int(high), int(wide)), np.uint8)
    cv2.fillConvexPoly(shape, np.rint(turned).astype(np.int32), 1)
    left, top = place
    part = image[top : top + high, left : left + wide]
    part[shape > 0] = patch[shape > 0]
    return (turned + place).astype(np.float32)


def _free_place(
    outlines: Sequence[np.ndarray], shape: tuple[int, ...], width: int, height: int, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Left and top of a rectangle that touches the extent of no outline."""
    if width >= shape[1] or height >= shape[0]:
        return None
    for _ in range(PASTE_TRIES):
        left, top = int(rng.integers(0, shape[1] - width)), int(rng.integers(0, shape[0] - height))
        if not any(touches(outline, Crop(left, top, width, height)) for outline in outlines):
            return left, top
    return None
