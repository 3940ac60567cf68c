"""Several readers on the same lines: each is compared with the first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from scenetext.errors import InputError
from scenetext.evaluate.comparison import Comparison, compare_texts, holm, p_value_text
from scenetext.evaluate.matching import Unmatched
from scenetext.evaluate.protocols import Protocol, protocol
from scenetext.evaluate.readings import Model, Source, common_lines, open_source
from scenetext.evaluate.results import Evaluation
from scenetext.evaluate.scoring import read_labels
from scenetext.evaluate.table import aligned
from scenetext.text.records import Record

Labels = str | Path | Sequence[Record]
"""A label file, or its records."""


def compare(
    first: Source,
    second: Source,
    labels: Labels | None = None,
    images: str | Path | None = None,
    *,
    names: tuple[str, str] | None = None,
    rules: Protocol | str = "normalised",
    unmatched: Unmatched = "refuse",
    seed: int = 0,
) -> Comparison:
    """Is the second better than the first, on the same lines?

        print(compare(pretrained, trained, names=("pretrained", "trained")))

    Args:
        first, second: Evaluations, files of predictions, or folders of runs, evaluations, submissions or exported
            models.
        labels: a label file or records; None takes the labels that a source was scored against.
        images: the lines' pictures: then runs and exported models read them anew.
        names: what the two are called; by default by their paths.
        rules: the protocol, or its name: how a text is compared with its label.
        unmatched: what becomes of lines that one of them lacks; see `matching`.
        seed: of the bootstrap.

    Raises:
        InputError: a source cannot be read, or they are not of the same lines.
    """
    (only,) = compare_all([first, second], labels, images, names=names, rules=rules, unmatched=unmatched, seed=seed)
    return only


def compare_all(
    sources: Sequence[Source],
    labels: Labels | None = None,
    images: str | Path | None = None,
    *,
    names: Sequence[str] | None = None,
    rules: Protocol | str = "normalised",
    unmatched: Unmatched = "refuse",
    seed: int = 0,
) -> list[Comparison]:
    """Compares each source but the first with the first; see `compare`."""
    if len(sources) < 2:
        raise InputError(f"{len(sources)} source given: a comparison needs two or more.")
    by = rules if isinstance(rules, Protocol) else protocol(rules)
    records = _records(labels)
    opened = [open_source(source, records is not None and images is not None) for source in sources]
    read = [each.read(records, images) if isinstance(each, Model) else each for each in opened]  # when all are found
    lines = common_lines(read, records, unmatched)
    called = list(names or _names(sources))
    return [
        compare_texts(lines.names, lines.targets, lines.texts[0], texts, (called[0], name), by, seed)
        for name, texts in zip(called[1:], lines.texts[1:], strict=True)
    ]


def table_of_comparisons(comparisons: Sequence[Comparison]) -> str:
    """Accuracies of all, and what each comparison says.

    With several comparisons a difference is found by chance more often; Holm's p values (1979, "A simple sequentially
    rejective multiple test procedure") allow for that.
    """
    first = comparisons[0]
    rows: list[Sequence[str]] = [(f"{first.protocol} accuracy of {first.lines:,} lines", "value", "95 % interval", "")]
    scored = [(first.first, first.first_accuracy), *((each.second, each.second_accuracy) for each in comparisons)]
    rows += [(name, f"{score.value:.4f}", f"{score.low:.4f} to {score.high:.4f}", "") for name, score in scored]
    told = [f"{comparison}." for comparison in comparisons]
    if len(comparisons) > 1:
        adjusted = holm([comparison.p_value for comparison in comparisons])
        listed = ", ".join(f"{c.second} {p_value_text(p)}" for c, p in zip(comparisons, adjusted, strict=True))
        told.append(f"p for {len(comparisons)} comparisons at once (Holm): {listed}.")
    return "\n".join([aligned(rows), "", *told])


def _records(labels: Labels | None) -> list[Record] | None:
    if isinstance(labels, (str, Path)):
        return read_labels(labels).records
    return None if labels is None else list(labels)


def _names(sources: Sequence[Source]) -> list[str]:
    """What sources are called: the last part of their paths in which they differ, else A, B, C."""
    letters = [chr(ord("A") + number % 26) for number in range(len(sources))]
    if any(isinstance(source, Evaluation) for source in sources):
        return letters
    parts = [Path(source).resolve().parts for source in sources]
    for depth in range(1, max(map(len, parts)) + 1):
        ends = [own[-depth] if depth <= len(own) else own[0] for own in parts]
        if len(set(ends)) == len(ends):
            return ends
    return letters


def changed_lines_csv(comparisons: Sequence[Comparison], kind: str) -> str:
    """A CSV of the lines that were won or lost.

    Args:
        comparisons: all of them.
        kind: "won" or "lost".
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["first", "second", "name", "target", "first_text", "second_text"])
    for comparison in comparisons:
        for line in getattr(comparison, kind):
            writer.writerow([comparison.first, comparison.second, line.name, line.target, line.first, line.second])
    return text.getvalue()
