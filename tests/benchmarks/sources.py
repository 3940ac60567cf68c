"""Time and memory to open a large zip, LMDB or folder: `python tests/benchmarks/sources.py [PICTURES]`.

Writes PICTURES tiny pictures (default 1,000,000) to one zip, to four zips, to one LMDB with labels, and to a folder. A
fresh process opens each source with its names (the LMDB with its records), reads 20,000 pictures in random order, and
reads the widths of all pictures. Prints the seconds, and the growth of the process's own memory in MB: the peak while
opening, and the value after it. Pages of mapped files are not counted, because the system can reclaim them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import cv2
import lmdb
import numpy as np

CHILD = """
import json, random, re, sys, threading, time
from pathlib import Path
from types import SimpleNamespace
from scenetext.config import load_config
from scenetext.text.charset import Charset
from scenetext.data.sources.images import open_images
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import evaluation_lines
from scenetext.text.records import RecordTable

def own_mb():
    return int(re.search(r"RssAnon:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

before = peak = own_mb()
opening = True

def watch():
    global peak
    while opening:
        peak = max(peak, own_mb())
        time.sleep(0.01)

watching = threading.Thread(target=watch)
watching.start()
started = time.perf_counter()
if sys.argv[2] == "LMDB":
    config = load_config({"Eval": {"dataset": {"name": "LMDBDataSet", "data_dir": sys.argv[1]}}})
    records, images = evaluation_lines(config)
    names = records.names
else:
    images = open_images(sys.argv[1])
    names = images.names()
opened = time.perf_counter() - started
opening, peak = False, max(peak, own_mb())
watching.join()
kept = own_mb() - before
chosen = random.Random(0).choices(range(len(names)), k=20_000)
started = time.perf_counter()
for index in chosen:
    images.read(names[index])
read = len(chosen) / (time.perf_counter() - started)
if sys.argv[2] != "LMDB":
    records = RecordTable.of_pairs(((name, "0") for name in names), lambda name, number: name)
lines = Lines(records, images, Charset(tuple("0123456789")), 32, 320)
started = time.perf_counter()
lines.widths_px()
print(json.dumps([len(names), opened, peak - before, kept, read, time.perf_counter() - started]))
"""


def pictures(count: int):
    """Names, labels and bytes of tiny pictures."""
    drawn = [cv2.imencode(".png", np.full((8, 8 + i, 3), 8 * i, np.uint8))[1].tobytes() for i in range(32)]
    for index in range(count):
        yield f"train_images/{index:08d}.png", str(index % 1000), drawn[index % 32]


def draw_zips(path: Path, count: int, zips: int) -> Path:
    """Writes one zip, or a folder of several."""
    if zips > 1:
        path.mkdir()
    paths = [path / f"train_images_{number}.zip" for number in range(zips)] if zips > 1 else [path]
    archives = [zipfile.ZipFile(each, "w") for each in paths]
    for index, (name, _, data) in enumerate(pictures(count)):
        archives[index % zips].writestr(name, data)
    for archive in archives:
        archive.close()
    return path


def draw_lmdb(path: Path, count: int) -> Path:
    """Writes an LMDB in PaddleOCR's layout."""
    with lmdb.open(str(path), map_size=1 << 36) as environment, environment.begin(write=True) as transaction:
        for index, (_, label, data) in enumerate(pictures(count), 1):
            transaction.put(b"image-%09d" % index, data)
            transaction.put(b"label-%09d" % index, label.encode())
        transaction.put(b"num-samples", str(count).encode())
    return path


def draw_folder(path: Path, count: int) -> Path:
    """Writes a folder of links to few files, so that it takes no room."""
    path.mkdir()
    originals: dict[bytes, Path] = {}
    for name, _, data in pictures(count):
        if data not in originals:
            originals[data] = path.parent / f"{len(originals)}.png"
            originals[data].write_bytes(data)
        os.link(originals[data], path / Path(name).name)
    return path


def main(count: str = "1000000") -> None:
    """Measures and prints a Markdown table."""
    kinds = {
        "zip": lambda path: draw_zips(path, int(count), 1),
        "4 zips": lambda path: draw_zips(path, int(count), 4),
        "LMDB": lambda path: draw_lmdb(path, int(count)),
        "folder": lambda path: draw_folder(path, int(count)),
    }
    print("| source | pictures | opening, s | peak, MB | after opening, MB | pictures read/s | widths of all, s |")
    print("|---|---|---|---|---|---|---|")
    for kind, draw in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            path = draw(Path(folder, "source"))
            run = subprocess.run([sys.executable, "-c", CHILD, path, kind], capture_output=True, text=True)
        if run.returncode:
            sys.exit(run.stderr)
        found, opened, peak, kept, read, widths = json.loads(run.stdout)
        print(
            f"| {kind} | {found:,} | {opened:.1f} | {peak:.0f} | {kept:.0f} | {read:.0f} | {widths:.1f} |", flush=True
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
