"""Feeds damaged and hostile files to every reader of strangers' files, and tells how each attempt ended.

    python -m tests.campaigns.fuzz --reader all --cases 10000 --seed 0

A case must end in a result or in one of the package's own errors that names the file: within 10 seconds of processor
time, with 2 GB of memory, without another exception, a crash, a command, a connection, or a change of other files. The
readers are called in processes of their own (fuzz_worker.py), so that a crash or a hang is a case like others. Inputs
are made by hypothesis (fuzz_inputs.py) from valid files (fuzz_bases.py); those that end badly are kept.

Results are kept in a file, where a campaign that was stopped is resumed as long as the source code is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "src")]

from fuzz_inputs import strategy  # noqa: E402
from fuzz_readers import CARELESS, READERS  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import seed as seeded  # noqa: E402

CAMPAIGNS = ROOT / "runs" / "campaigns"
PIECE = 500  # cases between two entries in the file of results
MOST_SECONDS, MOST_WAITING = 10, 60  # of processor time; of waiting for something else, such as a pipe
KINDS = ("result", "own", "nameless", "foreign", "hang", "memory", "crash", "code")
GOOD = ("result", "own")
KEPT = 20  # inputs of one kind that are kept for a reader
IGNORED = list(HealthCheck)  # hypothesis need not be told that inputs are large
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Tally:
    """What came of a reader's cases.

    Attributes:
        counts: how often each of KINDS.
        slowest_s: the most processor seconds of a case.
        most_bytes: the most memory of the process in a case.
        faults: kind, message and kept file of those that ended badly, one for each message.
    """

    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    most_bytes: int = 0
    faults: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Adds the cases of another one."""
        self.counts += other.counts
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.most_bytes = max(self.most_bytes, other.most_bytes)
        self.faults += [fault for fault in other.faults if fault[:2] not in [known[:2] for known in self.faults]]


class Worker:
    """A process that calls one reader; it is started anew after a crash or a hang."""

    def __init__(self, reader: str, most_seconds: float = MOST_SECONDS, most_waiting: float = MOST_WAITING) -> None:
        self.reader, self.most_seconds, self.most_waiting = reader, most_seconds, most_waiting
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def attempt(self, data: bytes) -> dict[str, Any]:
        """What came of one input: kind, message, seconds, bytes."""
        if self._process is None:
            self._start()
        path = self.folder / f"input{READERS.get(self.reader, CARELESS).suffix}"
        path.write_bytes(data)
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        answer = self._answer()
        if answer["kind"] in ("crash", "hang"):
            self._stop()
        return answer

    def _start(self) -> None:
        # fmt: off
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fuzz_worker.py"), self.reader, str(self.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        # fmt: on
        if "ready" not in self._answer(starting=True):
            raise RuntimeError(f"The process for {self.reader} does not start.")

    def _answer(self, starting: bool = False) -> dict[str, Any]:
        began, used = time.monotonic(), self._seconds_used()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not selector.select(0.5):
                spent, waited = self._seconds_used() - used, time.monotonic() - began
                if not starting and (spent > self.most_seconds or (waited > self.most_waiting and spent < 1)):
                    return _ending("hang", f"after {spent:.1f} s of {waited:.1f} s", spent)
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        return _ending("crash", f"signal {-self._process.wait()}", self._seconds_used() - used)

    def _seconds_used(self) -> float:
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _ending(kind: str, message: str, seconds: float) -> dict[str, Any]:
    return {"kind": kind, "message": message, "seconds": max(0.0, seconds), "bytes": 0}


@contextmanager
def worker_of(reader: str, **limits: float) -> Iterator[Worker]:
    """A worker that is closed at the end."""
    worker = Worker(reader, **limits)
    try:
        yield worker
    finally:
        worker.close()


def try_cases(worker: Worker, cases: int, seed: int, kept: Path) -> Tally:
    """Tries so many inputs of one seed; those that end badly go into the folder `kept`."""
    tally = Tally()

    @seeded(seed)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy(worker.reader))
    def attempt(data: bytes) -> None:
        if tally.counts.total() < cases:
            _note(tally, worker.attempt(data), data, kept, READERS[worker.reader].suffix)

    attempt()
    return tally


