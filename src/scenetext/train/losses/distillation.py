"""Losses by which a student learns from a teacher's logits.

Decoupled knowledge distillation: Zhao et al., CVPR 2022, arXiv:2203.08679, section 3.2. The divergence between two CTC
branches is PaddleOCR's own (introduction of PP-OCRv4, August 2023). Reference: ppocr/losses/basic_loss.py (DKDLoss) and
distillation_loss.py (DistillCTCLogits).
Different here: padding does not count. PaddleOCR counts it, against its own intention; `count_padding` does so, too.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.text.charset import BLANK
from scenetext.train.losses.nrtr import log_softmax, mean_over_tokens

EXCLUDED = -1e9  # added to the logit of a class to be excluded; its exponential is 0
CTC_TEMPERATURE = 0.5
CTC_EPSILON = 1e-6  # keeps the logarithm of a class that never occurs finite


def dkd_loss(
    student: Tensor,
    teacher: Tensor,
    tokens: Tensor,
    temperature: float,
    alpha: float,
    beta: float,
    count_padding: bool,
) -> Tensor:
    """Mean over the tokens of the weighted sum of two divergences between teacher and student.

    Args:
        student, teacher: (B, S, C) raw logits.
        tokens: (B, S) int64, the label's.
        temperature: divides the logits.
        alpha: weight of the divergence between the probabilities of the label's class and of all others together.
        beta: weight of the divergence between the distributions among the other classes.
        count_padding: padding counts as a token.

    Returns:
        () float32.
    """
    student, teacher = student / temperature, teacher / temperature
    label = F.one_hot(tokens, student.shape[-1])  # (B, S, C)
    target = _divergence(_label_and_rest(teacher, label), _label_and_rest(student, label))
    others = _divergence(*(log_softmax(logits + EXCLUDED * label) for logits in (teacher, student)))
    loss = (alpha * target + beta * others) * temperature**2  # (B, S)
    return loss.mean() if count_padding else mean_over_tokens(loss, tokens)


def ctc_logits_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the batch of the divergence between teacher's and student's time-averaged probabilities.

    Sharpened probabilities are averaged over time, so the two networks may have different numbers of time steps. The
    blank, which wins most steps, would outweigh all characters; turning the sign of its logit makes it rare.

    Args:
        student, teacher: (B, T, C) raw logits of CTC; T may differ.

    Returns:
        () float32.
    """
    student, teacher = (_mean_probabilities(logits) for logits in (student, teacher))  # (B, C)
    return (teacher * paddle.log((teacher + CTC_EPSILON) / (student + CTC_EPSILON))).sum(axis=-1).mean()


def _label_and_rest(logits: Tensor, label: Tensor) -> Tensor:
    """Log probabilities of the label's class and of all others together, (B, S, 2)."""
    total = paddle.logsumexp(logits, axis=-1)  # (B, S)
    rest = paddle.logsumexp(logits + EXCLUDED * label, axis=-1)
    return paddle.stack([(logits * label).sum(axis=-1) - total, rest - total], axis=-1)


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Kullback-Leibler divergence KL(p || q) along the last axis of two distributions' log probabilities."""
    return (paddle.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def _mean_probabilities(logits: Tensor) -> Tensor:
    signs = 1.0 - 2.0 * F.one_hot(paddle.to_tensor(BLANK), logits.shape[-1])  # (C,)
    return F.softmax(logits * signs / CTC_TEMPERATURE, axis=-1).mean(axis=1)  # (B, C)
