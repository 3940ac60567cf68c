"""From a weight to what is stored of it: in half precision, in 8 bits, or in fewer with several weights to a byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from paddle import nn

from scenetext.export.compress.coded_weights import CodableWeight, codable_weights, parameter_bytes, tensor_sizes
from scenetext.export.compress.codings import (
    BASES,
    BYTE_LEVELS,
    FLOAT16,
    PACKED,
    PACKED_LEVELS,
    UINT8,
    StoredTensor,
    pack,
    packed_bytes,
    store_scales,
    stored_scales,
)
from scenetext.export.compress.rounding import InputHessian, least_error_scales, round_by_error, rounded

LEAST_NUMBERS = 1024  # a smaller tensor saves less than 3 kB, and its decoding takes 1 kB of program
GROUP_SIZES = (16, 64)  # of weights that share a scale: the divisor of a row's length in this range nearest to GROUP
GROUP = 32
LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class QuantScheme:
    """A way to store a weight.

    Attributes:
        coding: a key of CODINGS.
        levels: of "packed", a key of BASES.
        grouped: of "packed": a scale for each group of about 32 weights along a row instead of one for the row.
    """

    coding: str
    levels: int = 0
    grouped: bool = False

    @classmethod
    def of(cls, tensor: StoredTensor) -> QuantScheme:
        """The way that a weight is stored in."""
        return cls(tensor.coding, tensor.settings.get("levels", 0), "share" in tensor.arrays)

    def size_bytes(self, outputs: int, inputs: int) -> int:
        """What a matrix takes stored in it, without what the file format adds."""
        if self.coding == FLOAT16:
            return 2 * outputs * inputs
        if self.coding == UINT8:
            return outputs * inputs + 4 * outputs
        return packed_bytes(outputs * inputs, self.levels, outputs, self.groups(inputs))

    @property
    def count(self) -> int:
        """How many values a weight can take, its scale aside."""
        return BYTE_LEVELS if self.coding == UINT8 else self.levels

    @property
    def program_bytes(self) -> int:
        """What the decoding adds to the program, and the file's record of each array, about."""
        if self.coding == PACKED:
            return 500 + 600 * len(BASES[self.levels]) + 600 * self.grouped
        return 400 if self.coding == FLOAT16 else 900

    def groups(self, inputs: int) -> int:
        """Into how many groups a row of so many weights is cut."""
        if not self.grouped:
            return 1
        sizes = [n for n in range(GROUP_SIZES[0], GROUP_SIZES[1] + 1) if inputs % n == 0]
        return inputs // min(sizes, key=lambda n: abs(n - GROUP)) if sizes else 1


# the dearest first
QUANT_SCHEMES = (
    QuantScheme(FLOAT16),
    QuantScheme(UINT8),
    *(
        QuantScheme(PACKED, levels, grouped)
        for levels in sorted(PACKED_LEVELS, reverse=True)
        for grouped in (True, False)
    ),
)


def as_rows(weight: np.ndarray, axis: int) -> np.ndarray:
    """A weight as a matrix (outputs, inputs): a convolution's (O, I, h, w), a linear layer's (I, O), an LSTM's (4H, I)."""
    return weight.reshape(len(weight), -1) if axis == 0 else weight.T


def encode(weight: CodableWeight, scheme: QuantScheme, moments: InputHessian | None = None) -> StoredTensor:
    """Codes a weight.

    Args:
        weight: it stays as it is.
        scheme: how.
        moments: of the layer's inputs on real lines: the rounding then keeps the layer's output. Without them each
            weight is rounded to its nearest level.
    """
    return encode_value(weight.value, weight.axis, scheme, moments)


