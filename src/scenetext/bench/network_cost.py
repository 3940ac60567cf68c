"""What a network costs: its parameters, its multiplications and its bytes, counted from the exported folder alone.

ONNX Runtime runs the folder's network once and notes the shapes that every operator really saw, so loops and shapes
that depend on the input are counted as they are. Its basic optimisation has decoded quantised weights and folded
constants before.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.predict.model_folder import model_bytes, read_inference_yml
from scenetext.predict.onnx_conversion import onnx_file

CHANNELS = 3
COUNTED_WIDTH_PX = 320  # as papers on Chinese lines count
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """What a network costs.

    Attributes:
        parameters: the numbers in its constants, decoded: weights, and what a paper does not count as parameters, such
            as the masks of SVTR's local attention.
        canvas_px: height and width of the line that was counted on: COUNTED_WIDTH_PX wide, or as wide as the network's
            only size.
        multiply_adds: multiplications with addition on that line, of convolutions, matrix products and recurrent
            layers; most papers call this number FLOPs.
        size_bytes: of the program and its parameters on the disk.
    """

    parameters: int
    canvas_px: tuple[int, int]
    multiply_adds: int
    size_bytes: int


def network_cost(folder: str | Path) -> NetworkCost:
    """Counts what the network of an exported folder costs.

    Args:
        folder: the exported folder.

    Raises:
        InputError: the folder is not complete, or cannot be converted to ONNX here.
    """
    canvas = read_inference_yml(folder).canvas
    path = onnx_file(folder)
    size = (canvas.height_px, canvas.width_px if canvas.fixed else COUNTED_WIDTH_PX)
    with tempfile.TemporaryDirectory(prefix="scenetext-cost-") as scratch:
        folded = Path(scratch) / "folded.onnx"
        nodes = _profile(path, folded, (1, CHANNELS, *size), Path(scratch))
        return NetworkCost(_parameters(folded), size, sum(map(multiply_adds, nodes)), model_bytes(folder))


def multiply_adds(node: Mapping[str, Any]) -> int:
    """The multiplications with addition of one operator's run; 0 of operators that only add, compare or move.

    Args:
        node: `op_name`, `input_type_shape` and `output_type_shape` of ONNX Runtime's profile; shapes stand behind their
            types.
    """
    kind = node["op_name"]
    inputs, outputs = _shapes(node["input_type_shape"]), _shapes(node["output_type_shape"])
    if kind == "Conv":  # each output takes one row of the weights (out, in / groups, ...)
        return math.prod(outputs[0]) * math.prod(inputs[1][1:])
    if kind == "ConvTranspose":  # each input goes into one row of the weights (in, out / groups, ...)
        return math.prod(inputs[0]) * math.prod(inputs[1][1:])
    if kind == "MatMul":
        return math.prod(outputs[0]) * inputs[0][-1]
    if kind == "Gemm":  # of two matrices, of which each may be transposed
        return math.prod(outputs[0]) * (math.prod(inputs[0]) // outputs[0][0])
    if kind in _GATES:  # of the input and of the state, at every step
        steps, batch, _ = inputs[0]
        return steps * batch * (math.prod(inputs[1]) + math.prod(inputs[2]))
    return 0


def _shapes(entries: Sequence[Mapping[str, Sequence[int]]]) -> list[Sequence[int]]:
    return [next(iter(entry.values())) for entry in entries]


def _profile(path: Path, folded: Path, shape: tuple[int, ...], scratch: Path) -> list[dict[str, Any]]:
    """Runs a network once; returns what ONNX Runtime notes of each operator, and writes the folded network."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(scratch / "profile")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # operators keep their names
    options.optimized_model_filepath = str(folded)
    options.add_session_config_entry("session.disable_prepacking", "1")  # packed weights have no shape
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [event["args"] for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]


def _parameters(path: Path) -> int:
    """The floating-point numbers in the constants of an ONNX file."""
    import onnx

    floating = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}
    graph = onnx.load(str(path)).graph
    return sum(math.prod(constant.dims) for constant in graph.initializer if constant.data_type in floating)
