"""A character n-gram model: how likely the next character of a label is after those before it.

Smoothing: Witten and Bell, The zero-frequency problem, IEEE Transactions on Information Theory 37(4), 1991, method C,
interpolated: p(c | h) = (count(h c) + kinds(h) p(c | h')) / (count(h) + kinds(h)), where kinds(h) is the number of
different characters seen after the context h, and h' is h without its first character. The shortest context falls back
to equal probabilities for every character seen, the end of a line, and one class for all unseen characters.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.files import write_text

EDGE = "\n"
"""Stands before a line's first character and after its last; no label holds it."""

FORMAT = "scenetext character n-grams"


class NGramModel:
    """Probabilities of characters, counted in texts.

    Args:
        grams: how often each character was seen after the longest context kept, as one string, the character last.
        order: longest n-gram, the character included.
    """

    def __init__(self, grams: Counter[str], order: int):
        if order < 1:
            raise InputError(f"The order {order} of a character n-gram model must be at least 1.")
        self.order = order
        self._grams = grams
        self._after: dict[str, Counter[str]] = {}  # context → how often each character followed it
        for gram, count in grams.items():
            for start in range(len(gram)):
                self._after.setdefault(gram[start:-1], Counter())[gram[-1]] += count
        self._seen = {context: counts.total() for context, counts in self._after.items()}

    @classmethod
    def train(cls, texts: Iterable[str], order: int = 5) -> NGramModel:
        """Counts the n-grams of texts, each from its first character to its end.

        Raises:
            InputError: there are no texts, or the order is below 1.
        """
        grams: Counter[str] = Counter()
        for text in texts:
            line = EDGE + text + EDGE
            grams.update(line[max(0, end - order) : end] for end in range(2, len(line) + 1))
        if not grams:
            raise InputError("A character n-gram model needs texts to be trained on; none were given.")
        return cls(grams, order)

    def log_probability(self, character: str, before: str) -> float:
        """The natural logarithm of a character's probability.

        Args:
            character: it, or EDGE for the end of the line.
            before: the line up to it, from its first character.
        """
        history = (EDGE + before)[-(self.order - 1) :] if self.order > 1 else ""
        kinds = len(self._after.get("", ()))
        probability = 1.0 / (kinds + 1)
        for start in range(len(history), -1, -1):
            context = history[start:]
            counts = self._after.get(context)
            if counts is None:  # nor was any longer one seen
                break
            probability = (counts[character] + len(counts) * probability) / (self._seen[context] + len(counts))
        return math.log(probability)

    def score(self, text: str) -> float:
        """The natural logarithm of a whole line's probability, its end included."""
        line = text + EDGE
        return sum(self.log_probability(character, line[:position]) for position, character in enumerate(line))

    def save(self, path: str | Path) -> None:
        """Writes the model as text: a line of JSON, then a line of count, tab and n-gram (a JSON string) for each."""
        lines = [json.dumps({"format": FORMAT, "order": self.order})]
        lines += [f"{count}\t{json.dumps(gram, ensure_ascii=False)}" for gram, count in sorted(self._grams.items())]
        write_text(path, "\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> NGramModel:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is missing or is no such model; the message names the line.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise InputError(f"The n-gram model {path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise InputError(f"The n-gram model {path} is not UTF-8.") from None
        number = 1
        try:
            header = json.loads(lines[0])
            if header["format"] != FORMAT:
                raise ValueError
            order, grams = int(header["order"]), Counter()
            for line in lines[1:]:
                number += 1
                if line:
                    count, gram = line.split("\t", 1)
                    grams[_gram(json.loads(gram), order)] += _count(count)
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{path}:{number} is no line of a character n-gram model that `save` wrote.") from None
        return cls(grams, order)


def _gram(value: object, order: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= order:
        raise ValueError
    return value


def _count(value: str) -> int:
    if (count := int(value)) < 1:
        raise ValueError
    return count
