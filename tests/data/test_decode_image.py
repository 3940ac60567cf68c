"""Every kind of picture that finds its way into a data set, decoded to 8-bit BGR or refused by name."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from scenetext.data.transforms import decode_image
from scenetext.errors import InputError

RGB = np.zeros((24, 60, 3), np.uint8)
RGB[:, :20], RGB[:, 20:40], RGB[:, 40:] = (200, 40, 30), (30, 180, 60), (20, 50, 220)
BGR = RGB[:, :, ::-1]


def encoded(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def grey16() -> bytes:
    ramp = np.linspace(0, 65535, 60).astype(np.uint16)
    return cv2.imencode(".png", np.tile(ramp, (24, 1)))[1].tobytes()


GREY = np.asarray(Image.fromarray(RGB).convert("L"))


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        (encoded(Image.fromarray(RGB), "PNG"), BGR, 0),
        (encoded(Image.fromarray(RGB), "BMP"), BGR, 0),
        (encoded(Image.fromarray(RGB), "WEBP", lossless=True), BGR, 0),
        (encoded(Image.fromarray(RGB), "JPEG", quality=98, subsampling=0), BGR, 6),
        (encoded(Image.fromarray(RGB), "JPEG", quality=98, subsampling=0, progressive=True), BGR, 6),
        (encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=98, subsampling=0), BGR, 8),
        (encoded(Image.fromarray(RGB).convert("L"), "PNG"), np.repeat(GREY[:, :, None], 3, 2), 0),
        (encoded(Image.fromarray(RGB).convert("L"), "JPEG", quality=98), np.repeat(GREY[:, :, None], 3, 2), 4),
        (encoded(Image.fromarray(RGB).quantize(8), "PNG"), BGR, 1),
        (encoded(Image.fromarray(RGB).convert("RGBA"), "PNG"), BGR, 0),
        (encoded(Image.fromarray(RGB[:1, :1]), "PNG"), BGR[:1, :1], 0),  # a 1-pixel picture is a picture
        (encoded(Image.fromarray(RGB), "JPEG", quality=98, subsampling=0) + b"appended", BGR, 6),
    ],
    ids=[
        "png",
        "bmp",
        "webp",
        "jpeg",
        "progressive",
        "cmyk",
        "grey png",
        "grey jpeg",
        "palette",
        "rgba",
        "1x1",
        "tail",
    ],
)
def test_colours_are_read_correctly(data, expected, tolerance):
    image = decode_image(data, "x")
    assert image.dtype == np.uint8 and image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= tolerance


def test_16_bit_png_is_scaled_to_8_bits():
    row = decode_image(grey16(), "x")[0, :, 0].astype(int)
    assert np.abs(row - np.linspace(0, 255, 60)).max() <= 1


@pytest.mark.parametrize("palette", [False, True])
def test_transparent_pixels_lie_on_white(palette):
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:, :20] = 0  # black beneath full transparency, as drawing programs leave it
    picture = Image.fromarray(rgba)
    data = encoded(picture.quantize(8) if palette else picture, "PNG")
    image = decode_image(data, "x")
    assert (image[:, :20] >= 254).all() and np.abs(image[:, 20:].astype(int) - BGR[:, 20:]).max() <= 2


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    data = encoded(Image.fromarray(RGB), "JPEG", quality=98, subsampling=0, exif=exif)
    image = decode_image(data, "x")
    assert image.shape == (60, 24, 3)
    assert np.abs(image.astype(int) - np.rot90(BGR, -1)).max() <= 6


def noisy_jpeg(**options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (48, 160, 3), np.uint8)
    return encoded(Image.fromarray(noise), "JPEG", **options)


def with_thumbnail() -> bytes:
    """A JPEG whose EXIF part holds another whole JPEG, so that an end marker stands before the picture's own."""
    inner = encoded(Image.fromarray(RGB), "JPEG")
    outer = noisy_jpeg()
    part = b"Exif\0\0" + inner
    return outer[:2] + b"\xff\xe1" + (len(part) + 2).to_bytes(2, "big") + part + outer[2:]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a\.jpg is empty \(0 bytes\)"),
        (b"no picture at all", r"a\.jpg is no image"),
        (noisy_jpeg()[:-800], r"a\.jpg is a truncated image"),
        (noisy_jpeg(progressive=True)[:-800], r"a\.jpg is a truncated image"),
        (noisy_jpeg()[:100], r"a\.jpg is a truncated image"),
        (with_thumbnail()[:-800], r"a\.jpg is a truncated image"),
        (noisy_jpeg()[:-1], r"a\.jpg is a truncated image"),  # only the end marker is torn
        (encoded(Image.fromarray(RGB), "PNG")[:-20], r"a\.jpg is a truncated image"),
        (b"\xff\xd8\xff\xd9", r"a\.jpg is "),
    ],
    ids=["empty", "text", "jpeg", "progressive", "header only", "thumbnail", "end", "png", "markers only"],
)
def test_what_is_no_whole_picture_is_an_error_that_names_it(data, message):
    with pytest.raises(InputError, match=message):
        decode_image(data, "a.jpg")
