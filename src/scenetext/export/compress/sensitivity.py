"""How much a network's answers suffer when one weight is rounded: measured on real lines.

The measure is the Kullback-Leibler divergence of the rounded network's characters from the network's own, summed over
the time steps of a line. To first order it grows with the square of what the layer's output is off by (Dong et al.,
HAWQ, arXiv:1905.03696, section 3, has the same quadratic form), so one measurement at a coarse rounding gives the loss of
every other way to store the weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from scenetext.export.compress.coded_weights import CodableWeight


class Answers:
    """What a network says about some batches, to compare with what it says when it is changed.

    Args:
        model: the network, in evaluation mode; it gives logits (B, T, C).
        batches: (B, 3, H, W) float32 each.
    """

    def __init__(self, model: nn.Layer, batches: Sequence[np.ndarray]):
        self.model = model
        self.batches = [paddle.to_tensor(batch) for batch in batches]
        self.lines = sum(len(batch) for batch in batches)
        self.own = [_Answer(self._logits(batch)) for batch in self.batches]

    def divergence(self) -> float:
        """The divergence per line of what the model says now, in nats."""
        pairs = zip(self.batches, self.own, strict=True)
        return max(sum(own.divergence(self._logits(batch)) for batch, own in pairs), 0.0) / self.lines

    def _logits(self, batch: Tensor) -> np.ndarray:
        with paddle.no_grad():
            return self.model(batch).numpy()


class _Answer:
    """One batch's logits (B, T, C) float32; NumPy exponentiates millions of them many times faster than Paddle."""

    def __init__(self, logits: np.ndarray):
        self.logits = logits
        exponentials, self.log_sums = _exponentials(logits)
        self.probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)

    def divergence(self, logits: np.ndarray) -> float:
        """Kullback and Leibler's, of other logits from these, in nats for the whole batch."""
        weighted = (self.probabilities * (self.logits - logits)).sum(axis=-1, dtype=np.float64)
        return float((weighted + _exponentials(logits)[1] - self.log_sums).sum())


def _exponentials(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, T, C) → exponentials up to a factor for each step, (B, T, C) float32, and their true sums' logarithms, (B, T)."""
    largest = logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(logits - largest)
    return exponentials, largest[..., 0].astype(np.float64) + np.log(exponentials.sum(axis=-1, dtype=np.float64))


def measure_losses(
    answers: Answers,
    weights: Sequence[CodableWeight],
    rounded: Mapping[str, np.ndarray],
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, float]:
    """Rounds one weight at a time and gives what each costs, in nats per line.

    Args:
        answers: of the network whose weights these are; it has its own weights again afterwards.
        weights: those to measure.
        rounded: by key, the weight as rounded.
        progress: wraps the iteration.
    """
    losses = {}
    for weight in progress(weights):
        own = weight.value
        weight.set_value(rounded[weight.key])
        try:
            losses[weight.key] = answers.divergence()
        finally:
            weight.set_value(own)
    return losses
