"""Accuracy per byte: what a network reads at several budgets, each with the plan that the fitter makes for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from scenetext.metrics import score

if TYPE_CHECKING:
    from scenetext.compress.fitter import Fitter

MEGABYTE = 1_000_000


def budget_curve(
    fitter: Fitter,
    budgets_mb: Sequence[float],
    program_bytes: int,
    read: Callable[[], list[str]],
    targets: Sequence[str],
    progress: Callable[[Iterable, str], Iterable],
) -> list[dict[str, Any]]:
    """Reads labelled lines with the weights as each budget's plan rounds them, in memory: no files are written.

    Args:
        fitter: of the network that `read` reads with.
        budgets_mb: in units of 1,000,000 bytes.
        program_bytes: what the program takes without the decoding of weights, about.
        read: reads the lines with the network as it is at the time.
        targets: their labels.
        progress: wraps an iteration and names it.

    Returns:
        For each budget, the smallest first: `max_mb`, `size_bytes` as planned, `fits`, `bits` per weight on average,
        `expected_loss` in nats per line, and the scores `raw`, `normalised`, `one_minus_ned`; last the network with
        float32 weights, with `max_mb` None.
    """
    rows = []
    for budget_mb in progress([*sorted(budgets_mb), None], "read at each budget"):
        budget = fitter.float32_bytes if budget_mb is None else int(budget_mb * MEGABYTE) - program_bytes
        chosen = fitter.choose(budget - fitter.fixed_bytes)
        stored = fitter.stored(chosen)
        with fitter.applied(fitter.rounded(stored)):
            scores = score(read(), targets)
        size = program_bytes + fitter.fixed_bytes + sum(option.size_bytes for option in chosen.values())
        rows.append(
            {
                "max_mb": budget_mb,
                "size_bytes": size,
                "fits": budget_mb is None or size <= budget_mb * MEGABYTE,
                "bits": fitter.mean_bits(stored),
                "expected_loss": sum(option.loss for option in chosen.values()),
                "raw": scores.raw.value,
                "normalised": scores.normalised.value,
                "one_minus_ned": scores.one_minus_ned.value,
            }
        )
    return rows
