"""How one weight is stored in fewer bits, and the layers that dequantise it inside the program.

A coding is a small layer that holds integer codes and scales as buffers and returns the weight when it is called.
Predictors fold it into a float32 constant when they load, so the files get smaller and the speed stays the same.

Uniform quantisation per output channel: Krishnamoorthi, arXiv:1806.08342, section 2. Scales for groups of weights along
a row: Dettmers and Zettlemoyer, arXiv:2212.09720, section 2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

BYTE_LEVELS = 255  # of uint8: -127..127 are stored as 0..254
DIGITS_PER_BYTE = {2: 8, 3: 5, 4: 4, 6: 3, 16: 2, 256: 1}  # of a base: as many as a byte holds
# a code is written with these digits, the highest first, each base in bytes of its own
BASES = {3: (3,), 4: (4,), 6: (6,), 8: (4, 2), 16: (16,), 32: (16, 2), 64: (16, 4), 256: (256,)}
PACKED_LEVELS = tuple(BASES)
LARGEST_RATIO = 255  # a group's ratio is a uint8
UINT8, FLOAT16, PACKED = "uint8", "float16", "packed"


@dataclass(frozen=True, slots=True)
class QuantisedTensor:
    """One weight as it is stored.

    Attributes:
        coding: a key of CODINGS.
        arrays: what is stored, by the names of the coding layer's buffers.
        settings: further arguments of the coding layer, plain values.
    """

    coding: str
    arrays: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of the stored arrays, without what the file format adds."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def elements(self) -> int:
        """The number of elements of the weight."""
        first = self.arrays.get("code", self.arrays.get("stored"))
        return int(np.prod(self.settings["shape"])) if first is None else first.size

    @property
    def name(self) -> str:
        """The coding in words: "float16", "uint8", "4 bits", "3 bits, groups of 32"."""
        if self.coding != PACKED:
            return self.coding
        bits = f"{bits_per_weight(self.settings['levels']):.2g} bits"
        ratios = self.arrays.get("ratio")
        return bits if ratios is None else f"{bits}, groups of {self.elements // ratios.size}"

    def layer(self) -> nn.Layer:
        """A new layer that dequantises the weight."""
        return CODINGS[self.coding](self.arrays, **self.settings)

    def dequantise(self) -> np.ndarray:
        """The weight as the program computes it, float32."""
        with paddle.no_grad():
            return self.layer()().numpy()


def bits_per_weight(levels: int) -> float:
    """Bits that one weight of so many levels takes, without its scale."""
    if levels == BYTE_LEVELS:
        return 8.0
    return sum(8 / DIGITS_PER_BYTE[base] for base in BASES[levels])


class Uint8PerChannel(nn.Layer):
    """Returns (code - 127) * scale: 8-bit codes with one scale per output channel.

    Args:
        arrays: `code` uint8 of the weight's shape, `scale` float32 of the same rank, 1 but on the channels' axis.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        self.register_buffer("code", paddle.to_tensor(arrays["code"]))
        self.register_buffer("scale", paddle.to_tensor(arrays["scale"]))

    def forward(self) -> Tensor:
        return (paddle.cast(self.code, "float32") - 127.0) * self.scale  # the weight's shape


class Float16(nn.Layer):
    """Returns a half-precision weight as float32: 11 significant bits, half the bytes.

    Args:
        arrays: `stored` float16 of the weight's shape.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        self.register_buffer("stored", paddle.to_tensor(arrays["stored"]))  # `half` is a method since Paddle 3.3

    def forward(self) -> Tensor:
        return paddle.cast(self.stored, "float32")  # the weight's shape


class Packed(nn.Layer):
    """Returns (code - middle) * scale, where several codes share a byte and a group of weights shares a scale.

    The layer looks each byte up in a table with a row for each of its 256 values. All weights of the same bases share
    the table, so that a few operations dequantise a weight: their number counts in the program's bytes and in its
    loading time.

    Args:
        arrays: `digits0`, `digits1` uint8 (bytes,), one for each base of the codes, in the weight's own order;
            `scale` float32, of the weight's rank, 1 but on the channels' axis. If each channel has several groups of
            inputs, `scale` is (outputs, 1, 1), for a linear layer (1, 1, outputs), and `ratio` uint8 (outputs, groups,
            1) or (groups, 1, outputs): a group's scale is `scale` times the square of its ratio.
        levels: a key of BASES.
        shape: of the weight.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], levels: int, shape: list[int]):
        super().__init__()
        self.levels, self.shape = levels, list(shape)
        for name, array in arrays.items():
            self.register_buffer(name, paddle.to_tensor(array))
        for number, (base, factor, shift) in enumerate(_digit_values(levels)):
            self.register_buffer(f"table{number}", _byte_table(base, factor, shift))
        self.grouped = "ratio" in arrays

    def forward(self) -> Tensor:
        values = self._digits(0)
        if len(BASES[self.levels]) > 1:
            values = values + self._digits(1)
        if not self.grouped:
            return values.reshape(self.shape) * self.scale
        first, second, third = self.ratio.shape
        grid = [first, second, -1] if third == 1 else [first, -1, third]  # groups along a row, or along a column
        ratio = paddle.cast(self.ratio, "float32")
        return (values.reshape(grid) * (ratio * ratio * self.scale)).reshape(self.shape)

    def _digits(self, number: int) -> Tensor:
        """The values of the digits of one base, without the padding of the last byte."""
        code = paddle.cast(getattr(self, f"digits{number}"), "int32")
        values = paddle.gather(getattr(self, f"table{number}"), code)  # (bytes, digits per byte)
        count = int(np.prod(self.shape))
        exact = values.shape[0] * values.shape[1] == count
        if exact and len(BASES[self.levels]) == 1:
            return values
        return values.reshape([-1]) if exact else values.reshape([-1])[:count]


