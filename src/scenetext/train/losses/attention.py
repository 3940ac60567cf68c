"""The loss of RARE's decoder (Shi et al., arXiv:1603.03915, section 3.2.2). Reference: ppocr/losses/rec_att_loss.py."""

from __future__ import annotations

from paddle import Tensor
from paddle.nn import functional as F


def attention_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy, summed over the batch and over all steps; steps after the end of a line count, as in PaddleOCR.

    Args:
        logits: (B, steps, C) raw.
        classes: (B, steps) int64, from `targets.attention_targets`.

    Returns:
        () float32.
    """
    return F.cross_entropy(logits, classes, reduction="sum")
