"""Scores of test sets as papers print them: per set, by the picture's proportions, and averaged.

The measures and the groups of proportions are those that OpenOCR's tools/eval_rec_all_ratio.py and its successor
tools/eval_rec_all_en.py write (openrec/metrics/rec_metric.py), under the same names. Its measures beside `acc` compare
with the labels as its loader has rewritten them; here they compare with the original ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scenetext.evaluate.protocols import OPENOCR_COLUMNS, Protocol, are_equal
from scenetext.text.charset import Charset

MOST_RATIO = 12  # width / height: the last group holds all wider lines, too
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class SetScores:
    """The scores of one test set, or averages of several; ratios of lines in percent.

    Attributes:
        lines: how many lines count.
        left_out: how many labels the protocol leaves out.
        acc: lines that equal their label by the protocol.
        low, high: 95 % bootstrap interval of `acc`; None for averages of sets.
        norm_edit_dis: mean of 1 - Levenshtein distance / longer length by the protocol, in [0, 1].
        others: by the names of OPENOCR_COLUMNS, over the same lines.
        ratio_lines: (MOST_RATIO,) lines by round(width / height), from 1 on.
        ratio_acc: (MOST_RATIO,) `acc` of these lines; nan without one.
    """

    lines: int
    left_out: int
    acc: float
    low: float | None
    high: float | None
    norm_edit_dis: float
    others: dict[str, float]
    ratio_lines: np.ndarray
    ratio_acc: np.ndarray


def score_set(
    predictions: Sequence[str],
    targets: Sequence[str],
    sizes_px: np.ndarray,
    protocol: Protocol,
    charset: Charset | None = None,
    seed: int = 0,
) -> SetScores:
    """Scores one test set.

    Args:
        predictions, targets: texts read and labels.
        sizes_px: (N, 2) width and height of each picture; 0 by 0 for one that cannot be read.
        protocol: decides which lines count, and which are right.
        charset: the network's characters, for protocols that ask for them.
        seed: of the bootstrap.

    Raises:
        InputError: the protocol leaves out every line.
    """
    scores = protocol.score(predictions, targets, charset, seed)
    counted, right = scores.counted, scores.correct[scores.counted]
    group = ratio_groups(sizes_px[counted])
    counts = np.bincount(group, minlength=MOST_RATIO)
    return SetScores(
        lines=scores.lines,
        left_out=scores.left_out,
        acc=PERCENT * scores.accuracy.value,
        low=PERCENT * scores.accuracy.low,
        high=PERCENT * scores.accuracy.high,
        norm_edit_dis=scores.norm_edit_dis.value,
        others={
            name: PERCENT * float(are_equal(rules, predictions, targets)[counted].mean())
            for name, rules in OPENOCR_COLUMNS.items()
        },
        ratio_lines=counts,
        ratio_acc=PERCENT * _divided(np.bincount(group, right, MOST_RATIO), counts),
    )


def ratio_groups(sizes_px: np.ndarray) -> np.ndarray:
    """Width / height of pictures, rounded to a whole number from 1 to MOST_RATIO, minus 1; (N,) int64."""
    widths, heights = sizes_px.astype(np.float64).T
    return np.clip(np.round(widths / np.maximum(heights, 1)), 1, MOST_RATIO).astype(np.int64) - 1


def averages(scores: Sequence[SetScores]) -> dict[str, SetScores]:
    """The mean over sets, and the mean over lines, in which a set counts as often as it has lines.

    Lines of one proportion are pooled in both.
    """
    lines = [each.lines for each in scores]
    ratio_lines = np.sum([each.ratio_lines for each in scores], axis=0)
    hits = np.sum([np.nan_to_num(each.ratio_acc) * each.ratio_lines for each in scores], axis=0)

    def averaged(weights: Sequence[int] | None) -> SetScores:
        def mean(values: Iterable[float]) -> float:
            return float(np.average(list(values), weights=weights))

        return SetScores(
            lines=sum(lines),
            left_out=sum(each.left_out for each in scores),
            acc=mean(each.acc for each in scores),
            low=None,
            high=None,
            norm_edit_dis=mean(each.norm_edit_dis for each in scores),
            others={column: mean(each.others[column] for each in scores) for column in OPENOCR_COLUMNS},
            ratio_lines=ratio_lines,
            ratio_acc=_divided(hits, ratio_lines),
        )

    return {"arithmetic_avg": averaged(None), "weighted_avg": averaged(lines)}


def _divided(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """values / counts, nan where nothing was counted."""
    return np.divide(values, counts, out=np.full(len(counts), np.nan), where=counts > 0)
