"""Memory of `scenetext predict` for few and for many pictures: `many_lines.py FOLDER IMAGES [COUNT ...]`.

Copies the pictures of IMAGES under new names to a temporary folder until there are COUNT of them (default 1,000 and
100,000). Prints the seconds, the lines per second and the peak resident memory of each process.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

from scenetext.data.sources.images import open_images


def read(folder: str, images: str, count: int, scratch: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process that reads `count` pictures."""
    source, copies = open_images(images), scratch / str(count)
    copies.mkdir()
    for index, name in zip(range(count), itertools.cycle(source.names())):
        (copies / f"{index:07d}{Path(name).suffix}").write_bytes(source.read(name))
    command = ["-m", "scenetext", "predict", "--model", folder, "--images", str(copies)]
    command += ["--out", str(scratch / "read.txt")]
    started = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, *command], os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit("scenetext predict failed.")
    return time.perf_counter() - started, usage.ru_maxrss / 1e3


def main(folder: str, images: str, *counts: str) -> None:
    """Measures and prints a Markdown table."""
    print("| pictures | seconds | lines/s | peak memory, MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for count in [int(count) for count in counts] or [1_000, 100_000]:
            seconds, peak_mb = read(folder, images, count, Path(scratch))
            print(f"| {count:,} | {seconds:.1f} | {count / seconds:.0f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
