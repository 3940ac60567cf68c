"""Optimizer: the update rule, its learning rate and what is added to the gradient."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenetext.config.kinds import (
    ABOVE_0,
    EPOCHS,
    FACTORS,
    RATES,
    SMALL,
    UNREAD,
    Decay,
    Factor,
    Flag,
    OptionalText,
    Rate,
    UnreadFlag,
    one_of,
    optional,
)
from scenetext.config.section import ByName, Named, Section, wrong_below


class Schedule(Named):
    """Optimizer.lr: the learning rate over the steps of a training."""

    learning_rate: Rate = Field(0.001, description="its highest value")
    warmup_epoch: Rate = Field(0.0, description="epochs of linear rise from 0")


class Const(Schedule):
    """The same rate after the warm-up."""

    name: Literal["Const"] = "Const"


class Cosine(Schedule):
    """Half a cosine down to 0."""

    name: Literal["Cosine"] = "Cosine"


class Linear(Schedule):
    """A polynomial fall to `end_lr`."""

    name: Literal["Linear"] = "Linear"
    learning_rate: Factor = Field(0.001, description="its highest value, by which end_lr is divided")
    end_lr: Rate = Field(0.0, description="its last value")
    power: Rate = Field(1.0, description="exponent of the fall")

    @model_validator(mode="after")
    def _check_end(self) -> Linear:
        if self.end_lr > self.learning_rate:
            raise wrong_below(f"is {self.end_lr!r}, above learning_rate, {self.learning_rate!r}: lower it.", "end_lr")
        return self


class Piecewise(Schedule):
    """Steps from value to value."""

    name: Literal["Piecewise"] = "Piecewise"
    learning_rate: Factor = Field(0.001, description="the rate that the values are divided by and multiplied with")
    decay_epochs: Annotated[list[int], EPOCHS] = Field(description="epochs at which the rate changes")
    values: Annotated[list[float], RATES] = Field(description="the rate before, between and after these epochs")

    @model_validator(mode="after")
    def _check_pieces(self) -> Piecewise:
        epochs = self.decay_epochs
        if any(later <= earlier for earlier, later in itertools.pairwise(epochs)):
            raise wrong_below(f"must rise from epoch to epoch, not {epochs!r}.", "decay_epochs")
        if len(self.values) != len(epochs) + 1:
            raise wrong_below(
                f"has {len(self.values)} values, but {len(epochs)} decay_epochs need {len(epochs) + 1}: one before, "
                "between and after them.",
                "values",
            )
        return self


class Regularizer(Section):
    """Optimizer.regularizer: decay through the gradient."""

    name: Annotated[str, one_of("L1", "L2")] = Field("L2", description="what is added to the gradient: sign or weight")
    factor: Rate = Field(0.0, description="what that is multiplied by")


class OptimizerSettings(Named):
    """What all update rules share."""

    lr: Annotated[Schedule, ByName(Const, Cosine, Linear, Piecewise, default="Const")] = Field(Const())
    clip_norm: Annotated[float | None, optional(ABOVE_0)] = Field(None, description="longest gradient of one parameter")
    clip_norm_global: Annotated[float | None, optional(ABOVE_0)] = Field(
        None, description="longest gradient of all parameters together"
    )

    lr_mult: Annotated[dict[str, float], FACTORS] = Field(
        {},
        description="(ours) factors on the learning rate by the begin of the parameters' names, such as backbone: 0.1; "
        "0 freezes, the longest begin counts",
    )

    @model_validator(mode="after")
    def _check_clipping(self) -> OptimizerSettings:
        if self.clip_norm is not None and self.clip_norm_global is not None:
            raise wrong_below("cannot be given beside clip_norm_global: keep one of the two.", "clip_norm")
        return self


class AdaptiveSettings(OptimizerSettings):
    """What Adam and AdamW share."""

    beta1: Decay = Field(0.9, description="decay of the mean of the gradient")
    beta2: Decay = Field(0.999, description="decay of the mean of its square")
    epsilon: Annotated[float, SMALL] = Field(1e-8, description="added to the root of that mean")
    lazy_mode: UnreadFlag = Field(None, description="sparse updates")


class Adam(AdaptiveSettings):
    """Adam."""

    name: Literal["Adam"] = "Adam"
    regularizer: Regularizer | None = Field(None, description="decay through the gradient")


class AdamW(AdaptiveSettings):
    """Adam with decoupled decay."""

    name: Literal["AdamW"] = "AdamW"
    weight_decay: Rate = Field(0.01, description="share of a weight that a step of rate 1 takes off")
    no_weight_decay_name: OptionalText = Field(
        None, description="words, space between: parameters whose names hold one do not decay"
    )
    one_dim_param_no_weight_decay: Flag = Field(False, description="parameters of one dimension do not decay")
    regularizer: Annotated[Regularizer | None, UNREAD] = Field(None, description="weight_decay takes its place")


class Momentum(OptimizerSettings):
    """Gradient descent with a velocity."""

    name: Literal["Momentum"] = "Momentum"
    momentum: Decay = Field(0.9, description="decay of the velocity")
    regularizer: Regularizer | None = Field(None, description="decay through the gradient")


AnyOptimizer = Annotated[OptimizerSettings, ByName(Adam, AdamW, Momentum, default="Adam")]
