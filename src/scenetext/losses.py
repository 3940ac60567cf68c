"""Losses on raw logits.

CTC: Graves et al., Connectionist Temporal Classification, ICML 2006. Focal CTC weighs each line by (1 - p)^2 with p
its probability (Feng et al., Complexity 2019), as PaddleOCR's `use_focal_loss` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.charset import BLANK
from scenetext.errors import InputError


def ctc_loss(logits: Tensor, ids: Tensor, lengths: Tensor, focal: bool = False) -> Tensor:
    """Mean over the batch of -log p(label | line), not divided by the label's length.

    A label that the time steps cannot spell costs 0 and gives no gradient.

    Args:
        logits: (B, T, C) raw; class 0 is blank.
        ids: (B, L) int32, padded.
        lengths: (B,) int64, characters per label.
        focal: weigh hard lines more.

    Returns:
        () float32.
    """
    steps = paddle.full([logits.shape[0]], logits.shape[1], "int64")
    # Paddle's kernel applies the softmax itself and wants the time first
    loss = F.ctc_loss(logits.transpose([1, 0, 2]), ids, steps, lengths, blank=BLANK, reduction="none")  # (B, 1)
    if focal:
        loss = loss * (1.0 - paddle.exp(-loss)) ** 2
    return loss.mean()


def build_loss(config: Mapping[str, Any]):
    """The function (logits, ids, lengths) → loss that the config's Loss section names.

    Raises:
        InputError: a loss that no network here is trained with.
    """
    section = config.get("Loss") or {}
    if section.get("name") != "CTCLoss":
        raise InputError(f"Loss.name {section.get('name')!r} is not built yet; the networks here train with CTCLoss.")
    focal = bool(section.get("use_focal_loss", False))
    return lambda logits, ids, lengths: ctc_loss(logits, ids, lengths, focal)
