"""A memory-mapped cache of decoded lines: a training decodes every picture once, not once an epoch.

Two files make a cache. `<key>.pixels` holds the lines one after the other, each (height_px, w, 3) uint8 BGR, in the
order in which their names first occur in the list; `<key>.widths` holds the width and the CRC-32 of each, and a CRC-32
of all of these, little-endian. It is written last, so pixels without widths are not used. A line's checksum is compared
when the line is loaded first. The key is a hash of the pictures, their order and their size, so a
changed picture or setting makes another cache and the old one stays. The folder may be deleted at any time when no
training reads from it.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.decoding import checked_size
from scenetext.data.prefetch import ahead
from scenetext.data.sources.images import ImageSource
from scenetext.data.transforms import decode_image, resize_line, resized_width
from scenetext.errors import InputError, RunError
from scenetext.system.file_names import shown_path
from scenetext.system.files import replacing
from scenetext.system.locks import one_process
from scenetext.system.process import usable_cores
from scenetext.system.temporaries import remove_leftovers

FORMAT = 3  # part of every key: raise it when the same picture would be cached as other pixels
CHANNELS = 3
SAMPLE = 1000  # pictures whose headers give the estimate of the size
AHEAD_PER_THREAD = 16  # lines decoded ahead of their writing; bounds the memory
ENTRY = np.dtype([("width", "<i4"), ("crc", "<u4")])
CRC_BYTES = 4
FINGERPRINT = np.dtype((np.int64, 2))
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclass(frozen=True)
class LineCache:
    """Decoded lines by the number of their name in the list that the cache was opened with.

    N names, M of them distinct; 4 N + 17 M bytes of memory, the pixels stay on the disk.

    Attributes:
        height_px: height of every line.
        rows: (N,) int32, the line of each name among the M lines.
        entries: (M,) of ENTRY, widths in pixels and checksums.
        starts: (M,) int64, where in `pixels` a line begins.
        pixels: the mapped file, flat, uint8, read-only.
        path: of this file.
        is_checked: (M,) bool, whether a line was found to be as it was written.
    """

    height_px: int
    rows: np.ndarray
    entries: np.ndarray
    starts: np.ndarray
    pixels: np.ndarray
    path: Path
    is_checked: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def widths_px(self) -> np.ndarray:
        """(N,) int64: the widths of the names' lines."""
        return self.entries["width"][self.rows].astype(np.int64)

    def load(self, index: int) -> np.ndarray:
        """The line of name `index`, (height_px, w, 3) uint8 BGR: a read-only view of the mapped file.

        Raises:
            RunError: its pixels are not those that were written.
        """
        row = self.rows[index]
        start, (width, crc) = int(self.starts[row]), self.entries[row].item()
        line = self.pixels[start : start + self.height_px * width * CHANNELS]
        if not self.is_checked[row]:
            if zlib.crc32(line) != crc:
                raise RunError(
                    f"The cache {shown_path(self.path)} is damaged at byte {start}: delete it, and the next training "
                    "builds it again."
                )
            self.is_checked[row] = True
        return line.reshape(self.height_px, width, CHANNELS)


