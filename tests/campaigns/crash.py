"""Kills each job that writes a product at every file call, or lets the call fail, and looks at what is left.

    python -m tests.campaigns.crash --scenario all --mode all [--points N]

Each scenario (crash_jobs.py, crash_learning.py, crash_download.py) is a job that runs over an older product of other
content. It runs undisturbed first. Then, for the n-th of its file calls:

- `kill`: SIGKILL before the call; `torn`: SIGKILL when half of a write is done;
- `eio`: the call fails with EIO; `enospc`: with ENOSPC, half of a write done, and the disk stays full; `erofs`: it and
  all after it fail with EROFS, as when the system mounts a faulty disk read-only.

Afterwards the product must be the old or the new one, never a mixture. A command that ends by itself must not say 0
unless the product is the new one, and must say one sentence that names a file, and that the former product is
unchanged only where it is. Then the command is repeated undisturbed: its product must be the undisturbed one's, byte
for byte (times left out), and nothing of the dead process may remain.

Results are kept in a file, where a campaign that was stopped is resumed as long as the source code is the same.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

from crash_jobs import Scenario  # noqa: E402
from crash_judging import last_line, message_faults, state_allowed, state_of, status_faults, unsynced  # noqa: E402
from crash_points import DISTURBING, Bench, Outcome, unusable  # noqa: E402
from crash_report import Result, Results, fault_lines, table  # noqa: E402
from crash_scenarios import SCENARIOS, SELF_TESTS  # noqa: E402

RESULTS = HERE.parents[1] / "runs" / "campaigns" / "crash.jsonl"


@dataclass(frozen=True)
class Undisturbed:
    """The old product, the new one, the files of the world after it, and the job's file calls."""

    old: Mapping[str, str]
    new: Mapping[str, str]
    files: frozenset[str]
    calls: Sequence[str]


