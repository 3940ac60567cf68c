"""Draws whole photos with several texts each, and their outlines, for training a detector without any download.

A scene is a background with signs (lines of `draw`, pasted) and letters painted straight onto it, each turned a little.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm.auto import tqdm

from scenetext.errors import InputError
from scenetext.synth.camera import jpeg_bytes, photograph
from scenetext.synth.draw import draw_line
from scenetext.synth.letters import choose_lettering, set_text
from scenetext.synth.paint import Palette, choose_palette, paint_letters
from scenetext.synth.scenery import paint_scenery
from scenetext.synth.texts import write_line
from scenetext.system.files import replacing, write_text

SIDES_PX = (480, 961)  # of a scene, the second excluded
MOST_TEXTS = 14
TEXT_HEIGHTS_PX = (14, 90)
EMS = (2, 12)  # length of a text
PLACES_TRIED = 20
SIGNS = 0.5  # ratio of the texts that are pasted with a background of their own
GAP_PX = 4  # between the extents of two texts
VISIBLE = 60  # grey levels between letters and the ground that they are painted on
LABELS, IMAGES = "train_label.txt", "images"


class SceneText(NamedTuple):
    """One text of a scene, and its outline: (4, 2) float64, x and y in pixels, clockwise from the text's upper left."""

    text: str
    outline: np.ndarray


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, list[SceneText]]:
    """Draws a photo; an equally seeded `rng` gives the same pixels.

    Args:
        rng: the source of every choice.

    Returns:
        (H, W, 3) uint8, blue first, and its texts, one at least.
    """
    width, height = (int(side) for side in rng.integers(*SIDES_PX, 2))
    scene = paint_scenery(height, width, choose_palette(rng, 0.3).ground, rng)
    texts: list[SceneText] = []
    for _ in range(int(rng.integers(1, MOST_TEXTS + 1))):
        text = _add_text(scene, [own.outline for own in texts], rng)
        if text is not None:
            texts.append(text)
    if not texts:  # the scene is too small for the one that was drawn
        return draw_scene(rng)
    return photograph(scene, float(rng.uniform(0, 0.5)), rng), texts


def draw_scenes(out: str | Path, count: int, *, seed: int = 0, progress: bool = True) -> None:
    """Draws a training set for a detector: `images/` and `train_label.txt` in PaddleOCR's form.

    Scene i depends on the seed and i alone, so a larger set begins with the scenes of a smaller one.

    Args:
        out: the folder to write into.
        count: the number of scenes.
        seed: at least 0.
        progress: show a bar.

    Raises:
        InputError: a count below 1 or a negative seed.
    """
    if count < 1 or seed < 0:
        raise InputError(f"count={count} and seed={seed}: draw at least 1 scene, with a seed of at least 0.")
    rows = []
    for index in tqdm(range(count), desc="scenes", unit="scene", disable=not progress):
        photo, texts = draw_scene(np.random.default_rng((seed, index)))
        name = f"{IMAGES}/{index}.jpg"
        with replacing(Path(out) / name) as file:
            file.write(jpeg_bytes(photo, quality=92).tobytes())
        boxes = [{"transcription": own.text, "points": own.outline.round(1).tolist()} for own in texts]
        rows.append(f"{name}\t{json.dumps(boxes, ensure_ascii=False)}\n")
    write_text(Path(out) / LABELS, "".join(rows))


def _add_text(scene: np.ndarray, others: list[np.ndarray], rng: np.random.Generator) -> SceneText | None:
    """Draws a text into a scene, float32, in place; None where there is no room for it."""
    text = write_line(rng, float(rng.uniform(*EMS)))
    is_sign = rng.random() < SIGNS
    picture, ink, box = _sign(text, rng) if is_sign else _letters(text, rng)
    height_px = float(np.exp(rng.uniform(*np.log(TEXT_HEIGHTS_PX))))
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    matrix = _turned(height_px / max(bottom - top, 1), float(rng.normal(0, 0.12)))
    extent = corners @ matrix.T
    size = np.ceil(np.ptp(extent, axis=0)).astype(int) + 1
    place = _free_place(scene.shape, size, others, rng)
    if place is None:
        return None
    outline = extent - extent.min(0) + place
    (x, y), (right, bottom) = outline.min(0).astype(int), np.ceil(outline.max(0)).astype(int) + 1
    affine = np.column_stack([matrix, outline[0] - matrix @ corners[0] - (x, y)])
    part = scene[y:bottom, x:right]
    size_px = part.shape[1::-1]
    mask = cv2.warpAffine(ink, affine, size_px, flags=cv2.INTER_AREA)
    if is_sign:
        laid = cv2.warpAffine(picture, affine, size_px, flags=cv2.INTER_AREA)
        part[:] = part + mask[..., None] * (laid - part)
    else:
        part[:] = paint_letters(part, mask, _visible_palette(part, rng), rng)
    return SceneText(text, outline)


def _sign(text: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """A line with its background, where it is, and its extent."""
    line = draw_line(text, rng).astype(np.float32)
    height, width = line.shape[:2]
    return line, np.ones((height, width), np.float32), (0, 0, width, height)


def _letters(text: str, rng: np.random.Generator) -> tuple[None, np.ndarray, tuple[int, int, int, int]]:
    """A line's ink alone, and its extent."""
    letters = set_text(text, choose_lettering(text, rng), rng)
    return None, letters.mask, letters.box


def _turned(scale: float, radians: float) -> np.ndarray:
    """(2, 2): a rotation and a scale."""
    cosine, sine = np.cos(radians), np.sin(radians)
    return scale * np.array([[cosine, -sine], [sine, cosine]])


def _free_place(
    shape: tuple[int, ...], size: np.ndarray, others: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray | None:
    """(x, y) of the upper left corner of a rectangle within the scene that touches no other text's extent."""
    room = np.array(shape[1::-1]) - size - 2
    if (room < 1).any():
        return None
    for _ in range(PLACES_TRIED):
        low = rng.integers(0, room) + 1
        high = low + size
        if all((other.max(0) + GAP_PX < low).any() or (other.min(0) - GAP_PX > high).any() for other in others):
            return low
    return None


def _visible_palette(ground: np.ndarray, rng: np.random.Generator) -> Palette:
    """Colours of which the ink can be seen on a ground, (H, W, 3) float32."""
    mean = ground.mean(axis=(0, 1))
    palette = choose_palette(rng, 0.0)
    for _ in range(PLACES_TRIED):
        if np.abs(palette.ink - mean).max() >= VISIBLE:
            break
        palette = choose_palette(rng, 0.0)
    return palette
