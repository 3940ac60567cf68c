"""The fitter within an export: which lines it looks at, what is trained after it, what it would do with other budgets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.config import Config
from scenetext.data.transforms import Canvas
from scenetext.evaluate.metrics import score
from scenetext.export.sample_lines import calibration_batches, endless_batches
from scenetext.predict.images import predict_images
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_reader import EagerEngine
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.export.compress import StoredTensor
    from scenetext.export.compress.bit_allocation import BitAllocator
    from scenetext.models.recognition_model import RecognitionModel


class Fitting:
    """The fitter of one export, made when it is first asked for, and the lines it works on.

    Args:
        model: fused, in evaluation mode.
        config: names the training set.
        canvas: what lines are laid on.
        progress: show bars.

    Attributes:
        source: where the lines come from that the fitter measured on; None while there is none.
    """

    def __init__(self, model: RecognitionModel, config: Config, canvas: Canvas, progress: bool):
        self.model, self.config, self.canvas, self.progress = model, config, canvas, progress
        self.source: str | None = None
        self._made: BitAllocator | None = None

    def fitter(self) -> BitAllocator:
        """The fitter."""
        from scenetext.export.compress.bit_allocation import BitAllocator

        if self._made is None:
            batches, self.source = calibration_batches(self.config, self._reader())
            self._made = BitAllocator(self.model, batches, bars(self.progress))
        return self._made

    def _reader(self) -> LineReader:
        return LineReader(EagerEngine(self.model), self.model.charset, self.canvas, decoding=self.model.decoding)

    def rounded(self, stored: Mapping[str, StoredTensor], finetune_steps: int) -> dict[str, StoredTensor]:
        """Weights of a plan in as many bytes, rounded in order, and trained if asked.

        The network's biases are afterwards those that go with them.
        """
        from scenetext.export.compress.finetune import finetune_rounded

        rounded = self.fitter().rounded(stored)
        if not finetune_steps:
            rounded.apply_biases(self.model)
            return rounded.stored
        batches = endless_batches(self.config, self._reader())
        shown = bars(self.progress)(itertools.islice(batches, finetune_steps), "train the rounded weights")
        return finetune_rounded(self.model, rounded, shown, finetune_steps)

    def curve(
        self, budgets_mb: Sequence[float], program_bytes: int, images: str | Path | None, records: list[Record]
    ) -> list[dict[str, Any]]:
        """See budget_curve."""

        def read() -> list[str]:
            return [p.text for p in predict_images(self._reader(), images, [r.name for r in records], progress=False)]

        targets = [record.text for record in records]
        return budget_curve(self.fitter(), budgets_mb, program_bytes, read, targets, bars(self.progress))


MEGABYTE = 1_000_000


def budget_curve(
    fitter: BitAllocator,
    budgets_mb: Sequence[float],
    program_bytes: int,
    read: Callable[[], list[str]],
    targets: Sequence[str],
    progress: Callable[[Iterable, str], Iterable],
) -> list[dict[str, Any]]:
    """Reads labelled lines with the weights as each budget's plan rounds them, in memory: no files are written.

    Args:
        fitter: of the network that `read` reads with.
        budgets_mb: in units of 1,000,000 bytes.
        program_bytes: what the program takes without the decoding of weights, about.
        read: reads the lines with the network as it is at the time.
        targets: their labels.
        progress: wraps an iteration and names it.

    Returns:
        For each budget, the smallest first: `max_mb`, `size_bytes` as planned, `fits`, `bits` per weight on average,
        `expected_loss` in nats per line, and the scores `raw`, `normalised`, `one_minus_ned`; last the network with
        float32 weights, with `max_mb` None.
    """
    rows = []
    for budget_mb in progress([*sorted(budgets_mb), None], "read at each budget"):
        budget = fitter.float32_bytes if budget_mb is None else int(budget_mb * MEGABYTE) - program_bytes
        chosen = fitter.choose(budget - fitter.fixed_bytes)
        stored = fitter.stored(chosen)
        with fitter.applied(fitter.rounded(stored)):
            scores = score(read(), targets)
        size = program_bytes + fitter.fixed_bytes + sum(option.size_bytes for option in chosen.values())
        rows.append(
            {
                "max_mb": budget_mb,
                "size_bytes": size,
                "fits": budget_mb is None or size <= budget_mb * MEGABYTE,
                "bits": fitter.mean_bits(stored),
                "expected_loss": sum(option.loss for option in chosen.values()),
                "raw": scores.raw.value,
                "normalised": scores.normalised.value,
                "one_minus_ned": scores.one_minus_ned.value,
            }
        )
    return rows


def bars(progress: bool) -> Callable[[Iterable, str], Iterable]:
    """A progress bar for each of the fitter's steps."""
    from tqdm.auto import tqdm

    return lambda items, name: tqdm(items, desc=name, unit="step", disable=not progress, leave=False)
