"""A CPU that imitates a GPU, so that mixed precision can be tested on a machine for which Paddle has none.

Paddle's own code casts, scales and skips; only its checks of the device are replaced. A CPU has no convolution and no
matrix product in half precision, so these two round their inputs and their outputs. Paddle's tracer casts the inputs of
all other operations to float32, as it does on a GPU for operations that have no half precision. Other operations that a
GPU does compute in half precision are therefore not imitated.
"""

from __future__ import annotations

import importlib
from types import SimpleNamespace

from paddle import _C_ops
from paddle.base import core
from paddle.base.framework import _dygraph_tracer

from scenetext.train import precision

ROUNDED = {"conv2d": "conv2d", "matmul": "matmul_v2"}  # Paddle's function, its name in the lists


def imitate(monkeypatch) -> None:
    """Makes `precision` and Paddle treat this CPU as a GPU until the test is over."""
    casting, scaling = (importlib.import_module(f"paddle.amp.{name}") for name in ("auto_cast", "grad_scaler"))
    tracer = _TracerOfGPU(_dygraph_tracer())
    monkeypatch.setattr(precision, "_why_unsupported", lambda dtype: None)
    for module in (casting, scaling):
        monkeypatch.setattr(module, "_dygraph_tracer", lambda: tracer)
    for dtype in ("float16", "bfloat16"):
        monkeypatch.setattr(casting, f"_is_gpu_{dtype}_supported", lambda: True)
    for function, name in ROUNDED.items():
        monkeypatch.setattr(_C_ops, function, _rounded(getattr(_C_ops, function), name))
    monkeypatch.setattr(_C_ops, "linear", _linear)


class _TracerOfGPU:
    def __init__(self, tracer):
        place = SimpleNamespace(is_gpu_place=_yes, is_xpu_place=_no, is_custom_place=_no)
        self.__dict__.update(tracer=tracer, _expected_place=place)

    def __getattr__(self, name):
        return getattr(self.tracer, name)

    def __setattr__(self, name, value):
        setattr(self.tracer, name, value)


def _yes() -> bool:
    return True


def _no() -> bool:
    return False


def _rounded(function, name):
    def computed(x, y, *options):
        tracer = _dygraph_tracer()
        if tracer._amp_level == core.AmpLevel.O0 or name not in tracer._get_amp_op_list()[0]:
            return function(x, y, *options)
        dtype = tracer._amp_dtype
        return function(*(t.astype(dtype).astype("float32") for t in (x, y)), *options).astype(dtype)

    return computed


def _linear(x, weight, bias=None):
    product = _C_ops.matmul(x, weight, False, False)
    return product if bias is None else product + bias
