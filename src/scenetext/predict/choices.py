"""The names of the inference engines. The command offers them before anything heavy loads."""

from __future__ import annotations

AUTO = "auto"  # the fastest engine here
ENGINE_NAMES = ("paddle", "onnxruntime")
