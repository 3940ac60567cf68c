"""Reading Paddle's pickled weight files without running code in them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np

from scenetext.errors import InputError

# the globals of pickled numpy arrays, of numpy 1 and 2; every other global is refused
ALLOWED_GLOBALS = {
    ("builtins", "tuple"),  # paddle.save makes (name, array) of a tensor inside other containers
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
}
# the unpickler's exceptions on other bytes
BROKEN_PICKLE = (pickle.UnpicklingError, EOFError, ValueError, LookupError, AttributeError, TypeError)
BROKEN_PICKLE += (OverflowError, MemoryError)  # a length that the bytes claim
NAME_TABLE = "StructuredToParameterName@@"  # paddle.save's map from keys to its own parameter names


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], path: Path):
        super().__init__(file, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_GLOBALS:
            raise InputError(
                f"{self.path} asks to run {module}.{name} while it is read, which weights never need; "
                "it was refused and nothing of it was run."
            )
        return super().find_class(module, name)


def unpickle_arrays(path: str | Path) -> Any:
    """Unpickles a file that may hold only numbers, texts, containers and numpy arrays.

    Raises:
        InputError: the file is missing, is no pickle, or names anything that could run code.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            return _ArrayUnpickler(file, path).load()
    except FileNotFoundError:
        raise InputError(f"The weights {path} do not exist.") from None
    except OSError as error:
        raise InputError(f"The weights {path} cannot be read ({error.strerror}).") from None
    except BROKEN_PICKLE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a whole file of Paddle weights ({error}).") from None


def read_pdparams(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a `.pdparams` file: PaddleOCR's keys → arrays, without running pickled code.

    Args:
        path: the file, or the same path without the suffix.

    Returns:
        Finite numbers, each array in the file's own dtype; bfloat16, which the file holds as uint16, as float32.

    Raises:
        InputError: the file is missing, broken, unsafe, or holds something other than named arrays of finite numbers.
    """
    path = with_suffix(path, ".pdparams")
    content = unpickle_arrays(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a table of named weights.")
    arrays = {}
    for key, value in content.items():
        if key == NAME_TABLE:
            continue
        if isinstance(value, tuple) and len(value) == 2:  # (parameter name, array), as some Paddle releases write
            value = value[1]
        if not isinstance(value, np.ndarray):
            raise InputError(f"{path}: {key} is a {type(value).__name__}, not an array.")
        arrays[str(key)] = _numbers(value, f"{path}: {key}")
    return arrays


def _numbers(array: np.ndarray, location: str) -> np.ndarray:
    if array.dtype == np.uint16:  # how Paddle pickles bfloat16: the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{location} holds {array.dtype} values, not numbers.")
    if not np.isfinite(array).all():
        raise InputError(
            f"{location} holds numbers that are not finite: that training had diverged; take earlier weights."
        )
    return array


def read_parameter_names(path: str | Path) -> dict[str, str]:
    """Paddle's own names of the parameters in a `.pdparams` file, by key: what a `.pdopt` file is keyed by."""
    content = unpickle_arrays(with_suffix(path, ".pdparams"))
    return dict(content.get(NAME_TABLE, {})) if isinstance(content, dict) else {}


def with_suffix(path: str | Path, suffix: str) -> Path:
    """`path` itself when it ends in `suffix`, else `path` with `suffix` added (a prefix may hold dots)."""
    path = str(path)
    return Path(path if path.endswith(suffix) else path + suffix)
