"""From a text to the shape of its letters: their face, spacing, slant, waves and roughness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenetext.synth.fonts import EM_PX, FACES, lacking, load_font

MARGIN_PX = EM_PX  # free canvas on every side of the line, for slants, shadows and neighbouring lines

_LATIN = [name for name, face in FACES.items() if not face.chinese]


@dataclass(frozen=True, slots=True)
class Lettering:
    """The style in which a line is set.

    Attributes:
        chinese: face for all characters that `latin` does not set.
        latin: face for ASCII; None to set ASCII in the Chinese face, too.
        weight: 100 (hairline) to 900 (black), for variable faces.
        spacing_em: space added between characters, in ems.
        slant: horizontal shift in pixels per row; 0.2 is a strong italic.
        wave_em: amplitude of the baseline's sine wave, in ems.
        wave_turns: periods of that wave over the line; 0.5 is one arc.
        jitter_em: standard deviation of each character's vertical position, in ems.
        rounding_px: radius to which corners are rounded, 0 for none.
        brush: variation of the strokes' thickness, as of a brush, 0 to about 0.3; it needs a rounding.
        tremble_px: standard deviation of the outline, as if drawn by hand, 0 for none.
        swell_px: a positive number thickens the strokes, a negative one thins them.
        dots_px: pitch of the lamps of a dot-matrix display, 0 for none.
    """

    chinese: str = "hei"
    latin: str | None = None
    weight: int = 500
    spacing_em: float = 0.0
    slant: float = 0.0
    wave_em: float = 0.0
    wave_turns: float = 0.5
    jitter_em: float = 0.0
    rounding_px: float = 0.0
    brush: float = 0.0
    tremble_px: float = 0.0
    swell_px: int = 0
    dots_px: int = 0


@dataclass(frozen=True, slots=True)
class Letters:
    """A set line.

    Attributes:
        mask: (H, W) float32 in 0..1, the line's ink.
        bleed: (H, W) float32 in 0..1, ink of neighbouring lines; None without neighbouring lines.
        box: (left, top, right, bottom) of the line's ink in pixels.
    """

    mask: np.ndarray
    bleed: np.ndarray | None
    box: tuple[int, int, int, int]


def choose_lettering(text: str, rng: np.random.Generator, faces: Sequence[str] = ()) -> Lettering:
    """Draws a likely style for a text: mostly a heavy sans, else a book face, handwriting, lamps, an arc.

    Args:
        text: one line.
        rng: the source of every choice.
        faces: names of `given_fonts` that have the text's characters, one of which sets the whole line; without any,
            the project's own faces do.
    """
    chinese = str(rng.choice(faces) if faces else rng.choice(["hei", "song", "ming"], p=[0.66, 0.26, 0.08]))
    if not faces and lacking(chinese, text):
        chinese = "hei"
    latin = None
    if not faces and rng.random() < (0.85 if text.isascii() else 0.3):
        latin = str(rng.choice(_LATIN))
        if FACES[latin].capitals_only and text != text.upper():
            latin = "fredoka"
    hand = rng.random() < 0.24
    weights = [600, 700, 900] if hand else [300, 400, 400, 400, 400, 500, 500, 500, 600, 600, 700, 700, 700, 900, 900]
    swell = int(rng.choice([-1, 0, 1, 2], p=[0.04, 0.8, 0.12, 0.04]))
    if hand or chinese == "ming":  # a brush needs thick strokes; the hairlines of `ming` vanish in small crops
        swell = max(swell, 0) + (chinese == "ming")
    return Lettering(
        chinese=chinese,
        latin=latin,
        weight=int(rng.choice(weights)),
        slant=float(rng.uniform(0.08, 0.3)) if rng.random() < 0.16 else float(rng.normal(0, 0.012)),
        wave_em=float(rng.uniform(-0.14, 0.14)) if rng.random() < 0.1 else 0.0,
        wave_turns=float(rng.uniform(0.4, 1.1)),
        jitter_em=float(rng.uniform(0.01, 0.06)) if hand or rng.random() < 0.08 else 0.0,
        rounding_px=float(rng.uniform(1.6, 3.2)) if hand or rng.random() < 0.18 else 0.0,
        brush=float(rng.uniform(0.1, 0.3)) if hand else 0.0,
        tremble_px=float(rng.uniform(1.0, 3.4)) if hand else 0.0,
        swell_px=swell,
        dots_px=int(rng.integers(5, 7)) if text.isascii() and rng.random() < 0.04 else 0,
    )


def set_text(text: str, lettering: Lettering, rng: np.random.Generator, neighbours: tuple[str, ...] = ()) -> Letters:
    """Sets a text on a canvas with a margin of MARGIN_PX.

    Args:
        text: one line; it may hold white space.
        lettering: the style.
        rng: source of jitter and of the neighbours' positions.
        neighbours: texts of up to two neighbouring lines, the first below, the second above.

    Returns:
        The letters; `box` is never empty, even if the text is white space.
    """
    advances = measure(text, lettering)
    length_px = int(np.ceil(sum(advances)))
    height_px, width_px = EM_PX + 2 * MARGIN_PX, length_px + 2 * MARGIN_PX
    baseline = MARGIN_PX + round(0.88 * EM_PX)
    page = Image.new("L", (width_px, height_px))
    shifts = rng.standard_normal(len(text)) * lettering.jitter_em * EM_PX
    _write(page, text, lettering, advances, MARGIN_PX, baseline + shifts)
    mask = np.asarray(page, np.float32) / 255
    bleed = None
    if neighbours:
        page = Image.new("L", (width_px, height_px))
        for line, sign in zip(neighbours, (1, -1), strict=False):
            left = MARGIN_PX + float(rng.uniform(-0.8, 0.3)) * EM_PX
            drop = sign * float(rng.uniform(1.04, 1.3)) * EM_PX
            _write(page, line, lettering, measure(line, lettering), left, np.full(len(line), baseline + drop))
        bleed = np.asarray(page, np.float32) / 255
    bend = _bend(mask.shape, lettering, rng)
    shaped = _shape(mask, lettering, bend, rng)
    if shaped.sum() < 0.4 * mask.sum():  # the brush has removed a full stop or hairlines
        lettering = replace(lettering, rounding_px=0.0, brush=0.0, swell_px=0, dots_px=0)
        shaped = _shape(mask, lettering, bend, rng)
    mask = shaped
    bleed = None if bleed is None else _shape(bleed, lettering, bend, rng)
    left, top, width, height = cv2.boundingRect((mask > 0.25).astype(np.uint8))
    if not width:
        left, top, width, height = MARGIN_PX, MARGIN_PX, max(length_px, EM_PX // 2), EM_PX
    return Letters(mask, bleed, (left, top, left + width, top + height))


def measure(text: str, lettering: Lettering) -> list[float]:
    """The advance of every character.

    Args:
        text: one line.
        lettering: its style.

    Returns:
        One number per character, in pixels, including the spacing after it.
    """
    return [_font(character, lettering).getlength(character) + lettering.spacing_em * EM_PX for character in text]


def ink_height_em(text: str, lettering: Lettering) -> float:
    """The distance from the lowest to the highest ink of a line without waves.

    Args:
        text: one line.
        lettering: its style.

    Returns:
        Ems; 1.0 for white space.
    """
    inked = [character for character in text if not character.isspace()]
    boxes = [_font(character, lettering).getbbox(character, anchor="ls") for character in inked]
    return (max(box[3] for box in boxes) - min(box[1] for box in boxes)) / EM_PX if boxes else 1.0


def _font(character: str, lettering: Lettering) -> ImageFont.FreeTypeFont:
    latin = lettering.latin and " " <= character <= "~"
    return load_font(lettering.latin if latin else lettering.chinese, lettering.weight)


def _write(
    page: Image.Image,
    text: str,
    lettering: Lettering,
    advances: list[float],
    left: float,
    baselines: np.ndarray,
) -> None:
    draw = ImageDraw.Draw(page)
    for character, advance, baseline in zip(text, advances, baselines, strict=True):
        if not character.isspace() and left < page.width:
            draw.text((left, float(baseline)), character, fill=255, font=_font(character, lettering), anchor="ls")
        left += advance


def _bend(
    shape: tuple[int, int], lettering: Lettering, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """The coordinates from which each pixel of the bent line is taken, x and y (H, W) float32; None without a bend."""
    if not (lettering.slant or lettering.wave_em or lettering.tremble_px):
        return None
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    turns = (columns[0] - MARGIN_PX) / max(shape[1] - 2 * MARGIN_PX, 1) * lettering.wave_turns
    wave = lettering.wave_em * EM_PX * np.sin(2 * np.pi * turns.astype(np.float32) + np.float32(rng.uniform(0, 6.3)))
    columns = columns + np.float32(lettering.slant) * (rows - shape[0] / 2)
    rows = rows + wave[None]
    if lettering.tremble_px:
        coarse = (shape[0] // 14 + 1, shape[1] // 14 + 1)
        for axis in (columns, rows):
            stray = rng.normal(0, lettering.tremble_px, coarse).astype(np.float32)
            axis += cv2.resize(stray, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return columns, rows


def _shape(mask: np.ndarray, lettering: Lettering, bend: tuple | None, rng: np.random.Generator) -> np.ndarray:
    """Bends, thickens, rounds and dots a mask (H, W) float32 in 0..1."""
    if bend is not None:
        mask = cv2.remap(mask, bend[0], bend[1], cv2.INTER_LINEAR)
    if lettering.swell_px:
        size = 2 * abs(lettering.swell_px) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        mask = (cv2.dilate if lettering.swell_px > 0 else cv2.erode)(mask, kernel)
    if lettering.rounding_px:
        mask = cv2.GaussianBlur(mask, (0, 0), lettering.rounding_px)
        stroke = 0.42
        if lettering.brush:
            coarse = rng.normal(0, lettering.brush, (mask.shape[0] // 18 + 1, mask.shape[1] // 18 + 1))
            uneven = cv2.resize(coarse.astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
            stroke = np.clip(stroke + uneven, 0.16, 0.55)
        # The slope is steep enough that pixels without ink stay without ink: 0.16 * 4 > 0.5.
        mask = np.clip((mask - stroke) * max(2 * lettering.rounding_px, 4) + 0.5, 0, 1)
    if lettering.dots_px:
        pitch = lettering.dots_px
        rows, columns = np.ogrid[0 : mask.shape[0], 0 : mask.shape[1]]
        lamp = (rows % pitch - pitch / 2) ** 2 + (columns % pitch - pitch / 2) ** 2 < (0.46 * pitch) ** 2
        mask = cv2.GaussianBlur(mask, (0, 0), pitch / 3) * np.where(lamp, np.float32(1), np.float32(0.25))
        mask = np.clip(mask * 1.3, 0, 1)
    return mask
