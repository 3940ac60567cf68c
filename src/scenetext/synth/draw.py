"""Draws one line: sets the text, paints it onto a background, frames and photographs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from scenetext.errors import InputError
from scenetext.synth.camera import HEIGHT_PX, frame_line, photograph
from scenetext.synth.fonts import EM_PX, lacking
from scenetext.synth.letters import Lettering, choose_lettering, ink_height_em, measure, set_text
from scenetext.synth.paint import choose_palette, paint_letters
from scenetext.synth.scenery import cover_partly, paint_scenery
from scenetext.synth.texts import write_line

FRAME_EM = 0.1  # margins above and below the ink together
STRETCH = (0.6, 1.6)  # least and greatest width of a line over its natural width
WIDEST_PX = 2048
WIDEST_COVER = "hei"  # the face that has all characters of the others


def draw_line(
    text: str, rng: np.random.Generator, width_px: int | None = None, faces: Sequence[str] = ()
) -> np.ndarray:
    """Draws a text as a crop from a photograph of a sign or from a web image.

    The result depends on the arguments alone: the same text and an equally seeded `rng` give the same pixels.

    Args:
        text: one line of 1 or more characters.
        rng: the source of every choice.
        width_px: the wanted width; spacing and proportions are adapted to it within limits. By default the text has
            about its natural width.
        faces: names of `given_fonts` to draw with instead of the project's own faces.

    Returns:
        (48, W, 3) uint8 BGR.

    Raises:
        InputError: the text is empty, or no font has one of its characters.
    """
    usable = [face for face in faces or (WIDEST_COVER,) if not lacking(face, text)]
    if not text or not usable:
        raise InputError(
            f"The line {text!r} cannot be drawn: it is empty or has characters without a glyph; choose another text."
        )
    lettering = _spaced(text, choose_lettering(text, rng, usable if faces else ()), rng, width_px)
    beside = int(rng.choice([0, 1, 2], p=[0.85, 0.1, 0.05]))
    neighbours = tuple(write_line(rng, max(len(text), 2)) for _ in range(beside))
    if faces:  # which may lack what the neighbours say
        neighbours = tuple(line for line in neighbours if not lacking(lettering.chinese, line))
    letters = set_text(text, lettering, rng, neighbours)
    hardness = float(rng.random() ** 0.9)
    palette = choose_palette(rng, hardness)
    canvas = paint_scenery(*letters.mask.shape, palette.ground, rng)
    mask = letters.mask if letters.bleed is None else np.maximum(letters.mask, letters.bleed)
    canvas = paint_letters(canvas, mask, palette, rng)
    if rng.random() < 0.05 + 0.1 * hardness:
        canvas = cover_partly(canvas, rng)

    left, top, right, bottom = letters.box
    framed_px = (right - left + FRAME_EM * EM_PX, max(bottom - top + FRAME_EM * EM_PX, 0.62 * EM_PX))
    natural_px = HEIGHT_PX * framed_px[0] / framed_px[1]
    wanted_px = width_px or natural_px * float(np.exp(rng.normal(0, 0.1)))
    final_px = int(np.clip(round(wanted_px), natural_px * STRETCH[0], natural_px * STRETCH[1]))
    final_px = min(max(final_px, 8), WIDEST_PX)

    # Height of the line in its source. Resizing from about 48 pixels, as in the competition, changes almost nothing.
    taken_px = int(np.clip(round((62 - 46 * hardness) * np.exp(rng.normal(0, 0.25))), 13, 72))
    taken_px = HEIGHT_PX if 40 < taken_px < 60 else taken_px
    size = (max(round(final_px * taken_px / HEIGHT_PX), 4), taken_px)
    picture = frame_line(canvas, letters.box, EM_PX, size[1], size[0], rng)
    picture = photograph(picture, hardness, rng)
    enlarging = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
    interpolation = cv2.INTER_AREA if taken_px > HEIGHT_PX else enlarging
    return cv2.resize(picture, (final_px, HEIGHT_PX), interpolation=interpolation)


def _spaced(text: str, lettering: Lettering, rng: np.random.Generator, width_px: int | None) -> Lettering:
    """The lettering with a letter spacing that brings the line near the wanted width."""
    usual = float(rng.choice([0.0, rng.uniform(0.02, 0.12), rng.uniform(0.12, 0.5)], p=[0.55, 0.35, 0.1]))
    if width_px is None or len(text) < 2:
        return replace(lettering, spacing_em=usual if len(text) > 1 else 0.0)
    frame_em = ink_height_em(text, lettering) + FRAME_EM
    wanted_em = width_px / HEIGHT_PX * frame_em * float(rng.uniform(0.88, 1.12))
    spacing = (wanted_em - sum(measure(text, lettering)) / EM_PX) / (len(text) - 1)
    return replace(lettering, spacing_em=float(np.clip(0.7 * spacing, -0.03, 0.7)))
