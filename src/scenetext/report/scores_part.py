"""What a run's evaluation says: scores beside those before finetuning, groups of lines, and the confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scenetext import plots
from scenetext.evaluate.calibration import Threshold
from scenetext.evaluate.comparison import Comparison, compare_texts
from scenetext.evaluate.evaluation_folder import PREDICTIONS
from scenetext.evaluate.prediction_files import read_predictions
from scenetext.evaluate.protocols import chosen_rules
from scenetext.evaluate.results import Evaluation
from scenetext.report.inline import figure_uri
from scenetext.report.run_files import EVALUATION, PRETRAINED, RunEvaluation, RunFiles, read_scores

FIGURE_IN = (4.8, 3.1)
GROUPS = {  # of scores.json, by the name of the axis
    "by_length": "label length, characters",
    "by_width": "picture width, pixels",
    "by_rarity": "labels with the rarest character",
    "by_source": "source",
}


@dataclass(frozen=True, slots=True)
class ScoresPart:
    """The scores of a run.

    Attributes:
        scores: the content of scores.json.
        pretrained: the same of the network before finetuning; None if it was not scored.
        groups: pictures as data URIs, by the key of the groups.
        reliability: the reliability curve as data URI; None without confidences.
        thresholds: of the confidence, for each wanted precision; empty without confidences.
        comparison: with what was read before finetuning, line by line; None if that is not known.
    """

    scores: dict[str, Any]
    pretrained: dict[str, Any] | None
    groups: dict[str, str]
    reliability: str | None
    thresholds: list[Threshold]
    comparison: Comparison | None


def scores_part(run: RunFiles, evaluation: RunEvaluation) -> ScoresPart:
    """The part of a run that has an evaluation."""
    scores = evaluation.scores
    pretrained = read_scores(run.folder / EVALUATION / PRETRAINED)
    networks = {"trained": scores} | ({"pretrained": pretrained} if pretrained else {})
    groups = {key: uri for key in GROUPS if (uri := _groups(key, networks)) is not None}
    bins = [_flat(each) for each in (scores.get("calibration") or {}).get("bins", ())]
    reliability = figure_uri(plots.reliability(bins), FIGURE_IN) if bins else None
    found = evaluation.evaluation.calibration
    comparison = _comparison(run.folder / EVALUATION / PRETRAINED, evaluation.evaluation) if pretrained else None
    return ScoresPart(scores, pretrained, groups, reliability, found.thresholds if found else [], comparison)


def _comparison(before: Path, evaluation: Evaluation) -> Comparison | None:
    """What finetuning won and lost; None if the network before it read other lines."""
    read, lines = read_predictions(before / PREDICTIONS), evaluation.lines
    texts = dict(zip(read.names, read.texts, strict=True))
    if texts.keys() != {line.name for line in lines}:
        return None
    return compare_texts(
        [line.name for line in lines],
        [line.target for line in lines],
        [texts[line.name] for line in lines],
        [line.prediction for line in lines],
        ("before finetuning", "this network"),
        replace(chosen_rules(evaluation.rules), name="normalised"),
    )


def _groups(key: str, networks: dict[str, dict[str, Any]]) -> str | None:
    """The accuracy by group; None if there are fewer than two groups to compare.

    Networks whose lines fall into other groups than the first one's, for they were scored on other lines, are left out.
    """
    wanted = [group["group"] for group in networks["trained"].get(key) or ()]
    if len(wanted) < 2:
        return None
    tables = {}
    for name, scores in networks.items():
        rows = scores.get(key) or ()
        if [row["group"] for row in rows] == wanted:
            tables[name] = {column: [row[column] for row in rows] for column in rows[0]}
    return figure_uri(plots.accuracy_by_group({GROUPS[key]: tables}), FIGURE_IN)


def _flat(each: dict[str, Any]) -> dict[str, Any]:
    """A bin of the reliability curve with its accuracy and interval side by side, as the figure takes it."""
    accuracy = each["accuracy"]
    return {**each, "accuracy": accuracy["value"], "low": accuracy["low"], "high": accuracy["high"]}
