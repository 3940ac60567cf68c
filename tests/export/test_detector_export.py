"""An exported detector with 8-bit weights is read by the official packages, which find the same boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exported import skip_without_converter

from scenetext.config import load_config
from scenetext.export.exporter import export_model
from scenetext.predict.onnx_conversion import convert_to_onnx
from scenetext.predict.text_detector import open_detector
from scenetext.synth import draw_scene

SIZE = {"limit_side_len": 736, "limit_type": "min"}  # which both packages take from their own settings


@pytest.mark.long
def test_official_readers_find_the_same_boxes(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    config, out = load_config(root / "configs" / "det_ppocrv6_small.yml"), tmp_path / "detector"
    report = export_model(config, "rapidocr:PP-OCRv6_det_small", out, storage="uint8", progress=False)
    assert report.size_bytes < 3_500_000
    photos = [draw_scene(np.random.default_rng(seed))[0] for seed in range(3)]
    detector = open_detector(out, "paddle")
    found = [np.array([box.points for box in detector(photo)]) for photo in photos]
    assert sum(map(len, found)) > 6

    from paddleocr import TextDetection

    official = TextDetection(model_name="PP-OCRv6_small_det", model_dir=str(out), device="cpu", **SIZE)
    for photo, boxes in zip(photos, found, strict=True):
        (theirs,) = official.predict(photo)
        np.testing.assert_array_equal(theirs["dt_polys"], boxes)

    from rapidocr import RapidOCR

    skip_without_converter()  # what was asserted above holds there, too
    convert_to_onnx(out, tmp_path / "detector.onnx")
    settings = {
        "model_path": str(tmp_path / "detector.onnx"),
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "box_thresh": 0.6,
        "unclip_ratio": 1.5,
        "use_dilation": False,
        **SIZE,
    }
    rapid = RapidOCR(params={"Global.log_level": "error", **{f"Det.{key}": value for key, value in settings.items()}})
    detect = rapid._load_det_model()
    for photo, boxes in zip(photos, found, strict=True):
        theirs = np.array(detect(photo).boxes)
        assert len(theirs) == len(boxes)
        for box in boxes:
            assert np.abs(theirs - box).max(axis=(1, 2)).min() <= 2
