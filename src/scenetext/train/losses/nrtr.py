"""The loss of NRTR's decoder (Sheng et al., arXiv:1806.00926): cross-entropy with smoothed labels.

Label smoothing is Szegedy et al., arXiv:1512.00567, section 7, spread over the other classes. Reference:
ppocr/losses/rec_nrtr_loss.py, and rec_ce_loss.py for distillation.
"""

from __future__ import annotations

import paddle
from paddle import Tensor

from scenetext.text.charset import NRTR_PAD

SMOOTHING = 0.1


def nrtr_loss(logits: Tensor, tokens: Tensor, smoothing: bool, count_padding: bool) -> Tensor:
    """Mean over the tokens of their cross-entropy.

    Args:
        logits: (B, S, C) raw.
        tokens: (B, S) int64: the characters, the end, padding.
        smoothing: a tenth of a target's probability is spread over all other classes.
        count_padding: padding counts as a token to be predicted. PaddleOCR does so in distillation, where it makes the
            loss of a short line depend on the longest line of the batch.

    Returns:
        () float32.
    """
    log_p = log_softmax(logits)  # (B, S, C)
    picked = paddle.take_along_axis(log_p, tokens.unsqueeze(-1), axis=-1).squeeze(-1)  # (B, S)
    loss = -picked
    if smoothing:
        other = SMOOTHING / (logits.shape[-1] - 1)
        loss = -((1.0 - SMOOTHING - other) * picked + other * log_p.sum(axis=-1))
    return loss.mean() if count_padding else mean_over_tokens(loss, tokens)


def mean_over_tokens(values: Tensor, tokens: Tensor) -> Tensor:
    """Mean of `values` (B, S) over the `tokens` (B, S) that are not padding."""
    counted = (tokens != NRTR_PAD).astype(values.dtype)
    return (values * counted).sum() / counted.sum()


def log_softmax(logits: Tensor) -> Tensor:
    """(..., C) raw logits → (..., C) log probabilities."""
    return logits - paddle.logsumexp(logits, axis=-1, keepdim=True)