CODINGS: dict[str, type] = {FLOAT16: Float16, UINT8: Uint8PerChannel, PACKED: Packed}


def _digit_values(levels: int) -> list[tuple[int, int, float]]:
    """For each base of a code: (base, value of one digit, what is subtracted from every digit's value)."""
    bases, middle = BASES[levels], (levels - 1) / 2
    factors = [int(np.prod(bases[number + 1 :])) for number in range(len(bases))]
    return [(base, factors[i], middle if i == 0 else 0.0) for i, base in enumerate(bases)]


@functools.cache
def _byte_table(base: int, factor: int, shift: float) -> Tensor:
    """float32 (256, digits per byte): the values of the digits in each byte, the lowest digit first."""
    digits = np.arange(256)[:, None] // base ** np.arange(DIGITS_PER_BYTE[base]) % base
    return paddle.to_tensor((digits * factor - shift).astype(np.float32))


def pack(codes: np.ndarray, levels: int) -> dict[str, np.ndarray]:
    """Codes 0..levels-1 of any shape as the arrays `digits0`, ... that `Packed` unpacks."""
    arrays, rest = {}, codes.astype(np.int64).ravel()
    for number, (base, factor, _) in enumerate(_digit_values(levels)):
        digits, rest = np.divmod(rest, factor)
        per_byte = DIGITS_PER_BYTE[base]
        digits = np.pad(digits, (0, -len(digits) % per_byte)).reshape(-1, per_byte)
        arrays[f"digits{number}"] = (digits * base ** np.arange(per_byte)).sum(axis=1).astype(np.uint8)
    return arrays


def packed_bytes(elements: int, levels: int, outputs: int, groups: int) -> int:
    """Bytes of a packed weight with so many channels and so many groups in each."""
    ratios = outputs * groups if groups > 1 else 0
    return sum(-(-elements // DIGITS_PER_BYTE[base]) for base in BASES[levels]) + 4 * outputs + ratios


def quantise_scales(scales: np.ndarray, axis: int, rank: int) -> dict[str, np.ndarray]:
    """Scales float32 (outputs, groups) as the arrays `scale` and `ratio` of `Packed`: the ratios take 8 bits each."""
    outputs, groups = scales.shape
    row = np.maximum(scales.max(axis=1), np.finfo(np.float32).tiny).astype(np.float32)  # no step may be 0
    if groups == 1:
        return {"scale": row.reshape([-1 if i == axis else 1 for i in range(rank)])}
    ratio = np.rint(LARGEST_RATIO * np.sqrt(np.maximum(scales, 0) / row[:, None]))
    ratio = np.clip(ratio, 1, LARGEST_RATIO).astype(np.uint8)
    unit = (row / LARGEST_RATIO**2).astype(np.float32)
    if axis == 0:
        return {"scale": unit.reshape(outputs, 1, 1), "ratio": ratio.reshape(outputs, groups, 1)}
    return {"scale": unit.reshape(1, 1, outputs), "ratio": np.ascontiguousarray(ratio.T).reshape(groups, 1, outputs)}


def dequantise_scales(arrays: Mapping[str, np.ndarray], axis: int) -> np.ndarray:
    """The scales that the arrays of `quantise_scales` stand for, float32 (outputs, groups)."""
    row = arrays["scale"].reshape(-1, 1)
    if "ratio" not in arrays:
        return row
    ratio = arrays["ratio"].astype(np.float32)
    ratio = ratio.reshape(len(row), -1) if axis == 0 else ratio.reshape(-1, len(row)).T
    return ratio * ratio * row
