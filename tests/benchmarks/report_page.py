"""Seconds, memory and size of `scenetext report` for runs of many evaluated lines: `report_page.py RUN IMAGES [COUNT]`.

Copies RUN to a temporary folder, gives it an evaluation of COUNT lines (default 10,000) and reports on it. The lines
are those of RUN's own evaluation under new names, with one character more in every third text; their pictures, from
IMAGES, lie in a zip.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from scenetext.data.sources.images import open_images
from scenetext.evaluate.evaluation_folder import write_evaluation
from scenetext.evaluate.prediction_files import read_predictions
from scenetext.evaluate.results import ReadLines, score_lines


def copied(run: Path, images: str, count: int, scratch: Path) -> tuple[Path, Path]:
    """A run of that many lines and the zip of their pictures."""
    source, read = open_images(images), read_predictions(run / "evaluate" / "predictions.csv")
    copy = shutil.copytree(run, scratch / "run", ignore=shutil.ignore_patterns("evaluate", "vdl", "report.html"))
    kept = [index % len(read.names) for index in range(count)]
    names = [f"{index}{Path(read.names[old]).suffix}" for index, old in enumerate(kept)]
    texts = [read.texts[old] + ("一" if index % 3 == 0 else "") for index, old in enumerate(kept)]
    columns = (read.confidences, read.widths_px, read.heights_px)
    lines = ReadLines(names, [read.targets[old] for old in kept], texts, *([c[old] for old in kept] for c in columns))
    write_evaluation(score_lines(lines), copy / "evaluate")
    with zipfile.ZipFile(scratch / "images.zip", "w") as file:
        for name, old in zip(names, kept, strict=True):
            file.writestr(name, source.read(read.names[old]))
    return copy, scratch / "images.zip"


def main(run: str, images: str, count: str = "10000") -> None:
    """Measures one report and prints a line."""
    with tempfile.TemporaryDirectory() as scratch:
        copy, pictures = copied(Path(run), images, int(count), Path(scratch))
        command = [sys.executable, "-m", "scenetext", "report", str(copy), "--images", str(pictures)]
        started = time.perf_counter()
        _, status, usage = os.wait4(os.posix_spawn(sys.executable, command, os.environ), 0)
        seconds = time.perf_counter() - started
        if status:
            sys.exit("scenetext report failed.")
        size_mb = (copy / "report.html").stat().st_size / 1e6
        processor_s = usage.ru_utime + usage.ru_stime
        print(
            f"{int(count):,} lines: {seconds:.1f} s, {processor_s:.1f} s of processor time, "
            f"{usage.ru_maxrss / 1e3:.0f} MB of memory, {size_mb:.2f} MB of HTML"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
