"""Reading lines with a network in memory, as training and evaluation do (`predict` reads with an exported folder)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scenetext.data.transforms import Canvas
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
    """

    def __init__(self, model: RecognitionModel, canvas: Canvas):
        super().__init__(EagerEngine(model), model.charset, canvas, decoding=model.decoding)
        self.model = model

    def read_pieces(
        self, pieces: Iterable[Sequence[FittedLine]], on_lines: Callable[[int], object] = lambda count: None
    ) -> Iterator[list[tuple[str, float]]]:
        """See `LineReader`; the network is in evaluation mode until the iterator ends or is closed."""
        was_training = self.model.training
        self.model.eval()
        try:
            yield from super().read_pieces(pieces, on_lines)
        finally:
            if was_training:
                self.model.train()
