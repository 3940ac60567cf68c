"""Quantisation of a weight: half precision, 8 bits, or fewer bits with several weights to a byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from paddle import nn

from scenetext.export.compress.codings import (
    BASES,
    BYTE_LEVELS,
    FLOAT16,
    PACKED,
    PACKED_LEVELS,
    UINT8,
    QuantisedTensor,
    dequantise_scales,
    pack,
    packed_bytes,
    quantise_scales,
)
from scenetext.export.compress.quantised_weights import (
    QuantisableWeight,
    parameter_bytes,
    quantisable_weights,
    tensor_sizes,
)
from scenetext.export.compress.rounding import InputHessian, gptq_codes, least_error_scales, round_to_levels

MIN_ELEMENTS = 1024  # a smaller tensor saves less than 3 kB, and dequantising it takes 1 kB of program
GROUP_SIZES = (16, 64)  # of weights that share a scale: the divisor of a row's length in this range nearest to GROUP
GROUP = 32
LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class QuantScheme:
    """How a weight is quantised.

    Attributes:
        coding: a key of CODINGS.
        levels: of "packed", a key of BASES.
        grouped: of "packed": a scale for each group of about 32 weights along a row instead of one for the row.
    """

    coding: str
    levels: int = 0
    grouped: bool = False

    @classmethod
    def of(cls, tensor: QuantisedTensor) -> QuantScheme:
        """The scheme that a weight was quantised by."""
        return cls(tensor.coding, tensor.settings.get("levels", 0), "ratio" in tensor.arrays)

    def size_bytes(self, outputs: int, inputs: int) -> int:
        """Bytes of a quantised matrix (outputs, inputs), without what the file format adds."""
        if self.coding == FLOAT16:
            return 2 * outputs * inputs
        if self.coding == UINT8:
            return outputs * inputs + 4 * outputs
        return packed_bytes(outputs * inputs, self.levels, outputs, self.groups(inputs))

    @property
    def level_count(self) -> int:
        """How many different codes a weight can have."""
        return BYTE_LEVELS if self.coding == UINT8 else self.levels

    @property
    def program_bytes(self) -> int:
        """About what dequantisation adds to the program, and the file's record of each array."""
        if self.coding == PACKED:
            return 500 + 600 * len(BASES[self.levels]) + 600 * self.grouped
        return 400 if self.coding == FLOAT16 else 900

    def groups(self, inputs: int) -> int:
        """The number of groups in a row of so many weights."""
        if not self.grouped:
            return 1
        sizes = [n for n in range(GROUP_SIZES[0], GROUP_SIZES[1] + 1) if inputs % n == 0]
        return inputs // min(sizes, key=lambda n: abs(n - GROUP)) if sizes else 1


# the largest first
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
    """A weight as a matrix (outputs, inputs): of a convolution (O, I, h, w), a linear layer (I, O), an LSTM (4H, I)."""
    return weight.reshape(len(weight), -1) if axis == 0 else weight.T


def quantise(weight: QuantisableWeight, scheme: QuantScheme, hessian: InputHessian | None = None) -> QuantisedTensor:
    """Quantises a weight.

    Args:
        weight: not changed.
        scheme: how to quantise it.
        hessian: of the layer's inputs on real lines: GPTQ then keeps the layer's output close. Without it each weight
            is rounded to its nearest level.
    """
    return quantise_array(weight.value, weight.axis, scheme, hessian)


def quantise_array(
    value: np.ndarray, axis: int, scheme: QuantScheme, hessian: InputHessian | None = None
) -> QuantisedTensor:
    """Quantises a float32 array whose output channels are along `axis`; see quantise."""
    if scheme.coding == FLOAT16:
        return QuantisedTensor(FLOAT16, {"stored": _to_half(value)})
    codes, scales = _codes_and_scales(as_rows(value, axis), scheme, hessian)
    codes = codes if axis == 0 else np.ascontiguousarray(codes.T)  # in the weight's own order
    stored_scales = quantise_scales(scales, axis, value.ndim)
    if scheme.coding == UINT8:
        return QuantisedTensor(UINT8, {"code": codes.reshape(value.shape), **stored_scales})
    settings = {"levels": scheme.levels, "shape": list(value.shape)}
    return QuantisedTensor(PACKED, {**pack(codes, scheme.levels), **stored_scales}, settings)


