"""One network as ONNX in several precisions, each as an exported folder of its own.

SVTR's deployment guides (DeepSpark's among them) go this way: export, simplify, FP32 and FP16. Simplified is what
onnxslim makes: small constants folded and operators joined. Weights that the export quantised stay so, up to
FOLDED_BYTES each; folded, they would take four times the bytes. FP16 and INT8 are made of the weights unpacked. FP16
stores weights in 16 bits and computes in them, but for inputs, outputs and KEPT_FP32. INT8 is ONNX Runtime's dynamic
quantisation: weights are stored in 8 bits, and each input is quantised when it comes.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.errors import InputError
from scenetext.predict.model_folder import ONNX, read_inference_yml
from scenetext.predict.onnx_conversion import onnx_file
from scenetext.system.files import replacing

if TYPE_CHECKING:
    import onnx

FP32, SIMPLIFIED, FP16, INT8 = "FP32", "FP32 simplified", "FP16", "INT8 dynamic"
KEPT_FP32 = ("LSTM", "GRU", "RNN", "Transpose")
"""Operators that stay FP32 in the FP16 file. ONNX Runtime 1.31 has recurrent layers for CPUs in FP32 alone; in FP16
they, and transpositions beside them, end the process that opens the file (segmentation fault)."""

FOLDED_BYTES = 1024  # of a constant that simplifying may compute in advance
FOLDERS = {FP32: "fp32", SIMPLIFIED: "fp32-simplified", FP16: "fp16", INT8: "int8"}


def write_variants(folder: str | Path, out: Path) -> dict[str, Path]:
    """Writes the variants of an exported folder.

    Args:
        folder: the exported folder.
        out: gets a folder of each variant, with `inference.onnx` and `inference.yml`.

    Returns:
        The folders, by the names of FOLDERS.

    Raises:
        InputError: the folder is not complete, it cannot be converted to ONNX here, or onnxslim is missing.
    """
    if importlib.util.find_spec("onnxslim") is None:
        raise InputError("Simplifying ONNX files needs the package onnxslim: pip install 'scenetext[onnx]'.")
    settings = replace(read_inference_yml(folder), checksums={})  # those of the folder are of other files
    files = {}
    for name, below in FOLDERS.items():
        (out / below).mkdir(parents=True, exist_ok=True)
        settings.write(out / below)
        files[name] = out / below / ONNX
    shutil.copyfile(onnx_file(folder), files[FP32])
    _simplify(files[FP32], files[SIMPLIFIED], FOLDED_BYTES)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        unpacked = Path(scratch) / ONNX
        _simplify(files[FP32], unpacked)
        _to_half(unpacked, files[FP16])
        _to_int8(unpacked, files[INT8])
    return {name: path.parent for name, path in files.items()}


def _simplify(source: Path, target: Path, most_bytes: int | None = None) -> None:
    """Simplifies a file; constants of more bytes than `most_bytes` stay computed when the file is opened."""
    import onnxslim

    model = onnxslim.slim(str(source), size_threshold=most_bytes)
    with replacing(target) as file:
        file.write(model.SerializeToString())


def _to_half(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = convert_float_to_float16(
        onnx.load(str(source)), keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *KEPT_FP32]
    )
    _remove_repeated(model.graph)
    OnnxModel(model).topological_sort()  # in place: the converter appends its casts at the end
    with replacing(target) as file:
        file.write(model.SerializeToString())


def _remove_repeated(graph: onnx.GraphProto) -> None:
    """Removes nodes whose output another one gives: the converter casts a tensor twice that two inputs take."""
    known: set[str] = set()
    for node in list(graph.node):
        if known.intersection(node.output):
            graph.node.remove(node)
        known.update(node.output)


def _to_int8(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _without_warnings():  # convolutions in 8 bits exist for unsigned weights only
        quantize_dynamic(str(source), str(target), weight_type=QuantType.QUInt8)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keeps ONNX Runtime's advice to simplify the file first, which has been done, from stderr."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
