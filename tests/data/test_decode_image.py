"""Every kind of picture that finds its way into a data set, decoded to 8-bit BGR or refused by name."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from scenetext.data import decoding
from scenetext.data.image_size import MOST_PIXELS, image_size
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


def lies_beneath() -> Image.Image:
    """The picture whose left third is fully transparent, with black beneath it, as drawing programs leave it."""
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:, :20] = 0
    return Image.fromarray(rgba)


def bmp_with_alpha() -> bytes:
    """A bitmap of 32 bits with a mask for its alpha channel (BITMAPV4HEADER)."""
    pixels = np.asarray(lies_beneath())[::-1, :, [2, 1, 0, 3]].tobytes()
    header = struct.pack("<IiiHHIIiiII", 108, 60, 24, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


TRANSPARENT = {
    "png": encoded(lies_beneath(), "PNG"),
    "png, palette": encoded(lies_beneath().quantize(8), "PNG"),
    "png, grey": encoded(lies_beneath().convert("LA"), "PNG"),
    "png, a transparent colour": encoded(lies_beneath().convert("RGB"), "PNG", transparency=(0, 0, 0)),
    "png, a transparent grey": encoded(lies_beneath().convert("RGB").convert("L"), "PNG", transparency=0),
    "webp": encoded(lies_beneath(), "WEBP", lossless=True),
    "webp, grey": encoded(lies_beneath().convert("LA"), "WEBP", lossless=True),
    "tiff": encoded(lies_beneath(), "TIFF"),
    "tiff, grey": encoded(lies_beneath().convert("LA"), "TIFF"),
    "tiff, palette": encoded(lies_beneath().convert("PA"), "TIFF"),
    "gif": encoded(lies_beneath(), "GIF"),
    "bmp": bmp_with_alpha(),
}


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_transparent_pixels_of_every_format_lie_on_white(kind):
    image = decode_image(TRANSPARENT[kind], "x")
    expected = np.repeat(GREY[:, :, None], 3, 2) if "grey" in kind else BGR
    assert (image[:, :20] >= 254).all() and np.abs(image[:, 20:].astype(int) - expected[:, 20:]).max() <= 2


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
@pytest.mark.parametrize(("shade", "background"), [(255, 0), (240, 0), (120, 255), (0, 255)])
def test_a_picture_that_would_vanish_on_white_lies_on_black(form, shade, background):
    ink = np.arange(60) % 10 < 4
    alpha = np.broadcast_to(np.where(ink, 255, 0).astype(np.uint8), (24, 60))
    image = decode_image(
        encoded(Image.fromarray(np.dstack([np.full((24, 60, 3), shade, np.uint8), alpha])), form, lossless=True), "x"
    )
    assert np.abs(image[:, ink].astype(int) - shade).max() <= 1 and (image[:, ~ink] == background).all()


def test_a_picture_without_anything_visible_is_white():
    assert (decode_image(encoded(Image.fromarray(np.zeros((24, 60, 4), np.uint8)), "PNG"), "x") == 255).all()


def test_the_first_frame_of_an_animation_is_read():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    for form in ("GIF", "WEBP"):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:], lossless=True)
        assert np.abs(decode_image(data, "x").astype(int) - BGR).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("form", "mode"),
    [("JPEG", "RGB"), *((form, mode) for form in ("PNG", "WEBP", "TIFF") for mode in ("RGB", "RGBA"))],
)
def test_every_orientation_is_applied_in_every_format_that_has_one(form, mode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = lies_beneath() if mode == "RGBA" else Image.fromarray(RGB)
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
    data = encoded(picture, form, exif=exif, **options)
    shown = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    shown = shown.transpose(turns[orientation]) if orientation > 1 else shown
    image = decode_image(data, "x")
    assert image.shape[:2] == shown.size[::-1] and image_size(data) == shown.size
    assert np.abs(image[:, :, ::-1].astype(int) - np.asarray(shown)).max() <= 6


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
        (encoded(Image.fromarray(RGB), "GIF")[:-30], r"a\.jpg is no image"),
        (b"GIF89a", r"a\.jpg is no image"),
    ],
    ids=["empty", "text", "jpeg", "progressive", "header", "thumbnail", "end", "png", "markers", "gif", "gif's header"],
)
def test_what_is_no_whole_picture_is_an_error_that_names_it(data, message):
    with pytest.raises(InputError, match=message):
        decode_image(data, "a.jpg")


def noise(form: str, mode="RGB", **options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 90, 3), np.uint8)
    return encoded(Image.fromarray(pixels).convert(mode), form, **options)


WHOLE = {
    **{form: noise(form) for form in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")},
    "grey JPEG": noise("JPEG", "L"),
    "CMYK JPEG": noise("JPEG", "CMYK"),
    "palette PNG": noise("PNG", "P"),
    "palette BMP": noise("BMP", "P"),
    "1-bit BMP": noise("BMP", "1"),
    "packed TIFF": noise("TIFF", compression="tiff_lzw"),
    "lossless WEBP": noise("WEBP", lossless=True),
    "animated WEBP": encoded(
        Image.new("RGB", (9, 9)), "WEBP", save_all=True, append_images=[Image.new("RGB", (9, 9), 9)]
    ),
    "animated GIF": encoded(
        Image.new("RGB", (9, 9)), "GIF", save_all=True, append_images=[Image.new("RGB", (9, 9), 9)]
    ),
    "JPEG 2000": noise("JPEG2000"),
    "bare JPEG 2000": noise("JPEG2000", no_jp2=True),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # Pillow's, which a command does not show
@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_an_error_or_the_same_picture(kind):
    """In the main thread, where OpenCV ends the process over a truncated JPEG 2000."""
    data = WHOLE[kind]
    whole = decode_image(data, "a.jpg")
    assert whole.shape == (9, 9, 3) if "animated" in kind else whole.shape == (40, 90, 3)
    for size in [*range(0, 300, 3), *range(300, len(data), max(1, len(data) // 40)), len(data) - 2, len(data) - 1]:
        try:
            image = decode_image(data[:size], "a.jpg")
        except InputError as error:
            assert str(error).startswith("a.jpg is ")
        else:
            assert kind in ("GIF", "TIFF", "animated GIF", "packed TIFF", "animated WEBP") and np.array_equal(
                image, whole
            )


def with_size(form: str, width: int, height: int) -> bytes:
    """A small picture whose header says another size."""
    data = bytearray(noise(form, "P" if form == "GIF" else "RGB"))
    at, layout = {
        "PNG": (16, ">II"),
        "GIF": (6, "<HH"),
        "WEBP": (26, "<HH"),
        "PPM": (3, None),
        "JPEG": (data.find(b"\xff\xc0") + 5, ">HH"),
    }[form]
    if form == "PPM":
        return bytes(data).replace(b"90 40", f"{width} {height}".encode(), 1)
    if form == "GIF":  # the frame, too
        struct.pack_into("<HH", data, data.index(b"\x2c\0\0\0\0\x5a\0\x28\0") + 5, width, height)
    struct.pack_into(layout, data, at, *((height, width) if form == "JPEG" else (width, height)))
    if form == "PNG":
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    return bytes(data)


BEYOND = [
    ("PNG", 32_000, 32_000), ("PNG", 2**31 - 1, 2**31 - 1), ("PNG", 50_000_001, 1), ("PNG", 1, 50_000_001),
    ("JPEG", 65_535, 65_535), ("GIF", 65_535, 65_535), ("WEBP", 16_383, 16_383), ("PPM", 30_000, 30_000),
]  # fmt: skip


@pytest.mark.parametrize(("form", "width", "height"), BEYOND)
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(form, width, height, monkeypatch):
    monkeypatch.setattr(decoding, "_decode_by_opencv", lambda data: pytest.fail("it was decoded"))
    monkeypatch.setattr(decoding, "_decode_by_pillow", lambda data: pytest.fail("it was decoded"))
    told = f"a.jpg (has {width} x {height} pixels; a picture may have {MOST_PIXELS:,} at most|is no image)"
    with pytest.raises(InputError, match=told):
        decode_image(with_size(form, width, height), "a.jpg")


def test_the_largest_picture_is_read_without_much_more_memory_than_its_pixels(monkeypatch):
    sizes = []
    real = np.rint
    monkeypatch.setattr(np, "rint", lambda part: sizes.append(part.nbytes) or real(part))
    rgba = np.zeros((1000, 5000, 4), np.uint8)
    rgba[::2, :, 3] = 200
    image = decode_image(encoded(Image.fromarray(rgba), "PNG", compress_level=1), "x")
    assert max(sizes) <= 13_000_000 and image[1, 0].tolist() == [255] * 3 and image[0, 0].tolist() == [55] * 3


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", WHOLE)
def test_damage_gives_a_picture_or_one_of_our_errors(kind):
    chance = random.Random(kind)
    for _ in range(150):
        data = bytearray(WHOLE[kind])
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(min(len(data), chance.choice((100, 10_000))))] = chance.randrange(256)
        with contextlib.suppress(InputError):
            assert decode_image(bytes(data), "a.jpg").ndim == 3


def test_what_nobody_foresaw_is_one_of_our_errors(monkeypatch):
    def fails(data):
        raise MemoryError("no more")

    monkeypatch.setattr("scenetext.data.transforms.decoded", fails)
    with pytest.raises(InputError, match=r"a.jpg is not a picture that can be read \(MemoryError: no more\)"):
        decode_image(noise("PNG"), "a.jpg")
