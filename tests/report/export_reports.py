"""What `scenetext export` reports beside a folder, for tests that would take long to make one."""

from __future__ import annotations

from collections.abc import Sequence

from scenetext.evaluate.metrics import score
from scenetext.export.report import ExportReport, LineDifference
from scenetext.text.records import Record


def export_report(records: Sequence[Record], texts: list[str]) -> ExportReport:
    """A report of a network that reads `texts` on labelled lines; as exported it misses the first."""
    report = ExportReport(
        network="CRNN on MobileNetV3 small x0.35",
        folder="export",
        format="json",
        storage="8 bits",
        files={"inference.json": 400_000, "inference.pdiparams": 600_000, "inference.yml": 900},
        size_bytes=1_000_000,
        max_bytes=10_000_000,
        classes=11,
        untrained=[],
        unknown=[],
        unspellable=0,
        largest=[],
        bytes_by_part={"float32": {"backbone": 2_000_000, "head.ctc": 9_000}, "8 bits": {"backbone": 500_000}},
        plan=[],
        calibration=None,
        finetune_steps=0,
        max_difference={"paddle": 1e-6},
        lines_checked=20,
        stable_ratio=1.0,
        curve=[
            {"max_mb": 1.0, "size_bytes": 990_000, "bits": 4.2, "normalised": 0.6, "raw": 0.6, "fits": True},
            {"max_mb": None, "size_bytes": 4_000_000, "bits": 32.0, "normalised": 0.8, "raw": 0.8, "fits": True},
        ],
    )
    targets, exported = [record.text for record in records], ["", *texts[1:]]
    report.accuracy = {"trained": score(texts, targets).as_dict(), "exported": score(exported, targets).as_dict()}
    report.differences = [LineDifference(records[0].name, targets[0], texts[0], "")]
    return report
