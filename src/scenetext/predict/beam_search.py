"""CTC beam search, with or without a trained character n-gram language model.

Paper: Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs,
arXiv:1408.2873, algorithm 1 (prefix beam search).
Best path decoding (`decode.ctc_greedy`) takes the likeliest path. A text's probability is the sum over all paths that
give it; this search computes that sum, exactly if the beam holds every prefix. It ranks texts by

    log p(text | line) + lm_weight * log p(text) + length_bonus * characters.

The last two terms belong to the language model: without one they are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenetext.errors import InputError
from scenetext.predict.ngram import EDGE, NGramModel
from scenetext.text.charset import BLANK, Charset

LM_WEIGHT = 0.1  # with LENGTH_BONUS it reads no worse than without a language model (tests/benchmarks/LOG.md)
LENGTH_BONUS = 1.0

Prefix = tuple[int, ...]  # classes


@dataclass(slots=True)
class _Paths:
    """Logarithms of the summed probability of all paths so far that give a prefix, by whether they end in a blank."""

    blank: float = -math.inf
    character: float = -math.inf

    @property
    def total(self) -> float:
        return _log_add(self.blank, self.character)


def ctc_beam(
    logits: np.ndarray,
    charset: Charset,
    width: int,
    language_model: NGramModel | None = None,
    *,
    lm_weight: float = LM_WEIGHT,
    length_bonus: float = LENGTH_BONUS,
    min_probability: float = 1e-4,
    probabilities: bool = False,
) -> list[tuple[str, float]]:
    """Prefix beam search.

    Args:
        logits: (B, T, C) float raw logits, or probabilities when `probabilities` is true.
        charset: the characters of the classes.
        width: the number of prefixes kept after each step.
        language_model: of characters; None ranks by the network alone.
        lm_weight: weight of its logarithm.
        length_bonus: added for each character where there is a language model, because it prefers short texts.
        min_probability: a class less likely than this at a step is pruned there, unless it is the likeliest.
        probabilities: `logits` are already probabilities.

    Returns:
        Per line the text and its probability under the network alone.

    Raises:
        InputError: the width is below 1.
    """
    if width < 1:
        raise InputError(f"The width {width} of a beam must be at least 1.")
    logits = logits.astype(np.float64)
    if probabilities:
        with np.errstate(divide="ignore"):
            logs = np.log(logits)
    else:
        logs = logits - np.logaddexp.reduce(logits, axis=2, keepdims=True)
    ranking = _Ranking(charset, language_model, lm_weight, length_bonus)
    least = math.log(min_probability) if min_probability > 0 else -math.inf
    return [_search(line, ranking, width, least) for line in logs]


class _Ranking:
    """The terms that rank a prefix beside the network's own logarithm, computed once a prefix."""

    def __init__(self, charset: Charset, model: NGramModel | None, weight: float, bonus: float):
        self.charset = charset
        self.model = model
        self.weight = weight
        self.bonus = bonus
        self._known: dict[Prefix, tuple[str, float]] = {(): ("", 0.0)}  # text and its log probability under the model

    def of(self, prefix: Prefix) -> float:
        if self.model is None:
            return 0.0
        return self.bonus * len(prefix) + self.weight * self._text_and_log(prefix)[1]

    def at_end(self, prefix: Prefix) -> float:
        if self.model is None:
            return self.of(prefix)
        return self.of(prefix) + self.weight * self.model.log_probability(EDGE, self._text_and_log(prefix)[0])

    def _text_and_log(self, prefix: Prefix) -> tuple[str, float]:
        if prefix not in self._known:
            text, value = self._text_and_log(prefix[:-1])
            for character in self.charset.decode(prefix[-1:]):  # an entry may have several code points, or none
                value += self.model.log_probability(character, text)
                text += character
            self._known[prefix] = text, value
        return self._known[prefix]


def _search(logs: np.ndarray, ranking: _Ranking, width: int, least: float) -> tuple[str, float]:
    """Text and probability of one line, (T, C) logarithms."""
    beam: dict[Prefix, _Paths] = {(): _Paths(blank=0.0)}
    for step in logs:
        tried = np.flatnonzero(step >= min(least, step.max()))
        tried = [(int(c), float(step[c])) for c in tried if c != BLANK and step[c] > -math.inf]
        grown: dict[Prefix, _Paths] = {}
        for prefix, paths in beam.items():
            total = paths.total
            same = grown.setdefault(prefix, _Paths())
            same.blank = _log_add(same.blank, total + float(step[BLANK]))
            last = prefix[-1] if prefix else BLANK
            if prefix:  # the last character is repeated
                same.character = _log_add(same.character, paths.character + float(step[last]))
            for character, log in tried:
                longer = grown.setdefault((*prefix, character), _Paths())
                # the same character again needs a blank between
                before = paths.blank if character == last else total
                longer.character = _log_add(longer.character, before + log)
        best = sorted(grown.items(), key=lambda item: -(item[1].total + ranking.of(item[0])))
        beam = dict(best[:width])
    text, paths = max(beam.items(), key=lambda item: item[1].total + ranking.at_end(item[0]))
    return ranking.charset.decode(text), math.exp(paths.total)


def _log_add(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    high, low = (one, other) if one >= other else (other, one)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
