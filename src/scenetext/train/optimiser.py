"""The optimiser and its learning rate, from a config's Optimizer section.

Adam: Kingma and Ba, arXiv:1412.6980; AdamW: Loshchilov and Hutter, arXiv:1711.05101; cosine schedule:
arXiv:1608.03983. The formulas are PaddleOCR's: with E epochs of S steps and W warm-up steps, step i has the learning
rate lr * i / W below W, then lr / 2 * (1 + cos(pi * (i - W) / (E * S))).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import paddle
from paddle import nn
from paddle.optimizer import Optimizer
from paddle.optimizer.lr import LambdaDecay
from paddle.regularizer import L1Decay, L2Decay

from scenetext.config import Config
from scenetext.config.sections.optimizer import (
    AdamW,
    AdaptiveSettings,
    Cosine,
    Linear,
    Momentum,
    OptimizerSettings,
    Piecewise,
    Schedule,
)
from scenetext.errors import InputError, nearest_hint

REGULARISERS = {"L1": L1Decay, "L2": L2Decay}


def build_optimiser(config: Config, model: nn.Layer, epochs: int, steps_per_epoch: int) -> Optimizer:
    """Makes the optimiser of a network's trainable parameters; its learning rate is stepped once a batch.

    Parameters that have a regulariser of their own (those of the CTC head) keep it.

    Args:
        config: the configuration.
        model: the network.
        epochs: of the whole training.
        steps_per_epoch: batches in one epoch.

    Raises:
        InputError: Optimizer.lr_mult names no parameter, or freezes all of them.
    """
    section = config.Optimizer
    scale_learning_rates(model, section.lr_mult)
    schedule = LambdaDecay(section.lr.learning_rate, learning_rate_factor(section.lr, epochs, steps_per_epoch))
    arguments: dict[str, Any] = {
        "learning_rate": schedule,
        "parameters": [p for p in model.parameters() if not p.stop_gradient],
        "grad_clip": _clip(section),
    }
    if isinstance(section, AdaptiveSettings):
        arguments |= {"beta1": section.beta1, "beta2": section.beta2, "epsilon": section.epsilon}
    if isinstance(section, AdamW):
        words = (section.no_weight_decay_name or "").split()
        exempt = _without_decay(model, words, section.one_dim_param_no_weight_decay)
        decay = section.weight_decay
        return paddle.optimizer.AdamW(weight_decay=decay, apply_decay_param_fun=lambda p: p not in exempt, **arguments)
    if section.regularizer:
        arguments["weight_decay"] = REGULARISERS[section.regularizer.name](section.regularizer.factor)
    if isinstance(section, Momentum):
        return paddle.optimizer.Momentum(momentum=section.momentum, **arguments)
    return paddle.optimizer.Adam(**arguments)


def scale_learning_rates(model: nn.Layer, factors: Mapping[str, float]) -> None:
    """Multiplies the learning rates of parameters by factors of their own; a factor of 0 freezes.

    Args:
        model: the network.
        factors: by the begin of a parameter's name; of several that fit, the longest counts.

    Raises:
        InputError: a name fits no parameter, or nothing is left to train.
    """
    names = [name for name, _ in model.named_parameters()]
    for begin in factors:
        if not any(_begins(name, begin) for name in names):
            parts = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
            raise InputError(
                f"Optimizer.lr_mult names {begin!r}, which no parameter begins with: {nearest_hint(begin, parts)}."
            )
    for name, parameter in model.named_parameters():
        begin = max((begin for begin in factors if _begins(name, begin)), key=len, default=None)
        if begin is not None:
            parameter.optimize_attr["learning_rate"] *= factors[begin]
            parameter.stop_gradient = parameter.stop_gradient or not factors[begin]
    if all(parameter.stop_gradient for parameter in model.parameters()):
        raise InputError("Optimizer.lr_mult freezes every parameter: give at least one a factor above 0.")


def _begins(name: str, begin: str) -> bool:
    return name == begin or name.startswith(f"{begin}.")


def learning_rate_factor(section: Schedule, epochs: int, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate divided by its peak, as a function of the step, which is counted from 0.

    Args:
        section: Optimizer.lr.
        epochs: of the whole training.
        steps_per_epoch: batches in one epoch.
    """
    total = max(1, epochs * steps_per_epoch)
    warmup = round(section.warmup_epoch * steps_per_epoch)

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        decayed = step - warmup  # steps since the end of the warm-up
        if isinstance(section, Cosine):
            return 0.5 * (1.0 + math.cos(math.pi * decayed / total))
        if isinstance(section, Linear):
            end = section.end_lr / section.learning_rate
            return end + (1.0 - end) * (1.0 - min(1.0, decayed / total)) ** section.power
        if isinstance(section, Piecewise):
            borders = [epoch * steps_per_epoch for epoch in section.decay_epochs]
            return section.values[sum(step >= border for border in borders)] / section.learning_rate
        return 1.0

    return factor


def _clip(section: OptimizerSettings) -> nn.ClipGradByGlobalNorm | nn.ClipGradByNorm | None:
    if section.clip_norm_global:
        return nn.ClipGradByGlobalNorm(section.clip_norm_global)
    return nn.ClipGradByNorm(section.clip_norm) if section.clip_norm else None


def _without_decay(model: nn.Layer, words: list[str], one_dimensional: bool) -> set[str]:
    """Paddle's own names of the parameters that are exempt from weight decay."""
    return {
        parameter.name
        for key, parameter in model.named_parameters()
        if any(word in key for word in words) or (one_dimensional and parameter.ndim == 1)
    }
