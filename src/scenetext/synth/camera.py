"""From a painted canvas to a crop like those of photographs and web images: frame, blur, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

HEIGHT_PX = 48  # of every image of the competition


def frame_line(
    canvas: np.ndarray,
    box: tuple[int, int, int, int],
    em_px: int,
    height_px: int,
    width_px: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Cuts a line out of its canvas as an annotator's quadrilateral around a photographed sign does.

    Each of the four corners stands off the ink by its own small distance, which gives perspective, rotation and a
    margin. Sometimes the quadrilateral cuts into the ink or is far too large.

    Args:
        canvas: (H, W, 3) float32.
        box: (left, top, right, bottom) of the ink on the canvas, in pixels.
        em_px: size of the letters on the canvas.
        height_px, width_px: size of the result.
        rng: the source of every choice.

    Returns:
        (height_px, width_px, 3) float32.
    """
    left, top, right, bottom = (float(side) for side in box)
    short = max(0.0, 0.62 * em_px - (bottom - top)) / 2  # a dash must not fill the whole height
    above, below = rng.uniform(-0.02, 0.13, 2) * em_px + short
    before, after = rng.uniform(-0.02, 0.14, 2) * em_px
    if rng.random() < 0.08:  # a loose box
        above, below = above + rng.uniform(0, 0.25) * em_px, below + rng.uniform(0, 0.25) * em_px
    if rng.random() < 0.05:  # a careless box, which cuts the border letters
        before, after = before - rng.uniform(0, 0.1) * em_px, after - rng.uniform(0, 0.1) * em_px
    left, top, right, bottom = left - before, top - above, right + after, bottom + below
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    rise = np.clip(np.tan(rng.normal(0, 0.016)) * (right - left), -0.16 * em_px, 0.16 * em_px)
    corners[:, 1] += [-rise / 2, rise / 2, rise / 2, -rise / 2]
    corners[:, 1] += [-abs(rise) / 3, -abs(rise) / 3, abs(rise) / 3, abs(rise) / 3]
    corners += rng.normal(0, 1, (4, 2)) * np.abs(rng.normal(0, 0.022, (4, 2))) * em_px * [1.5, 1.0]
    shrink = (bottom - top) / height_px
    if shrink > 1.2:  # a lens blurs, too; without it thin strokes could fall between the pixels
        canvas = cv2.GaussianBlur(canvas, (0, 0), 0.3 * shrink)
    frame = np.float32([(0, 0), (width_px, 0), (width_px, height_px), (0, height_px)])
    transform = cv2.getPerspectiveTransform(corners.astype(np.float32), frame)
    size = (width_px, height_px)
    return cv2.warpPerspective(canvas, transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def photograph(
    picture: np.ndarray, hardness: float, rng: np.random.Generator, line_px: float | None = None
) -> np.ndarray:
    """Simulates the effects of light, lens, sensor and compression.

    Args:
        picture: (H, W, 3) float32 BGR at the resolution of the camera.
        hardness: 0 for a clean image, to 1 for a bad one.
        rng: the source of every choice.
        line_px: height of the text, which blur grows with; None if the picture is one line.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    height, width = picture.shape[:2]
    line_px = line_px or height
    picture = _light(picture, rng)
    chance = rng.random()
    if chance < 0.6 * hardness:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.5 + 0.9 * hardness) * (line_px / 30) ** 0.7)
    elif chance < 0.8 * hardness:
        picture = _move(picture, line_px, rng)
    if rng.random() < 0.25 + 0.5 * hardness:
        deviation = rng.gamma(1.6, 1.5 + 3.5 * hardness)
        noise = rng.standard_normal((height, width, 1)) + 0.5 * rng.standard_normal((height, width, 3))
        picture = picture + (deviation * noise).astype(np.float32)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.8:
        picture = compress(picture, int(np.clip(rng.normal(85 - 45 * hardness, 10), 20, 96)))
    if rng.random() < 0.15:  # sharpened, as by a shop's image editor
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = cv2.addWeighted(picture, 1.7, soft, -0.7, 0)
    return picture


def compress(picture: np.ndarray, quality: int) -> np.ndarray:
    """Compresses an image as JPEG and decodes it again.

    Args:
        picture: (H, W, 3) uint8 BGR.
        quality: 0 to 100.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    return cv2.imdecode(jpeg_bytes(picture, quality), cv2.IMREAD_COLOR)


def jpeg_bytes(picture: np.ndarray, quality: int) -> np.ndarray:
    """Encodes an image as a JPEG file.

    Args:
        picture: (H, W, 3) uint8 BGR.
        quality: 0 to 100.

    Returns:
        (size,) uint8, the bytes of the file.
    """
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]


def _light(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes exposure and colour cast, adds haze, uneven light or a glare over a part of the line."""
    height, width = picture.shape[:2]
    if rng.random() < 0.5:
        picture = picture * rng.normal(1, 0.05, 3).astype(np.float32) * np.float32(rng.normal(1, 0.1))
    if rng.random() < 0.25:
        haze = np.float32(rng.uniform(0.05, 0.35))
        picture = picture * (1 - haze) + haze * np.float32(rng.uniform(60, 230))
    if rng.random() < 0.2:
        fall = np.linspace(rng.uniform(0.65, 1.0), rng.uniform(0.9, 1.15), width, dtype=np.float32)
        picture = picture * (fall if rng.random() < 0.5 else fall[::-1])[None, :, None]
    if rng.random() < 0.05:
        rows, columns = np.ogrid[0:height, 0:width]
        centre, reach = rng.uniform(0, width), rng.uniform(0.4, 1.2) * height
        glare = np.exp(-(((columns - centre) + rng.normal(0, 0.5) * rows) ** 2 + 0.2 * rows**2) / (2 * reach**2))
        picture = picture + (rng.uniform(40, 110) * glare).astype(np.float32)[..., None]
    return picture


def _move(picture: np.ndarray, line_px: float, rng: np.random.Generator) -> np.ndarray:
    """Adds the blur of a moving camera, mostly sideways."""
    length = int(np.clip(rng.uniform(0.06, 0.13) * line_px, 2, 6))
    angle = rng.normal(0, 0.5)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    end = (round(np.cos(angle) * length / 2), round(np.sin(angle) * length / 2))
    cv2.line(kernel, (length - end[0], length - end[1]), (length + end[0], length + end[1]), 1.0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
