"""Blending finetuned weights with those that training started from.

Paper: Wortsman et al., Robust fine-tuning of zero-shot models (WiSE-FT), CVPR 2022, arXiv:2109.01903. On a few hundred
lines a strong pretrained network learns the set's conventions and forgets a little of everything else; a point between
both sets of weights keeps most of the first and loses less of the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from paddle import nn


class WeightInterpolation:
    """weights = start + share * (weights now - start), while `applied`.

    Args:
        model: the network, holding the weights that training starts from.
        share: of the way from the start to the weights now, in (0, 1]; 1 changes nothing.
    """

    def __init__(self, model: nn.Layer, share: float):
        self.model = model
        self.share = share
        self.start = {} if share == 1.0 else {k: v.numpy().copy() for k, v in model.state_dict().items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Holds the blended weights inside the block and the trained ones, bit for bit, after it."""
        state = self.model.state_dict()
        trained = {key: state[key].numpy().copy() for key in self.start}
        for key, now in trained.items():
            state[key].set_value(self.start[key] + self.share * (now - self.start[key]))
        try:
            yield
        finally:
            for key, now in trained.items():
                state[key].set_value(now)
