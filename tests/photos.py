"""Drawn photos, and a detector without any learned weight that finds their dark texts, made once for all tests."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import cv2
import numpy as np
import yaml

_kept = tempfile.TemporaryDirectory(prefix="scenetext-photos-")  # removed when the process ends
PAPER, INK = 220, 20
TEXTS = (("435", 60, 80), ("20", 400, 90), ("86315", 120, 300))
"""Text, left and top of each line of `drawn_photo`, in reading order."""


def drawn_photo(texts=TEXTS, height: int = 480, width: int = 640) -> np.ndarray:
    """(H, W, 3) uint8, digits on paper."""
    photo = np.full((height, width, 3), PAPER, np.uint8)
    for text, left, top in texts:
        cv2.putText(photo, text, (left, top + 44), cv2.FONT_HERSHEY_SIMPLEX, 2, (INK,) * 3, 5)
    return photo


@functools.cache
def drawn_detector() -> Path:
    """An exported folder whose network marks dark pixels and what lies within a few pixels of them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    # 1 for ink and 0 for paper, both standardised with mean 0.5 and deviation 0.5: -0.84 and 0.73
    constants = [
        numpy_helper.from_array(np.full((1, 3, 1, 1), -10 / 3, np.float32), "weight"),
        numpy_helper.from_array(np.zeros(1, np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "weight", "bias"], ["darkness"]),
        helper.make_node("MaxPool", ["darkness"], ["joined"], kernel_shape=[31, 31], pads=[15, 15, 15, 15]),
        helper.make_node("Sigmoid", ["joined"], ["map"]),
    ]
    side = ["batch", 3, "height", "width"]
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, side)]
    maps = [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["batch", 1, "height", "width"])]
    graph = helper.make_graph(nodes, "detector", values, maps, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    folder = Path(_kept.name) / "detector"
    folder.mkdir()
    onnx.save(model, str(folder / "inference.onnx"))
    settings = {
        "Global": {"model_name": "PP-OCRv5_mobile_det"},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": {"limit_side_len": 960, "limit_type": "max"}},
                {"NormalizeImage": {"mean": [0.5] * 3, "std": [0.5] * 3, "scale": "1./255.", "order": "hwc"}},
                {"ToCHWImage": None},
                {"KeepKeys": {"keep_keys": ["image", "shape"]}},
            ]
        },
        "PostProcess": {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.0},
    }
    (folder / "inference.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder
