"""Tracing a network to a program in a process of its own, `python -m scenetext.export.trace`, which does job after job.

The old intermediate representation (`.pdmodel`) must be chosen before Paddle is imported, and a process that does
nothing else gives the same bytes for the same weights. A job is a folder: `job.json` (architecture, classes, size,
format, codings) and `weights.npz`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenetext.errors import RunError
from scenetext.export.network import ExportedNetwork
from scenetext.system.subprocesses import JobProcess, serve_jobs

if TYPE_CHECKING:
    from paddle import nn

    from scenetext.export.compress import QuantisedTensor

PROGRAM_SUFFIX = {"json": ".json", "pdmodel": ".pdmodel"}
BASE_NAME = "inference"
INPUT_NAME = "x"
CHANNELS = 3
GENERATED = "generated_tensor"  # Paddle's name for a tensor that was made from an array


class Tracer:
    """Traces networks to programs in one format. Use it in a `with` block, whose end ends the process.

    Args:
        format: "json" or "pdmodel".
    """

    def __init__(self, format: str):
        self.format = format
        self._process = JobProcess(
            "scenetext.export.trace", {"FLAGS_enable_pir_api": "0" if format == "pdmodel" else "1"}
        )

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    def _pdmodel_limit(self) -> str:
        """What a failure says first, because newer Paddles cannot write some networks in the old representation."""
        import paddle

        if self.format != "pdmodel" or tuple(map(int, paddle.__version__.split(".")[:2])) < (3, 2):
            return ""
        return (
            f"Paddle {paddle.__version__} cannot write every network as pdmodel: export as json, or use Paddle 3.0 or "
            "3.1 (the table in README.md); "
        )

    def trace(
        self,
        network: ExportedNetwork,
        quantised: Mapping[str, QuantisedTensor],
        job: Path,
    ) -> list[Path]:
        """Writes the program and the parameters of a network.

        Args:
            network: what is exported, its model fused, the weights still float32.
            quantised: the weights to store in quantised form, by key.
            job: an empty folder to work in; the files are left there.

        Returns:
            The program and `inference.pdiparams`.

        Raises:
            RunError: the process failed; the message holds its last line.
        """
        model = network.model
        arrays = {f"float/{key}": value.numpy() for key, value in model.state_dict().items()}
        for key, tensor in quantised.items():
            arrays.update({f"quantised/{key}/{name}": array for name, array in tensor.arrays.items()})
        np.savez(job / "weights.npz", **arrays)
        is_detector = network.config.Architecture.model_type == "det"
        description = {
            "architecture": network.config.Architecture.model_dump(),
            "classes": None if is_detector else model.head.classifier.weight.shape[1],
            "size": network.input_px,
            "format": self.format,
            "codings": {key: [tensor.coding, tensor.settings] for key, tensor in quantised.items()},
        }
        (job / "job.json").write_text(json.dumps(description), encoding="utf-8")
        try:
            self._process.run(job)
        except RunError as error:
            raise RunError(f"{self._pdmodel_limit()}{error}") from None
        return [job / f"{BASE_NAME}{PROGRAM_SUFFIX[self.format]}", job / f"{BASE_NAME}.pdiparams"]


def main() -> None:
    """What the process does."""
    from scenetext.system.process import prepare_process

    prepare_process()
    import paddle

    import scenetext.export.compress
    import scenetext.models  # noqa: F401

    paddle.set_device("cpu")
    serve_jobs(_save_program)


def _save_program(job: Path) -> None:
    """Builds the network of a job folder and saves it there."""
    import paddle

    from scenetext.export.compress import QuantisedTensor, replace_with_quantised
    from scenetext.export.program import shrink_json, shrink_pdmodel
    from scenetext.models import build_model

    description = json.loads((job / "job.json").read_text(encoding="utf-8"))
    with np.load(job / "weights.npz") as file:
        arrays = dict(file)
    model = build_model({"Architecture": description["architecture"]}, num_classes=description["classes"])
    model.drop_auxiliary_branch()
    model.eval()
    model.fuse()
    state = model.state_dict()
    for key, tensor in state.items():
        tensor.set_value(arrays[f"float/{key}"])
    quantised = {
        key: QuantisedTensor(
            coding, {name: arrays[f"quantised/{key}/{name}"] for name in _names(arrays, key)}, settings
        )
        for key, (coding, settings) in description["codings"].items()
    }
    replace_with_quantised(model, quantised)
    # the program holds the names of these buffers: short ones save bytes
    for number, tensor in enumerate(t for t in model.buffers() if t.name.startswith(GENERATED)):
        tensor.name = f"b{number}"
    # No branch of a network here depends on a tensor, so its layers can be traced directly. Translating their source
    # first, which Paddle does by default, gives the same program and takes longer than all the rest.
    paddle.jit.not_to_static(type(model).forward)
    shape = [None, CHANNELS, *description["size"]]
    paddle.jit.save(
        _probabilities(model, with_softmax=description["classes"] is not None),
        str(job / BASE_NAME),
        input_spec=[paddle.static.InputSpec(shape, "float32", name=INPUT_NAME)],
    )
    shrink = shrink_pdmodel if description["format"] == "pdmodel" else shrink_json
    shrink(job / f"{BASE_NAME}{PROGRAM_SUFFIX[description['format']]}")


def _names(arrays: Mapping[str, np.ndarray], key: str) -> list[str]:
    start = f"quantised/{key}/"
    return [name.removeprefix(start) for name in arrays if name.startswith(start)]


def _probabilities(model: nn.Layer, with_softmax: bool) -> nn.Layer:
    """The network that readers of an exported folder expect: a detector's own output are probabilities already."""
    from paddle import Tensor, nn

    class Probabilities(nn.Layer):
        """(B, 3, H, W) float32 → (B, T, C) probabilities; of a detector (B, 1, H, W)."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:  # paddle.jit.save wants the first argument to be named self
            y = self.model(x)
            return nn.functional.softmax(y, axis=-1) if with_softmax else y

    network = Probabilities()
    network.eval()
    return network


if __name__ == "__main__":
    main()
