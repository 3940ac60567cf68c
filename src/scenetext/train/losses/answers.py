"""Learning without forgetting: the divergence of a finetuned network from its pretrained self.

Li and Hoiem, Learning without Forgetting, ECCV 2016, arXiv:1606.09282. Different here: both networks have the same
classes, and the answers are compared at every time step, without a temperature.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.train.losses.nrtr import log_softmax


def answers_loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean over the lines of the sum over their time steps of KL(answers || network).

    Args:
        logits: (B, T, C) raw, of the network that is trained.
        answers: (B, T, C) raw, of the pretrained network, without a gradient.

    Returns:
        () float32.
    """
    probabilities = F.softmax(answers, axis=-1)
    divergence = probabilities * (paddle.log(probabilities + 1e-12) - log_softmax(logits))  # (B, T, C)
    return divergence.sum(axis=[1, 2]).mean()
