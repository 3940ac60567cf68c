"""Reading weights: from a file, an address, an official model's name or an installed wheel; no network is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenetext.errors import InputError
from scenetext.text.charset import CLASSES_BEYOND_CTC, Charset
from scenetext.weights.onnx import is_wheel_source, read_onnx, wheel_model
from scenetext.weights.openocr import from_openocr
from scenetext.weights.pdparams import read_pdparams, with_suffix
from scenetext.weights.torch_file import read_pth

DICTIONARY_BESIDE_WEIGHTS = "charset.txt"

Arrays = dict[str, np.ndarray]
"""Arrays by the keys of a state_dict."""


def read_source(
    source: str, layout: str = "ctc", img_mode: str = "RGB"
) -> tuple[Arrays | list[np.ndarray], Charset | None]:
    """Reads weights, fetching them first where `source` is a name or an address.

    Args:
        source: see `loading.load_weights`.
        layout: "ctc" or "attention", which classes the head has beside the characters; "db" of a detector, which has
            none at all.
        img_mode: the order of colours that a network of OpenOCR's was trained with (`.pth` files).

    Returns:
        The arrays by key; of an ONNX graph, which has no keys, a list of the fused network's tensors in the order of
        their use. And the characters of their classes, where they are known.
    """
    if is_wheel_source(source) or source.endswith(".onnx"):
        return read_onnx(wheel_model(source) if is_wheel_source(source) else Path(source))
    if source.endswith(".pth"):
        return from_openocr(read_pth(source), img_mode), None
    path = _local_file(source)
    arrays = read_pdparams(path)
    return arrays, _charset_beside(path.parent, arrays, layout)


def _charset_beside(folder: Path, arrays: Arrays, layout: str) -> Charset | None:
    """The dictionary that a run keeps with its weights, with or without the space as the number of classes asks."""
    path = folder / DICTIONARY_BESIDE_WEIGHTS
    if layout not in CLASSES_BEYOND_CTC or not path.is_file():
        return None
    sizes = {side for key, array in arrays.items() if "head." in key for side in array.shape[-1:]}
    charsets = (Charset.from_file(path, use_space_char=space) for space in (False, True))
    return next((charset for charset in charsets if charset.num_classes + CLASSES_BEYOND_CTC[layout] in sizes), None)


def _local_file(source: str) -> Path:
    from scenetext.weights.official import OFFICIAL_WEIGHTS, fetch_official

    if source in OFFICIAL_WEIGHTS or "://" in source:
        return fetch_official(source)
    path = with_suffix(source, ".pdparams")
    latest = path.with_name("latest.pdparams")
    if path.stem == "best_accuracy" and not path.is_file() and latest.is_file():
        raise InputError(
            f"The weights {path} do not exist, because that training was never evaluated (Global.eval_batch_step is "
            f"longer than it was); its last weights are {latest}."
        )
    return path
