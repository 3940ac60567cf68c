"""Forward passes over one batch with one weight changed at a time: what stands before the change is computed once.

In a pass, all that is computed before the first layer that owns the weight is as it was in the passes before. So each
layer's outputs are kept, and given again in the next pass. The outputs of a layer take the place of those of the layers
within it, so that few tensors are kept at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn


class ResumedPasses:
    """Passes over one batch; use it in a `with` block, which ends with the network's own forward passes.

    Args:
        model: the network, in evaluation mode; its layers do not compute in place on what another layer gave.
        batch: (B, 3, H, W) float32.
    """

    def __init__(self, model: nn.Layer, batch: Tensor):
        self._model, self._batch = model, batch
        self._kept: dict[nn.Layer, Any] = {}  # what the first call of a layer in a pass gave
        self._called: list[nn.Layer] = []  # in this pass before the change, in the order of their first calls
        self._owners: Collection[nn.Layer] = ()
        self._change: Callable[[], None] | None = None  # None once it is done

    def __enter__(self) -> ResumedPasses:
        for layer in self._model.sublayers():
            layer.forward = self._resumed(layer, layer.forward)
        return self

    def __exit__(self, *_: object) -> None:
        for layer in self._model.sublayers():
            del layer.forward  # the instance's; its class has its own

    def outputs(self, owners: Collection[nn.Layer], change: Callable[[], None]) -> np.ndarray:
        """The network's outputs with a change that is made when the first of its layers begins to compute.

        Args:
            owners: the layers that the change concerns. From pass to pass, the first of them to compute is the same as
                before or a later one. If there are none, the change is made at once, and all is computed.
            change: changes them; the caller takes it back afterwards.
        """
        self._called.clear()
        self._owners, self._change = owners, change
        if not owners:
            self._make_change()
        with paddle.no_grad():
            return self._model(self._batch).numpy()

    def _make_change(self) -> None:
        change, self._change = self._change, None
        change()

    def _resumed(self, layer: nn.Layer, forward: Callable) -> Callable:
        def resumed(*inputs: Any, **options: Any) -> Any:
            if self._change is not None and layer in self._owners:
                self._make_change()
            if self._change is None or layer in self._called:
                return forward(*inputs, **options)
            self._called.append(layer)
            if layer in self._kept:
                return self._kept[layer]
            within = len(self._called)
            outputs = forward(*inputs, **options)
            if self._change is not None:
                for inner in self._called[within:]:
                    self._kept.pop(inner, None)
                self._kept[layer] = outputs
            return outputs

        return resumed
