"""Bit allocation: which weight gets how many bits, so that a folder fits its budget with the least expected loss.

Every weight has a list of options, each with its bytes and its expected loss. Losses of different weights are taken to
add up. An exchange then finds the best choice for a number of bytes (Shoham and Gersho, IEEE ASSP 36(9), 1988): start
with the smallest option of each weight, and spend the bytes that are left where they save most loss per byte.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scenetext.export.compress.quantisation import QuantScheme


@dataclass(frozen=True, slots=True)
class Option:
    """One way to store one weight.

    Attributes:
        scheme: how the weight is quantised, None for float32.
        size_bytes: of the weight and its dequantisation in the files.
        loss: expected, in nats per line.
    """

    scheme: QuantScheme | None
    size_bytes: int
    loss: float


def convex_hull(options: Sequence[Option]) -> list[Option]:
    """The lower convex hull of loss over bytes, the smallest first: no mixture of others beats one of these."""
    hull: list[Option] = []
    for option in sorted(options, key=lambda o: (o.size_bytes, o.loss)):
        if hull and option.loss >= hull[-1].loss:
            continue
        while len(hull) > 1 and _gain(hull[-2], hull[-1]) <= _gain(hull[-1], option):
            hull.pop()
        hull.append(option)
    return hull


def _gain(smaller: Option, larger: Option) -> float:
    """Loss saved per byte."""
    return (smaller.loss - larger.loss) / (larger.size_bytes - smaller.size_bytes)


def allocate(options: Mapping[str, Sequence[Option]], budget_bytes: int) -> dict[str, Option]:
    """The option of each weight with the least sum of losses that an exchange finds within a budget.

    Args:
        options: by key, at least one each.
        budget_bytes: for the sum of their bytes.

    Returns:
        By key; the smallest options if even those exceed the budget.
    """
    hulls = {key: convex_hull(listed) for key, listed in options.items()}
    at = dict.fromkeys(hulls, 0)
    left = budget_bytes - sum(hull[0].size_bytes for hull in hulls.values())
    steps = [(-_gain(hull[0], hull[1]), key) for key, hull in hulls.items() if len(hull) > 1]
    heapq.heapify(steps)
    while steps:
        _, key = heapq.heappop(steps)
        hull, index = hulls[key], at[key]
        cost = hull[index + 1].size_bytes - hull[index].size_bytes
        if cost > left:  # this weight's next step is too large, another weight's may still fit
            continue
        left -= cost
        at[key] = index + 1
        if index + 2 < len(hull):
            heapq.heappush(steps, (-_gain(hull[index + 1], hull[index + 2]), key))
    return {key: hull[at[key]] for key, hull in hulls.items()}
