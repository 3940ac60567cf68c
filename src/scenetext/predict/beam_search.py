"""CTC beam search, with or without a trained character n-gram language model.

Paper: Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs,
arXiv:1408.2873, algorithm 1 (prefix beam search).
Best path decoding (`decode.ctc_greedy`) takes the likeliest path. A text's probability is the sum over all paths that
give it; this search computes that sum, exactly if the beam holds every prefix. It ranks texts by

    log p(text | line) + lm_weight * log p(text) + length_bonus * characters.

The last two terms belong to the language model: without one they are left out.

It is fast because unlikely classes and prefixes are pruned, successive steps with the same single class count as one,
and the language model is not asked about a prefix that would be pruned whatever it said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scenetext.errors import InputError
from scenetext.predict.choices import LENGTH_BONUS, LM_WEIGHT
from scenetext.predict.ngram import EDGE
from scenetext.text.charset import BLANK, Charset

MIN_PROBABILITY = 1e-3

Step = tuple[tuple[tuple[int, float], ...], float]
"""A time step: class and log probability of each character that is not pruned, and the blank's log probability."""

_NEVER = -math.inf


class LanguageModel(Protocol):
    """How likely the next character of a text is.

    Attributes:
        order: a character depends on at most order - 1 characters before it.
    """

    order: int

    def log_probability(self, character: str, before: str) -> float:
        """See `NGramModel.log_probability`."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What ranks texts beside the network's own probability.

    Attributes:
        model: the language model; None ranks by the network alone.
        weight: of its logarithm.
        bonus: added for each character where there is a language model, because it prefers short texts.
        min_probability: a class less likely than this at a step is pruned there, unless it is the likeliest; a prefix
            that ranks lower than the best one by more than the logarithm of this is dropped.
    """

    model: LanguageModel | None = None
    weight: float = LM_WEIGHT
    bonus: float = LENGTH_BONUS
    min_probability: float = MIN_PROBABILITY

    @property
    def score_range(self) -> float:
        """By how much less than the best prefix another one may rank."""
        return -math.log(self.min_probability) if self.min_probability else math.inf


def ctc_beam(
    logits: np.ndarray,
    charset: Charset,
    width: int,
    language_model: LanguageModel | None = None,
    *,
    lm_weight: float = LM_WEIGHT,
    length_bonus: float = LENGTH_BONUS,
    min_probability: float = MIN_PROBABILITY,
    probabilities: bool = False,
) -> list[tuple[str, float]]:
    """Prefix beam search.

    Args:
        logits: (B, T, C) float raw logits, or probabilities when `probabilities` is true.
        charset: the characters of the classes.
        width: the number of prefixes kept after each step.
        language_model: of characters; None ranks by the network alone.
        lm_weight, length_bonus, min_probability: see Ranking.
        probabilities: `logits` are already probabilities.

    Returns:
        Per line the text and its probability under the network alone.

    Raises:
        InputError: the width is below 1.
    """
    if width < 1:
        raise InputError(f"The width {width} of a beam must be at least 1.")
    ranking = Ranking(language_model, lm_weight, length_bonus, min_probability)
    lines = likely_steps(logits, min_probability, probabilities)
    return [search(steps, charset, width, ranking) for steps in lines]


def likely_steps(
    logits: np.ndarray, min_probability: float = MIN_PROBABILITY, probabilities: bool = False
) -> list[list[Step]]:
    """What is left of the time steps of lines when unlikely classes are pruned.

    Args:
        logits, min_probability, probabilities: see `ctc_beam`.

    Returns:
        Per line its steps; successive ones with the same single class count as one.
    """
    if not probabilities:
        logits = logits.astype(np.float64)
        logits = np.exp(logits - np.logaddexp.reduce(logits, axis=2, keepdims=True))
    best = logits.argmax(axis=2)
    peak = np.take_along_axis(logits, best[:, :, None], axis=2)[:, :, 0]
    doubtful = peak < 1 - min_probability  # elsewhere all other classes are pruned
    return [
        _steps_of_line(*line, min_probability)
        for line in zip(logits, best.tolist(), peak.tolist(), doubtful.tolist(), strict=True)
    ]


def _steps_of_line(
    line: np.ndarray, best: list[int], peak: list[float], doubtful: list[bool], least: float
) -> list[Step]:
    steps: list[Step] = []
    before = None  # the only class of the step before
    for t, only in enumerate(best):
        classes = [only]
        if doubtful[t]:
            classes = np.flatnonzero(line[t] >= min(least, peak[t])).tolist()
        if len(classes) > 1:
            logs = {c: math.log(value) for c, value in zip(classes, line[t, classes].tolist(), strict=True) if value}
            blank = logs.pop(BLANK, _NEVER)
            steps.append((tuple(logs.items()), blank))
            before = None
            continue
        log = math.log(peak[t])
        if only == before:
            characters, blank = steps.pop()
            log += blank if only == BLANK else characters[0][1]
        steps.append(((), log) if only == BLANK else (((only, log),), _NEVER))
        before = only
    return steps


