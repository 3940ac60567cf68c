"""oneDNN, the library in Paddle's own CPU wheel, computing on the memory of Paddle tensors.

In eager training Paddle uses its plain kernels, although its wheel carries oneDNN for inference. Here its C interface
(https://oneapi-src.github.io/oneDNN, version 3) is called through ctypes: an operation of given shapes is prepared once
as a `Primitive` and then runs on any tensors of these shapes. oneDNN chooses the layouts that it computes fastest in;
a primitive reorders what it is given into them and its results back.

Only layers in training mode use it. In evaluation mode Paddle's own kernels compute, because oneDNN adds up in another
order and its convolutions round up to twice as much. SCENETEXT_ONEDNN=0 in the environment switches all of it off.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, byref, c_float, c_int, c_int64, c_size_t, c_uint, c_void_p
from functools import cache
from pathlib import Path
from threading import RLock

import numpy as np
import paddle
from paddle import Tensor
from paddle.base import core
from paddle.base.framework import _dygraph_tracer

from scenetext.models.kernels.arrays import is_eager_float32_on_cpu

# dnnl_types.h
F32 = 3
FORWARD, BACKWARD = 64, 128
SRC, DST, WEIGHTS, BIAS, MEAN, VARIANCE, SCALE, SHIFT = 1, 17, 33, 41, 49, 50, 51, 52
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS, DIFF_SCALE, DIFF_SHIFT = 129, 145, 161, 169, 255, 256
_SCRATCHPAD, _ANY_LAYOUT, _CPU, _IN_ORDER, _USER_SCRATCHPAD, _LINEAR = 80, 1, 1, 1, 1, 0x26
_MD_OF_ARGUMENT, _SCRATCHPAD_MD = 255, 136  # dnnl_query_exec_arg_md, dnnl_query_scratchpad_md
RESULTS = {DST, MEAN, VARIANCE, DIFF_SRC, DIFF_WEIGHTS, DIFF_BIAS, DIFF_SCALE, DIFF_SHIFT}
ALIGNMENT = 64  # bytes, a cache line
FUNCTIONS = """
    dnnl_engine_create dnnl_stream_create dnnl_memory_create dnnl_memory_destroy dnnl_memory_set_data_handle
    dnnl_memory_desc_create_with_strides dnnl_memory_desc_create_with_tag dnnl_memory_desc_equal
    dnnl_memory_desc_get_size dnnl_post_ops_append_eltwise dnnl_post_ops_create dnnl_primitive_attr_create
    dnnl_primitive_attr_set_post_ops dnnl_primitive_attr_set_scratchpad_mode dnnl_primitive_create
    dnnl_primitive_desc_destroy dnnl_primitive_desc_query_md dnnl_primitive_destroy dnnl_primitive_execute
    dnnl_reorder_primitive_desc_create dnnl_version
    dnnl_convolution_backward_data_primitive_desc_create dnnl_convolution_backward_weights_primitive_desc_create
    dnnl_convolution_forward_primitive_desc_create dnnl_eltwise_backward_primitive_desc_create
    dnnl_eltwise_forward_primitive_desc_create dnnl_inner_product_forward_primitive_desc_create
    dnnl_layer_normalization_backward_primitive_desc_create dnnl_layer_normalization_forward_primitive_desc_create
    dnnl_matmul_primitive_desc_create dnnl_softmax_backward_primitive_desc_create
    dnnl_softmax_forward_primitive_desc_create
""".split()
"""All that the kernels call."""
MAJOR = 3  # the version whose arguments and numbers they are
PROCESSORS = {"x86_64", "AMD64"}  # elsewhere oneDNN's code is plain C++, slower than Paddle's
FILES = ("libdnnl.so.*", "libdnnl.*.dylib", "mkldnn.dll")  # on Linux, macOS and Windows

_lock = RLock()  # primitives share their scratch memory


class _Argument(Structure):
    _fields_ = (("index", c_int), ("memory", c_void_p))


class _Version(Structure):
    _fields_ = (("major", c_int), ("minor", c_int), ("patch", c_int), ("hash", c_void_p), ("cpu", c_uint))


@cache
def library() -> ctypes.CDLL | None:
    """oneDNN from Paddle's wheel, or None where `why_unused` says why not."""
    return _find(Path(paddle.__file__).parent / "libs")[0]


