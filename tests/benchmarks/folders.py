"""Compares exported folders: `python tests/benchmarks/folders.py IMAGES FOLDER FOLDER [...]`.

A fresh process opens each folder and reads the pictures with it, all folders in turn, ROUNDS times. It measures the
seconds to open the folder, and the lines per second of the second pass over the pictures. Prints medians and the ratio
to the first folder.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

ROUNDS = 5
CHILD = """
import json, sys, time
from scenetext.system.process import prepare_process
prepare_process()
from scenetext.data.sources.images import open_images
from scenetext.data.transforms import decode_image
from scenetext.predict.recognizer import Recognizer
source = open_images(sys.argv[1])
lines = [decode_image(source.read(name), name) for name in source.names()[:300]]
import paddle.inference
started = time.perf_counter()
reader = Recognizer(sys.argv[2], "paddle")
opened = time.perf_counter() - started
reader(lines)
started = time.perf_counter()
reader(lines)
print(json.dumps([opened, len(lines) / (time.perf_counter() - started)]))
"""


def measure(images: str, folder: str) -> tuple[float, float]:
    """Seconds to open a folder, and lines per second, measured in a fresh process."""
    run = subprocess.run([sys.executable, "-c", CHILD, images, folder], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    return tuple(json.loads(run.stdout.splitlines()[-1]))


def main(images: str, *folders: str) -> None:
    """Measures and prints a Markdown table."""
    rounds = [[measure(images, folder) for folder in folders] for _ in range(ROUNDS)]
    print("| folder | opens, s | difference, s | reads, lines/s | ratio to the first (minimum to maximum) |")
    print("|---|---|---|---|---|")
    for index, folder in enumerate(folders):
        opens = statistics.median(turn[index][0] for turn in rounds)
        later = statistics.median(turn[index][0] - turn[0][0] for turn in rounds)
        speed = statistics.median(turn[index][1] for turn in rounds)
        ratios = sorted(turn[index][1] / turn[0][1] for turn in rounds)
        middle = statistics.median(ratios)
        span = f"{middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"| {folder} | {opens:.2f} | {later:+.2f} | {speed:.1f} | {span} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
