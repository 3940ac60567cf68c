"""How one weight is stored in fewer bits, and the layers that decode it inside the program.

A coding is a small layer that holds codes as buffers and gives the weight when it is called. Predictors fold it into a
float32 constant when they load, so only the files are smaller, not the speed.

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
# a level is written with these digits, the highest first, each base in bytes of its own
BASES = {3: (3,), 4: (4,), 6: (6,), 8: (4, 2), 16: (16,), 32: (16, 2), 64: (16, 4), 256: (256,)}
PACKED_LEVELS = tuple(BASES)
LARGEST_SHARE = 255
UINT8, FLOAT16, PACKED = "uint8", "float16", "packed"


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One weight in storage.

    Attributes:
        coding: a key of CODINGS.
        arrays: what is stored, by the names of the coding layer's buffers.
        settings: what else the layer needs to know, plain values.
    """

    coding: str
    arrays: dict[str, np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of the stored arrays, without what the file format adds."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def weights(self) -> int:
        """The count of its numbers."""
        first = self.arrays.get("code", self.arrays.get("half"))
        return int(np.prod(self.settings["shape"])) if first is None else first.size

    @property
    def name(self) -> str:
        """How it is stored, for people: "float16", "uint8", "4 bits", "3 bits, groups of 32"."""
        if self.coding != PACKED:
            return self.coding
        bits = f"{bits_per_weight(self.settings['levels']):.2g} bits"
        shares = self.arrays.get("share")
        return bits if shares is None else f"{bits}, groups of {self.weights // shares.size}"

    def layer(self) -> nn.Layer:
        """What decodes it."""
        return CODINGS[self.coding](self.arrays, **self.settings)

    def decode(self) -> np.ndarray:
        """The weight as the program computes it, float32."""
        with paddle.no_grad():
            return self.layer()().numpy()


def bits_per_weight(levels: int) -> float:
    """What a weight of so many levels takes in storage, its scale aside."""
    if levels == BYTE_LEVELS:
        return 8.0
    return sum(8 / DIGITS_PER_BYTE[base] for base in BASES[levels])


class Uint8PerChannel(nn.Layer):
    """Gives (code - 127) * scale, the decoding of 8-bit codes with one scale per output channel.

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
    """Gives a half-precision weight as float32: 11 significant bits, half the bytes.

    Args:
        arrays: `half` float16 of the weight's shape.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        self.register_buffer("half", paddle.to_tensor(arrays["half"]))

    def forward(self) -> Tensor:
        return paddle.cast(self.half, "float32")  # the weight's shape


class Packed(nn.Layer):
    """Gives (level - middle) * scale, where several levels share a byte and a group of weights a scale.

    A byte of digits is looked up in a table with a row for each of its values, which all weights of the same bases
    share: a few operations decode a weight. Their number counts, in the program's bytes and in the time to load it.

    Args:
        arrays: `digits0`, `digits1` uint8 (bytes,), one for each base of the levels, in the weight's own order;
            `scale` float32, of the weight's rank, 1 but on the channels' axis. Where each channel has several groups of
            inputs, `scale` is (outputs, 1, 1), for a linear layer (1, 1, outputs), and `share` uint8 (outputs, groups,
            1) or (groups, 1, outputs): a group's scale is `scale` times its share squared.
        levels: a key of BASES.
        shape: of the weight.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], levels: int, shape: list[int]):
        super().__init__()
        self.levels, self.shape = levels, list(shape)
        for name, array in arrays.items():
            self.register_buffer(name, paddle.to_tensor(array))
        for number, (base, factor, shift) in enumerate(_tables(levels)):
            self.register_buffer(f"table{number}", _table(base, factor, shift))
        self.grouped = "share" in arrays

    def forward(self) -> Tensor:
        values = self._digits(0)
        if len(BASES[self.levels]) > 1:
            values = values + self._digits(1)
        if not self.grouped:
            return values.reshape(self.shape) * self.scale
        first, second, third = self.share.shape
        grid = [first, second, -1] if third == 1 else [first, -1, third]  # groups along a row, or along a column
        share = paddle.cast(self.share, "float32")
        return (values.reshape(grid) * (share * share * self.scale)).reshape(self.shape)

    def _digits(self, number: int) -> Tensor:
        """What the digits of one base are worth, with those of a last byte's end cut off."""
        code = paddle.cast(getattr(self, f"digits{number}"), "int32")
        worth = paddle.gather(getattr(self, f"table{number}"), code)  # (bytes, digits per byte)
        count = int(np.prod(self.shape))
        exact = worth.shape[0] * worth.shape[1] == count
        if exact and len(BASES[self.levels]) == 1:
            return worth
        return worth.reshape([-1]) if exact else worth.reshape([-1])[:count]


CODINGS: dict[str, type] = {FLOAT16: Float16, UINT8: Uint8PerChannel, PACKED: Packed}


def _tables(levels: int) -> list[tuple[int, int, float]]:
    """For each base its table: (base, what a digit is worth, what is subtracted once)."""
    bases, middle = BASES[levels], (levels - 1) / 2
    worth = [int(np.prod(bases[number + 1 :])) for number in range(len(bases))]
    return [(base, worth[i], middle if i == 0 else 0.0) for i, base in enumerate(bases)]


@functools.cache
def _table(base: int, factor: int, shift: float) -> Tensor:
    """float32 (256, digits per byte): what a byte's digits are worth, the lowest digit first."""
    digits = np.arange(256)[:, None] // base ** np.arange(DIGITS_PER_BYTE[base]) % base
    return paddle.to_tensor((digits * factor - shift).astype(np.float32))


def pack(levels: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Levels 0..count-1 of any shape as the arrays `digits0`, ... that `Packed` unpacks."""
    arrays, rest = {}, levels.astype(np.int64).ravel()
    for number, (base, worth, _) in enumerate(_tables(count)):
        digits, rest = np.divmod(rest, worth)
        per_byte = DIGITS_PER_BYTE[base]
        digits = np.pad(digits, (0, -len(digits) % per_byte)).reshape(-1, per_byte)
        arrays[f"digits{number}"] = (digits * base ** np.arange(per_byte)).sum(axis=1).astype(np.uint8)
    return arrays


def packed_bytes(weights: int, levels: int, outputs: int, groups: int) -> int:
    """Bytes of a packed weight with so many channels and so many groups in each."""
    shares = outputs * groups if groups > 1 else 0
    return sum(-(-weights // DIGITS_PER_BYTE[base]) for base in BASES[levels]) + 4 * outputs + shares


def store_scales(scales: np.ndarray, axis: int, rank: int) -> dict[str, np.ndarray]:
    """Scales float32 (outputs, groups) as the arrays `scale` and `share` of `Packed`."""
    outputs, groups = scales.shape
    row = np.maximum(scales.max(axis=1), np.finfo(np.float32).tiny).astype(np.float32)  # no step may be 0
    if groups == 1:
        return {"scale": row.reshape([-1 if i == axis else 1 for i in range(rank)])}
    share = np.rint(LARGEST_SHARE * np.sqrt(np.maximum(scales, 0) / row[:, None]))
    share = np.clip(share, 1, LARGEST_SHARE).astype(np.uint8)
    unit = (row / LARGEST_SHARE**2).astype(np.float32)
    if axis == 0:
        return {"scale": unit.reshape(outputs, 1, 1), "share": share.reshape(outputs, groups, 1)}
    return {"scale": unit.reshape(1, 1, outputs), "share": np.ascontiguousarray(share.T).reshape(groups, 1, outputs)}


def stored_scales(arrays: Mapping[str, np.ndarray], axis: int) -> np.ndarray:
    """What `store_scales` keeps, float32 (outputs, groups)."""
    row = arrays["scale"].reshape(-1, 1)
    if "share" not in arrays:
        return row
    share = arrays["share"].astype(np.float32)
    share = share.reshape(len(row), -1) if axis == 0 else share.reshape(-1, len(row)).T
    return share * share * row
