"""A small network with random weights and its exports, made once for all test modules."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from drawn import draw_digits, tiny_config

_kept = tempfile.TemporaryDirectory(prefix="scenetext-tests-")  # removed when the process ends
LINES = 12


@functools.cache
def tiny_folder() -> Path:
    """A folder with `images`, `train.txt`, `charset.txt` of drawn digits and `tiny.pdparams`, random weights."""
    import paddle

    from scenetext.models import build_model

    folder = draw_digits(Path(_kept.name) / "tiny", LINES)
    paddle.seed(3)
    model = build_model(tiny_config(folder))
    state = model.state_dict()
    rng = np.random.default_rng(3)
    for key, tensor in state.items():  # as after training: normalisations that do something, a head that decides
        if key.endswith("_mean"):
            tensor.set_value(rng.normal(0, 0.1, tensor.shape).astype(np.float32))
        elif key.endswith("_variance"):
            tensor.set_value(rng.uniform(0.02, 0.1, tensor.shape).astype(np.float32))
    head = model.head.classifier
    head.weight.set_value(rng.normal(0, 8, head.weight.shape).astype(np.float32))
    paddle.save(model.state_dict(), str(folder / "tiny.pdparams"))
    return folder


def skip_without_converter() -> None:
    """Skips the test where paddle2onnx is not installed: it has no wheel for Python 3.13."""
    from scenetext.predict.onnx_conversion import can_convert

    if not can_convert():
        pytest.skip("paddle2onnx is not installed")


@functools.cache
def tiny_export(format: str, storage: str, max_mb: float = 10.0) -> Path:
    """The tiny network exported; the report is beside the folder."""
    from scenetext.export.exporter import export_model

    if format == "onnx":
        skip_without_converter()
    folder = tiny_folder()
    out = folder / f"{format}-{storage}-{max_mb}"
    export_model(
        tiny_config(folder),
        folder / "tiny",
        out,
        format=format,
        storage=storage,
        max_mb=max_mb,
        labels=folder / "train.txt",
        images=folder / "images",
        progress=False,
    )
    return out


def trace(format: str, model, config, canvas, job: Path, quantised=()) -> list[Path]:
    """The program and the parameters of a fused recogniser, written by a `Tracer`."""
    from types import SimpleNamespace

    from scenetext.export.trace import Tracer

    input_px = (canvas.height_px, canvas.width_px if canvas.fixed else None)
    with Tracer(format) as tracer:
        return tracer.trace(SimpleNamespace(model=model, config=config, input_px=input_px), dict(quantised), job)
