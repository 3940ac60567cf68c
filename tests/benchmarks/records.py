"""Time and memory to open a large training set: `python tests/benchmarks/records.py [LINES] [FILES]`.

Writes LINES random labels (default 1,000,000) of 1 to 24 characters to FILES label files (default 1). A fresh process
opens them with `read_label_file` and then `Lines`. Prints the seconds, and the process's memory growth in MB: the peak
and the value at the end.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import json, re, sys, time
from pathlib import Path
from scenetext.text.charset import Charset
from scenetext.data.dataset import Lines
from scenetext.text.label_files import read_label_file
from scenetext.text.records import RecordTable

def memory_mb(field):
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

charset = Charset.from_file(sys.argv[1], use_space_char=True)
charset.encode(charset.characters[0])
before = memory_mb("VmRSS")
started = time.perf_counter()
records = RecordTable.joined([read_label_file(file) for file in sys.argv[2:]])
read = time.perf_counter()
lines = Lines(records, None, charset, 48, 3200, longest_label=20)
opened = time.perf_counter()
peak, kept = memory_mb("VmHWM") - before, memory_mb("VmRSS") - before
rows = sum(1 for _ in lines.ids)
encoded = time.perf_counter()
print(json.dumps([len(records), rows, read - started, opened - read, encoded - opened, peak, kept]))
"""


def draw(folder: Path, count: int, files: int) -> tuple[Path, list[Path]]:
    """Writes a dictionary and label files of `count` lines in all."""
    chance = random.Random(0)
    hanzi = [chr(code) for code in range(0x4E00, 0x4E00 + 4000)]
    characters = [*map(chr, range(0x21, 0x7F)), *hanzi]
    (folder / "charset.txt").write_text("".join(f"{c}\n" for c in characters), encoding="utf-8")
    weights = [4.0] * (len(characters) - len(hanzi)) + [1.0] * len(hanzi)
    pool = "".join(chance.choices(characters, weights, k=1_000_000))
    paths = [folder / f"train{number}.txt" for number in range(files)]
    for number, path in enumerate(paths):
        with path.open("w", encoding="utf-8") as file:
            for index in range(number, count, files):
                length, at = min(1 + int(chance.expovariate(0.15)), 24), chance.randrange(len(pool) - 24)
                file.write(f"train/{index:08d}.jpg\t{pool[at : at + length]}\n")
    return folder / "charset.txt", paths


def main(count: str = "1000000", files: str = "1") -> None:
    """Measures and prints two lines."""
    with tempfile.TemporaryDirectory() as folder:
        charset, paths = draw(Path(folder), int(count), int(files))
        size_mb = sum(path.stat().st_size for path in paths) / 2**20
        run = subprocess.run([sys.executable, "-c", CHILD, charset, *paths], capture_output=True, text=True)
        if run.returncode:
            sys.exit(run.stderr)
    records, rows, read, opened, encoded, peak, kept = json.loads(run.stdout)
    print(
        f"{records:,} records ({rows:,} short enough), {size_mb:.0f} MB: read in {read:.2f} s, Lines in {opened:.2f} s"
    )
    print(f"memory grew by {peak:.0f} MB at the peak, {kept:.0f} MB at the end; all labels encoded in {encoded:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