def why_unused() -> str:
    """Half a sentence about why oneDNN is not used in this process; empty if it is."""
    return _find(Path(paddle.__file__).parent / "libs")[1]


@cache
def _find(folder: Path) -> tuple[ctypes.CDLL | None, str]:
    """oneDNN from a folder, or None and why it is not used."""
    if os.environ.get("SCENETEXT_ONEDNN") == "0":
        return None, "SCENETEXT_ONEDNN=0 switches oneDNN off"
    if platform.machine() not in PROCESSORS:
        return None, f"oneDNN is slow on {platform.machine()}"
    path = next((path for pattern in FILES for path in sorted(folder.glob(pattern))), None)
    if path is None:
        return None, "this Paddle has no oneDNN"
    found = ctypes.CDLL(str(path))
    missing = [name for name in FUNCTIONS if not hasattr(found, name)]
    if missing:
        return None, f"this Paddle's oneDNN has no {missing[0]}"
    found.dnnl_version.restype = POINTER(_Version)
    found.dnnl_primitive_desc_query_md.restype = c_void_p
    found.dnnl_memory_desc_get_size.restype = c_size_t
    major = found.dnnl_version().contents.major
    return (found, "") if major == MAJOR else (None, f"this Paddle's oneDNN has version {major}, not {MAJOR}")


def is_usable(training: bool, *tensors: Tensor) -> bool:
    """Whether oneDNN computes with these tensors.

    Args:
        training: whether the layer is in training mode; in evaluation mode it is not used.
        tensors: must be float32 in CPU memory, in eager mode without mixed precision.
    """
    return training and is_eager_float32_on_cpu(*tensors) and not _mixes_precisions() and library() is not None


def _mixes_precisions() -> bool:
    return _dygraph_tracer()._amp_level != core.AmpLevel.O0


def _checked(status: int, function: str) -> None:
    if status != 0:
        raise RuntimeError(f"oneDNN: {function} returned {status}.")


def call(function: str, *arguments: object) -> None:
    """Calls a function of oneDNN's C interface; raises RuntimeError where it reports a failure."""
    _checked(getattr(library(), function)(*arguments), function)


@cache
def _engine() -> c_void_p:
    engine = c_void_p()
    call("dnnl_engine_create", byref(engine), _CPU, c_size_t(0))
    return engine


@cache
def _stream() -> c_void_p:
    stream = c_void_p()
    call("dnnl_stream_create", byref(stream), _engine(), _IN_ORDER)
    return stream


@cache
def _attributes(factor: float) -> c_void_p:
    """The attributes of a primitive that is given its scratch memory and whose result is multiplied by `factor`."""
    attributes, steps = c_void_p(), c_void_p()
    call("dnnl_primitive_attr_create", byref(attributes))
    call("dnnl_primitive_attr_set_scratchpad_mode", attributes, _USER_SCRATCHPAD)
    if factor != 1.0:
        call("dnnl_post_ops_create", byref(steps))
        call("dnnl_post_ops_append_eltwise", steps, _LINEAR, c_float(factor), c_float(0.0))
        call("dnnl_primitive_attr_set_post_ops", attributes, steps)
    return attributes


def integers(values: Sequence[int]) -> ctypes.Array:
    """Numbers as oneDNN takes dimensions."""
    return (c_int64 * len(values))(*values)