def fake_quantise_rows(rows: np.ndarray, scheme: QuantScheme, hessian: InputHessian | None) -> np.ndarray:
    """Rows (outputs, inputs) of a weight, quantised and dequantised again, float32; see quantise."""
    if scheme.coding == FLOAT16:
        return _to_half(rows).astype(np.float32)
    codes, scales = _codes_and_scales(rows, scheme, hessian)
    steps = np.repeat(scales, rows.shape[1] // scales.shape[1], axis=1)  # (outputs, inputs)
    return (codes - np.float32((scheme.level_count - 1) / 2)) * steps


def _to_half(value: np.ndarray) -> np.ndarray:
    """float16; a number beyond its largest, 65,504, is clipped to it."""
    return np.clip(value, -LARGEST_HALF, LARGEST_HALF).astype(np.float16)


def _codes_and_scales(
    rows: np.ndarray, scheme: QuantScheme, hessian: InputHessian | None
) -> tuple[np.ndarray, np.ndarray]:
    """Codes uint8 (outputs, inputs), and scales as they are stored, float32 (outputs, groups)."""
    outputs, inputs = rows.shape
    groups, levels = scheme.groups(inputs), scheme.level_count
    importance = np.ones(inputs, np.float32) if hessian is None else hessian.importance
    grouped = rows.reshape(outputs, groups, -1)
    scales = least_error_scales(grouped, importance.reshape(groups, -1), levels)[..., 0]
    scales = dequantise_scales(quantise_scales(scales, 0, 2), 0)
    steps = np.repeat(scales, inputs // groups, axis=1)  # (outputs, inputs)
    if hessian is None:
        codes = (round_to_levels(rows / steps, levels) + (levels - 1) / 2).astype(np.uint8)
    else:
        codes = gptq_codes(rows, steps, levels, hessian)
    return codes, scales


def quantise_weights(
    model: nn.Layer,
    scheme_of: Callable[[QuantisableWeight], QuantScheme | None],
    progress: Callable[[Iterable], Iterable] = iter,
) -> dict[str, QuantisedTensor]:
    """Quantises weights of a network to their nearest levels; the network is not changed.

    Args:
        model: the network.
        scheme_of: returns the scheme of a weight, or None to leave it in float32.
        progress: wraps the iteration, for a progress bar.

    Returns:
        Quantised weights by key.
    """
    schemes = ((weight, scheme_of(weight)) for weight in progress(quantisable_weights(model)))
    return {weight.key: quantise(weight, scheme) for weight, scheme in schemes if scheme is not None}


def quantise_within(model: nn.Layer, budget_bytes: int) -> dict[str, QuantisedTensor]:
    """Half precision for most weights and 8 bits for as few as a budget asks for; the network is not changed.

    The weights that lose least for the bytes they save get 8 bits first: the relative squared error over those bytes.

    Args:
        model: the network.
        budget_bytes: for the parameters.

    Returns:
        Quantised weights by key; larger than the budget if 8 bits for all of them do not fit either.
    """

    def is_wanted(weight: QuantisableWeight) -> bool:
        return weight.size >= MIN_ELEMENTS and not weight.recurrent

    quantised = quantise_weights(model, lambda weight: QuantScheme(FLOAT16) if is_wanted(weight) else None)
    in_8_bits = quantise_weights(model, lambda weight: QuantScheme(UINT8) if is_wanted(weight) else None)
    weights = {weight.key: weight for weight in quantisable_weights(model) if is_wanted(weight)}

    def loss_per_byte(key: str) -> float:
        weight, tensor = weights[key].value, in_8_bits[key]
        error = np.square(tensor.dequantise() - weight).sum() / np.square(weight).sum()
        return float(error) / (quantised[key].size_bytes - tensor.size_bytes)

    for key in sorted(weights, key=loss_per_byte):
        if parameter_bytes(tensor_sizes(model, quantised)) <= budget_bytes:
            break
        quantised[key] = in_8_bits[key]
    return quantised
