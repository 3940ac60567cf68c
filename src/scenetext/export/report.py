"""What an export did: sizes, storage, the check in a fresh process, accuracy before and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN = 5  # tensors and differing lines in the printed form; the report file has all of the lines


def size_text(size_bytes: int) -> str:
    """A size as "9,876,543 bytes (9.88 MB)", 1 MB = 1,000,000 bytes."""
    return f"{size_bytes:,} bytes ({size_bytes / 1e6:.2f} MB)"


@dataclass(frozen=True, slots=True)
class LineDifference:
    """A line that the exported folder reads otherwise than the trained network."""

    name: str
    label: str
    trained: str
    exported: str


@dataclass(slots=True)
class ExportReport:
    """The report of an export.

    Attributes:
        folder: what was written.
        format: "json", "pdmodel" or "onnx".
        storage: what the weights are stored as.
        files: bytes of every file in the folder.
        size_bytes: what counts: the program and its parameters.
        max_bytes: the budget.
        classes: of the network, the blank included.
        untrained: characters of the dictionary that the weights did not know; their columns were never trained.
        unknown: characters that were to be kept and that the network does not know.
        unspellable: labelled lines with a character that has no class.
        largest: the largest tensors, each (key, shape, storage, bytes).
        bytes_by_part: bytes of the weights by part of the network, in float32 and as stored.
        plan: the weights of the layers in the network's order, each (key, shape, coding, size_bytes, bits,
            expected_loss); bits per weight, scales included; the loss is the fitter's estimate, in nats per line, None
            where it had no part.
        calibration: the lines that the fitter measured on, if it did.
        finetune_steps: batches that the rounded weights were trained on.
        max_difference: per way of computing in a fresh process, the largest difference of a probability from the
            network in memory with the same stored weights.
        lines_checked: how many lines that difference was taken over.
        steady_share: of their time steps, the share at which the network itself is steady enough to compare.
        curve: accuracy at several budgets; see `budget_curve`.
        accuracy: "trained", "sliced" (the characters to keep alone, in float32) and "exported" → the scores on the
            labelled lines, when there were any.
        differences: labelled lines whose text changed.
    """

    folder: str
    format: str
    storage: str
    files: dict[str, int]
    size_bytes: int
    max_bytes: int
    classes: int
    untrained: list[str]
    unknown: list[str]
    unspellable: int
    largest: list[dict[str, Any]]
    bytes_by_part: dict[str, dict[str, int]]
    plan: list[dict[str, Any]]
    calibration: str | None
    finetune_steps: int
    max_difference: dict[str, float]
    lines_checked: int
    steady_share: float
    curve: list[dict[str, Any]] = field(default_factory=list)
    accuracy: dict[str, dict[str, Any]] = field(default_factory=dict)
    differences: list[LineDifference] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: {size_text(self.size_bytes)} of {size_text(self.max_bytes)}, {self.format}, weights "
            f"stored as {self.storage}, {self.classes:,} classes",
            *(f"  {name}: {size_text(size)}" for name, size in self.files.items()),
            "largest tensors:",
            *(
                f"  {entry['key']} {tuple(entry['shape'])} {entry['coding']}: {size_text(entry['size_bytes'])}"
                for entry in self.largest[:SHOWN]
            ),
        ]
        if self.untrained:
            lines.append(
                f"{len(self.untrained)} characters of the dictionary were unknown to the weights and never trained: "
                f"{''.join(self.untrained[:40])}"
            )
        if self.unknown:
            lines.append(
                f"{len(self.unknown)} of the characters to keep are unknown to the network: {''.join(self.unknown[:40])}"
            )
        if self.unspellable:
            lines.append(
                f"{self.unspellable} labelled lines hold a character without a class: they cannot be read right"
            )
        if self.calibration:
            lines.append(f"bits chosen on {self.calibration}")
        if self.finetune_steps:
            lines.append(f"the rounded weights were trained on {self.finetune_steps} batches")
        for name, difference in self.max_difference.items():
            lines.append(
                f"checked in a fresh process, {name}: largest difference of a probability {difference:.1e} over "
                f"{self.lines_checked} lines ({self.steady_share:.1%} of their steps)"
            )
        for name, scores in self.accuracy.items():
            lines.append(
                f"accuracy {name}: {scores['raw']['value']:.4f} raw, {scores['normalised']['value']:.4f} normalised, "
                f"{scores['one_minus_ned']['value']:.4f} 1-NED on {scores['lines']} lines"
            )
        for row in self.curve:
            budget = "float32" if row["max_mb"] is None else f"{row['max_mb']:g} MB"
            lines.append(
                f"at {budget}: {size_text(row['size_bytes'])}, {row['bits']:.2f} bits a weight, "
                f"{row['normalised']:.4f} normalised, {row['raw']:.4f} raw{'' if row['fits'] else ', does not fit'}"
            )
        if self.accuracy:
            lines.append(f"{len(self.differences)} texts differ from the trained network's")
        for line in self.differences[:SHOWN]:
            lines.append(f"  {line.name}: {line.trained!r} became {line.exported!r}, the label is {line.label!r}")
        return "\n".join(lines)
