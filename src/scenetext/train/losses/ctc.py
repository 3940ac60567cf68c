"""CTC: Graves et al., Connectionist Temporal Classification, ICML 2006.

Focal CTC weighs each line by (1 - p)^2 with p its probability (Feng et al., Complexity 2019), as PaddleOCR's
`use_focal_loss` does. Reference: ppocr/losses/rec_ctc_loss.py.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.models.kernels import ctc
from scenetext.text.charset import BLANK


def ctc_loss(logits: Tensor, ids: Tensor, lengths: Tensor, focal: bool) -> Tensor:
    """Mean over the batch of -log p(label | line), not divided by the label's length.

    A label that needs more time steps than the line has costs 0 and contributes no gradient.

    Args:
        logits: (B, T, C) raw; class 0 is blank.
        ids: (B, L) int32, padded.
        lengths: (B,) int64, characters per label.
        focal: weigh hard lines more (focal CTC).

    Returns:
        () float32.
    """
    if ctc.is_supported(logits):
        loss = ctc.ctc_of_lines(logits, ids, lengths)  # (B, 1)
    else:
        steps = paddle.full([logits.shape[0]], logits.shape[1], "int64")
        # Paddle's kernel applies the softmax itself and takes time as the first dimension
        loss = F.ctc_loss(logits.transpose([1, 0, 2]), ids, steps, lengths, blank=BLANK, reduction="none")  # (B, 1)
    if focal:
        loss = loss * (1.0 - paddle.exp(-loss)) ** 2
    return loss.mean()
