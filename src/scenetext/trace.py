"""Making the program of a network in a process of its own: `python -m scenetext.trace JOB`.

The old intermediate representation (`.pdmodel`) must be chosen before Paddle is imported, and Paddle numbers the
parameters of all networks of a process; a fresh process gives either format, and the same bytes for the same weights.
The job is a folder: `job.json` (architecture, classes, height, codings) and `weights.npz`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.errors import RunError

if TYPE_CHECKING:
    from scenetext.data.transforms import Canvas
    from scenetext.compress import StoredTensor
    from scenetext.models.recogniser import Recogniser

PROGRAM_SUFFIX = {"json": ".json", "pdmodel": ".pdmodel"}
BASE_NAME = "inference"
INPUT_NAME = "x"
CHANNELS = 3


def trace(
    model: Recogniser,
    config: Mapping[str, Any],
    stored: Mapping[str, StoredTensor],
    job: Path,
    format: str,
    canvas: Canvas,
) -> list[Path]:
    """Writes the program and the parameters of a network.

    Args:
        model: the fused network, its weights still float32.
        config: the configuration it was built from.
        stored: the weights to be stored in coded form.
        job: an empty folder to work in; the files are left there.
        format: "json" or "pdmodel".
        canvas: what lines are laid on; unless it is fixed, the width of the program's input is free.

    Returns:
        The program and `inference.pdiparams`.

    Raises:
        RunError: the process failed; the message holds its last line.
    """
    arrays = {f"float/{key}": value.numpy() for key, value in model.state_dict().items()}
    for key, tensor in stored.items():
        arrays.update({f"coded/{key}/{name}": array for name, array in tensor.arrays.items()})
    np.savez(job / "weights.npz", **arrays)
    order = {
        "architecture": config["Architecture"],
        "classes": model.head.classifier.weight.shape[1],
        "height": canvas.height_px,
        "width": canvas.width_px if canvas.fixed else None,
        "format": format,
        "codings": {key: [tensor.coding, tensor.settings] for key, tensor in stored.items()},
    }
    (job / "job.json").write_text(json.dumps(order), encoding="utf-8")
    run_module("scenetext.trace", [str(job)], {"FLAGS_enable_pir_api": "0" if format == "pdmodel" else "1"})
    return [job / f"{BASE_NAME}{PROGRAM_SUFFIX[format]}", job / f"{BASE_NAME}.pdiparams"]


def run_module(
    module: str,
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], object] = lambda line: None,
) -> None:
    """Runs `python -m module` in a fresh process.

    Args:
        module: dotted name.
        arguments: its command line.
        environment: further environment variables.
        on_line: told each line of its standard output as it comes.

    Raises:
        RunError: it ended badly; the message names the last line that it wrote.
    """
    # this copy of the package, also where it is not installed
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout:
                on_line(line.rstrip("\n"))
        except BaseException:
            process.kill()
            raise
        status = process.wait()
        errors.seek(0)
        lines = [line.strip() for line in errors if line.strip()]
    if status:
        last = lines[-1] if lines else "no message"
        raise RunError(f"python -m {module} ended with status {status}: {last}")


def main(arguments: list[str]) -> None:
    """The process's own part: builds the network from the job folder and saves it there."""
    from scenetext.cpu import prepare_process

    prepare_process()
    import paddle

    from scenetext.compress import StoredTensor, store_weights
    from scenetext.models import build_model
    from scenetext.program import shrink_json, shrink_pdmodel

    (job,) = map(Path, arguments)
    order = json.loads((job / "job.json").read_text(encoding="utf-8"))
    with np.load(job / "weights.npz") as file:
        arrays = dict(file)
    paddle.set_device("cpu")
    model = build_model({"Architecture": order["architecture"]}, num_classes=order["classes"])
    model.eval()
    model.fuse()
    state = model.state_dict()
    for key, tensor in state.items():
        tensor.set_value(arrays[f"float/{key}"])
    stored = {
        key: StoredTensor(coding, {name: arrays[f"coded/{key}/{name}"] for name in _names(arrays, key)}, settings)
        for key, (coding, settings) in order["codings"].items()
    }
    store_weights(model, stored)
    # No branch of a network here depends on a tensor, so its layers run as they are; translating their source first,
    # as Paddle would, gives the same program and takes longer than all the rest.
    paddle.jit.not_to_static(type(model).forward)
    shape = [None, CHANNELS, order["height"], order["width"]]
    paddle.jit.save(
        _with_softmax(model),
        str(job / BASE_NAME),
        input_spec=[paddle.static.InputSpec(shape, "float32", name=INPUT_NAME)],
    )
    if order["format"] == "pdmodel":
        shrink_pdmodel(job / f"{BASE_NAME}.pdmodel")
    else:
        shrink_json(job / f"{BASE_NAME}.json")


def _names(arrays: Mapping[str, np.ndarray], key: str) -> list[str]:
    start = f"coded/{key}/"
    return [name.removeprefix(start) for name in arrays if name.startswith(start)]


def _with_softmax(model: Recogniser):
    from paddle import Tensor, nn

    class Probabilities(nn.Layer):
        """(B, 3, H, W) float32 → (B, T, C) probabilities, as readers of an exported folder expect them."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:  # paddle.jit.save wants the first argument to be named self
            return nn.functional.softmax(self.model(x), axis=-1)  # (B, T, C)

    network = Probabilities()
    network.eval()
    return network


if __name__ == "__main__":
    main(sys.argv[1:])
