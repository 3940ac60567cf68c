"""Which lines an epoch sees: lines with rare characters several times, and replayed lines in turn.

Repeat factor sampling: Gupta, Dollár and Girshick, LVIS, CVPR 2019, arXiv:1908.03195, appendix B.3. Different here: a
line's factor is bounded, because the rarest of thousands of characters occur once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

_DRAW = 11  # tells these draws from a sampler's of the same seed and epoch


class Draw(Protocol):
    """Chooses the lines of an epoch."""

    def lines(self, epoch: int) -> np.ndarray:
        """(n,) int64: numbers of lines, in no particular order, perhaps with repetitions."""


@dataclass(frozen=True)
class MixedDraw:
    """Labelled lines, repeated by their factors, and a share of each replayed part.

    Attributes:
        factors: (N,) how often each labelled line is seen in an epoch on average; 0 leaves it out.
        parts: lines of each replayed part, in their order after the labelled lines.
        taken: lines of each part that an epoch sees.
        seed: of the drawing.
    """

    factors: np.ndarray
    parts: Sequence[int] = ()
    taken: Sequence[int] = ()
    seed: int = 0
    _starts: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", np.cumsum([len(self.factors), *self.parts]))

    def lines(self, epoch: int) -> np.ndarray:
        whole = np.floor(self.factors)
        once_more = np.random.default_rng((self.seed, epoch, _DRAW)).random(len(whole)) < self.factors - whole
        drawn = [np.repeat(np.arange(len(whole)), (whole + once_more).astype(np.int64))]
        for part, (size, count) in enumerate(zip(self.parts, self.taken, strict=True)):
            places = np.arange(epoch * count, (epoch + 1) * count)
            orders = {
                turn: np.random.default_rng((self.seed, part, int(turn), _DRAW)).permutation(size)
                for turn in np.unique(places // size)
            }
            chosen = [orders[turn][place] for turn, place in zip(places // size, places % size, strict=True)]
            drawn.append(self._starts[part] + np.array(chosen, np.int64))
        return np.concatenate(drawn)


def repeat_factors(labels: Sequence[Sequence[int]], below: float, most: float) -> np.ndarray:
    """How often each line is seen in an epoch, so that rare characters are seen more often.

    A character that the share f of all lines holds has the factor sqrt(below / f), at least 1; a line has the largest
    factor of its characters.

    Args:
        labels: the classes of each line's characters.
        below: the share of lines from which on a character is not rare.
        most: the largest factor.

    Returns:
        (N,) float64 in [1, most].
    """
    held = [set(label) for label in labels]
    counts = Counter(character for characters in held for character in characters)
    factors = {c: min(most, max(1.0, (below * len(held) / count) ** 0.5)) for c, count in counts.items()}
    return np.array([max((factors[c] for c in characters), default=1.0) for characters in held])
