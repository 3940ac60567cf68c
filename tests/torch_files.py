"""Files of weights as `torch.save` writes them, made without PyTorch."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

DATE = (2026, 1, 1, 0, 0, 0)  # of entries, so that the same value always gives the same bytes
STORAGE_NAMES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<u2": "BFloat16Storage"}
STORAGE_NAMES |= {"<i8": "LongStorage", "|b1": "BoolStorage"}


class Tensor:
    """A tensor that shares a storage, or is no whole one.

    Args:
        storage: its key and the numbers, flat.
        offset, size, stride: as PyTorch has them.
    """

    def __init__(self, storage: tuple[str, np.ndarray], offset: int, size: tuple[int, ...], stride: tuple[int, ...]):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


class TorchPickle:
    """The pickle of one file and its storages.

    Args:
        value: a dictionary of arrays, tensors, numbers, texts and further such containers.
    """

    def __init__(self, value: Any):
        self.storages: dict[str, bytes] = {}
        self.data = b"\x80\x02" + self._of(value) + b"."

    def _of(self, value: Any) -> bytes:
        if value is None or isinstance(value, bool):
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        if isinstance(value, int):
            return b"\x8a\x08" + struct.pack("<q", value)
        if isinstance(value, float):
            return b"G" + struct.pack(">d", value)
        if isinstance(value, str):
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        if isinstance(value, tuple):
            return b"(" + b"".join(map(self._of, value)) + b"t"
        if isinstance(value, dict):
            items = b"".join(self._of(key) + self._of(item) for key, item in value.items())
            state = b"}X\x09\0\0\0_metadata}sb"  # what PyTorch leaves on a state_dict
            return b"ccollections\nOrderedDict\n)R(" + items + b"u" + state
        if isinstance(value, np.ndarray):
            stride = tuple(step // value.itemsize for step in np.ascontiguousarray(value).strides)
            storage = str(len(self.storages)), np.ascontiguousarray(value).ravel()
            return self._of(Tensor(storage, 0, value.shape, stride if value.ndim else ()))
        return self._tensor(value)

    def _tensor(self, tensor: Tensor) -> bytes:
        key, numbers = tensor.storage
        self.storages[key] = numbers.tobytes()
        kind = f"ctorch\n{STORAGE_NAMES[numbers.dtype.str]}\n".encode()
        reference = b"(" + self._of("storage") + kind + self._of(key) + self._of("cpu") + self._of(len(numbers)) + b"tQ"
        place = self._of(tensor.offset) + self._of(tensor.size) + self._of(tensor.stride)
        hooks = b"\x89ccollections\nOrderedDict\n)R"
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + reference + place + hooks + b"tR"


def write_pth(path: Path, value: Any, compression: int = zipfile.ZIP_STORED, **entries: bytes | None) -> Path:
    """Writes a file; `entries` replaces some of its entries, `data__0` for `data/0`, or leaves them out (None)."""
    pickled = TorchPickle(value)
    content = {"data.pkl": pickled.data, "byteorder": b"little", "version": b"3\n"}
    content |= {f"data/{key}": data for key, data in pickled.storages.items()}
    content |= {name.replace("__", "/").replace("_pkl", ".pkl"): data for name, data in entries.items()}
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in content.items():
            if data is not None:
                file.writestr(zipfile.ZipInfo(f"{path.stem}/{name}", DATE), data, compression)
    return path
