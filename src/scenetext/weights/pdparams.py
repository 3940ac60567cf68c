"""Reading Paddle's pickled weight files without running code in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scenetext.errors import InputError
from scenetext.system.untrusted import reading
from scenetext.weights.pickled_arrays import NoWeights
from scenetext.weights.restricted_pickle import ForbiddenName, read_pickle

NAME_TABLE = "StructuredToParameterName@@"  # paddle.save's map from keys to its own parameter names
MOST_NAME = 200  # characters of a parameter's name in a message
MOST_SHARED = 4  # how often the arrays of a file may use its bytes: some networks name a tensor twice


def unpickle_arrays(path: str | Path) -> Any:
    """Unpickles a file that may hold only numbers, texts, containers and numpy arrays.

    Raises:
        InputError: the file is missing, is no pickle, or names anything that could run code.
    """
    path = Path(path)
    with reading(path, "a file of Paddle weights", "fetch or copy it again"):
        if not path.exists():
            raise InputError(f"The weights {path} do not exist.")
        if not path.is_file():
            raise InputError(f"The weights {path} cannot be read: that is no file, but a folder, a pipe or a device.")
        try:
            with open(path, "rb") as file:
                return read_pickle(file, path.stat().st_size)
        except ForbiddenName as error:
            raise InputError(
                f"{path} asks to run {error.name} while it is read, which weights never need; it was refused and "
                "nothing of it was run."
            ) from None
        except NoWeights as error:
            raise InputError(
                f"{path} is not a whole file of Paddle weights ({error}): fetch or copy it again."
            ) from None


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
    left_bytes = MOST_SHARED * path.stat().st_size
    for key, value in content.items():
        if key == NAME_TABLE:
            continue
        location = f"{path}: {str(key)[:MOST_NAME]}"
        if isinstance(value, tuple) and len(value) == 2:  # (parameter name, array), as some Paddle releases write
            value = value[1]
        if not isinstance(value, np.ndarray):
            raise InputError(f"{location} is a {type(value).__name__}, not an array.")
        left_bytes -= value.nbytes
        if left_bytes < 0:
            raise InputError(f"{location} is one more name for the same numbers, too many for a file of weights.")
        arrays[str(key)] = finite_numbers(value, location)
    return arrays


def finite_numbers(array: np.ndarray, location: str) -> np.ndarray:
    """The array, bfloat16 as float32.

    Raises:
        InputError: it holds something else than numbers, or numbers that are not finite; the message names `location`.
    """
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
    table = content.get(NAME_TABLE, {}) if isinstance(content, dict) else {}
    if not isinstance(table, dict) or not all(isinstance(name, str) for pair in table.items() for name in pair):
        raise InputError(f"{with_suffix(path, '.pdparams')}: {NAME_TABLE} is no table of names.")
    return dict(table)


def with_suffix(path: str | Path, suffix: str) -> Path:
    """`path` itself when it ends in `suffix`, else `path` with `suffix` added (a prefix may hold dots)."""
    path = str(path)
    return Path(path if path.endswith(suffix) else path + suffix)
