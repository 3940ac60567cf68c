"""Where weights come from: a file, an address, an official model's name, an installed wheel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenetext.models.recognition_model import RecognitionModel
from scenetext.text.charset import CLASSES_BEYOND_CTC, Charset
from scenetext.weights.onnx import is_wheel_source, name_tensors, read_onnx, wheel_model
from scenetext.weights.pdparams import read_pdparams, with_suffix

DICTIONARY_BESIDE_WEIGHTS = "charset.txt"


def _read_source(model: RecognitionModel, source: str) -> tuple[dict[str, np.ndarray], Charset | None]:
    if is_wheel_source(source) or source.endswith(".onnx"):
        path = wheel_model(source) if is_wheel_source(source) else Path(source)
        tensors, charset = read_onnx(path)
        model.fuse()
        return name_tensors(tensors, model, (3, 48, 320)), charset
    path = _local_file(source)
    arrays = read_pdparams(path)
    return arrays, _charset_beside(path.parent, arrays, model.decoding)


def _charset_beside(folder: Path, arrays: dict[str, np.ndarray], layout: str) -> Charset | None:
    """The dictionary that a run keeps with its weights, with or without the space as the number of classes asks."""
    path = folder / DICTIONARY_BESIDE_WEIGHTS
    if not path.is_file():
        return None
    sizes = {side for key, array in arrays.items() if "head." in key for side in array.shape[-1:]}
    charsets = (Charset.from_file(path, use_space_char=space) for space in (False, True))
    return next((charset for charset in charsets if charset.num_classes + CLASSES_BEYOND_CTC[layout] in sizes), None)


def _local_file(source: str) -> Path:
    from scenetext.weights.official import OFFICIAL_WEIGHTS, fetch_official

    if source in OFFICIAL_WEIGHTS or "://" in source:
        return fetch_official(source)
    return with_suffix(source, ".pdparams")
