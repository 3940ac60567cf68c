"""What a student learns from a teacher's logits.

Decoupled knowledge distillation: Zhao et al., CVPR 2022, arXiv:2203.08679, section 3.2. The divergence between two CTC
branches is PaddleOCR's own (introduction of PP-OCRv4, August 2023). Reference: ppocr/losses/basic_loss.py (DKDLoss) and
distillation_loss.py (DistillCTCLogits).
Different here: padding does not count, which PaddleOCR means to do and does not; `count_padding` brings it back.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.text.charset import BLANK
from scenetext.train.losses.nrtr import log_softmax, mean_over_tokens

EXCLUDED = -1e9  # added to a logit whose class does not take part; exp of it is 0
CTC_TEMPERATURE = 0.5
CTC_EPSILON = 1e-6  # keeps the logarithm of a class that never occurs finite


def dkd_loss(
    student: Tensor,
    teacher: Tensor,
    tokens: Tensor,
    temperature: float = 1.0,
    alpha: float = 1.0,
    beta: float = 1.0,
    count_padding: bool = False,
) -> Tensor:
    """Mean over the tokens of the divergence between teacher and student, in two parts.

    Args:
        student, teacher: (B, S, C) raw logits.
        tokens: (B, S) int64, what the label says.
        temperature: divides the logits.
        alpha: share of "how likely is the label's class".
        beta: share of "which are likely among all the others".
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
    """Divergence between what teacher and student see anywhere on the line, mean over the batch.

    Sharpened probabilities are averaged over time, so the two may have different time steps. The blank, which wins most
    steps, would drown all characters; turning the sign of its logit makes it rare.

    Args:
        student, teacher: (B, T, C) raw logits of CTC; T may differ.

    Returns:
        () float32.
    """
    seen, taught = (_mean_probabilities(logits) for logits in (student, teacher))  # (B, C)
    return (taught * paddle.log((taught + CTC_EPSILON) / (seen + CTC_EPSILON))).sum(axis=-1).mean()


def _label_and_rest(logits: Tensor, label: Tensor) -> Tensor:
    """Logarithms of the probabilities of the label's class and of all others together, (B, S, 2)."""
    everything = paddle.logsumexp(logits, axis=-1)  # (B, S)
    rest = paddle.logsumexp(logits + EXCLUDED * label, axis=-1)
    return paddle.stack([(logits * label).sum(axis=-1) - everything, rest - everything], axis=-1)


def _divergence(taught: Tensor, seen: Tensor) -> Tensor:
    """Kullback-Leibler divergence of two distributions along the last axis, given as logarithms."""
    return (paddle.exp(taught) * (taught - seen)).sum(axis=-1)


def _mean_probabilities(logits: Tensor) -> Tensor:
    signs = 1.0 - 2.0 * F.one_hot(paddle.to_tensor(BLANK), logits.shape[-1])  # (C,)
    return F.softmax(logits * signs / CTC_TEMPERATURE, axis=-1).mean(axis=1)  # (B, C)
