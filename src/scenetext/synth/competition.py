"""Draws a competition in the layout of the real one: two zips of crops and a label file in GB2312."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from scenetext.errors import InputError
from scenetext.synth.camera import HEIGHT_PX, jpeg_bytes
from scenetext.synth.draw import draw_line
from scenetext.synth.pool import check_numbers, in_order
from scenetext.synth.texts import write_line
from scenetext.system.files import replacing

# Quantiles of the widths in pixels of the real competition's 50,000 training crops, all 48 pixels high. From the median
# up they are measured; those below it are chosen so that the mean is the measured one, about 166.
WIDTHS = (
    (0.0, 14), (0.01, 24), (0.05, 36), (0.1, 46), (0.25, 73), (0.5, 129), (0.75, 214), (0.9, 331),
    (0.95, 427), (0.99, 669), (0.998, 980), (1.0, 1626),
)  # fmt: skip
EM_PER_WIDTH = 0.97 / HEIGHT_PX  # a crop 48 pixels wide holds about one Chinese character

_PARTS = ("train", "test")
_LABEL_FILES = {"train": "train_label.csv", "test": "answers/test_label.csv"}
_PIECE = 16  # lines that a process draws at a time
QUALITY = 92  # of the JPEG files
_STAMP = (2021, 1, 1, 0, 0, 0)  # time stamp in the zips, fixed so that equal seeds give equal bytes


def draw_competition(out: str | Path, *, train: int = 2000, test: int = 300, seed: int = 0, workers: int = 1) -> None:
    """Draws a competition; the same arguments give the same bytes.

    It writes `train_images.zip`, `train_label.csv` (columns name,value; GB2312), `test_images.zip` and, for the demo's
    own score, `answers/test_label.csv`, which the real competition withholds.

    Args:
        out: the folder to write into.
        train, test: lines of each part, at least 1.
        seed: at least 0; another seed draws another competition.
        workers: processes that draw, at least 1, which is this process; the bytes do not depend on it.

    Raises:
        InputError: a number is too small.
    """
    check_numbers(train=(train, 1), test=(test, 1), seed=(seed, 0), workers=(workers, 1))
    out = Path(out)
    counts = dict(zip(_PARTS, (train, test), strict=True))
    pieces = [(part, range(count)[i : i + _PIECE]) for part, count in counts.items() for i in range(0, count, _PIECE)]
    lines = chain.from_iterable(in_order(partial(_draw_piece, seed=seed), pieces, workers))  # of both parts
    with tqdm(total=train + test, desc="drawing lines", unit="line") as bar:
        for part, count in counts.items():
            labels = []
            with replacing(out / f"{part}_images.zip") as file, zipfile.ZipFile(file, "w") as archive:
                for index, (text, picture) in enumerate(islice(lines, count)):
                    archive.writestr(zipfile.ZipInfo(f"{part}_images/{index}.jpg", _STAMP), picture)
                    labels.append((f"{index}.jpg", text))
                    bar.update()
            _write_labels(out / _LABEL_FILES[part], labels)


def draw_part(part: str, count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Draws the lines of one part of a competition.

    Each line depends on (seed, part, index) alone, so a longer part begins with the lines of a shorter one.

    Args:
        part: "train" or "test".
        count: number of lines.
        seed: of the competition.

    Yields:
        The text of each line, and its image, (48, W, 3) uint8 BGR.

    Raises:
        InputError: another part.
    """
    if part not in _PARTS:
        raise InputError(f"part={part!r} is unknown: choose one of {', '.join(_PARTS)}.")
    for index in range(count):
        yield _draw(part, index, seed)


def _draw(part: str, index: int, seed: int) -> tuple[str, np.ndarray]:
    start = np.random.default_rng((seed, _PARTS.index(part))).random()
    rng = np.random.default_rng((seed, _PARTS.index(part), index))
    # Multiples of the golden ratio fill 0..1 evenly, so that even few lines have the real distribution of widths.
    width_px = _width_at((start + index * 0.6180339887498949) % 1.0)
    text = write_line(rng, width_px * EM_PER_WIDTH * float(np.exp(rng.normal(0.0, 0.14))))
    return text, draw_line(text, rng, width_px)


def _draw_piece(piece: tuple[str, range], seed: int) -> list[tuple[str, bytes]]:
    """Text and JPEG file of some lines of a part."""
    part, indices = piece
    drawn = (_draw(part, index, seed) for index in indices)
    return [(text, jpeg_bytes(image, QUALITY).tobytes()) for text, image in drawn]


def _width_at(quantile: float) -> int:
    """The width in pixels at a quantile of the real crops, interpolated on a logarithmic scale."""
    quantiles, widths = zip(*WIDTHS, strict=True)
    return round(float(np.exp(np.interp(quantile, quantiles, np.log(widths)))))


def _write_labels(path: Path, labels: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "value"))
    writer.writerows(labels)
    with replacing(path) as file:
        file.write(text.getvalue().encode("gb2312"))
