"""Reading lines with a network in memory, as training and evaluation do (`predict` reads with an exported folder)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from scenetext.data.transforms import Canvas, to_canvas
from scenetext.predict.line_reader import FittedLine, LineReader

if TYPE_CHECKING:
    from scenetext.models.recognition_model import RecognitionModel


class EagerEngine:
    """Computes probabilities with the network in memory; an engine as those of `engines`."""

    workers = 1

    def __init__(self, model: RecognitionModel):
        self.model = model

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 → (B, T, C) probabilities."""
        import paddle

        with paddle.no_grad():
            return paddle.nn.functional.softmax(self.model(paddle.to_tensor(batch)), axis=-1).numpy()


class ModelReader(LineReader):
    """Reads lines with a `RecognitionModel`: a list of BGR pictures → [(text, confidence), ...].

    Args:
        model: the network; it is put into evaluation mode while it reads and back afterwards.
        canvas: what lines are laid on; see `data.pipeline.canvas_of`.
        turned: see `LineReader`.
    """

    def __init__(self, model: RecognitionModel, canvas: Canvas, turned: float | None = None):
        super().__init__(EagerEngine(model), model.charset, canvas, decoding=model.decoding, turned=turned)
        self.model = model

    def read_pieces(
        self, pieces: Iterable[Sequence[FittedLine]], on_lines: Callable[[int], object] = lambda count: None
    ) -> Iterator[list[tuple[str, float]]]:
        """See `LineReader`; the network is in evaluation mode until the iterator ends or is closed."""
        with self.evaluating():
            yield from super().read_pieces(pieces, on_lines)

    def probabilities(self, line: FittedLine) -> np.ndarray:
        """See `LineReader`."""
        with self.evaluating():
            return super().probabilities(line)

    def rectified(self, line: FittedLine) -> np.ndarray | None:
        """See `LineReader`; None if the network has no rectifier."""
        import paddle

        if self.model.transform is None:
            return None
        with self.evaluating(), paddle.no_grad():
            image = self.model.transform(paddle.to_tensor(to_canvas([line.image], line.canvas_px)))[0].numpy()
        return np.clip((image.transpose(1, 2, 0) * 0.5 + 0.5) * 255, 0, 255).round().astype(np.uint8)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Keeps the network in evaluation mode within the block."""
        was_training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            if was_training:
                self.model.train()
