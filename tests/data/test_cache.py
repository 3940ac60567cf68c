"""The cache of decoded lines: the same pixels as decoding gives, built once, and never half a cache."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import lmdb
import numpy as np
import pytest
import yaml
from drawn import draw_digits, tiny_config

from scenetext.config import load_config
from scenetext.data.augment import RecAug
from scenetext.data.batches import WidthBucketSampler, make_batch
from scenetext.data.cache import LineCache, open_cache
from scenetext.data.dataset import JoinLines, Lines
from scenetext.data.pipeline import training_lines, training_sampler
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image, resize_line, resized_width
from scenetext.errors import InputError, RunError
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file
from scenetext.weights.pdparams import read_pdparams

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
        assert images.location("5.png") in str(error.value)
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

    with monkeypatch.context() as patch, pytest.raises((stop, RunError)):
        patch.setattr(images, "read", interrupted)
        opened(images)
    assert caches(tmp_path) == []
    assert np.array_equal(opened(images).load(3), line(images, "3.png"))


CHILD = """
import hashlib, os, signal, sys, time
from scenetext.data import cache
from scenetext.data.sources.images import open_images
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
    printed = [process.communicate(timeout=600)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    images = open_images(pictures)
    cache = open_cache(tmp_path / "cache", images, images.names(), HEIGHT_PX, MOST_PX, progress=False)
    for index, name in enumerate(images.names()):
        assert np.array_equal(cache.load(index), line(images, name))
    assert printed[0][-1] == printed[1][-1]
    assert sum(len(lines) for lines in printed) == 3, "one built it, the other waited"


def test_what_a_killed_build_leaves_is_no_cache_and_is_replaced(pictures, tmp_path, opened, told):
    process = start(pictures, tmp_path / "cache", len(SHAPES) + 4)
    process.communicate(timeout=600)
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


def digit_lines(folder: Path, cache: Path | None = None, height_px=32, max_width_px=128, **options) -> Lines:
    """Lines of `draw_digits`, 28 to 128 pixels wide."""
    records, images = read_label_file(folder / "train.txt"), open_images(folder / "images")
    found = Lines(records, images, Charset.from_file(folder / "charset.txt"), height_px, max_width_px, **options)
    if cache is not None:
        found.use_cache(cache, progress=False)
    return found


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    return draw_digits(tmp_path_factory.mktemp("digits"), 24)


@pytest.mark.parametrize(
    "options, canvas_px",
    [
        ({}, None),  # as wide as the widest
        ({"height_px": 48, "max_width_px": 300}, None),  # enlarged
        ({}, 64),  # squeezed onto a fixed canvas
        ({"max_width_px": 64}, None),  # squeezed in the cache
        ({"longest_label": 3}, None),  # some records are left out: the others' numbers change
        ({"stretched": True}, 128),  # pictures of the cache's height are resized once
    ],
)
def test_batches_and_plans_from_a_cache_equal_those_without(options, canvas_px, digits, tmp_path):
    plain, cached = digit_lines(digits, **options), digit_lines(digits, tmp_path / "cache", **options)
    assert len(cached) == len(plain) and (len(plain) < 24) == ("longest_label" in options)
    assert np.array_equal(plain.widths_px(), cached.widths_px())
    height_px = plain.height_px
    for epoch in range(2):
        plans, again = (
            WidthBucketSampler(each.widths_px(), height_px, 4 * height_px * 100, True, 0).plan(epoch)
            for each in (plain, cached)
        )
        for plan, other in zip(plans, again, strict=True):
            assert np.array_equal(plan.indices, other.indices)
            plan = replace(plan, width_px=canvas_px)
            expected, own = make_batch(plain, plan, epoch), make_batch(cached, plan, epoch)
            assert np.array_equal(own.images, expected.images) and np.array_equal(own.ids, expected.ids)


def test_augmented_and_joined_lines_from_a_cache_repeat_themselves_and_leave_it_as_it_is(digits, tmp_path):
    def change_all() -> Lines:
        return digit_lines(digits, tmp_path / "cache", augment=RecAug(*[1.0] * 7), join=JoinLines(0.5, 2, 10.0))

    lines, again = change_all(), change_all()
    before = [lines.cache.load(i).copy() for i in range(len(lines))]
    for index in range(len(lines)):
        assert np.array_equal(lines.load(index, 3)[0], again.load(index, 3)[0])
    assert all(np.array_equal(lines.cache.load(i), line) for i, line in enumerate(before))


def test_cached_lines_ask_for_no_picture(digits, tmp_path, monkeypatch):
    lines = digit_lines(digits, tmp_path / "cache")
    monkeypatch.setattr(lines, "images", None)
    lines.widths_px(), lines.load(0)


@pytest.mark.parametrize(
    "sampler, others",
    [
        ({"scales": [[128, 32], [128, 48], [128, 64]]}, "48, 64"),
        ({"scales": [[128, 32], [160, 40]], "divided_factor": [8, 8]}, "40"),
        ({"scales": [[128, 32], [160, 40]]}, None),  # 40 is rounded down to 32
        ({"scales": [[128, 32], [64, 32]]}, None),  # several widths
    ],
)
def test_scales_of_other_heights_are_refused_with_the_way_out(sampler, others, digits, tmp_path):
    config = tiny_config(digits)
    config["Train"]["dataset"] = config["Train"]["dataset"] | {"cache_dir": str(tmp_path / "cache")}
    config["Train"]["sampler"] = {"name": "MultiScaleSampler", "first_bs": 4, **sampler}
    config = load_config(config)
    network = SimpleNamespace(charset=Charset.from_file(digits / "charset.txt"), input_size=None, longest_label=None)
    if others is None:
        lines = training_lines(config, network, 0, progress=False)
        batches = [make_batch(lines, plan, 0) for plan in training_sampler(config, lines, 0).plan(0)]
        assert sum(len(batch.images) for batch in batches) == 24
        return
    with pytest.raises(InputError) as error:
        training_lines(config, network, 0, progress=False)
    for part in ("Train.dataset.cache_dir", "Train.sampler.scales", f"heights of {others} too", "leave cache_dir"):
        assert part in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_only_the_training_set_has_a_cache(digits):
    config = tiny_config(digits)
    config["Eval"]["dataset"] = config["Eval"]["dataset"] | {"cache_dir": "cache"}
    with pytest.raises(InputError, match=r"Eval\.dataset\.cache_dir"):
        load_config(config)


def test_a_second_training_builds_no_cache_and_ends_with_the_weights_of_one_without(digits, tmp_path, root):
    (tmp_path / "c.yml").write_text(yaml.safe_dump(tiny_config(digits, epoch_num=1)))

    def trained(name: str, *settings: str) -> str:
        """What a training into tmp_path/name prints."""
        command = ["train", "-c", tmp_path / "c.yml", "-o", f"Global.save_model_dir={tmp_path / name}", *settings]
        environment = {**os.environ, "PYTHONPATH": str(root / "src")}
        done = subprocess.run(
            [sys.executable, "-m", "scenetext", *command], cwd=root, capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with_cache = f"Train.dataset.cache_dir={tmp_path / 'cache'}"
    said = [trained("first", with_cache), trained("second", with_cache), trained("without")]
    assert ["cache: about" in text for text in said] == [True, False, False]
    first, *others = (read_pdparams(tmp_path / name / "latest") for name in ("first", "second", "without"))
    assert all(np.array_equal(first[key], other[key]) for other in others for key in first)


@pytest.mark.parametrize("kind", SOURCES)
def test_fingerprints_are_told_without_reading_a_picture(kind, pictures, monkeypatch):
    images = open_images(SOURCES[kind](pictures))
    monkeypatch.setattr(images, "read", None)
    for name in images.names():
        assert [type(number) for number in images.fingerprint(name)] == [int, int]


def index_of(tmp_path: Path) -> Path:
    return next((tmp_path / "cache").glob("*.widths"))


def swapped_widths(index: bytes) -> bytes:
    return index[8:12] + index[4:8] + index[:4] + index[12:]


def test_damaged_pixels_are_named_when_their_line_is_loaded(pictures, tmp_path, opened):
    images = open_images(pictures)
    whole = opened(images)
    at = int(whole.starts[2]) + 100
    with open(next((tmp_path / "cache").glob("*.pixels")), "r+b") as file:
        file.seek(at)
        file.write(bytes(1000))
    cache = opened(images)
    assert np.array_equal(cache.load(0), line(images, images.names()[0]))
    for _ in range(2):
        with pytest.raises(RunError, match=r"^The cache .*\.pixels is damaged at byte \d+: delete it, and the next"):
            cache.load(2)


@pytest.mark.parametrize(
    "damage", [swapped_widths, lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: bytes(len(data))]
)
def test_a_damaged_index_makes_the_cache_anew(damage, pictures, tmp_path, opened, told):
    images = open_images(pictures)
    opened(images)
    index_of(tmp_path).write_bytes(damage(index_of(tmp_path).read_bytes()))
    cache = opened(images)
    assert len(told) == 2
    assert all(np.array_equal(cache.load(i), line(images, name)) for i, name in enumerate(images.names()))


def test_a_line_is_compared_with_its_checksum_once(pictures, opened, monkeypatch):
    cache = opened(open_images(pictures))
    first = [cache.load(index).copy() for index in range(len(cache))]
    monkeypatch.setattr("scenetext.data.cache.zlib.crc32", lambda data: pytest.fail("compared again"))
    assert all(np.array_equal(cache.load(index), own) for index, own in enumerate(first))