def open_cache(
    folder: str | Path,
    images: ImageSource,
    names: Sequence[str],
    height_px: int,
    max_width_px: int,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> LineCache:
    """Opens the cache of some pictures; builds it first if it is missing.

    When several processes open one cache, one of them builds it and the others wait.

    Args:
        folder: the folder of caches; made when missing.
        images: the source in which the names are found.
        names: pictures, in the order of the lines; they may repeat, and each is cached once.
        height_px: the height that lines are resized to, their proportions kept.
        max_width_px: wider lines are squeezed to this width.
        progress: show a bar while building.
        say: called with a sentence on the size before building.

    Raises:
        InputError: no names, a picture that is missing or cannot be decoded, or too little free space. No half-built
            cache is left.
    """
    folder = Path(folder)
    if not names:
        raise InputError(f"There are no lines to cache in {folder}.")
    digests = np.fromiter((_digest(name) for name in names), "S16", len(names))
    first, rows = _distinct(digests)
    distinct = names if len(first) == len(names) else [names[i] for i in first.tolist()]
    key = _key(images, distinct, digests[first], height_px, max_width_px)
    entries = _finished(folder, key, height_px, len(distinct))
    if entries is None:
        with one_process(folder / key):
            entries = _finished(folder, key, height_px, len(distinct))  # another process may have built it by now
            if entries is None:
                entries = _build(folder, key, images, distinct, height_px, max_width_px, progress, say)
    remove_leftovers(folder)  # of builds that died
    sizes = entries["width"].astype(np.int64) * (height_px * CHANNELS)
    path = _pixels(folder, key)
    # A plain array over the map: slices of np.memmap itself cost several times as much.
    pixels = np.asarray(np.memmap(path, np.uint8, "r"))
    is_checked = np.zeros(len(entries), bool)
    return LineCache(height_px, rows, entries, np.cumsum(sizes) - sizes, pixels, path, is_checked)


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _distinct(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Digests of N names, M of them distinct → (M,) rising positions of their first uses, (N,) int32 in 0 to M - 1."""
    _, first, kinds = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return first[order], rank[kinds]


def _key(images: ImageSource, names: Sequence[str], digests: np.ndarray, height_px: int, max_width_px: int) -> str:
    location = images.path.resolve()
    key = hashlib.sha256(f"{FORMAT}\n{height_px}\n{max_width_px}\n{location}\n".encode("utf-8", "surrogatepass"))
    key.update(digests.tobytes())
    key.update(np.fromiter(map(images.fingerprint, names), FINGERPRINT, len(names)).tobytes())
    return key.hexdigest()


def _pixels(folder: Path, key: str) -> Path:
    return folder / f"{key}.pixels"


def _widths(folder: Path, key: str) -> Path:
    return folder / f"{key}.widths"


def _finished(folder: Path, key: str, height_px: int, count: int) -> np.ndarray | None:
    """(M,) ENTRY of a complete cache; None when it is missing, or one of its files is cut short or damaged."""
    pixels, index = _pixels(folder, key), _widths(folder, key)
    if not index.is_file() or not pixels.is_file() or index.stat().st_size != count * ENTRY.itemsize + CRC_BYTES:
        return None
    data = index.read_bytes()
    entries = np.frombuffer(data, ENTRY, count)
    if zlib.crc32(entries) != int.from_bytes(data[-CRC_BYTES:], "little"):
        return None
    size_bytes = int(entries["width"].sum(dtype=np.int64)) * height_px * CHANNELS
    return entries if pixels.stat().st_size == size_bytes else None


def _build(
    folder: Path,
    key: str,
    images: ImageSource,
    names: Sequence[str],
    height_px: int,
    max_width_px: int,
    progress: bool,
    say: Callable[[str], None],
) -> np.ndarray:
    pixels, index = _pixels(folder, key), _widths(folder, key)
    for path in (pixels, index):  # remains of killed builds, and files cut short; this process has the lock
        for left_over in (path, *folder.glob(f".{path.name}.*")):
            left_over.unlink(missing_ok=True)
    _check_room(folder, _estimated_bytes(images, names, height_px, max_width_px), len(names), height_px, say)
    entries = np.empty(len(names), ENTRY)
    with replacing(pixels) as file:
        threads = usable_cores()

        def line(name: str) -> np.ndarray:
            return _line(images, name, height_px, max_width_px)

        lines = ahead(line, names, threads, threads * AHEAD_PER_THREAD)
        bar = tqdm(lines, "caching lines", len(names), unit="line", disable=not progress)
        for row, pixels_of_line in enumerate(bar):
            file.write(pixels_of_line)
            entries[row] = pixels_of_line.shape[1], zlib.crc32(pixels_of_line)
    with replacing(index) as file:
        file.write(entries)
        file.write(zlib.crc32(entries).to_bytes(CRC_BYTES, "little"))
    return entries


def _check_room(folder: Path, needed_bytes: int, count: int, height_px: int, say: Callable[[str], None]) -> None:
    free_bytes = shutil.disk_usage(folder).free
    what = f"about {_size(needed_bytes)} for {count:,} lines of height {height_px}"
    if needed_bytes > free_bytes:
        raise InputError(
            f"The cache needs {what}, but {folder} has {_size(free_bytes)} free: give a folder on another disk, or "
            "leave the cache out."
        )
    say(f"cache: {what} in {folder} ({_size(free_bytes)} free)")


def _size(size_bytes: int) -> str:
    unit, name = next((pair for pair in UNITS if size_bytes >= pair[0]), UNITS[-1])
    return f"{size_bytes / unit:.1f} {name}"


def _estimated_bytes(images: ImageSource, names: Sequence[str], height_px: int, max_width_px: int) -> int:
    """Bytes of the lines' pixels by the headers of at most SAMPLE pictures, the same ones every time."""
    rng = np.random.default_rng(0)
    count = min(SAMPLE, len(names))
    chosen = rng.choice(len(names), count, replace=False).tolist()
    width = sum(resized_width(_header_shape(images, names[i]), height_px, max_width_px) for i in chosen) / count
    return round(width * len(names) * height_px * CHANNELS)


def _header_shape(images: ImageSource, name: str) -> tuple[int, ...]:
    """(H, W) of the picture once decoded, by the file's header."""
    return checked_size(images.read(name), images.location(name))[::-1]


def _line(images: ImageSource, name: str, height_px: int, max_width_px: int) -> np.ndarray:
    image = decode_image(images.read(name), images.location(name))
    return resize_line(image, height_px, resized_width(image.shape, height_px, max_width_px))
