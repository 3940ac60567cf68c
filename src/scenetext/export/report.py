"""What an export did: sizes, storage, the check in a fresh process, accuracy before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.system.files import MEGABYTE

if TYPE_CHECKING:
    from scenetext.export.compress import TensorSize
    from scenetext.models.detection_model import DetectionModel
    from scenetext.models.recognition_model import RecognitionModel

SHOWN = 5  # tensors and differing lines in the printed form; the report file has all of the lines
SHOWN_CHARACTERS = 40


def size_text(size_bytes: int) -> str:
    """A size as "9,876,543 bytes (9.88 MB)", 1 MB = 1,000,000 bytes."""
    return f"{size_bytes:,} bytes ({size_bytes / MEGABYTE:.2f} MB)"


@dataclass(frozen=True, slots=True)
class LineDifference:
    """A line on which the exported folder and the trained network read different texts."""

    name: str
    label: str
    trained: str
    exported: str


@dataclass(slots=True)
class ExportReport:
    """The report of an export.

    Attributes:
        folder: what was written.
        network: the network's name, as its paper or PaddleOCR calls it.
        format: "json", "pdmodel" or "onnx".
        storage: how the weights are stored, in words.
        files: bytes of every file in the folder that inference needs.
        size_bytes: what counts: the program and its parameters.
        max_bytes: the budget.
        largest: the largest tensors, each (key, shape, coding, size_bytes).
        bytes_by_part: bytes of the weights by part of the network, in float32 and as stored.
        plan: the weights of the layers in the network's order, each (key, shape, coding, size_bytes, bits,
            expected_loss); bits per weight, scales included; the loss is the bit allocator's estimate, in nats per
            line, None for weights that it did not allocate.
        calibration: the lines that the bit allocator measured on; None if it was not used.
        finetune_steps: batches that the quantised weights were finetuned on.
        max_difference: for each engine in a fresh process, the largest difference of a probability from the network in
            memory with the same quantised weights.
        lines_checked: how many lines that difference was taken over.
        stable_ratio: the ratio of their time steps at which the network itself is stable enough to compare.
        curve: accuracy at several budgets; see `budget_curve`.
        accuracy: "trained", "sliced" (only the characters to keep, in float32) and "exported" → the scores on the
            labelled pictures, if there were any.
        unit: what a picture is called: "line" or "photo".
        classes: of a recogniser, the blank included; None of a detector.
        untrained: characters of the dictionary that the weights do not know; their columns were never trained.
        unknown: characters that were to be kept and that the network does not know.
        unspellable: labelled lines with a character that has no class.
        differences: labelled lines whose text changed.
    """

    folder: str
    network: str
    format: str
    storage: str
    files: dict[str, int]
    size_bytes: int
    max_bytes: int
    largest: list[dict[str, Any]]
    bytes_by_part: dict[str, dict[str, int]]
    plan: list[dict[str, Any]]
    calibration: str | None
    finetune_steps: int
    max_difference: dict[str, float]
    lines_checked: int
    stable_ratio: float
    curve: list[dict[str, Any]] = field(default_factory=list)
    accuracy: dict[str, dict[str, Any]] = field(default_factory=dict)
    unit: str = "line"
    classes: int | None = None
    untrained: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unspellable: int = 0
    differences: list[LineDifference] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; of the folder its name alone, for the report lies in it and is copied with it."""
        return asdict(self) | {"folder": Path(self.folder).name}

    def __str__(self) -> str:
        parts = (self._size_lines(), self._character_lines(), self._check_lines(), self._accuracy_lines())
        return "\n".join(line for part in parts for line in part)

    def _size_lines(self) -> list[str]:
        classes = "a detector" if self.classes is None else f"{self.classes:,} classes"
        return [
            f"{self.folder}: {size_text(self.size_bytes)} of {size_text(self.max_bytes)}, {self.format}, weights "
            f"stored as {self.storage}, {classes}",
            *(f"  {name}: {size_text(size)}" for name, size in self.files.items()),
            "largest tensors:",
            *(
                f"  {entry['key']} {tuple(entry['shape'])} {entry['coding']}: {size_text(entry['size_bytes'])}"
                for entry in self.largest[:SHOWN]
            ),
        ]

    def _character_lines(self) -> list[str]:
        lines = []
        if self.untrained:
            lines.append(
                f"{len(self.untrained)} characters of the dictionary are unknown to the weights and were never "
                f"trained: {''.join(self.untrained[:SHOWN_CHARACTERS])}"
            )
        if self.unknown:
            lines.append(
                f"{len(self.unknown)} of the characters to keep are unknown to the network: "
                f"{''.join(self.unknown[:SHOWN_CHARACTERS])}"
            )
        if self.unspellable:
            lines.append(
                f"{self.unspellable} labelled lines hold a character without a class: they cannot be read right"
            )
        return lines

    def _check_lines(self) -> list[str]:
        lines = []
        if self.calibration:
            lines.append(f"bits allocated on {self.calibration}")
        if self.finetune_steps:
            lines.append(f"the quantised weights were finetuned on {self.finetune_steps} batches")
        for engine, difference in self.max_difference.items():
            lines.append(
                f"checked in a fresh process, {engine}: largest difference of a probability {difference:.1e} over "
                f"{self.lines_checked} {self.unit}s ({self.stable_ratio:.1%} of their {self._steps})"
            )
        return lines

    @property
    def _steps(self) -> str:
        return "steps" if self.unit == "line" else "pixels"

    def _accuracy_lines(self) -> list[str]:
        lines = [f"accuracy {stage}: {_score_text(scores)}" for stage, scores in self.accuracy.items()]
        for row in self.curve:
            budget = "float32" if row["max_mb"] is None else f"{row['max_mb']:g} MB"
            names = ("normalised", "raw") if "raw" in row else ("hmean", "precision", "recall")
            scores = ", ".join(f"{row[name]:.4f} {name}" for name in names)
            lines.append(
                f"at {budget}: {size_text(row['size_bytes'])}, {row['bits']:.2f} bits a weight, "
                f"{scores}{'' if row['fits'] else ', does not fit'}"
            )
        if self.accuracy and self.unit == "line":
            lines.append(f"{len(self.differences)} texts differ from the trained network's")
        for line in self.differences[:SHOWN]:
            lines.append(f"  {line.name}: {line.trained!r} became {line.exported!r}, the label is {line.label!r}")
        return lines


