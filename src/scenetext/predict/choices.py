"""What readers can be told: names and defaults that the command offers before anything heavy loads."""

from __future__ import annotations

AUTO = "auto"  # the fastest engine here
ENGINE_NAMES = ("paddle", "onnxruntime")
FORM_NAMES = ("infer_rec", "predict_rec")  # PaddleOCR's tools
TURNED_MARGIN = 0.15  # by which a turned reading must be surer than the upright one (tests/benchmarks/LOG.md)
LM_WEIGHT = 0.1  # with LENGTH_BONUS it reads no worse than without a language model (tests/benchmarks/LOG.md)
LENGTH_BONUS = 1.0
