"""The divergence of a network from the answers of its pretrained self, or of a teacher.

Li and Hoiem, Learning without Forgetting, ECCV 2016, arXiv:1606.09282. Different here: both networks have the same
classes, and the answers are compared at every time step, without a temperature. A teacher with another number of time
steps is compared by the characters found anywhere on a line.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.train.losses.distillation import ctc_logits_loss
from scenetext.train.losses.nrtr import log_softmax


def answers_loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean over the lines of the sum over their time steps of KL(answers || network).

    Args:
        logits: (B, T, C) raw, of the network that is trained.
        answers: (B, T, C) raw, of the pretrained network or the teacher, without a gradient. With another T the loss is
            `distillation.ctc_logits_loss`, which averages over time.

    Returns:
        () float32.
    """
    if answers.shape[1] != logits.shape[1]:
        return ctc_logits_loss(logits, answers)
    probabilities = F.softmax(answers, axis=-1)
    divergence = probabilities * (paddle.log(probabilities + 1e-12) - log_softmax(logits))  # (B, T, C)
    return divergence.sum(axis=[1, 2]).mean()
