"""The results of a crash campaign: kept in a file, and shown as a table and a list of faults."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crash_points import HERE, SOURCE

RANDOM_NAME = re.compile(r"\.[\w-]*\d[\w-]*|\.[a-z_]{8}(?![\w.-])|crash-\w{8}")  # in hidden files' names


@dataclass(frozen=True)
class Result:
    """What was seen at one point.

    Attributes:
        scenario, mode, n: the point.
        call: the disturbed file call.
        status: the disturbed command's exit status.
        state: the product afterwards: "old", "new" or what a reader says of it.
        message: the disturbed command's last line.
        faults: what was wrong, as sentences.
    """

    scenario: str
    mode: str
    n: int
    call: str
    status: int | None
    state: str
    message: str
    faults: tuple[str, ...]


def table(results: Iterable[Result]) -> str:
    """One row for each scenario and mode."""
    rows = ["| scenario | mode | points | old | new | refused | points with faults |", "|---|---|---|---|---|---|---|"]
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.scenario, result.mode), []).append(result)
    for (scenario, mode), group in groups.items():
        states = Counter(result.state.split(":")[0] for result in group)
        cells = [states["old"], states["new"], states["refused"], sum(bool(result.faults) for result in group)]
        rows.append(f"| {scenario} | {mode} | {len(group)} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def fault_lines(results: Iterable[Result]) -> list[str]:
    """Each fault once, with the points that have it, as the options that try the first of them again."""
    points: dict[tuple[str, str, str], list[int]] = {}
    for result in results:
        for fault in result.faults:
            points.setdefault((result.scenario, result.mode, RANDOM_NAME.sub(".*", fault)), []).append(result.n)
    return [
        f"--scenario {scenario} --mode {mode} --only {numbers[0]}: {fault} (calls {_ranges(numbers)})"
        for (scenario, mode, fault), numbers in points.items()
    ]


def _ranges(numbers: Sequence[int]) -> str:
    """[1, 2, 3, 7] → "1-3, 7"."""
    spans: list[list[int]] = []
    for n in sorted(numbers):
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def source_hash() -> str:
    """What results depend on: the package's code and the campaign's."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCE.rglob("*.py"), *HERE.glob("crash*")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Results:
    """The results so far, in a file of JSON lines; those of other source code are left out.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self.path, self.source = path, source_hash()
        self.found: dict[tuple[str, str, int], Result] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            if row.pop("source") == self.source:
                self._keep(Result(**{**row, "faults": tuple(row["faults"])}))
        path.write_text("".join(self._line(result) for result in self.found.values()), encoding="utf-8")

    def _keep(self, result: Result) -> None:
        self.found[result.scenario, result.mode, result.n] = result

    def _line(self, result: Result) -> str:
        return json.dumps({"source": self.source, **asdict(result)}, ensure_ascii=False) + "\n"

    def add(self, result: Result) -> None:
        """Keeps a result, at once in the file."""
        self._keep(result)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(self._line(result))