class _Prefix:
    """The begin of a text, a node of the tree of all begins that were tried.

    Attributes:
        parent, last: the text is the parent's and the last class; the empty text has no parent and the blank.
        longer: by class, the texts that have one more.
        tail: the last characters of the text, those that the language model looks at.
        rank: the terms that rank it beside the network's own logarithm.
        blank, character: logarithms of the summed probability of all paths so far, by whether they end in a blank.
        new_blank, new_character: the same with the step that is being added.
    """

    __slots__ = (
        *("parent", "last", "longer", "tail", "rank"),
        *("blank", "character", "new_blank", "new_character"),
    )

    def __init__(self, parent: _Prefix | None, last: int, tail: str, rank: float):
        self.parent, self.last, self.tail, self.rank = parent, last, tail, rank
        self.longer: dict[int, _Prefix] = {}
        self.blank = self.character = self.new_blank = self.new_character = _NEVER

    @property
    def total(self) -> float:
        return _log_add(self.blank, self.character)

    @property
    def score(self) -> float:
        return _log_add(self.blank, self.character) + self.rank

    def classes(self) -> list[int]:
        found, node = [], self
        while node.parent is not None:
            found.append(node.last)
            node = node.parent
        return found[::-1]


def search(steps: list[Step], charset: Charset, width: int, ranking: Ranking) -> tuple[str, float]:
    """Text and probability of one line of `likely_steps`."""
    root = _Prefix(None, BLANK, "", 0.0)
    root.blank = 0.0
    beam = [root]
    model, weight, score_range = ranking.model, ranking.weight, ranking.score_range
    bonus = 0.0 if model is None else ranking.bonus
    tail = 0 if model is None else model.order - 1

    def extended(prefix: _Prefix, last: int) -> _Prefix:
        rank, text = prefix.rank, prefix.tail
        if model is not None:
            rank += bonus
            for character in charset.decode((last,)):  # an entry may have several code points, or none
                rank += weight * model.log_probability(character, text)
                text += character
            text = text[-tail:] if tail else ""
        prefix.longer[last] = longer = _Prefix(prefix, last, text, rank)
        return longer

    for characters, blank in steps:
        if not characters:
            for prefix in beam:
                prefix.blank, prefix.character = prefix.total + blank, _NEVER
            continue
        reached: list[_Prefix] = []
        limit = _NEVER  # whatever ranks lower is pruned after this step
        for prefix in beam:
            total = prefix.total
            if blank > _NEVER:
                if prefix.new_character == _NEVER:
                    reached.append(prefix)
                prefix.new_blank = total + blank
                limit = max(limit, prefix.new_blank + prefix.rank - score_range)
            for last, log in characters:
                before = total
                if last == prefix.last:
                    if prefix.character > _NEVER:
                        if prefix.new_blank == prefix.new_character == _NEVER:
                            reached.append(prefix)
                        prefix.new_character = _log_add(prefix.new_character, prefix.character + log)
                    before = prefix.blank  # the same character again needs a blank between
                if before == _NEVER:
                    continue
                longer = prefix.longer.get(last)
                if longer is None:
                    if before + log + prefix.rank + bonus < limit:  # a language model only lowers it
                        continue
                    longer = extended(prefix, last)
                if longer.new_blank == longer.new_character == _NEVER:
                    reached.append(longer)
                longer.new_character = _log_add(longer.new_character, before + log)
                limit = max(limit, longer.new_character + longer.rank - score_range)
        for prefix in reached:
            prefix.blank, prefix.character = prefix.new_blank, prefix.new_character
            prefix.new_blank = prefix.new_character = _NEVER
        beam = _best(reached, width, score_range) if len(reached) > 1 else reached

    def at_end(prefix: _Prefix) -> float:
        return prefix.score + (weight * model.log_probability(EDGE, prefix.tail) if model is not None else 0.0)

    best = beam[0] if len(beam) == 1 else max(beam, key=at_end)
    return charset.decode(best.classes()), math.exp(best.total)


def _best(prefixes: list[_Prefix], width: int, score_range: float) -> list[_Prefix]:
    """The best prefixes, those of a much lower score left out."""
    scored = sorted([(-prefix.score, number) for number, prefix in enumerate(prefixes)])[:width]
    last = scored[0][0] + score_range
    return [prefixes[number] for score, number in scored if score <= last]


def _log_add(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    high, low = (one, other) if one >= other else (other, one)
    return high if low == _NEVER else high + math.log1p(math.exp(low - high))
