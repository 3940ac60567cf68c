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
from collections.abc import Container, Iterable
from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.files import write_text
from scenetext.system.regular_files import read_regular_file
from scenetext.system.untrusted import reading

EDGE = "\n"
"""Stands before a line's first character and after its last; no label holds it."""

FORMAT = "scenetext character n-grams"
MAX_ORDER = 20
MAX_BYTES = 50_000_000  # of a file; a million labels of scene text make 15,000,000
MAX_CONTEXTS = 2_500_000  # of all n-grams together, each takes some 400 bytes
MAX_COUNT = 10**15
_LONGEST_ESCAPE = 12  # characters by which JSON writes one, a pair of surrogates


class NGramModel:
    """Probabilities of characters, counted in texts.

    Args:
        grams: how often each character was seen after the longest context kept, as one string, the character last.
        order: longest n-gram, the character included.
    """

    def __init__(self, grams: Counter[str], order: int):
        self.order = _checked_order(order)
        self._grams = grams
        self._after: dict[str, dict[str, int]] = {}  # context → how often each character followed it
        for gram, count in grams.items():
            character = gram[-1]
            for start in range(len(gram)):
                context = gram[start:-1]
                counts = self._after.get(context)
                if counts is None:
                    self._after[context] = {character: count}
                else:
                    counts[character] = counts.get(character, 0) + count
        self._seen = {context: sum(counts.values()) for context, counts in self._after.items()}

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
        return math.log(self.probability(character, before))

    def probability(self, character: str, before: str) -> float:
        """A character's probability; see `log_probability`."""
        history = (EDGE + before)[-(self.order - 1) :] if self.order > 1 else ""
        kinds = len(self._after.get("", ()))
        probability = 1.0 / (kinds + 1)
        for start in range(len(history), -1, -1):
            context = history[start:]
            counts = self._after.get(context)
            if counts is None:  # nor was any longer one seen
                break
            probability = (counts.get(character, 0) + len(counts) * probability) / (self._seen[context] + len(counts))
        return probability

    def covered_by(self, characters: Container[str]) -> float:
        """The ratio of characters of the trained texts that are among the ones given; line ends do not count."""
        counts = {character: count for character, count in self._after[""].items() if character != EDGE}
        known = sum(count for character, count in counts.items() if character in characters)
        return known / max(1, sum(counts.values()))

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
        with reading(path, "a character n-gram model", "give the file that `save` wrote"):
            try:
                lines = read_regular_file(path, MAX_BYTES, f"The n-gram model {path}").decode("utf-8").split("\n")
            except UnicodeDecodeError:
                raise InputError(f"The n-gram model {path} is not UTF-8.") from None
            return cls(*_read_lines(lines, path))


def _read_lines(lines: list[str], path: str | Path) -> tuple[Counter[str], int]:
    """How often each n-gram was seen, and the order of the model."""
    number, contexts, grams = 1, 0, Counter()
    try:
        order = _order(lines[0])
        for line in lines[1:]:
            number += 1
            if line:
                gram, count = _gram_and_count(line, order)
                grams[gram] += count
                contexts += len(gram)
                if contexts > MAX_CONTEXTS:
                    raise InputError(
                        f"The n-grams up to here have more than {MAX_CONTEXTS} contexts, too many for the memory: "
                        "train on fewer texts, or with a smaller order."
                    )
    except InputError as error:
        raise InputError(f"{path}:{number}: {error}") from None
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{path}:{number} is no line of a character n-gram model that `save` wrote.") from None
    if not grams:
        raise InputError(f"{path} holds no n-grams: train it on texts.")
    return grams, order


def _checked_order(order: int) -> int:
    if not 1 <= order <= MAX_ORDER:
        raise InputError(f"The order {order} of a character n-gram model must be from 1 to {MAX_ORDER}.")
    return order


def _order(header: str) -> int:
    """The order that the first line states."""
    if len(header) > 1000:  # before JSON reads it: nesting costs stack
        raise ValueError
    values = json.loads(header)
    if values["format"] != FORMAT or type(values["order"]) is not int:
        raise ValueError
    return _checked_order(values["order"])


def _gram_and_count(line: str, order: int) -> tuple[str, int]:
    """The n-gram of a line and how often it was seen."""
    if len(line) > order * _LONGEST_ESCAPE + 40:
        raise ValueError
    count, tab, gram = line.partition("\t")
    if not tab or not count.isascii() or not count.isdecimal() or not 1 <= int(count) <= MAX_COUNT:
        raise ValueError
    gram = json.loads(gram)
    if not isinstance(gram, str) or not 1 <= len(gram) <= order:
        raise ValueError
    return gram, int(count)
