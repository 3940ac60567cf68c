"""What is right after a crash point: the state of a product, an exit status, a message, and what a reset would lose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from crash_jobs import Scenario
from crash_points import Outcome

CLAIM = re.compile(r"unchanged|untouched|nothing was written|as it was")
KILLED = -9


def state_of(
    product: Mapping[str, str],
    old: Mapping[str, str],
    new: Mapping[str, str],
    late: Sequence[str],
    absent: Sequence[str],
) -> str | None:
    """Whether a product is "old" or "new"; None if it is neither.

    Args:
        product, old, new: hashes by file name.
        late: files that may be old or absent when the rest is new.
        absent: files that may be absent, but not of the other product.
    """
    loose = {*late, *absent}

    def core(files: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in files.items() if name not in loose}

    for state, wanted in (("new", new), ("old", old)):
        allowed = {name: {None, wanted.get(name)} for name in absent}
        allowed |= {name: {None, wanted.get(name), old.get(name)} for name in late}
        if core(product) == core(wanted) and all(product.get(name) in values for name, values in allowed.items()):
            return state
    return None


def state_allowed(state: str, scenario: Scenario) -> bool:
    """Whether a product may be in that state after a crash."""
    return state in ("old", "new") or (scenario.may_refuse and state.startswith("refused"))


def status_faults(outcome: Outcome, state: str, mode: str) -> list[str]:
    """What is wrong with the exit status."""
    status = outcome.status
    if status is None:
        return ["it hangs"]
    if status == 0:
        return [] if state == "new" else [f"it ends with 0, but the product is {state}"]
    if status < 0:
        expected = status == KILLED and mode in ("kill", "torn")
        return [] if expected else [f"it dies by signal {-status}"]
    return [] if status == 1 else [f"it ends with {status}, and a failing disk is a failure of status 1"]


def message_faults(outcome: Outcome, state: str, scenario: Scenario) -> list[str]:
    """What is wrong with the last line of a command that failed by itself."""
    if outcome.status is None or outcome.status <= 0:
        return []
    line = last_line(outcome.stderr)
    if "Traceback (most recent call last)" in outcome.stderr:
        return [f"it ends in a traceback: {line}"]
    faults = []
    if not line.startswith(f"scenetext {scenario.verb}: "):
        faults.append(f"its last line is no sentence of its own: {line}")
    if not any(place in line for place in scenario.places):
        faults.append(f"its message names no file of the product: {line}")
    if scenario.claims and CLAIM.search(line) and state != "old":
        faults.append(f"its message says that the former one is there, but the product is {state}: {line}")
    return faults


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in re.split(r"[\r\n]", text) if line.strip()]
    return lines[-1] if lines else ""


def unsynced(calls: Sequence[str]) -> list[str]:
    """Files that got their name before their bytes were synced, so that a machine's reset may leave them empty.

    Files that came in a renamed folder do not count: syncing each of thousands of pictures would cost minutes.

    Args:
        calls: of an undisturbed job.
    """
    dirty, found = set(), []
    for call in calls:
        name, _, paths = call.partition(" ")
        path, _, source = paths.partition(" <- ")
        if name in ("write", "open-truncating", "truncate"):
            dirty.add(path)
        elif name == "fsync":
            dirty.discard(path)
        elif name == "rename" and source in dirty:
            dirty.discard(source)
            found.append(path)
    return found