class Campaign:
    """One scenario's points.

    Args:
        name: of the scenario.
        folder: to work in.
    """

    def __init__(self, name: str, folder: Path):
        self.name, self.folder = name, folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def opened(self) -> Iterator[Campaign]:
        """Starts the warm process, makes inputs and the world to begin with, and runs the job undisturbed."""
        folder = self.folder.resolve()
        kind = (SCENARIOS | SELF_TESTS)[self.name]
        with (
            kind(folder / "inputs", folder / "world", {}).service() as parameters,
            Bench(self.name, folder, parameters) as self.bench,
        ):
            self.scenario: Scenario = kind(self.bench.inputs, self.bench.world, parameters)
            self.bench.set_world(None)
            self.bench.must("make")
            self.start = self._start()
            self.undisturbed = self._undisturbed()
            yield self

    def _start(self) -> Path:
        """The world to begin with: the older product, and the remains of a job that was killed half-way."""
        bench, cut_short, cut_call = self.bench, self.scenario.cut_short, self.scenario.cut_call
        bench.set_world(None)
        bench.must("old")
        kept = bench.keep_world("start")
        if cut_short:
            calls = [k for k, call in enumerate(bench.must(cut_short).calls, 1) if call.startswith(f"{cut_call} ")]
            bench.set_world(kept)
            bench.run(cut_short, "torn" if cut_call == "write" else "kill", calls[len(calls) // 2])
            kept = bench.keep_world("start")
        return kept

    def _undisturbed(self) -> Undisturbed:
        bench = self.bench
        bench.set_world(self.start)
        old = self.scenario.product()
        runs = []
        for _ in range(2):
            bench.set_world(self.start)
            calls = bench.must("command").calls
            runs.append(Undisturbed(old, self.scenario.product(), _files(bench.world), calls))
        differ = {name for name, _ in runs[0].new.items() ^ runs[1].new.items()} | (runs[0].files ^ runs[1].files)
        if differ:
            raise RuntimeError(f"{self.name}: two undisturbed runs differ in {', '.join(sorted(differ)[:5])}")
        if runs[0].new == old:
            raise RuntimeError(f"{self.name}: the old product is the new one, so a mixture would not be seen")
        return runs[0]

    def numbers(self, points: int | None) -> list[int]:
        """All calls, or `points` of them, first and last among them; see `spread`."""
        calls = self.undisturbed.calls
        return list(range(1, len(calls) + 1)) if points is None else spread(calls, points)

    def applies(self, mode: str, n: int) -> bool:
        """Whether a mode can disturb the n-th call: only a write can be torn."""
        return mode != "torn" or self.undisturbed.calls[n - 1].startswith("write ")

    def point(self, mode: str, n: int) -> Result | None:
        """Tries one point; None if the job made fewer calls this time."""
        bench, scenario = self.bench, self.scenario
        bench.set_world(self.start)
        outcome = bench.run("command", mode, n)
        if not outcome.fired:
            return None
        state = self._state()
        faults = [*status_faults(outcome, state, mode), *message_faults(outcome, state, scenario)]
        if not state_allowed(state, scenario):
            faults.append(f"the product is {state}")
        again = bench.run("command_again")
        faults += self._repeated_faults(again)
        message = last_line(outcome.stderr)
        call = outcome.calls[n - 1]
        return Result(self.name, mode, n, call, outcome.status, state, message, tuple(faults))

    def _state(self) -> str:
        """Which product is there; a reader is asked where the files alone do not tell."""
        state = None if self.scenario.read_always else self._state_of(self.scenario.product())
        if state is not None:
            return state
        kept = self.bench.keep_world("kept")
        outcome = self.bench.run("read")
        self.bench.set_world(kept)
        if outcome.status:
            return f"unreadable: the reader ended with {outcome.status}: {last_line(outcome.stderr)}"
        return outcome.value

    def _state_of(self, product: Mapping[str, str]) -> str | None:
        return state_of(product, self.undisturbed.old, self.undisturbed.new, self.scenario.late, self.scenario.absent)

    def _repeated_faults(self, again: Outcome) -> list[str]:
        if again.status:
            return [f"repeated, it ends with {again.status}: {last_line(again.stderr)}"]
        faults = []
        product, wanted = self.scenario.product(), self.undisturbed.new
        if product != wanted:
            differ = sorted(name for name in product.keys() | wanted.keys() if product.get(name) != wanted.get(name))
            faults.append(f"repeated, its product is not the undisturbed one's: {', '.join(differ[:5])}")
        left = sorted(_files(self.bench.world) - self.undisturbed.files)
        left = [name for name in left if not name.endswith(self.scenario.may_remain)]
        if left:
            faults.append(f"repeated, it leaves {len(left)} remains: {', '.join(left[:3])}")
        return faults


def spread(calls: Sequence[str], points: int) -> list[int]:
    """The numbers of `points` calls, evenly spread over those that begin or end a row of equal ones.

    A file of arrays is hundreds of writes in a row, which would take the points from the renames.
    """
    last = len(calls)
    edges = [n for n in range(1, last + 1) if n in (1, last) or not calls[n - 2] == calls[n - 1] == calls[n]]
    if points >= len(edges):
        return edges
    return sorted({edges[round(i * (len(edges) - 1) / max(1, points - 1))] for i in range(points)})


def _files(folder: Path) -> frozenset[str]:
    """All files and folders below a folder, hidden ones too."""
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*"))


def try_scenario(name: str, modes: Sequence[str], chosen: argparse.Namespace, results: Results) -> None:
    """Tries the points of one scenario that have no result yet."""
    folder = Path(tempfile.mkdtemp(prefix="crash-"))
    try:
        with Campaign(name, folder / name).opened() as campaign:
            numbers = [chosen.only] if chosen.only else campaign.numbers(chosen.points)
            calls = campaign.undisturbed.calls
            print(f"{name}: {len(calls)} file calls, {len(numbers)} tried", flush=True)
            if paths := unsynced(calls):
                print(f"{name}: named before they were synced: {', '.join(paths)}", flush=True)
            for mode in modes:
                for n in numbers:
                    known = (name, mode, n) in results.found and not chosen.only
                    result = None if known or not campaign.applies(mode, n) else campaign.point(mode, n)
                    if result is not None:
                        results.add(result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the campaign; 1 if a fault was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="all", choices=("all", *SCENARIOS))
    parser.add_argument("--mode", default="all", choices=("all", *DISTURBING))
    parser.add_argument("--points", type=int, metavar="N", help="calls of each scenario (default: all)")
    parser.add_argument("--only", type=int, metavar="N", help="only this call, again if it has a result")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    chosen = parser.parse_args(arguments)
    if reason := unusable():
        print(f"Nothing was tried: {reason}.", file=sys.stderr)
        return 2
    results = Results(chosen.results)
    names = list(SCENARIOS) if chosen.scenario == "all" else [chosen.scenario]
    modes = DISTURBING if chosen.mode == "all" else (chosen.mode,)
    for name in names:
        try_scenario(name, modes, chosen, results)
    shown = [result for result in results.found.values() if result.scenario in names and result.mode in modes]
    faults = fault_lines(shown)
    print(table(shown), "", *faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