def _score_text(scores: Mapping[str, Any]) -> str:
    if "hmean" in scores:
        return (
            f"{scores['hmean']:.4f} hmean, {scores['precision']:.4f} precision, {scores['recall']:.4f} recall on "
            f"{scores['photos']} photos"
        )
    return (
        f"{scores['raw']['value']:.4f} raw, {scores['normalised']['value']:.4f} normalised, "
        f"{scores['one_minus_ned']['value']:.4f} 1-NED on {scores['lines']} lines"
    )


def bytes_by_part(sizes: Sequence[TensorSize]) -> dict[str, int]:
    """Bytes of the network's parts, those of the head by their own names; without what the file format adds."""
    parts: dict[str, int] = {}
    for entry in sizes:
        names = entry.key.split(".")
        part = ".".join(names[:2]) if names[0] == "head" else names[0]
        parts[part] = parts.get(part, 0) + entry.size_bytes
    return parts


def weight_plan(
    model: RecognitionModel | DetectionModel, sizes: Sequence[TensorSize], losses: Mapping[str, float]
) -> list[dict[str, Any]]:
    """`ExportReport.plan` of a network that is not yet quantised in place.

    Args:
        model: the network.
        sizes: of all its tensors as they are stored.
        losses: expected by the bit allocator, by key.
    """
    from scenetext.export.compress import quantisable_weights

    by_key = {entry.key: entry for entry in sizes}
    return [
        {
            **asdict(by_key[weight.key]),
            "bits": 8 * by_key[weight.key].size_bytes / weight.size,
            "expected_loss": losses.get(weight.key),
        }
        for weight in quantisable_weights(model)
    ]
