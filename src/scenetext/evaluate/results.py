"""All scores of a set of lines that were read: one code for `evaluate`, which reads pictures, and `score`.

No line is filtered, repaired or left out. A label with characters that the network does not know counts unchanged, and
the number of such labels is reported beside the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from scenetext.evaluate.breakdown import (
    LENGTH_GROUPS,
    RARITY_GROUPS,
    WIDTH_GROUPS_PX,
    Confusion,
    Group,
    confusions,
    ranges,
    rarity,
    sources,
)
from scenetext.evaluate.calibration import Calibration, calibration
from scenetext.evaluate.choices import PRECISIONS
from scenetext.evaluate.intervals import Score, mean_with_interval
from scenetext.evaluate.metrics import CharacterScores, Scores, character_scores, line_scores, summarised
from scenetext.evaluate.paddleocr_metric import MAX_TEXT_LENGTH, PaddleOCRScores, paddleocr_scores
from scenetext.evaluate.protocols import Protocol, ProtocolScores, chosen_rules
from scenetext.evaluate.selection import Selection
from scenetext.text.charset import Charset
from scenetext.text.normalise import DEFAULT_SCORE_RULES, SCORE_RULES

_CONFUSIONS_WRITTEN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its label, what was read, and its picture's size (0 by 0 when it cannot be read or is not known).

    `confidence` is None where the predictions have none.
    """

    name: str
    target: str
    prediction: str
    confidence: float | None
    correct_raw: bool
    correct_normalised: bool
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class RuleStep:
    """The accuracy when one more rule forgives.

    Attributes:
        rule: a name of SCORE_RULES.
        chosen: whether the normalised score has this rule.
        accuracy: ratio of lines that are right with this rule and all before it.
        gained: lines that it made right.
    """

    rule: str
    chosen: bool
    accuracy: Score
    gained: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was read, and its scores.

    Attributes:
        scores: of all lines.
        lines: one entry for each record, in their order.
        by_length: scores by the label's length in characters.
        by_width: scores by the picture's width in pixels; pictures of unknown size are in no group.
        confusions: wrong characters, the most frequent first.
        unreadable: why a picture could not be read, by name.
        unknown_characters: characters of the labels that the network has no class for, each with its number of labels.
        lines_with_unknown: labels with such a character, which cannot be read right; None when the charset is unknown.
        writable: the scores of the other lines; None when the charset is unknown or no label is left.
        rules: the rules of the normalised score.
        rule_steps: from the raw score on, what each rule forgives: first those of the normalised score.
        characters: precision and recall of characters.
        by_rarity: scores by the number of labels that hold the rarest character of a label: of the training labels if
            they were given, else of these labels.
        by_source: scores by the folder of the picture, if there are several.
        calibration: what the confidence is worth; None where there is none.
        paddleocr: PaddleOCR's own figures; None where it counts no label.
        protocols: the figures of further protocols that were asked for.
        selection: whether these lines chose the weights; None when it is not known.
    """

    scores: Scores
    lines: list[Line]
    by_length: list[Group]
    by_width: list[Group]
    confusions: list[Confusion]
    unreadable: dict[str, str]
    unknown_characters: dict[str, int]
    lines_with_unknown: int | None
    writable: Scores | None
    rules: tuple[str, ...]
    rule_steps: list[RuleStep]
    characters: CharacterScores
    by_rarity: list[Group]
    by_source: list[Group]
    calibration: Calibration | None
    paddleocr: PaddleOCRScores | None
    protocols: list[ProtocolScores] = field(default_factory=list)
    selection: Selection | None = None

    def __str__(self) -> str:
        scores = self.scores
        parts = [
            f"raw {scores.raw}, normalised {scores.normalised}, 1-NED {scores.one_minus_ned} of {scores.lines} lines"
        ]
        if scores.empty:
            parts.append(f"{scores.empty} were read as empty")
        if self.lines_with_unknown:
            parts.append(f"{self.lines_with_unknown} labels hold characters that the network has no class for")
        if self.unreadable:
            parts.append(f"{len(self.unreadable)} pictures could not be read")
        return "; ".join(parts)

    def worst(self, count: int) -> list[Line]:
        """The wrong lines, least similar to their labels first, and of equal ones the most confident first."""
        wrong = [line for line in self.lines if not line.correct_normalised]
        similarity = line_scores([line.prediction for line in wrong], [line.target for line in wrong])[:, 2]
        order = sorted(range(len(wrong)), key=lambda i: (similarity[i], -(wrong[i].confidence or 0.0)))
        return [wrong[i] for i in order[:count]]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single lines, for JSON."""
        return {
            **self.scores.as_dict(),
            "lines_with_unknown_characters": self.lines_with_unknown,
            "unknown_characters": self.unknown_characters,
            "unreadable": self.unreadable,
            "by_length": [asdict(group) for group in self.by_length],
            "by_width": [asdict(group) for group in self.by_width],
            "confusions": [asdict(confusion) for confusion in self.confusions[:_CONFUSIONS_WRITTEN]],
            "rules": list(self.rules),
            "rule_steps": [asdict(step) for step in self.rule_steps],
            "characters": asdict(self.characters),
            "writable": None if self.writable is None else asdict(self.writable),
            "by_rarity": [asdict(group) for group in self.by_rarity],
            "by_source": [asdict(group) for group in self.by_source],
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "paddleocr": None if self.paddleocr is None else asdict(self.paddleocr),
            "protocols": [each.as_dict() for each in self.protocols],
            "selection": None if self.selection is None else self.selection.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class ReadLines:
    """What was read of labelled lines; all sequences have N entries, in the order of the labels.

    Attributes:
        names, targets, texts: of the lines.
        confidences: in [0, 1]; None where they are not known.
        widths_px, heights_px: of the pictures, 0 by 0 for those that cannot be read; None where they are not known.
        unreadable: why a picture could not be read, by name.
    """

    names: Sequence[str]
    targets: Sequence[str]
    texts: Sequence[str]
    confidences: Sequence[float] | None = None
    widths_px: Sequence[int] | None = None
    heights_px: Sequence[int] | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)


