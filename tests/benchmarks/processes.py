"""One process against two that share the pictures: `processes.py MODEL IMAGES [COUNT [KILLS]]`.

Links the pictures of IMAGES under new names into a temporary folder until there are COUNT of them (default 20,000), and
reads them by `scenetext predict` with one process and with two of `paddle.distributed.launch`, in turn, two rounds.
Then, KILLS times (default 3), one of the two is killed (SIGKILL) at a random moment, and the command is repeated.
Prints the seconds and whether the bytes are those of one process.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scenetext.data.sources.images import open_images
from scenetext.predict.prediction_file import LINES_PER_SHARED_PIECE

ROUNDS = 2
LAUNCH = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--log_dir"]
SCENETEXT = str(Path(sys.executable).with_name("scenetext"))


def linked(images: str, folder: Path, count: int) -> None:
    """Fills a folder with so many pictures."""
    folder.mkdir()
    source = open_images(images)
    originals = []
    for number, name in enumerate(source.names()):
        originals.append(folder.parent / f"original-{number}{Path(name).suffix}")
        originals[-1].write_bytes(source.read(name))
    for index, original in zip(range(count), itertools.cycle(originals)):
        os.link(original, folder / f"{index:07d}{original.suffix}")


def timed(command: list[str], log: Path) -> float:
    """Seconds of a command, which has to end well."""
    started = time.perf_counter()
    with open(log, "ab") as told:
        if subprocess.call(command, stdout=told, stderr=told):
            sys.exit(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-2000:]}")
    return time.perf_counter() - started


def children_of(process: subprocess.Popen) -> list[int]:
    """The processes that a launcher has started."""
    return list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))


def killed(command: list[str], out: Path, pieces: int, rank: int, log: Path) -> int:
    """Starts a command and kills one of its processes when so many pieces are done; returns how many there are then."""
    with open(log, "ab") as told, subprocess.Popen(command, stdout=told, stderr=told) as launcher:
        while len(done := list(out.parent.glob(f"{out.name}.parts/*/*.txt"))) < pieces:
            time.sleep(0.05)
        os.kill(children_of(launcher)[rank], signal.SIGKILL)
    return len(done)


def main(model: str, images: str, count: str = "20000", kills: str = "3") -> None:
    """Measures and prints a Markdown table."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder, log = Path(scratch, "pictures"), Path(scratch, "log.txt")
        linked(images, folder, int(count))
        outs = {processes: Path(scratch, f"{processes}.txt") for processes in (1, 2)}

        def command(processes: int) -> list[str]:
            predict = ["predict", "--model", model, "--images", str(folder), "--out", str(outs[processes])]
            return [*([] if processes == 1 else [*LAUNCH, f"{scratch}/logs"]), SCENETEXT, *predict]

        def told(what: str, seconds: float) -> None:
            equal = "yes" if outs[2].read_bytes() == outs[1].read_bytes() else "NO"
            print(f"| {what} | {seconds:.1f} | {int(count) / seconds:.0f} | {equal} |", flush=True)

        print("| processes | seconds | lines/s | equal bytes |\n|---|---|---|---|")
        for _ in range(ROUNDS):
            seconds = {processes: timed(command(processes), log) for processes in outs}
            for processes, each in seconds.items():
                told(str(processes), each)
        for _ in range(int(kills)):
            outs[2].unlink()
            rank, most = rng.randrange(2), int(count) // LINES_PER_SHARED_PIECE
            pieces = killed(command(2), outs[2], rng.randint(1, max(1, most * 3 // 4)), rank, log)
            what = f"2, process {rank} killed when {pieces} pieces were done: the repeated command"
            told(what, timed(command(2), log))


if __name__ == "__main__":
    main(*sys.argv[1:])
