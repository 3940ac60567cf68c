"""An exponential moving average of the weights along a training (EMA).

Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992. The decay rises over the first steps
as in TensorFlow's ExponentialMovingAverage, so that a short training is not held at its first weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import paddle
from paddle import nn

from scenetext.errors import InputError

AVERAGE = "ema"  # the key in `.pdopt`


class WeightAverage:
    """average = decay * average + (1 - decay) * weights, after every step.

    Args:
        model: the network, with the weights that training starts from.
        decay: in [0, 1); 0 keeps no average.
        former: the average of a checkpoint that is resumed, by the keys of the state_dict.

    Raises:
        InputError: `former` is missing, or not of this network.
    """

    def __init__(self, model: nn.Layer, decay: float, former: Mapping[str, np.ndarray] | None = None):
        self.model = model
        self.decay = decay
        self.values = {key: tensor.clone().detach() for key, tensor in model.state_dict().items()} if decay else {}
        for key, value in self.values.items() if former is not None else ():
            if key not in former or tuple(former[key].shape) != tuple(value.shape):
                raise InputError(
                    f"The checkpoint's average of weights (Global.use_ema) lacks {key} of this network: start a new "
                    "training from its weights by Global.pretrained_model."
                )
            value.set_value(former[key])

    def update(self, step: int) -> None:
        """Takes the present weights into the average.

        Args:
            step: batches trained, from 1.
        """
        if not self.decay:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        state = self.model.state_dict()
        with paddle.no_grad():
            for key, value in self.values.items():
                value.set_value(decay * value + (1.0 - decay) * state[key])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the network the averaged weights inside the block and its own, bit for bit, after it."""
        state = self.model.state_dict()
        own = {key: state[key].numpy().copy() for key in self.values}
        for key, value in self.values.items():
            state[key].set_value(value)
        try:
            yield
        finally:
            for key, now in own.items():
                state[key].set_value(now)

    def as_state(self) -> dict[str, dict[str, np.ndarray]]:
        """What `.pdopt` holds of it; nothing without an average."""
        return {AVERAGE: {key: value.numpy() for key, value in self.values.items()}} if self.decay else {}
