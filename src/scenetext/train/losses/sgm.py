"""The loss of SVTRv2's semantic guidance module (Du et al., arXiv:2411.15858, section 3.3).

Different from the paper and equal to OpenOCR: the mean is over all characters of the batch, not first over each line's.
The paper adds it to 0.1 times CTC.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.text.charset import BLANK


def guidance_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean of -log p(character | its left or right context, line) over both contexts of every character.

    Args:
        logits: (B, 2L, C) raw: from the left contexts, then from the right ones.
        ids: (B, L) int, the characters, padded with the blank, which does not count.

    Returns:
        () float32.
    """
    return F.cross_entropy(logits, paddle.concat([ids, ids], axis=1).astype("int64"), ignore_index=BLANK)