def score_lines(
    read: ReadLines,
    charset: Charset | None = None,
    *,
    rules: Sequence[str] = DEFAULT_SCORE_RULES,
    protocols: Sequence[Protocol] = (),
    training_labels: Iterable[str] | None = None,
    precisions: Sequence[float] = PRECISIONS,
    max_text_length: int = MAX_TEXT_LENGTH,
    selection: Selection | None = None,
    seed: int = 0,
) -> Evaluation:
    """All scores of what was read.

    Args:
        read: the lines.
        charset: the network's characters, to count labels with others.
        rules: names of SCORE_RULES that the normalised score forgives.
        protocols: further ones to score by.
        training_labels: labels of the training set, by which rare characters are told from frequent ones.
        precisions: what thresholds of the confidence are found for, in (0, 1].
        max_text_length: PaddleOCR's Global.max_text_length, for its figures.
        selection: whether these lines chose the weights.
        seed: of the bootstrap.

    Raises:
        InputError: there are no lines, or a rule does not exist.
    """
    normalise = chosen_rules(rules)
    texts, targets = read.texts, read.targets
    table = line_scores(texts, targets, normalise)
    unknown = [set(charset.unknown(text)) for text in targets] if charset is not None else []
    counts = Counter(character for characters in unknown for character in characters)
    known = np.array([not characters for characters in unknown], bool)
    return Evaluation(
        summarised(texts, table, seed),
        _lines(read, table),
        ranges(table, [len(text) for text in targets], LENGTH_GROUPS, seed),
        _by_width(read, table, seed),
        confusions(texts, targets, normalise),
        dict(read.unreadable),
        dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        None if charset is None else int((~known).sum()),
        summarised([texts[i] for i in np.flatnonzero(known)], table[known], seed) if known.any() else None,
        normalise.rules,
        _rule_steps(texts, targets, normalise.rules, seed),
        character_scores(texts, targets, seed),
        ranges(table, rarity(targets, targets if training_labels is None else training_labels), RARITY_GROUPS, seed),
        _by_source(read, table, seed),
        None if read.confidences is None else calibration(read.confidences, table[:, 1] > 0, precisions, seed),
        paddleocr_scores(texts, targets, charset, max_text_length),
        [each.score(texts, targets, charset, seed) for each in protocols],
        selection,
    )


def _lines(read: ReadLines, table: np.ndarray) -> list[Line]:
    unknown = [0] * len(table)
    columns = (
        read.names,
        read.targets,
        read.texts,
        [None] * len(table) if read.confidences is None else read.confidences,
        (table[:, 0] > 0).tolist(),
        (table[:, 1] > 0).tolist(),
        unknown if read.widths_px is None else read.widths_px,
        unknown if read.heights_px is None else read.heights_px,
    )
    return [Line(*values) for values in zip(*columns, strict=True)]


def _by_width(read: ReadLines, table: np.ndarray, seed: int) -> list[Group]:
    """Scores by the width of the pictures whose size is known."""
    widths = np.zeros(len(table), int) if read.widths_px is None else np.asarray(read.widths_px, int)
    seen = widths > 0
    return ranges(table[seen], widths[seen], WIDTH_GROUPS_PX, seed)


def _by_source(read: ReadLines, table: np.ndarray, seed: int) -> list[Group]:
    groups = sources(table, read.names, seed)
    return groups if len(groups) > 1 else []


def _rule_steps(texts: Sequence[str], targets: Sequence[str], chosen: Sequence[str], seed: int) -> list[RuleStep]:
    """What each rule forgives when it joins those before it; the chosen ones come first."""
    steps: list[RuleStep] = []
    wrong = [(read, label) for read, label in zip(texts, targets, strict=True) if read != label]
    for rule in (*chosen, *(rule for rule in SCORE_RULES if rule not in chosen)):
        before, rewrite = len(wrong), SCORE_RULES[rule]
        pairs = [(rewrite(read), rewrite(label)) for read, label in wrong]
        wrong = [(read, label) for read, label in pairs if read != label]  # what is equal stays equal
        correct = np.arange(len(texts)) >= len(wrong)
        steps.append(RuleStep(rule, rule in chosen, mean_with_interval(correct, seed), before - len(wrong)))
    return steps


def csv_rows(lines: Iterable[Line]) -> Iterable[list[Any]]:
    """The header and one row a line for predictions.csv; truth values as 0 and 1."""
    names = [each.name for each in fields(Line)]
    yield names
    for line in lines:
        values = [getattr(line, name) for name in names]
        yield [f"{v:.6f}" if isinstance(v, float) else int(v) if isinstance(v, bool) else v for v in values]
