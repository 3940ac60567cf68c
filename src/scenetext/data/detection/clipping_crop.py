"""RandomCrop, PP-OCRv6's crop of a photo: it lies anywhere, cuts texts, and enlarges nothing.

Reference: ppocr/data/imaug/random_crop_data.py, class RandomCrop. Different here: every draw comes from the generator
that the caller passes, and pixels are interpolated once, together with the augmentations before.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import shapely

from scenetext.data.detection.geometry import Crop, Photo, touches, transformed, warped

LARGEST = 3  # sides of a crop over those of the canvas
LEAST_AREA_PX = 80  # of a text that a crop cuts; what is smaller is left out
LEAST_LEFT = 0.35  # of a text's height, of each side of what is left of it
QUAD = 4
_HALVINGS = 50


def clipping_crop(
    photo: Photo,
    matrix: np.ndarray,
    photo_size: tuple[int, int],
    size: tuple[int, int],
    tries: int,
    least_share: float,
    rng: np.random.Generator,
) -> Photo:
    """Draws a part of a changed photo and lays it anywhere on a black canvas, reduced where it is larger.

    Args:
        photo: the photo.
        matrix, photo_size: from `random_matrix`: the change, and width and height after it.
        size: (width, height) in pixels of the canvas.
        tries: before the whole photo is taken.
        least_share: of each side of the photo that the part has at least.
        rng: draws.

    Returns:
        The canvas with its texts, those at the part's border cut; a text of which too little is left is not among them.
    """
    outlines = [transformed(outline, matrix) for outline in photo.outlines]
    cared = [number for number, ignored in enumerate(photo.ignored) if not ignored]
    crop, kept = Crop(0, 0, *photo_size), {number: outlines[number] for number in cared}
    for _ in range(tries if cared else 0):
        drawn = _draw(photo_size, size, least_share, rng)
        left = {number: clipped(outlines[number], drawn) for number in cared}
        if any(outline is not None for outline in left.values()):
            crop, kept = drawn, {number: outline for number, outline in left.items() if outline is not None}
            break
    scale = min(1.0, size[0] / crop.width, size[1] / crop.height)
    wide, high = max(1, int(crop.width * scale)), max(1, int(crop.height * scale))
    place = np.array([rng.integers(0, side - own + 1) for side, own in zip(size, (wide, high), strict=True)])
    onto = np.array([[scale, 0, -scale * crop.left], [0, scale, -scale * crop.top], [0, 0, 1.0]])
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[place[1] : place[1] + high, place[0] : place[0] + wide] = warped(photo.image, onto @ matrix, wide, high)
    laid, ignored = [], []
    for number, outline in enumerate(outlines):
        if number in kept:
            laid.append(transformed(kept[number], onto) + place)
        elif photo.ignored[number] and touches(outline, crop):
            laid.append(np.clip(transformed(outline, onto) + place, 0, size))
        else:
            continue
        ignored.append(photo.ignored[number])
    return Photo(canvas, laid, ignored)


def _draw(photo_size: Sequence[int], size: Sequence[int], least_share: float, rng: np.random.Generator) -> Crop:
    sides, starts = [], []
    for whole, wanted in zip(photo_size, size, strict=True):
        least = max(1, min(int(whole * least_share), wanted))
        sides.append(min(int(rng.integers(least, LARGEST * wanted + 1)), whole))
        starts.append(int(rng.integers(0, whole - sides[-1] + 1)))
    return Crop(*starts, *sides)


def clipped(outline: np.ndarray, crop: Crop) -> np.ndarray | None:
    """What a crop leaves of a text's outline, (M, 2) with M at most QUAD if it is cut; None if that is too little."""
    right, bottom = crop.left + crop.width, crop.top + crop.height
    if (outline >= (crop.left, crop.top)).all() and (outline <= (right, bottom)).all():
        return outline
    whole = shapely.Polygon(outline)
    if not touches(outline, crop) or not whole.is_valid:
        return None
    part = whole.intersection(shapely.box(crop.left, crop.top, right, bottom))
    largest = max(shapely.get_parts(part), key=lambda piece: piece.area, default=None)
    if largest is None or largest.geom_type != "Polygon" or len(largest.exterior.coords) <= QUAD:
        return None
    left = _simplified(np.array(largest.exterior.coords[:-1]))
    least_px = LEAST_LEFT * _short_side(outline)
    sides = np.linalg.norm(left - np.roll(left, -1, axis=0), axis=1)
    is_large = shapely.Polygon(left).area >= LEAST_AREA_PX and _short_side(left) >= least_px
    return left if is_large and (len(left) != QUAD or sides.min() >= least_px) else None


def _short_side(outline: np.ndarray) -> float:
    return min(cv2.minAreaRect(outline.astype(np.float32))[1])


def _simplified(outline: np.ndarray) -> np.ndarray:
    """At most QUAD of the corners, those that change the shape least (Douglas and Peucker)."""
    if len(outline) <= QUAD:
        return outline
    corners = outline.astype(np.float32).reshape(-1, 1, 2)
    around, low, high, best = cv2.arcLength(corners, True), 0.0, 0.5, outline[:QUAD]
    for _ in range(_HALVINGS):
        tolerance = (low + high) / 2
        found = cv2.approxPolyDP(corners, tolerance * around, True)
        if len(found) <= QUAD:
            best, high = found, tolerance
        else:
            low = tolerance
    return best.reshape(-1, 2).astype(np.float64)
