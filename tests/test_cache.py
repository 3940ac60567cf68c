"""The cache of decoded lines: the same pixels as decoding gives, built once, and never half a cache."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from scenetext.data.cache import LineCache, content_keys, open_cache
from scenetext.data.images import ImageSource, open_images
from scenetext.data.transforms import decode_image, resize_line, resized_width
from scenetext.errors import InputError

HEIGHT_PX, MOST_PX = 32, 120
SHAPES = [(32, 90), (20, 35), (64, 100), (48, 700), (32, 120), (50, 3)]  # (H, W): as it is, up, down, squeezed, thin


def draw(folder: Path) -> Path:
    """One picture of noise for each shape, PNG and JPEG in turn."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number, shape in enumerate(SHAPES):
        picture = rng.integers(0, 256, (*shape, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.{'png' if number % 2 else 'jpg'}"), picture)
    return folder


def as_zip(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as file:
        for picture in sorted(folder.iterdir()):
            file.write(picture, f"inside/{picture.name}")
    return path


def as_lmdb(folder: Path) -> Path:
    path = folder.with_suffix(".lmdb")
    with lmdb.open(str(path), map_size=2**24) as environment, environment.begin(write=True) as transaction:
        pictures = sorted(folder.iterdir())
        transaction.put(b"num-samples", str(len(pictures)).encode())
        for number, picture in enumerate(pictures, 1):
            transaction.put(b"image-%09d" % number, picture.read_bytes())
    return path


SOURCES = {
    "folder": lambda folder: folder,
    "zip": as_zip,
    "LMDB": as_lmdb,
    "single file": lambda folder: folder / "1.png",
}


@pytest.fixture
def pictures(tmp_path) -> Path:
    return draw(tmp_path / "pictures")


@pytest.fixture
def told() -> list[str]:
    """What was said: one line for every build."""
    return []


@pytest.fixture
def opened(tmp_path, told):
    """Opens the cache in tmp_path/cache."""

    def open_it(images: ImageSource, names=None, height_px=HEIGHT_PX, max_width_px=MOST_PX) -> LineCache:
        names = images.names() if names is None else names
        return open_cache(tmp_path / "cache", images, names, height_px, max_width_px, progress=False, say=told.append)

    return open_it


def caches(tmp_path: Path) -> list[Path]:
    """Everything in the folder of caches."""
    return sorted((tmp_path / "cache").iterdir())


def line(images: ImageSource, name: str, height_px=HEIGHT_PX, max_width_px=MOST_PX) -> np.ndarray:
    image = decode_image(images.read(name), name)
    return resize_line(image, height_px, resized_width(image.shape, height_px, max_width_px))


@pytest.mark.parametrize("kind", SOURCES)
def test_lines_and_widths_equal_decoding_and_resizing(kind, pictures, opened):
    images = open_images(SOURCES[kind](pictures))
    for cache in (opened(images), opened(images)):  # as built, as found
        expected = [line(images, name) for name in images.names()]
        assert len(cache) == len(expected)
        assert cache.widths_px.dtype == np.int64 and cache.widths_px.tolist() == [e.shape[1] for e in expected]
        for index, own in enumerate(expected):
            assert cache.load(index).dtype == np.uint8 and np.array_equal(cache.load(index), own)


def test_a_line_cannot_be_written_to(pictures, opened):
    with pytest.raises(ValueError, match="read-only"):
        opened(open_images(pictures)).load(0)[:] = 0


@pytest.mark.parametrize("kind", SOURCES)
def test_the_second_opening_reads_no_picture(kind, pictures, opened, told, monkeypatch):
    images = open_images(SOURCES[kind](pictures))
    first = opened(images)

    def never(name: str) -> bytes:
        raise AssertionError(f"{name} was read again")

    monkeypatch.setattr(images, "read", never)
    again = opened(images)
    assert np.array_equal(again.load(0), first.load(0)) and len(told) == 1


@pytest.mark.parametrize(
    "picked",
    [
        [3, 0, 3, 3, 1, 0],  # in any order, repeated
        [2],  # one alone
        [5, 4, 3, 2, 1, 0],  # all, backwards
    ],
)
def test_names_may_repeat_and_stand_in_any_order(picked, pictures, opened):
    images = open_images(pictures)
    names = [images.names()[i] for i in picked]
    cache = opened(images, names)
    assert cache.pixels.size == sum(line(images, name).size for name in set(names)), "each is cached once"
    assert cache.widths_px.tolist() == [line(images, name).shape[1] for name in names]
    for index, name in enumerate(names):
        assert np.array_equal(cache.load(index), line(images, name))


@pytest.mark.parametrize("kind", SOURCES)
def test_a_changed_picture_is_decoded_anew(kind, tmp_path, opened, told):
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), np.full((32, 40, 3), 9, np.uint8))
    opened(open_images(SOURCES[kind](folder)))
    cv2.imwrite(str(folder / "1.png"), np.full((32, 40, 3), 246, np.uint8))
    if kind == "LMDB":
        shutil.rmtree(folder.with_suffix(".lmdb"))
    cache = opened(open_images(SOURCES[kind](folder)))
    assert (cache.load(0) == 246).all() and len(told) == 2


@pytest.mark.parametrize(
    "height_px, max_width_px",
    [
        (48, MOST_PX),  # another height
        (HEIGHT_PX, 90),  # other lines are squeezed
    ],
)
def test_other_settings_make_another_cache_and_keep_the_first(height_px, max_width_px, pictures, opened, told):
    images = open_images(pictures)
    opened(images)
    other = opened(images, height_px=height_px, max_width_px=max_width_px)
    for index, name in enumerate(images.names()):
        assert np.array_equal(other.load(index), line(images, name, height_px, max_width_px))
    opened(images)
    assert len(told) == 2


def test_the_same_names_elsewhere_are_other_pictures(pictures, tmp_path, opened, told):
    opened(open_images(pictures))
    shutil.copytree(pictures, tmp_path / "copy")  # with the times of change
    opened(open_images(tmp_path / "copy"))
    assert len(told) == 2


def test_the_size_is_said_before_building(pictures, tmp_path, opened, told):
    cache = opened(open_images(pictures))
    assert told[0].startswith(f"cache: about {cache.pixels.size / 1e3:.1f} kB for 6 lines of height 32 in ")
    assert str(tmp_path / "cache") in told[0] and told[0].endswith(" free)")


def test_the_size_of_a_large_set_is_estimated_from_a_few_pictures(tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(20):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((32, 40, 3), np.uint8))
    images, reads, said = open_images(folder), [], []
    read = images.read
    monkeypatch.setattr("scenetext.data.cache.SAMPLE", 4)
    monkeypatch.setattr(images, "read", lambda name: reads.append(name) or read(name))
    open_cache(tmp_path / "cache", images, images.names(), 32, 120, False, lambda text: said.append((text, len(reads))))
    assert [(text.split(" of ")[0], count) for text, count in said] == [("cache: about 76.8 kB for 20 lines", 4)]


@pytest.mark.parametrize(
    "content, fault",
    [
        (b"", "is empty"),
        (b"no picture", "is no image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "truncated"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_broken_picture_is_named_and_leaves_no_cache(kind, content, fault, pictures, tmp_path, opened):
    (pictures / "5.png").write_bytes(content)
    for _ in range(2):
        images = open_images(SOURCES[kind](pictures))
        with pytest.raises(InputError, match=fault) as error:
            opened(images)
        assert images.place("5.png") in str(error.value)
    assert caches(tmp_path) == []


def test_a_picture_with_a_sound_header_and_no_end_leaves_no_cache(pictures, tmp_path, opened):
    data = (pictures / "4.jpg").read_bytes()
    (pictures / "4.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"4\.jpg is a truncated image"):
        opened(open_images(pictures))
    assert caches(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "zip", "LMDB"])
def test_a_missing_picture_is_named(kind, pictures, opened):
    images = open_images(SOURCES[kind](pictures))
    with pytest.raises(InputError, match="no-such"):
        opened(images, [images.names()[0], "no-such"])


def test_no_names_are_an_error(pictures, opened):
    with pytest.raises(InputError, match="no lines"):
        opened(open_images(pictures), [])


def test_too_little_room_is_said_before_anything_is_written(pictures, tmp_path, opened, told, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10_000, 10_000))
    with pytest.raises(InputError) as error:
        opened(open_images(pictures))
    for part in ("about 42.0 kB", "10.0 kB free", str(tmp_path / "cache"), "another disk", "leave the cache out"):
        assert part in str(error.value)
    assert told == [] and caches(tmp_path) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])  # Ctrl-C; a disk that fails
def test_an_interrupted_build_leaves_nothing_and_the_next_one_works(stop, pictures, tmp_path, opened, monkeypatch):
    images = open_images(pictures)
    reads = 0

    def interrupted(name: str) -> bytes:
        nonlocal reads
        reads += 1
        if reads > len(SHAPES) + 3:  # the headers have been read, and three lines
            raise stop
        return (pictures / name).read_bytes()

    with monkeypatch.context() as patch, pytest.raises(stop):
        patch.setattr(images, "read", interrupted)
        opened(images)
    assert caches(tmp_path) == []
    assert np.array_equal(opened(images).load(3), line(images, "3.png"))


CHILD = """
import hashlib, os, signal, sys, time
from scenetext.data import cache
from scenetext.data.images import open_images
images = open_images(sys.argv[1])
read, reads = images.read, 0
def slow(name):
    global reads
    reads += 1
    if reads > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return read(name)
images.read = slow
cache.AHEAD_PER_THREAD = 1  # so that lines are written before the last ones are read
opened = cache.open_cache(sys.argv[2], images, images.names(), 32, 120, progress=False)
print(hashlib.sha256(b"".join(opened.load(i).tobytes() for i in range(len(opened)))).hexdigest())
"""


def start(pictures: Path, folder: Path, most_reads: int = 1000) -> subprocess.Popen:
    """A process that opens the cache and prints the hash of its lines; one that reads too much is killed."""
    arguments = [sys.executable, "-c", CHILD, str(pictures), str(folder), str(most_reads)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_both_end_with_a_right_cache(pictures, tmp_path):
    running = [start(pictures, tmp_path / "cache") for _ in range(2)]
    printed = [process.communicate(timeout=60)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    images = open_images(pictures)
    cache = open_cache(tmp_path / "cache", images, images.names(), HEIGHT_PX, MOST_PX, progress=False)
    for index, name in enumerate(images.names()):
        assert np.array_equal(cache.load(index), line(images, name))
    assert printed[0][-1] == printed[1][-1]
    assert sum(len(lines) for lines in printed) == 3, "one built it, the other waited"


def test_what_a_killed_build_leaves_is_no_cache_and_is_replaced(pictures, tmp_path, opened, told):
    process = start(pictures, tmp_path / "cache", len(SHAPES) + 4)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert any(path.suffix != ".lock" for path in caches(tmp_path)), "half a file is left"
    images = open_images(pictures)
    assert np.array_equal(opened(images).load(5), line(images, "5.png"))
    assert len(told) == 1 and sorted(path.suffix for path in caches(tmp_path)) == [".pixels", ".widths"]


@pytest.mark.parametrize("suffix", ["pixels", "widths"])
@pytest.mark.parametrize("how", ["cut short", "missing"])
def test_a_cache_that_was_not_copied_whole_is_built_anew(suffix, how, pictures, tmp_path, opened, told):
    images = open_images(pictures)
    opened(images)
    (path,) = (tmp_path / "cache").glob(f"*.{suffix}")
    if how == "missing":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size - 4)
    assert np.array_equal(opened(images).load(5), line(images, "5.png")) and len(told) == 2


@pytest.mark.parametrize("kind", SOURCES)
def test_content_keys_are_two_numbers_a_name(kind, pictures):
    images = open_images(SOURCES[kind](pictures))
    keys = content_keys(images, images.names())
    assert keys.shape == (len(images.names()), 2) and keys.dtype == np.int64
