"""Sizes of pictures by their headers, which are the sizes of the decoded pictures."""

from __future__ import annotations

import io
import random
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from scenetext.data.image_size import image_size
from scenetext.data.transforms import decode_image


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    ("form", "options"),
    [("png", {}), ("jpeg", {}), ("jpeg", {"progressive": True}), ("webp", {}), ("bmp", {}), ("tiff", {}), ("gif", {})],
)
def test_sizes_are_those_of_the_header(form, options, mode):
    mode = mode if form in ("jpeg", "tiff") else "RGB"
    picture, stored = Image.new(mode, (37, 5)), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a long description " * 500
    picture.save(stored, form, **options, **({"exif": exif} if form in ("jpeg", "png", "webp") else {}))
    assert image_size(stored.getvalue()) == (37, 5)
    assert image_size(cv2.imencode(".jpg", np.zeros((5, 37, 3), np.uint8))[1].tobytes()) == (37, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"\xff\xd8\xff",
        b"\xff\xd8" + bytes(40),
    ],
)
def test_what_has_no_size_is_no_picture(data):
    with pytest.raises(UnidentifiedImageError):
        image_size(data)


def turned(form: str, byte_order: str = "<", **options) -> bytes:
    """37 by 5 pixels that are to be shown turned by 90 degrees."""
    exif, stored = Image.Exif(), io.BytesIO()
    exif.endian = byte_order
    exif[0x0112] = 6
    Image.new("RGB", (37, 5)).save(stored, form, exif=exif, **options)
    return stored.getvalue()


def moved(data: bytes, part: bytes, before: bytes) -> bytes:
    """A JPEG or PNG with a part of it put before another one."""
    at = data.index(part)
    rest = data[:at] + data[at + len(part) :]
    return rest.replace(before, part + before, 1)


def exif_of_jpeg(data: bytes) -> bytes:
    at = data.index(b"\xff\xe1")
    return data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]


def exif_of_png(data: bytes) -> bytes:
    at = data.index(b"eXIf") - 4
    return data[at : at + 12 + int.from_bytes(data[at : at + 4], "big")]


XMP = b"\xff\xe1" + struct.pack(">H", 34) + b"http://ns.adobe.com/xap/1.0/\0<x/>"[:32]
JPEG, PNG = turned("JPEG"), turned("PNG")
TURNED = {
    "jpeg": JPEG,
    "jpeg, the other byte order": turned("JPEG", ">"),
    "jpeg, exif behind other parts": moved(JPEG, exif_of_jpeg(JPEG), b"\xff\xda"),
    "png": PNG,
    "png, exif behind the pixels": moved(PNG, exif_of_png(PNG), b"\0\0\0\0IEND"),
    "webp": turned("WEBP"),
    "tiff": turned("TIFF"),
}


@pytest.mark.parametrize("kind", TURNED)
def test_upright_lines_stored_on_their_side_have_the_size_that_is_decoded(kind):
    assert image_size(TURNED[kind]) == (5, 37) == decode_image(TURNED[kind], "x").shape[1::-1]


def test_a_part_before_the_exif_part_decides_as_it_does_when_the_picture_is_decoded():
    data = JPEG[:2] + XMP + JPEG[2:]
    assert image_size(data) == decode_image(data, "x").shape[1::-1]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about broken tags
@pytest.mark.parametrize("kind", TURNED)
def test_broken_headers_give_a_size_or_no_picture(kind):
    chance = random.Random(0)
    for _ in range(200):
        data = bytearray(TURNED[kind])
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(min(len(data), 300))] = chance.randrange(256)
        data = bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)
        try:
            width, height = image_size(data)
        except UnidentifiedImageError:
            continue
        assert width > 0 and height > 0
