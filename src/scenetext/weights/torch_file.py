"""Reading PyTorch's files of weights (`.pth`) without PyTorch, and without running code in them.

Since PyTorch 1.6 such a file is a zip of stored entries: `NAME/data.pkl`, a pickle whose tensors refer to storages, and
one entry `NAME/data/KEY` with the bytes of each storage.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.errors import InputError
from scenetext.system.untrusted import reading
from scenetext.weights.pdparams import MOST_NAME, MOST_SHARED, finite_numbers
from scenetext.weights.pickled_arrays import FUNCTIONS, Budget, Function, NoWeights, count_of
from scenetext.weights.restricted_pickle import KNOWN_NAMES, Dialect, ForbiddenName, read_pickle

PICKLE, STORAGES = "data.pkl", "data/"
STATE_KEYS = ("state_dict", "model_state_dict", "model")  # under which training checkpoints hold the weights
STORAGE_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # as Paddle pickles it: the upper half of a float32
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
"""The numbers in a storage, by the name of its type; files are little-endian."""


class _StorageType:
    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)


def read_pth(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a `.pth` file: the keys of a network's state_dict → arrays. A training checkpoint's are taken out of it.

    Args:
        path: the file.

    Returns:
        Finite numbers, each array in the file's own dtype; bfloat16 as float32.

    Raises:
        InputError: the file is missing, broken, unsafe, of a PyTorch before 1.6, or holds no named arrays.
    """
    path = Path(path)
    with reading(path, "a file of PyTorch weights", "fetch or copy it again"):
        if not path.is_file():
            raise InputError(f"The weights {path} do not exist.")
        if not zipfile.is_zipfile(path):
            raise InputError(
                f"{path} is no file of PyTorch 1.6 or later, which is a zip: fetch or copy it again, or load it with "
                "PyTorch and save it by torch.save."
            )
        try:
            with _TorchZip(path) as file:
                content = file.read()
        except ForbiddenName as error:
            raise InputError(
                f"{path} asks to run {error.name} while it is read, which weights never need; it was refused and "
                "nothing of it was run."
            ) from None
        except (NoWeights, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is not a whole file of PyTorch weights ({error}): fetch or copy it again."
            ) from None
    return _named_arrays(content, path)


def _named_arrays(content: Any, path: Path) -> dict[str, np.ndarray]:
    """The arrays of a state_dict, or of the one in a checkpoint."""
    for key in STATE_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a table of named weights.")
    arrays = {}
    for key, value in content.items():
        location = f"{path}: {str(key)[:MOST_NAME]}"
        if not isinstance(value, np.ndarray):
            raise InputError(f"{location} is a {type(value).__name__}, not an array.")
        arrays[str(key)] = finite_numbers(value, location)
    return arrays


class _TorchZip:
    """An open file.

    Args:
        path: of the file.

    Raises:
        NoWeights: it is another kind of zip.
    """

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self._size = path.stat().st_size
        self._left = MOST_SHARED * self._size
        self._storages: dict[str, np.ndarray] = {}
        pickles = [name for name in self._zip.namelist() if name.endswith(f"/{PICKLE}")]
        if len(pickles) != 1:
            raise NoWeights(f"it holds {len(pickles)} entries {PICKLE}, not one")
        self._folder = pickles[0].removesuffix(PICKLE)

    def __enter__(self) -> _TorchZip:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def read(self) -> Any:
        """The content, its tensors as arrays."""
        if f"{self._folder}byteorder" in self._zip.namelist() and self._entry("byteorder") != b"little":
            raise NoWeights("its numbers are big-endian")
        data = self._entry(PICKLE)
        return read_pickle(io.BytesIO(data), self._size, Dialect(_NAMES, self._storage, ordered_dicts_have_states=True))

    def _entry(self, name: str) -> bytes:
        entry = self._zip.getinfo(self._folder + name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > self._size:
            raise NoWeights(f"the entry {name[:MOST_NAME]} is compressed, which PyTorch never does")
        return self._zip.read(entry)

    def _storage(self, reference: Any) -> np.ndarray:
        """The storage of a reference, ("storage", type, key, device, count), as a flat array."""
        if type(reference) is not tuple or len(reference) != 5 or reference[0] != "storage":
            raise NoWeights("a reference is none to a storage")
        _, kind, key, _, count = reference
        if not isinstance(kind, _StorageType) or type(key) is not str or type(count) is not int:
            raise NoWeights("a reference is none to a storage")
        if key not in self._storages:
            data = self._entry(STORAGES + key)
            if len(data) != count * kind.dtype.itemsize:
                raise NoWeights(f"a storage of {count} numbers of type {kind.dtype} holds {len(data)} bytes")
            self._left -= len(data)
            if self._left < 0:
                raise NoWeights("its storages share their bytes")
            self._storages[key] = np.frombuffer(data, kind.dtype)
        return self._storages[key].view(kind.dtype)


def _tensor(budget: Budget, storage: Any, offset: Any, size: Any, stride: Any, *_gradient_and_hooks: Any) -> np.ndarray:
    """An array of some of a storage's numbers, (size) with the distances `stride` between its neighbours."""
    if type(storage) is not np.ndarray or type(offset) is not int or type(stride) is not tuple:
        raise NoWeights("a tensor has no storage")
    count = count_of(size)
    count_of(stride)
    if len(stride) != len(size):
        raise NoWeights(f"a tensor of shape {size} has {len(stride)} strides")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True)) if count else offset
    if offset < 0 or last >= len(storage) + (not count):
        raise NoWeights(f"a tensor of shape {size} reaches beyond its storage")
    budget.take(count * storage.itemsize)
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], size, [step * storage.itemsize for step in stride], writeable=False
    )
    return view.copy()


def _parameter(budget: Budget, tensor: Any, *_gradient_and_hooks: Any) -> np.ndarray:
    if type(tensor) is not np.ndarray:
        raise NoWeights("a parameter has no tensor")
    return tensor


_NAMES = {
    **KNOWN_NAMES,
    ("torch._utils", "_rebuild_tensor_v2"): Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): Function(_parameter),
    ("torch", "Size"): FUNCTIONS["tuple"],
    **{("torch", name): _StorageType(code) for name, code in STORAGE_TYPES.items()},
}