def encode_value(
    value: np.ndarray, axis: int, scheme: QuantScheme, moments: InputHessian | None = None
) -> StoredTensor:
    """Codes a float32 weight whose output channels are along `axis`; see encode."""
    if scheme.coding == FLOAT16:
        return StoredTensor(FLOAT16, {"half": _halved(value)})
    level, scales = _levels_and_scales(as_rows(value, axis), scheme, moments)
    own = level if axis == 0 else np.ascontiguousarray(level.T)  # in the weight's own order
    if scheme.coding == UINT8:
        return StoredTensor(UINT8, {"code": own.reshape(value.shape), **store_scales(scales, axis, value.ndim)})
    settings = {"levels": scheme.levels, "shape": list(value.shape)}
    return StoredTensor(PACKED, {**pack(own, scheme.levels), **store_scales(scales, axis, value.ndim)}, settings)


def encode_rows(rows: np.ndarray, scheme: QuantScheme, moments: InputHessian | None) -> np.ndarray:
    """What rows (outputs, inputs) of a weight become when they are stored in a way; see encode."""
    if scheme.coding == FLOAT16:
        return _halved(rows).astype(np.float32)
    level, scales = _levels_and_scales(rows, scheme, moments)
    return (level - np.float32((scheme.count - 1) / 2)) * np.repeat(scales, rows.shape[1] // scales.shape[1], axis=1)


def _halved(value: np.ndarray) -> np.ndarray:
    """A number beyond float16's largest, 65,504, is clipped to it."""
    return np.clip(value, -LARGEST_HALF, LARGEST_HALF).astype(np.float16)


def _levels_and_scales(
    rows: np.ndarray, scheme: QuantScheme, moments: InputHessian | None
) -> tuple[np.ndarray, np.ndarray]:
    """Levels uint8 (outputs, inputs), and scales as they are kept, float32 (outputs, groups)."""
    outputs, inputs = rows.shape
    groups = scheme.groups(inputs)
    importance = np.ones(inputs, np.float32) if moments is None else moments.importance
    grouped = rows.reshape(outputs, groups, -1)
    scales = least_error_scales(grouped, importance.reshape(groups, -1), scheme.count)[..., 0]
    scales = stored_scales(store_scales(scales, 0, 2), 0)
    steps = np.repeat(scales, inputs // groups, axis=1)  # (outputs, inputs)
    if moments is None:
        level = (rounded(rows / steps, scheme.count) + (scheme.count - 1) / 2).astype(np.uint8)
    else:
        level = round_by_error(rows, steps, scheme.count, moments)
    return level, scales


def encode_weights(
    model: nn.Layer,
    chosen: Callable[[CodableWeight], QuantScheme | None],
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, StoredTensor]:
    """Codes weights of a network, which stays as it is, each rounded to its nearest level.

    Args:
        model: the network.
        chosen: gives the way of a weight, or None to leave it as float32.
        progress: wraps the iteration, for a progress bar.
    """
    schemes = ((weight, chosen(weight)) for weight in progress(codable_weights(model)))
    return {weight.key: encode(weight, scheme) for weight, scheme in schemes if scheme is not None}


def encode_within(model: nn.Layer, budget_bytes: int) -> dict[str, StoredTensor]:
    """Half precision for most weights and 8 bits for as few as a budget asks for; the network stays as it is.

    Those come first that lose least for the bytes they save: the error relative to the weight, over those bytes.

    Args:
        model: the network.
        budget_bytes: for the parameters.

    Returns:
        Coded weights by key; more than the budget where even all 8 bits do not fit.
    """

    def wanted(weight: CodableWeight) -> bool:
        return weight.size >= LEAST_NUMBERS and not weight.recurrent

    stored = encode_weights(model, lambda weight: QuantScheme(FLOAT16) if wanted(weight) else None)
    eight = encode_weights(model, lambda weight: QuantScheme(UINT8) if wanted(weight) else None)
    weights = {weight.key: weight for weight in codable_weights(model) if wanted(weight)}

    def loss_per_byte(key: str) -> float:
        weight, coded = weights[key].value, eight[key]
        error = np.square(coded.decode() - weight).sum() / np.square(weight).sum()
        return float(error) / (stored[key].size_bytes - coded.size_bytes)

    for key in sorted(weights, key=loss_per_byte):
        if parameter_bytes(tensor_sizes(model, stored)) <= budget_bytes:
            break
        stored[key] = eight[key]
    return stored
