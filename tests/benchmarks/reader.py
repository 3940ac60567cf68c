"""Compares decoding with reading from the cache: `python tests/benchmarks/reader.py LABELS IMAGES [ROUNDS]`.

Both sides make one epoch's batches of 32 lines on a canvas of 32x320, with one thread, in turn: one side decodes every
picture, the other one reads the cache. Prints the lines per second of each side, and the time to build and to open the
cache.
"""

from __future__ import annotations

import sys
import tempfile
import time

import cv2

from scenetext.bench.throughput import in_turn, table
from scenetext.config.sections import transforms as settings
from scenetext.data.augment import RecAug
from scenetext.data.batches import FixedSampler, make_batch
from scenetext.data.cache import open_cache
from scenetext.data.dataset import Lines
from scenetext.data.sources.images import open_images
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file

BATCH, HEIGHT_PX, WIDTH_PX = 32, 32, 320


def lines_per_second(lines: Lines) -> float:
    """Speed of making every batch of an epoch."""
    plans = FixedSampler(len(lines), BATCH, HEIGHT_PX, WIDTH_PX, True, False, 0).plan(0)
    started = time.perf_counter()
    for plan in plans:
        make_batch(lines, plan, 0)
    return len(lines) / (time.perf_counter() - started)


def main(labels: str, images: str, rounds: int = 5) -> None:
    """Measures and prints a table."""
    cv2.setNumThreads(1)
    records, source = read_label_file(labels), open_images(images)
    charset = Charset(sorted({character for record in records for character in record.text}))
    with tempfile.TemporaryDirectory() as folder:
        for step in ("built", "opened"):
            started = time.perf_counter()
            open_cache(folder, source, records.names, HEIGHT_PX, WIDTH_PX)
            seconds = time.perf_counter() - started
            print(f"{step}: {seconds:.3f} s, {len(records) / seconds:,.0f} lines/s")
        options = dict(height_px=HEIGHT_PX, max_width_px=WIDTH_PX)
        sides = {}
        for name, augment in (("", None), (", RecAug", RecAug(**settings.RecAug().shares))):
            sides[f"decoded{name}"] = Lines(records, source, charset, augment=augment, **options)
            sides[f"cached{name}"] = Lines(records, source, charset, augment=augment, **options)
            sides[f"cached{name}"].use_cache(folder)
        figures = in_turn({name: lambda own=own: lines_per_second(own) for name, own in sides.items()}, rounds)
    print(table(figures))


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
