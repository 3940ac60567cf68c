"""Measured comparisons: fair turns and honest ratios."""

from __future__ import annotations

import pytest

from scenetext.bench.throughput import in_turn, table
from scenetext.errors import InputError


def test_every_side_runs_in_turn_in_every_round() -> None:
    calls: list[str] = []
    figures = {"a": iter([1.0, 2.0]), "b": iter([3.0, 4.0])}

    def side(name: str):
        return lambda: calls.append(name) or next(figures[name])

    assert in_turn({"a": side("a"), "b": side("b")}, 2) == {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert calls == ["a", "b", "a", "b"]


def test_ratios_are_taken_round_by_round() -> None:
    rows = table({"plain": [10.0, 20.0, 10.0], "fast": [20.0, 40.0, 30.0]}).splitlines()
    # the second round was quick for both: the ratio of medians would be 3.0, that of rounds is 2
    assert rows[2].split() == ["fast", "30.0", "20.0", "40.0", "2.00", "2.00", "3.00"]


def test_no_rounds_are_refused() -> None:
    with pytest.raises(InputError, match="--rounds 0"):
        in_turn({"a": lambda: 1.0}, 0)
