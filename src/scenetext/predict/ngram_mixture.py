"""Several character n-gram models as one: their probabilities, linearly interpolated.

Jelinek and Mercer, Interpolated estimation of Markov source parameters from sparse data, 1980: the shares are those
under which held-out texts are likeliest, found by expectation maximisation. So a small corpus that resembles the lines
counts beside a large one that does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scenetext.errors import InputError
from scenetext.predict.ngram import EDGE, NGramModel

_ROUNDS = 50  # of expectation maximisation; the shares then move by less than 0.001


class NGramMixture:
    """Probabilities of characters under several models.

    Args:
        models: one or more.
        shares: of each, positive or 0, with sum 1; None gives all the same.

    Raises:
        InputError: there are no models, or the shares are no shares.
    """

    def __init__(self, models: Sequence[NGramModel], shares: Sequence[float] | None = None):
        shares = [1 / len(models)] * len(models) if shares is None and models else list(shares or ())
        if not models or len(shares) != len(models) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise InputError(f"{len(models)} language models with shares {shares}: each needs one, with sum 1.")
        self.models = tuple(models)
        self.shares = tuple(shares)
        self.order = max(model.order for model in models)

    def log_probability(self, character: str, before: str) -> float:
        """See `NGramModel.log_probability`."""
        parts = zip(self.models, self.shares, strict=True)
        return math.log(sum(share * model.probability(character, before) for model, share in parts if share))


def character_probabilities(models: Sequence[NGramModel], text: str) -> np.ndarray:
    """Of each character of a text and of its end the probability under each model, (characters + 1, models)."""
    line = text + EDGE
    return np.array([[model.probability(c, line[:at]) for model in models] for at, c in enumerate(line)])


def fitted_shares(probabilities: np.ndarray) -> list[float]:
    """The shares under which characters are likeliest.

    Args:
        probabilities: (characters, models) of `character_probabilities`, of texts that no model was trained on.
    """
    shares = np.full(probabilities.shape[1], 1 / probabilities.shape[1])
    for _ in range(_ROUNDS):
        parts = probabilities * shares
        shares = (parts / parts.sum(axis=1, keepdims=True)).mean(axis=0)
    return [float(share) for share in shares / shares.sum()]
