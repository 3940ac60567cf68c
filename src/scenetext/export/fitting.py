"""Bit allocation within an export (`--storage fitted`): its lines, finetuning after it, and the curve over budgets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from scenetext.config import Config
from scenetext.data.transforms import Canvas
from scenetext.evaluate.metrics import score
from scenetext.export.sample_lines import calibration_batches, endless_batches
from scenetext.predict.images import predict_images
from scenetext.predict.model_reader import ModelReader
from scenetext.system.files import MEGABYTE
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.export.compress import QuantisedTensor
    from scenetext.export.compress.bit_allocation import BitAllocator
    from scenetext.models.recognition_model import RecognitionModel


class Fitting:
    """The bit allocator of one export, made on first use, and the lines that it works on.

    Args:
        model: fused, in evaluation mode.
        config: names the training set.
        canvas: what lines are laid on.
        progress: show bars.

    Attributes:
        source: where the lines come from that the bit allocator measured on; None as long as there is no allocator.
    """

    def __init__(self, model: RecognitionModel, config: Config, canvas: Canvas, progress: bool):
        self.model, self.config, self.canvas, self.progress = model, config, canvas, progress
        self.source: str | None = None
        self._allocator: BitAllocator | None = None

    def allocator(self) -> BitAllocator:
        """The bit allocator."""
        from scenetext.export.compress.bit_allocation import BitAllocator

        if self._allocator is None:
            batches, self.source = calibration_batches(self.config, self._reader())
            self._allocator = BitAllocator(self.model, batches, progress_bars(self.progress))
        return self._allocator

    def _reader(self) -> ModelReader:
        return ModelReader(self.model, self.canvas)

    def quantise_sequentially(
        self, quantised: Mapping[str, QuantisedTensor], finetune_steps: int
    ) -> dict[str, QuantisedTensor]:
        """Quantises the weights of an allocation sequentially, in as many bytes, and finetunes them if asked.

        Afterwards the network has the biases that go with them.
        """
        from scenetext.export.compress.finetune import finetune_quantised

        sequential = self.allocator().quantise_sequentially(quantised)
        if not finetune_steps:
            sequential.apply_biases(self.model)
            return sequential.weights
        batches = endless_batches(self.config, self._reader())
        steps = itertools.islice(batches, finetune_steps)
        shown = progress_bars(self.progress)(steps, "finetune the quantised weights")
        return finetune_quantised(self.model, sequential, shown, finetune_steps)

    def curve(
        self, budgets_mb: Sequence[float], program_bytes: int, images: str | Path, records: list[Record]
    ) -> list[dict[str, Any]]:
        """See budget_curve; `images` and `records` are the labelled lines."""

        def read(title: str) -> list[str]:
            predictions = predict_images(self._reader(), images, [record.name for record in records], progress=False)
            shown = tqdm(predictions, title, len(records), unit="line", disable=not self.progress, leave=False)
            return [prediction.text for prediction in shown]

        targets = [record.text for record in records]
        return budget_curve(self.allocator(), budgets_mb, program_bytes, read, targets)


def budget_curve(
    allocator: BitAllocator,
    budgets_mb: Sequence[float],
    program_bytes: int,
    read: Callable[[str], list[str]],
    targets: Sequence[str],
) -> list[dict[str, Any]]:
    """Reads labelled lines with the weights quantised for each budget, in memory: no files are written.

    Args:
        allocator: of the network that `read` reads with.
        budgets_mb: in units of 1,000,000 bytes; equal ones count once.
        program_bytes: about the bytes of the program without dequantisation.
        read: reads the lines with the network in its current state, under a title for a progress bar.
        targets: their labels.

    Returns:
        For each budget, the smallest first: `max_mb`, `size_bytes` as planned, `fits`, `bits` per weight on average,
        `bits_by_weight` by key, `expected_loss` in nats per line, and the scores `raw`, `normalised`, `one_minus_ned`;
        last the network with float32 weights, with `max_mb` None.
    """
    rows = []
    for budget_mb in [*sorted(set(budgets_mb)), None]:
        budget = allocator.float32_bytes if budget_mb is None else int(budget_mb * MEGABYTE) - program_bytes
        allocation = allocator.allocate(budget - allocator.fixed_bytes)
        quantised = allocator.quantise(allocation)
        name = "float32" if budget_mb is None else f"{budget_mb:g} MB"
        with allocator.using(allocator.quantise_sequentially(quantised, f"quantise for {name}")):
            scores = score(read(f"read at {name}"), targets)
        size = program_bytes + allocator.fixed_bytes + sum(option.size_bytes for option in allocation.values())
        rows.append(
            {
                "max_mb": budget_mb,
                "size_bytes": size,
                "fits": budget_mb is None or size <= budget_mb * MEGABYTE,
                "bits": allocator.mean_bits(quantised),
                "bits_by_weight": allocator.bits(quantised),
                "expected_loss": sum(option.loss for option in allocation.values()),
                "raw": scores.raw.value,
                "normalised": scores.normalised.value,
                "one_minus_ned": scores.one_minus_ned.value,
            }
        )
    return rows


def progress_bars(progress: bool) -> Callable[[Iterable, str], Iterable]:
    """A progress bar for each step of the bit allocator; never one within another.

    Nested bars move the cursor up, which a notebook's text output cannot do: each refresh becomes a line of its own.
    """
    return lambda items, name: tqdm(items, desc=name, unit="step", disable=not progress, leave=False)
