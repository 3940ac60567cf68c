"""The values that `format` and `storage` of an export may have. The command offers them before anything heavy loads."""

from __future__ import annotations

FORMATS = ("json", "pdmodel", "onnx")
STORAGES = ("auto", "float32", "float16", "uint8", "fitted")
