"""The fitter within an export: which lines it looks at, what is trained after it, what it would do with other budgets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.budget_curve import budget_curve
from scenetext.data.transforms import Canvas
from scenetext.export_lines import calibration_batches, endless_batches
from scenetext.labels import Record
from scenetext.line_reader import LineReader
from scenetext.predict import predict_images
from scenetext.reader import EagerEngine
from scenetext.storing import bars

if TYPE_CHECKING:
    from scenetext.compress import StoredTensor
    from scenetext.compress.fitter import Fitter
    from scenetext.models.recogniser import Recogniser


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

    def __init__(self, model: Recogniser, config: Mapping[str, Any], canvas: Canvas, progress: bool):
        self.model, self.config, self.canvas, self.progress = model, config, canvas, progress
        self.source: str | None = None
        self._made: Fitter | None = None

    def fitter(self) -> Fitter:
        """The fitter."""
        from scenetext.compress.fitter import Fitter

        if self._made is None:
            batches, self.source = calibration_batches(self.config, self._reader())
            self._made = Fitter(self.model, batches, bars(self.progress))
        return self._made

    def _reader(self) -> LineReader:
        return LineReader(EagerEngine(self.model), self.model.charset, self.canvas, decoding=self.model.decoding)

    def rounded(self, stored: Mapping[str, StoredTensor], finetune_steps: int) -> dict[str, StoredTensor]:
        """Weights of a plan in as many bytes, rounded in order, and trained if asked.

        The network's biases are afterwards those that go with them.
        """
        from scenetext.compress.finetune import finetune_rounded

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
