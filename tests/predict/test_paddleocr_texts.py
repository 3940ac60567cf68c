"""A trained network reads drawn lines as PaddleOCR's `tools/infer_rec.py` does, to the text and to the score.

RECORDED is what infer_rec of October 2025 wrote for these lines, with PaddleOCR's `PP-OCRv4_mobile_rec.yml` and the
weights of the wheel rapidocr_onnxruntime. `tests/benchmarks/paddleocr_texts.py` compares other networks and pictures.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import scenetext
from scenetext.config import load_config
from scenetext.data.transforms import Canvas
from scenetext.predict.model_reader import ModelReader

ROOT = Path(__file__).resolve().parents[2]
RECORDED = [  # text and size as drawn, text and score as written
    ("Hotel", 1.0, "Hotel", 0.9997507929801941),
    ("OPEN 24 HOURS", 0.8, "OPEN 24 HOURS", 0.9692760109901428),
    ("a line of text much wider than the canvas", 1.0, "a line of text much wider than the canvas", 0.9860819578170776),
    ("7", 1.5, "7", 0.9997034668922424),  # taller than wide
    ("No. 1024-B", 0.5, "No.1024-B", 0.9984656572341919),  # enlarged
]


def drawn_line(text: str, scale: float) -> np.ndarray:
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 1)
    line = np.full((height + below + 6, width + 10, 3), (210, 225, 235), np.uint8)
    return cv2.putText(line, text, (5, height + 3), cv2.FONT_HERSHEY_DUPLEX, scale, (60, 30, 20), 1, cv2.LINE_AA)


def test_texts_and_scores_are_those_of_infer_rec() -> None:
    pytest.importorskip("rapidocr_onnxruntime", reason="has no wheel for Python 3.13")
    config = load_config(ROOT / "configs/ppocrv4_mobile.yml", ["Global.character_dict_path=ppocr_keys_v1"])
    model = scenetext.build_model(config)
    scenetext.load_weights(model, "rapidocr_onnxruntime:ch_PP-OCRv4_rec")
    read = ModelReader(model, Canvas(48, 320))([drawn_line(text, scale) for text, scale, _, _ in RECORDED])
    assert [text for text, _ in read] == [text for _, _, text, _ in RECORDED]
    assert [score for _, score in read] == pytest.approx([score for *_, score in RECORDED], abs=2e-5)
