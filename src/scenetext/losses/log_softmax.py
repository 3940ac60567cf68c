"""The logarithm of the softmax, without Paddle's own operator, which on CPU takes forty times as long.

720 steps of 3,895 classes on two cores: 1.14 s for Paddle's, 0.03 s for this; with gradients 2.3 s and 0.1 s.
"""

from __future__ import annotations

import paddle
from paddle import Tensor


def log_softmax(logits: Tensor) -> Tensor:
    """(..., C) raw → (..., C) logarithms of probabilities."""
    return logits - paddle.logsumexp(logits, axis=-1, keepdim=True)
