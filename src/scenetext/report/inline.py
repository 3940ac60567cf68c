"""Pictures as data URIs, so that a page holds them and needs no other file."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

FIGURE_DPI = 150  # sharp on a phone, whose screen has two or three dots per CSS pixel
WIDE_DPI = 110  # of figures that are shown in their own size
COLOURS = 128  # of a figure's palette: lines, bars and letters have few
PHOTO_FIGURE_QUALITY = 88  # letters are in it, too
CROP_PX = (96, 900)  # largest height and width of a crop
JPEG_QUALITY = 80


def figure_uri(figure: Figure, size_in: tuple[float, float]) -> str:
    """A figure of lines and bars as PNG with a palette.

    Args:
        figure: the figure.
        size_in: width and height in inches that it gets, so that it fits the page.
    """
    figure.set_size_inches(*size_in)
    buffer = io.BytesIO()
    _drawn(figure, FIGURE_DPI).quantize(COLOURS, Image.Quantize.FASTOCTREE).save(buffer, "png")
    return _uri("image/png", buffer.getvalue())


def photo_figure_uri(figure: Figure) -> str:
    """A figure with a photo in it as JPEG, in its own size."""
    buffer = io.BytesIO()
    _drawn(figure, WIDE_DPI).save(buffer, "jpeg", quality=PHOTO_FIGURE_QUALITY)
    return _uri("image/jpeg", buffer.getvalue())


def _drawn(figure: Figure, dpi: int) -> Image.Image:
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


def crop_uri(image: np.ndarray) -> str:
    """A crop as JPEG, made smaller where it is larger than a page needs.

    Args:
        image: (H, W, 3) uint8 BGR.
    """
    scale = min(1.0, CROP_PX[0] / image.shape[0], CROP_PX[1] / image.shape[1])
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _uri("image/jpeg", encoded.tobytes())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
