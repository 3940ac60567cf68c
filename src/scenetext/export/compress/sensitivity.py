"""How much a network's outputs change when one weight is quantised: measured on real pictures.

The measure is the Kullback-Leibler divergence of the quantised network's class probabilities from the network's own,
summed over the time steps of a line, or over the pixels of a detector's map. To first order it grows with the square of
the error at the layer's output (Dong et al., HAWQ, arXiv:1905.03696, section 3, has the same quadratic form). So one
measurement with a coarse scheme gives the loss of every other scheme for that weight.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import paddle
from paddle import Tensor, nn

from scenetext.export.compress.layer_calls import layer_calls
from scenetext.export.compress.quantised_weights import QuantisableWeight
from scenetext.export.compress.resumed_passes import ResumedPasses

CERTAIN = 1e-6  # a pixel's probability is taken to be at least this, and at most one minus this


class ReferenceOutputs:
    """The outputs of a network on some batches, to compare with its outputs after it was changed.

    Args:
        model: the network, in evaluation mode; it gives logits (B, T, C), or probabilities of text (B, 1, H, W).
        batches: (B, 3, H, W) float32 each.
    """

    def __init__(self, model: nn.Layer, batches: Sequence[np.ndarray]):
        self.model = model
        self.batches = [paddle.to_tensor(batch) for batch in batches]
        self.lines = sum(len(batch) for batch in batches)
        self.references = [_reference(self._outputs(batch)) for batch in self.batches]

    def divergence(self) -> float:
        """The divergence per line of what the model computes now, in nats."""
        pairs = zip(self.batches, self.references, strict=True)
        return max(sum(reference.divergence(self._outputs(batch)) for batch, reference in pairs), 0.0) / self.lines

    def _outputs(self, batch: Tensor) -> np.ndarray:
        with paddle.no_grad():
            return self.model(batch).numpy()


def _reference(outputs: np.ndarray) -> _ReferenceBatch | _ReferenceMaps:
    return _ReferenceBatch(outputs) if outputs.ndim == 3 else _ReferenceMaps(outputs)


class _ReferenceMaps:
    """One batch's probabilities of text (B, 1, H, W) float32; every pixel is text or not."""

    def __init__(self, probabilities: np.ndarray):
        self.probabilities = _away_from_certainty(probabilities)

    def divergence(self, probabilities: np.ndarray) -> float:
        """The Kullback-Leibler divergence of other probabilities from these, in nats for the whole batch."""
        own, other = self.probabilities, _away_from_certainty(probabilities)
        return float((own * np.log(own / other) + (1 - own) * np.log((1 - own) / (1 - other))).sum(dtype=np.float64))


def _away_from_certainty(probabilities: np.ndarray) -> np.ndarray:
    return np.clip(probabilities, CERTAIN, 1 - CERTAIN)


class _ReferenceBatch:
    """One batch's logits (B, T, C) float32; NumPy exponentiates millions of them many times faster than Paddle."""

    def __init__(self, logits: np.ndarray):
        self.logits = logits
        exponentials, self.log_sums = _exponentials(logits)
        self.probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)

    def divergence(self, logits: np.ndarray) -> float:
        """The Kullback-Leibler divergence of other logits from these, in nats for the whole batch."""
        weighted = (self.probabilities * (self.logits - logits)).sum(axis=-1, dtype=np.float64)
        return float((weighted + _exponentials(logits)[1] - self.log_sums).sum())


def _exponentials(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B, T, C) → exponentials up to a factor for each step (B, T, C) float32, and logarithms of their sums (B, T)."""
    largest = logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(logits - largest)
    return exponentials, largest[..., 0].astype(np.float64) + np.log(exponentials.sum(axis=-1, dtype=np.float64))


def measure_losses(
    outputs: ReferenceOutputs,
    weights: Sequence[QuantisableWeight],
    quantised: Mapping[str, np.ndarray],
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, float]:
    """Quantises one weight at a time and measures the loss, in nats per line.

    Args:
        outputs: of the network whose weights these are; it has its own weights again afterwards.
        weights: those to measure.
        quantised: by key, the weight after quantisation and dequantisation.
        progress: wraps the iteration.

    Returns:
        By key, the loss of quantising that weight alone.
    """
    model = outputs.model
    calls = list(layer_calls(model, model.sublayers(), outputs.batches[0]))
    owners = {weight.key: _owners(weight, calls) for weight in weights}
    ordered = sorted(weights, key=lambda weight: calls.index(owners[weight.key][0]) if owners[weight.key] else -1)
    steps = progress([(batch, weight) for batch in range(len(outputs.batches)) for weight in ordered])
    losses = dict.fromkeys((weight.key for weight in weights), 0.0)
    for number, own_steps in itertools.groupby(steps, key=lambda step: step[0]):
        reference = outputs.references[number]
        with ResumedPasses(model, outputs.batches[number]) as passes:
            for _, weight in own_steps:
                changed = _outputs_with(passes, owners[weight.key], weight, quantised[weight.key])
                losses[weight.key] += reference.divergence(changed)
    return {key: max(loss, 0.0) / outputs.lines for key, loss in losses.items()}


def _owners(weight: QuantisableWeight, layers: Sequence[nn.Layer]) -> list[nn.Layer]:
    """Those of some layers that have a weight: several layers may share it."""
    parameter = weight.parameter
    return [layer for layer in layers if any(own is parameter for own in layer._parameters.values())]


def _outputs_with(
    passes: ResumedPasses, owners: Sequence[nn.Layer], weight: QuantisableWeight, value: np.ndarray
) -> np.ndarray:
    """The network's outputs with another value of a weight, which has its own again afterwards."""
    own = weight.value
    try:
        return passes.outputs(owners, lambda: weight.set_value(value))
    finally:
        weight.set_value(own)
