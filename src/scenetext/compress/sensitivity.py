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
from paddle import nn
from paddle.nn import functional as F

from scenetext.compress.stored import CodableWeight


class Answers:
    """What a network says about some batches, to compare with what it says when it is changed.

    Args:
        model: the network, in evaluation mode.
        batches: (B, 3, H, W) float32 each.
    """

    def __init__(self, model: nn.Layer, batches: Sequence[np.ndarray]):
        self.model = model
        self.batches = [paddle.to_tensor(batch) for batch in batches]
        self.lines = sum(len(batch) for batch in batches)
        with paddle.no_grad():
            self.own = [F.log_softmax(model(batch), axis=-1) for batch in self.batches]  # (B, T, C) each

    def divergence(self) -> float:
        """The divergence per line of what the model says now, in nats."""
        total = 0.0
        with paddle.no_grad():
            for batch, own in zip(self.batches, self.own, strict=True):
                total += float((own.exp() * (own - F.log_softmax(self.model(batch), axis=-1))).sum())
        return max(total, 0.0) / self.lines


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
