"""An evaluation as a text that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scenetext.evaluate.breakdown import Group
from scenetext.evaluate.calibration import Calibration, threshold_sentence
from scenetext.evaluate.intervals import Score
from scenetext.evaluate.paddleocr_metric import PaddleOCRScores
from scenetext.evaluate.results import Evaluation

Row = Sequence[str]


def table_of(evaluation: Evaluation) -> str:
    """All scores of an evaluation but the confused characters, one block for each question."""
    scores, characters = evaluation.scores, evaluation.characters
    forgiven = ", ".join(evaluation.rules) or "nothing"
    head = [
        ("", "value", "95 % interval", ""),
        ("raw", *_score(scores.raw)),
        ("normalised", *_score(scores.normalised), f"forgives {forgiven}"),
        ("1-NED", *_score(scores.one_minus_ned)),
        ("characters, precision", *_score(characters.precision)),
        ("characters, recall", *_score(characters.recall)),
        *((f"{p.protocol} acc", *_score(p.accuracy), _counted(p.lines, p.left_out)) for p in evaluation.protocols),
        *((f"{p.protocol} norm_edit_dis", *_score(p.norm_edit_dis)) for p in evaluation.protocols),
    ]
    blocks = [
        f"{scores.lines:,} lines, {scores.empty:,} of them read as empty",
        aligned(head),
        *_unknown(evaluation),
        _rules(evaluation),
        *([] if evaluation.paddleocr is None else [_paddleocr(scores.raw, evaluation.paddleocr)]),
        _groups("by length of the label, characters", evaluation.by_length),
        _groups("by width of the picture, pixels", evaluation.by_width),
        _groups("by the rarest character: labels that hold it", evaluation.by_rarity),
        _groups("by folder of the picture", evaluation.by_source),
        *([] if evaluation.calibration is None else _calibration(evaluation.calibration)),
    ]
    return "\n\n".join(block for block in blocks if block)


def aligned(rows: Iterable[Row], indent: str = "") -> str:
    """Rows as columns, the first and the last on the left, the others on the right of their column."""
    rows = [list(row) for row in rows]
    count = max(map(len, rows))
    rows = [row + [""] * (count - len(row)) for row in rows]
    widths = [max(len(row[at]) for row in rows) for at in range(count)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        if count > 2:
            cells[-1] = row[-1]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _score(score: Score) -> tuple[str, str]:
    return f"{score.value:.4f}", f"{score.low:.4f} to {score.high:.4f}"


def _counted(lines: int, left_out: int) -> str:
    return f"of {lines:,} lines; {left_out:,} labels left out" if left_out else ""


def _unknown(evaluation: Evaluation) -> list[str]:
    """What the dictionary cannot write."""
    if evaluation.lines_with_unknown is None:
        return []
    counts = evaluation.unknown_characters
    shown = " ".join(list(counts)[:20]) + (" …" if len(counts) > 20 else "")
    rows = [f"{evaluation.lines_with_unknown:,} labels hold characters that the dictionary lacks: {shown or 'none'}"]
    if evaluation.writable is not None and evaluation.lines_with_unknown:
        normalised = evaluation.writable.normalised
        rows.append(f"normalised on the other {evaluation.writable.lines:,} lines: {normalised}")
    return ["\n".join(rows)]


def _rules(evaluation: Evaluation) -> str:
    rows: list[Row] = [("rules, one added to the other", "value", "95 % interval", "lines", "")]
    for step in evaluation.rule_steps:
        note = "in normalised" if step.chosen else ""
        rows.append((f"+ {step.rule}", *_score(step.accuracy), f"{step.gained:+,}", note))
    return aligned(rows)


def _paddleocr(raw: Score, scores: PaddleOCRScores) -> str:
    """PaddleOCR's figures, and the way from ours to them."""
    rows: list[Row] = [("raw, as above", f"{raw.value:.4f}", "", "")]
    for step in scores.steps:
        rows.append((step.rule, f"{step.accuracy:.4f}", f"{step.labels:,} labels", ""))
    title = f"PaddleOCR's rules: acc {scores.acc:.6f}, norm_edit_dis {scores.norm_edit_dis:.6f}, because"
    return f"{title}\n{aligned(rows, '  ')}"


def _groups(title: str, groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    rows: list[Row] = [(title, "lines", "raw", "normalised", "95 % interval", "")]
    for group in groups:
        interval = f"{group.low:.4f} to {group.high:.4f}"
        rows.append((group.group, f"{group.lines:,}", f"{group.raw:.4f}", f"{group.normalised:.4f}", interval, ""))
    return aligned(rows)


def _calibration(found: Calibration) -> list[str]:
    """The reliability curve, and the thresholds."""
    rows: list[Row] = [("confidence", "lines", "mean", "right", "95 % interval", "")]
    for each in found.bins:
        name = f"{each.low:.1f} to {each.high:.1f}"
        rows.append((name, f"{each.lines:,}", f"{each.confidence:.4f}", *_score(each.accuracy), ""))
    told = f"mean confidence {found.confidence:.4f}, right {found.accuracy:.4f}, calibration error {found.error:.4f}"
    wanted: list[Row] = [
        ("precision on these lines", "confidence from", "lines", "of all", "precision", "95 % interval", "")
    ]
    for each in found.thresholds:
        if each.precision is None:
            wanted.append((f"{each.wanted:g}", "not reached", "", "", "", "", ""))
            continue
        kept = (f"{each.lines:,}", f"{each.coverage:.1%}")
        wanted.append((f"{each.wanted:g}", f"{each.confidence:.4f}", *kept, *_score(each.precision), ""))
    sentences = [f"{threshold_sentence(each)}." for each in found.thresholds]
    return [f"{aligned(rows)}\n{told}", "\n".join([aligned(wanted), *sentences])]
