"""The names of the inference engines and output forms. The command offers them before anything heavy loads."""

from __future__ import annotations

AUTO = "auto"  # the fastest engine here
ENGINE_NAMES = ("paddle", "onnxruntime")
FORM_NAMES = ("infer_rec", "predict_rec")  # PaddleOCR's tools
