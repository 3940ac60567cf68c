"""Which layers of a network compute in a forward pass, how often, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import paddle
from paddle import Tensor, nn


def layer_calls(model: nn.Layer, layers: Iterable[nn.Layer], batch: Tensor) -> Counter[nn.Layer]:
    """How often each of some layers computes in one pass; those that do, in the order of their first calls.

    Args:
        model: the network, in evaluation mode.
        layers: of the network.
        batch: (B, 3, H, W) float32.
    """
    calls: Counter[nn.Layer] = Counter()
    hooks = [layer.register_forward_pre_hook(lambda called, _: calls.update([called])) for layer in layers]
    try:
        with paddle.no_grad():
            model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return calls