@cache
def layout(shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> c_void_p:
    """The description of float32 memory.

    Args:
        shape: of the tensor.
        strides: of each axis in numbers; None leaves the layout to oneDNN.
    """
    description = c_void_p()
    where = (byref(description), len(shape), integers(shape), F32)
    if strides is None:
        call("dnnl_memory_desc_create_with_tag", *where, _ANY_LAYOUT)
    else:
        call("dnnl_memory_desc_create_with_strides", *where, integers(strides))
    return description


class _Scratch:
    """Memory that all primitives use one after the other; it grows to what the greediest one needs."""

    def __init__(self):
        self.memory = np.empty(0, np.uint8)

    def at_least(self, size: int) -> int:
        """The address of `size` bytes."""
        if self.memory.size < size + ALIGNMENT:
            self.memory = np.empty(size + ALIGNMENT, np.uint8)
        address = self.memory.ctypes.data
        return address + -address % ALIGNMENT


_scratch = _Scratch()


class _Memory:
    """A oneDNN memory object without memory of its own."""

    def __init__(self, description: c_void_p):
        self.handle, self.library = c_void_p(), library()
        call("dnnl_memory_create", byref(self.handle), description, _engine(), None)

    def at(self, address: int) -> None:
        library().dnnl_memory_set_data_handle(self.handle, c_void_p(address))

    def __del__(self):
        self.library.dnnl_memory_destroy(self.handle)


class _Operation:
    """A prepared operation on memory objects.

    Args:
        description: of the primitive; it is destroyed.
        memories: of its arguments, by index.
    """

    def __init__(self, description: c_void_p, memories: Mapping[int, _Memory]):
        self.handle, self.memories, self.library = c_void_p(), memories, library()
        call("dnnl_primitive_create", byref(self.handle), description)
        self.arguments = (_Argument * len(memories))(*((i, m.handle) for i, m in memories.items()))

    def run(self) -> None:
        status = library().dnnl_primitive_execute(self.handle, _stream(), len(self.arguments), self.arguments)
        _checked(status, "dnnl_primitive_execute")

    def __del__(self):
        self.library.dnnl_primitive_destroy(self.handle)


def _reordering(source: c_void_p, source_memory: _Memory, target: c_void_p, target_memory: _Memory) -> _Operation:
    description = c_void_p()
    both = (source, _engine(), target, _engine())
    call("dnnl_reorder_primitive_desc_create", byref(description), *both, None)
    operation = _Operation(description, {SRC: source_memory, DST: target_memory})
    call("dnnl_primitive_desc_destroy", description)
    return operation


class Primitive:
    """An operation of oneDNN for tensors of given shapes and layouts.

    Args:
        function: of oneDNN that describes it, without "dnnl_" and "_primitive_desc_create".
        options: that function's arguments after the engine and before the attributes.
        layouts: those of the tensors that `run` will be given, by argument.
        factor: the result is multiplied by it.
    """

    def __init__(self, function: str, options: Sequence[object], layouts: Mapping[int, c_void_p], factor: float = 1.0):
        self.description, self.library = c_void_p(), library()
        create = f"dnnl_{function}_primitive_desc_create"
        call(create, byref(self.description), _engine(), *options, _attributes(factor))
        self.given = {index: _Memory(own) for index, own in layouts.items()}
        self.before, self.after, self.inner = [], [], []
        self.size, memories = 0, {}
        for index, own in layouts.items():
            wanted = self._wanted(_MD_OF_ARGUMENT, index)
            if library().dnnl_memory_desc_equal(own, wanted):
                memories[index] = self.given[index]
                continue
            inner = memories[index] = self._placed(wanted)
            if index in RESULTS:
                self.after.append(_reordering(wanted, inner, own, self.given[index]))
            else:
                self.before.append(_reordering(own, self.given[index], wanted, inner))
        memories[_SCRATCHPAD] = self._placed(self._wanted(_SCRATCHPAD_MD, 0))
        self.operation = _Operation(self.description, memories)

    def _wanted(self, what: int, index: int) -> c_void_p:
        return c_void_p(library().dnnl_primitive_desc_query_md(self.description, what, index))

    def _placed(self, description: c_void_p) -> _Memory:
        """A memory object whose memory is the next part of the scratch memory."""
        memory = _Memory(description)
        self.inner.append((memory, self.size))
        size = library().dnnl_memory_desc_get_size(description)
        self.size += size + -size % ALIGNMENT
        return memory

    def run(self, tensors: Mapping[int, Tensor | int]) -> None:
        """Computes.

        Args:
            tensors: by argument, or the addresses of their memory; the results are written into them.
        """
        with _lock:
            start = _scratch.at_least(self.size)
            for memory, offset in self.inner:
                memory.at(start + offset)
            for index, tensor in tensors.items():
                self.given[index].at(tensor if isinstance(tensor, int) else tensor.data_ptr())
            for operation in (*self.before, self.operation, *self.after):
                operation.run()

    def __del__(self):
        self.library.dnnl_primitive_desc_destroy(self.description)


def product(a: c_void_p, b: c_void_p, result: c_void_p, factor: float = 1.0) -> Primitive:
    """The matrix product of SRC and WEIGHTS, times a factor, in DST; several at once where the tensors have three axes.

    Args:
        a, b, result: the layouts.
        factor: on every number of the result.
    """
    return Primitive("matmul", (a, b, None, result), {SRC: a, WEIGHTS: b, DST: result}, factor)
