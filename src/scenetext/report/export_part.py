"""What was exported from a run: bytes against the budget, accuracy before and after, accuracy by size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scenetext import plots
from scenetext.report.inline import figure_uri
from scenetext.report.run_files import RunFiles

CURVE_IN, PARTS_IN = (4.8, 3.0), (6.4, 2.5)  # the latter has a legend of many parts


@dataclass(frozen=True, slots=True)
class ExportPart:
    """One exported folder.

    Attributes:
        name: of the folder.
        report: what `scenetext export` reported.
        parts: bytes by part of the network, as data URI.
        curve: accuracy by size, as data URI; None if no budgets were asked for.
    """

    name: str
    report: Mapping[str, Any]
    parts: str
    curve: str | None


def export_parts(run: RunFiles) -> list[ExportPart]:
    """The exported folders of a run."""
    return [
        ExportPart(
            name,
            report,
            figure_uri(plots.bytes_by_part(report["bytes_by_part"], report["max_bytes"]), PARTS_IN),
            figure_uri(plots.accuracy_by_size(report["curve"], report["size_bytes"], _lines(report)), CURVE_IN)
            if report["curve"]
            else None,
        )
        for name, report in run.exports.items()
    ]


def _lines(report: Mapping[str, Any]) -> int | None:
    """How many lines its accuracies are of; None where no line was scored."""
    return next((scores["lines"] for scores in (report["accuracy"] or {}).values()), None)
