"""Interpolating between the weights that finetuning started from and the finetuned ones (WiSE-FT).

Paper: Wortsman et al., Robust fine-tuning of zero-shot models (WiSE-FT), CVPR 2022, arXiv:2109.01903. On a few hundred
lines a strong pretrained network learns the set's conventions and forgets a little of everything else. A point between
both sets of weights keeps most of the conventions and loses less of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from paddle import nn


class WeightInterpolation:
    """weights = start + alpha * (finetuned weights - start), while `applied`.

    Args:
        model: the network, holding the weights that finetuning starts from.
        alpha: the paper's mixing coefficient, in (0, 1]; 1 changes nothing.
    """

    def __init__(self, model: nn.Layer, alpha: float):
        self.model = model
        self.alpha = alpha
        self.start = {} if alpha == 1.0 else {k: v.numpy().copy() for k, v in model.state_dict().items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the network the interpolated weights inside the block and the finetuned ones, bit for bit, after it."""
        state = self.model.state_dict()
        finetuned = {key: state[key].numpy().copy() for key in self.start}
        for key, now in finetuned.items():
            state[key].set_value(self.start[key] + self.alpha * (now - self.start[key]))
        try:
            yield
        finally:
            for key, now in finetuned.items():
                state[key].set_value(now)
