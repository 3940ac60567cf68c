"""The plainest rounding of weights: to evenly spaced levels, the outermost at the channel's largest weight.

It shows what bits are for. An export rounds with more care: scales of least error, compensation, and bits by weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from scenetext.export.compress.quantisation import MIN_ELEMENTS, as_rows
from scenetext.export.compress.quantised_weights import QuantisableWeight, quantisable_weights
from scenetext.export.compress.rounding import round_to_levels

if TYPE_CHECKING:
    from scenetext.models.recognition_model import RecognitionModel
    from scenetext.predict.model_reader import ModelReader

Reading = tuple[str, float]
"""A text and its confidence."""


def levels_of(bits: int) -> int:
    """Levels that are symmetric about zero and fit into `bits` bits, 2 or more: one less than there are codes."""
    return 2**bits - 1


def step_of(rows: np.ndarray, bits: int) -> np.ndarray:
    """The distance of neighbouring levels, for each row (..., N) → (..., 1); 1 for a row of zeros."""
    largest = np.abs(rows).max(axis=-1, keepdims=True)
    return np.where(largest > 0, largest / ((levels_of(bits) - 1) / 2), 1.0).astype(np.float32)


def rounded(rows: np.ndarray, bits: int) -> np.ndarray:
    """Every weight of (..., N) float32 at the nearest level of its row."""
    step = step_of(rows, bits)
    return round_to_levels(rows / step, levels_of(bits)) * step


def relative_error(row: np.ndarray, bits: int) -> float:
    """The mean squared change of a row's weights by rounding, over their mean square; 0 for a row of zeros."""
    energy = float(np.square(row).sum())
    return float(np.square(rounded(row, bits) - row).sum()) / energy if energy else 0.0


def typical_channel(model: RecognitionModel) -> tuple[str, np.ndarray]:
    """An output channel of the network's largest weight: its name, and its weights (N,) float32.

    Of all channels it is the one in the middle by how far its largest weight stands out from the others.
    """
    weight = max(quantisable_weights(model), key=lambda each: each.size)
    rows = as_rows(weight.value, weight.axis)
    outstanding = np.abs(rows).max(axis=1) / np.maximum(np.sqrt(np.square(rows).mean(axis=1)), 1e-30)
    index = int(np.argsort(outstanding, kind="stable")[len(rows) // 2])
    return f"channel {index} of {weight.key}", rows[index]


def read_rounded(reader: ModelReader, images: Sequence[np.ndarray], bits: Sequence[int]) -> dict[int, list[Reading]]:
    """What a network reads when all of its large weights are rounded; afterwards it has its own weights again.

    Args:
        reader: of the network, best fused, as an export fuses it.
        images: (H, W, 3) uint8 BGR each.
        bits: to try, each 2 or more.

    Returns:
        By number of bits, one reading for each image; first, as 32, those of the network's own weights.
    """
    readings = {32: reader(images)}
    for number in bits:
        with _rounded_weights(reader.model, number):
            readings[number] = reader(images)
    return readings


@contextmanager
def _rounded_weights(model: RecognitionModel, bits: int) -> Iterator[None]:
    weights = [weight for weight in quantisable_weights(model) if weight.size >= MIN_ELEMENTS]
    own = [weight.value for weight in weights]
    try:
        for weight, value in zip(weights, own, strict=True):
            weight.set_value(_rounded_weight(weight, value, bits))
        yield
    finally:
        for weight, value in zip(weights, own, strict=True):
            weight.set_value(value)


def _rounded_weight(weight: QuantisableWeight, value: np.ndarray, bits: int) -> np.ndarray:
    rows = rounded(as_rows(value, weight.axis), bits)
    return rows.reshape(value.shape) if weight.axis == 0 else np.ascontiguousarray(rows.T)
