"""The functions that a pickle of weights names, carried out with every size checked; see `restricted_pickle`.

numpy pickles an array as `_reconstruct(ndarray, (0,), b"b")` and a state (version, shape, dtype, order, bytes), or by
protocol 5 as `_frombuffer`; a dtype as `dtype(code)` and a state that holds its byte order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

_DTYPE = re.compile(r"[<>|=]?[a-zA-Z][0-9]{0,4}")
_LATIN_1 = ("latin1", "latin-1", "iso-8859-1")
_MOST_DIMENSIONS = 32


class NoWeights(ValueError):
    """The pickle is damaged, or holds more than weights can; the message says what, without the file's name."""


class Function:
    """A function that a pickle may name.

    Args:
        run: carries it out, from a Budget and the arguments.
    """

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run


class Type:
    """A dtype, whose byte order its state may change after it was used."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype

    def set_state(self, state: Any) -> None:
        """Sets the byte order; fields and sub-arrays are refused."""
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise NoWeights("an array has a type of several parts")
        if order != "|":
            self.dtype = self.dtype.newbyteorder(order)


class Budget:
    """Counts bytes that are made of what a file holds: each byte of a file may be used about twice.

    Args:
        size_bytes: of the file.
    """

    def __init__(self, size_bytes: int) -> None:
        self._left = 2 * size_bytes + 4096

    def take(self, count: int) -> None:
        """Raises NoWeights if a file of that size cannot need `count` bytes more."""
        self._left -= count
        if self._left < 0:
            raise NoWeights("more is made of its bytes than weights of that size hold")


def call(function: Any, arguments: Any, budget: Budget) -> Any:
    """The result of one of the functions.

    Raises:
        NoWeights: weights call no function in this way.
    """
    if not isinstance(function, Function) or type(arguments) is not tuple:
        raise NoWeights("something is called that is no function")
    return function.run(budget, *arguments)


def fill(array: np.ndarray, state: Any, budget: Budget) -> None:
    """Gives an array that `_reconstruct` made its shape, type and numbers.

    Raises:
        NoWeights: the bytes are not exactly those of an array of that shape and type.
    """
    _version, shape, kind, fortran, data = state
    dtype = _dtype_of(kind)
    if array.size or dtype.hasobject != (type(data) is list):
        raise NoWeights("an array is filled with something else")
    data = data.encode("latin1") if type(data) is str else data
    held = len(data) * (dtype.itemsize if type(data) is list else 1)
    if type(data) not in (bytes, list) or count_of(shape) * dtype.itemsize != held:
        raise NoWeights(f"an array of shape {shape} and type {dtype} holds {held} bytes")
    budget.take(held)
    array.__setstate__((1, shape, dtype, bool(fortran), data))


def _dtype_of(kind: Any) -> np.dtype:
    if not isinstance(kind, Type):
        raise NoWeights("an array has no type")
    return kind.dtype


def count_of(shape: Any) -> int:
    """The number of values in an array of that shape; it may be too large for numpy."""
    if (
        type(shape) is not tuple
        or len(shape) > _MOST_DIMENSIONS
        or not all(type(side) is int and side >= 0 for side in shape)
    ):
        raise NoWeights("an array has a shape that is none")
    product = 1
    for side in shape:
        product *= side
    return product


def _call_dtype(budget: Budget, code: Any, *_flags: Any) -> Type:
    if type(code) is not str or not _DTYPE.fullmatch(code):
        raise NoWeights(f"an array has the type {str(code)[:40]!r}")
    return Type(np.dtype(code))


def _call_encode(budget: Budget, text: Any, encoding: Any = "latin1") -> bytes:
    if type(text) is not str or encoding not in _LATIN_1:
        raise NoWeights("a text is encoded as something else than bytes")
    budget.take(len(text))
    return text.encode("latin1")


def _call_reconstruct(budget: Budget, kind: Any, shape: Any, code: Any) -> np.ndarray:
    if kind is not FUNCTIONS["ndarray"] or shape != (0,) or code not in (b"b", "b"):
        raise NoWeights("an array is made in an unusual way")
    return np.empty(0, np.int8)


def _call_scalar(budget: Budget, kind: Any, data: Any) -> Any:
    if type(data) is str:
        data = data.encode("latin1")
    dtype = _dtype_of(kind)
    if dtype.hasobject or type(data) is not bytes or len(data) != dtype.itemsize:
        raise NoWeights("a number has a type of another size")
    return np.frombuffer(data, dtype)[0]


def _call_frombuffer(budget: Budget, data: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray:
    dtype = _dtype_of(kind)
    if dtype.hasobject or type(data) not in (bytes, bytearray):
        raise NoWeights("an array is made of something else than bytes")
    if order not in ("C", "F") or count_of(shape) * dtype.itemsize != len(data):
        raise NoWeights(f"an array of shape {shape} and type {dtype} holds {len(data)} bytes")
    budget.take(len(data))
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _call_tuple(budget: Budget, items: Any = ()) -> tuple[Any, ...]:
    if type(items) not in (list, tuple):
        raise NoWeights("a tuple is made of something else than values")
    budget.take(8 * len(items))
    return tuple(items)


def _call_bytes(budget: Budget) -> bytes:
    return b""


def _call_ordered_dict(budget: Budget, items: Any = ()) -> dict[Any, Any]:
    if type(items) is not list and items != ():
        raise NoWeights("a dictionary is made of something else than pairs")
    budget.take(8 * len(items))
    result: dict[Any, Any] = {}
    for key, value in items:
        result[checked_key(key)] = value
    return result


def _call_ndarray(budget: Budget, *_arguments: Any) -> np.ndarray:
    raise NoWeights("an array is made without its numbers")


_CALLS: dict[str, Callable[..., Any]] = {
    "tuple": _call_tuple,
    "bytes": _call_bytes,
    "OrderedDict": _call_ordered_dict,
    "encode": _call_encode,
    "ndarray": _call_ndarray,
    "dtype": _call_dtype,
    "_reconstruct": _call_reconstruct,
    "scalar": _call_scalar,
    "_frombuffer": _call_frombuffer,
}
FUNCTIONS = {name: Function(run) for name, run in _CALLS.items()}


def checked_key(key: Any) -> Any:
    """A key of a dictionary; tuples are none here, because hashing nested ones recurses in C."""
    if type(key) not in (str, int, bytes, float, bool):
        raise NoWeights(f"a dictionary has a {type(key).__name__} as a key")
    return key
