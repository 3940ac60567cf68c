"""Filling a network by the rule of the reference outputs, so that its answers can be compared with them."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import paddle

# gains that keep the activations of filled detectors small, much as in the reference
SMALL_ACTIVATIONS = [
    [r"(m\.2|compress)\.bn\.weight$", "gain", 0.2],
    [r"token_mixer\.(0|rep_dw)\.bn\.weight$", "gain", 0.5],
    [r"(dw_conv|pw_conv)\.lab\.scale$", "gain", 0.46],
    [r"lab\.bias$", "gain", 0.3],
    [r"neck\.inp_conv", "gain", 0.2],
    [r"head\..*\.conv[13]\.weight$", "gain", 0.3],
]


def read_table(shared: Path, name: str) -> dict:
    """The reference network's parameter table."""
    return json.loads((shared / "parity" / "models" / f"{name}.json").read_text(encoding="utf-8"))


def fill(model, rules: list) -> None:
    """Gives every parameter the value that its key and shape decide; keys that name the same tensor share it."""
    seen: set[int] = set()
    for key, tensor in model.state_dict().items():
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        tensor.set_value(_value(key, tensor, rules))


def _value(key: str, tensor, rules: list) -> np.ndarray:
    shape = tuple(tensor.shape)
    rng = np.random.RandomState(zlib.crc32(key.encode("utf-8")) & 0xFFFFFFFF)
    if key.endswith("_variance"):
        value = 0.5 + rng.random_sample(shape)
    elif key.endswith("_mean"):
        value = 0.1 * rng.standard_normal(shape)
    elif len(shape) >= 2:
        fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
        value = rng.standard_normal(shape) * np.sqrt(2 / fan_in)
    elif key.endswith(("weight", "scale")):
        value = 1 + 0.1 * rng.standard_normal(shape)
    else:
        value = 0.1 * rng.standard_normal(shape)
    for pattern, operation, gain in rules:
        if re.search(pattern, key):
            if operation == "keep":
                value = tensor.numpy()
            elif operation == "gain":
                value = value * gain
            else:  # "init+"
                value = tensor.numpy() + gain * value
            break
    return np.asarray(value, np.float64).astype(np.float32)


def inputs(shape: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
    """The two reference inputs, noise and smooth waves, (B, C, H, W) float32."""
    b, c, h, w = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    waves = 0.7 * np.sin(2 * np.pi * (w * (c + 1) / 61 + h * (b + 1) / 23))
    waves += 0.3 * np.cos(2 * np.pi * w * w / (7 * shape[3]))
    noise = np.random.RandomState(0).uniform(-1, 1, shape)
    return {"a": noise.astype(np.float32), "b": waves.astype(np.float32)}


def randomise_statistics(model) -> None:
    """Gives batch normalisations running statistics other than their first ones."""
    for key, value in model.state_dict().items():
        if key.endswith("_mean"):
            value.set_value(0.1 * paddle.randn(value.shape))
        elif key.endswith("_variance"):
            value.set_value(0.5 + paddle.rand(value.shape))


def with_the_same_products_everywhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls `function` in a process whose matrix products have the same digits on every x86 processor.

    Training steps amplify rounding: Adam turns an error in a gradient near 0 into a step as large as any other, and
    batch statistics of two lines behind a spline change a loss by 1 % where the products differ in the last digit. MKL
    chooses its code by the processor, by its environment and by whoever used it first in the process.
    """
    chosen = ("MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA")
    with mock.patch.dict(os.environ, {"MKL_CBWR": "COMPATIBLE"}):
        for name in chosen:
            os.environ.pop(name, None)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(function, arguments)
