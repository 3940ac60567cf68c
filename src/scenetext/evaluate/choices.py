"""What the command offers and the package implements, without what either has to import."""

from __future__ import annotations

UNMATCHED = ("refuse", "leave-out", "as-empty")
"""What becomes of labels without a prediction, and of predictions without a label: an error, or they are left out, or
the labels count as read empty."""

PROTOCOL_NAMES = (
    *("raw", "normalised", "chinese-benchmark", "paddleocr", "paddleocr-alphanumeric", "openocr", "openocr-chinese"),
    *("parseq", "parseq-cased", "deep-text-recognition", "union14m"),
)
"""The named protocols, which `protocols` defines."""

PRECISIONS = (0.9, 0.95, 0.99)
"""What thresholds of the confidence are found for."""
