"""Draws whole photos with several texts each, and their outlines, for training a detector without any download.

A scene is a background with signs (lines of `draw`, pasted) and letters painted straight onto it, each turned a little.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm.auto import tqdm

from scenetext.synth.camera import jpeg_bytes, photograph
from scenetext.synth.draw import draw_line
from scenetext.synth.letters import choose_lettering, set_text
from scenetext.synth.paint import Palette, choose_palette, paint_letters
from scenetext.synth.pool import check_numbers, check_replaceable, in_order
from scenetext.synth.scenery import paint_scenery
from scenetext.synth.texts import write_line
from scenetext.system.files import replacing_folder
from scenetext.system.process import usable_cores

SIDES_PX = (480, 961)  # of a scene, the second excluded
MOST_TEXTS = 14
TEXT_HEIGHTS_PX = (14, 90)
EMS = (2, 12)  # length of a text
PLACES_TRIED = 20
SIGNS = 0.5  # ratio of the texts that are pasted with a background of their own
GAP_PX = 4  # between the extents of two texts
VISIBLE = 60  # grey levels between letters and the ground that they are painted on
LABELS, IMAGES = "train_label.txt", "images"
QUALITY = 92  # of the JPEG files


class SceneText(NamedTuple):
    """One text of a scene, and its outline: (4, 2) float64, x and y in pixels, clockwise from the text's upper left."""

    text: str
    outline: np.ndarray


class DrawnScenes(NamedTuple):
    """How many scenes were drawn, and how many texts they show together."""

    scenes: int
    texts: int


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
    smallest_px = min(float(np.linalg.norm(text.outline[3] - text.outline[0])) for text in texts)
    return photograph(scene, float(rng.uniform(0, 0.5)), rng, smallest_px), texts


def draw_scenes(
    out: str | Path, count: int, *, seed: int = 0, workers: int | None = None, progress: bool = True
) -> DrawnScenes:
    """Draws a training set for a detector, which takes its place when it is complete.

    It holds `images/0.jpg` and so on, and `train_label.txt` in PaddleOCR's form. Scene i depends on the seed and i
    alone, so a larger set begins with the scenes of a smaller one. Each is written as soon as it is drawn.

    Args:
        out: the folder; one that this function wrote before is replaced.
        count: the number of scenes.
        seed: at least 0.
        workers: processes; None takes one for each core.
        progress: show a bar.

    Raises:
        InputError: a number is too small, or `out` holds other things.
        RunError: the disk is full or broken.
    """
    check_numbers(scenes=(count, 1), seed=(seed, 0), workers=(workers or 1, 1))
    out = Path(out)
    check_replaceable(out, (IMAGES, LABELS))
    texts = 0
    with replacing_folder(out) as made:
        (made / IMAGES).mkdir()
        drawn = in_order(partial(_draw_file, seed=seed), range(count), workers or usable_cores())
        bar = tqdm(drawn, total=count, desc="drawing scenes", unit="scene", disable=not progress)
        with open(made / LABELS, "w", encoding="utf-8", newline="\n") as labels:
            for index, (picture, boxes) in enumerate(bar):
                name = f"{IMAGES}/{index}.jpg"
                (made / name).write_bytes(picture)
                labels.write(f"{name}\t{json.dumps(boxes, ensure_ascii=False)}\n")
                texts += len(boxes)
    return DrawnScenes(count, texts)


def _draw_file(index: int, seed: int) -> tuple[bytes, list[dict[str, Any]]]:
    """The JPEG file of a scene, and its boxes as PaddleOCR labels them."""
    photo, texts = draw_scene(np.random.default_rng((seed, index)))
    boxes = [{"transcription": own.text, "points": own.outline.round(1).tolist()} for own in texts]
    return jpeg_bytes(photo, QUALITY).tobytes(), boxes


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