def _note(tally: Tally, answer: dict[str, Any], data: bytes, kept: Path, suffix: str) -> None:
    kind = answer["kind"]
    if kind in GOOD and answer["seconds"] > MOST_SECONDS:
        kind = "hang"
    tally.counts[kind] += 1
    tally.slowest_s = max(tally.slowest_s, answer["seconds"])
    tally.most_bytes = max(tally.most_bytes, answer["bytes"])
    if kind in GOOD:
        return
    message = answer["message"].replace(suffix, "")
    alike = [fault for fault in tally.faults if fault[0] == kind]
    if len(alike) < KEPT and message not in [fault[1] for fault in alike]:
        kept.mkdir(parents=True, exist_ok=True)
        file = kept / f"{kind}-{hashlib.sha256(data).hexdigest()[:10]}{suffix}"
        file.write_bytes(data)
        tally.faults.append((kind, message, str(file)))


class Results:
    """Pieces of the campaign that were tried, in a file of JSON lines; those of other source code do not count."""

    def __init__(self, path: Path) -> None:
        self.path, self.source = path, _source()
        self._known: dict[tuple[str, int], Tally] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            entry = json.loads(line)
            if entry["source"] == self.source:
                tally = Tally(
                    Counter(entry["counts"]), entry["slowest_s"], entry["most_bytes"], [*map(tuple, entry["faults"])]
                )
                self._known[entry["reader"], entry["seed"]] = tally

    def get(self, reader: str, seed: int) -> Tally | None:
        """A piece that was tried before."""
        return self._known.get((reader, seed))

    def add(self, reader: str, seed: int, tally: Tally) -> None:
        """Keeps a piece."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            print(json.dumps({"source": self.source, "reader": reader, "seed": seed, **vars(tally)}), file=file)


def _source() -> str:
    files = sorted([*(ROOT / "src").rglob("*.py"), *HERE.glob("fuzz*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def table(tallies: dict[str, Tally]) -> str:
    """The summary, a row for each reader."""
    rows = [("reader", *KINDS, "slowest s", "worst GB")]
    for name, tally in tallies.items():
        counts = (str(tally.counts[kind]) for kind in KINDS)
        rows.append((name, *counts, f"{tally.slowest_s:.2f}", f"{tally.most_bytes / 1e9:.2f}"))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", default="all", help=f"all, or some of {', '.join(READERS)} with commas between")
    parser.add_argument("--cases", type=int, default=10_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=None, help="stop then; the same command goes on there")
    parser.add_argument(
        "--out", type=Path, default=CAMPAIGNS, help="folder of the results and of inputs that end badly"
    )
    given_arguments = parser.parse_args(arguments)
    names = list(READERS) if given_arguments.reader == "all" else given_arguments.reader.split(",")
    if unknown := [name for name in names if name not in READERS]:
        parser.error(f"unknown readers {', '.join(unknown)}; known are {', '.join(READERS)}")
    results, tallies = Results(given_arguments.out / "fuzz.jsonl"), {name: Tally() for name in names}
    ends = time.monotonic() + 60 * given_arguments.minutes if given_arguments.minutes else float("inf")
    for start in range(0, given_arguments.cases, PIECE):
        for name in names:
            piece = (given_arguments.seed << 32) + start
            tally = results.get(name, piece)
            if tally is None:
                if time.monotonic() > ends:
                    continue
                with worker_of(name) as worker:
                    kept = given_arguments.out / "fuzz" / name
                    tally = try_cases(worker, min(PIECE, given_arguments.cases - start), piece, kept)
                results.add(name, piece, tally)
            tallies[name].add(tally)
    print(table(tallies))
    for name, tally in tallies.items():
        for kind, message, file in tally.faults:
            print(f"{name}: {kind}: {message}\n    {file}")
    return int(any(tally.counts[kind] for tally in tallies.values() for kind in KINDS if kind not in GOOD))


if __name__ == "__main__":
    sys.exit(main())
