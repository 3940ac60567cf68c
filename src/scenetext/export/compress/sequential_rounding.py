"""Rounding a network's weights one after the other, each making good what those before it changed.

Rounded alone, every layer keeps its own output on the inputs of the float32 network; in the rounded network it sees
other inputs. Here the layers are gone through in the order in which they compute. Each first moves its weights so that
from the inputs it now sees it gives the output that it had (least squares; Li et al., GPTAQ, arXiv:2504.02692, section 3,
correct for the same difference within GPTQ), then rounds them, then moves its bias by what the output is still off on
average (Nagel et al., arXiv:1906.04721, appendix D).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from scenetext.export.compress.calibration import input_rows
from scenetext.export.compress.coded_weights import CodableWeight, codable_weights
from scenetext.export.compress.codings import StoredTensor
from scenetext.export.compress.encoding import QuantScheme, as_rows, encode_value
from scenetext.export.compress.lockstep import Lockstep
from scenetext.export.compress.rounding import InputHessian

DAMPING = 0.3  # of the mean second moment: directions in which the inputs hardly vary move the weights little


@dataclass(frozen=True, slots=True)
class Rounded:
    """A network's weights in storage, and the biases that go with them.

    Attributes:
        stored: coded weights by key.
        biases: float32 by key, those that differ from the network's own.
    """

    stored: dict[str, StoredTensor]
    biases: dict[str, np.ndarray]

    def apply(self, model: nn.Layer) -> None:
        """Gives a network of this structure the weights as they will be decoded, and the biases."""
        for weight in codable_weights(model):
            if weight.key in self.stored:
                weight.set_value(self.stored[weight.key].decode())
        self.apply_biases(model)

    def apply_biases(self, model: nn.Layer) -> None:
        """Gives a network of this structure the biases."""
        tensors = model.state_dict()
        for key, bias in self.biases.items():
            tensors[key].set_value(bias)


def round_in_order(
    model: nn.Layer,
    stored: Mapping[str, StoredTensor],
    moments: Mapping[str, InputHessian],
    batches: Sequence[np.ndarray],
    progress: Callable[[Iterable], Iterable] = iter,
) -> Rounded:
    """Rounds weights again, in as many bytes, with a view to what the network looks like before them.

    Args:
        model: the float32 network, fused, in evaluation mode; it stays as it is.
        stored: its weights, each rounded alone. Recurrent ones, and those of layers that compute more than once in a
            pass, stay as they are here.
        moments: of the layers' inputs in the float32 network, from more lines than `batches` hold; see `input_hessians`.
        batches: (B, 3, H, W) float32 each.
        progress: wraps the iteration over weights.
    """
    changed = copy.deepcopy(model)
    own = {weight.key: weight for weight in codable_weights(model) if weight.key in stored}
    moving = {weight.key: weight for weight in codable_weights(changed)}
    found, biases = dict(stored), {}
    calls = _calls(model, list(own.values()), batches[0])
    once = [key for key in calls if calls[key] == 1 and not own[key].recurrent]
    for key in stored:
        if key not in once:
            moving[key].set_value(found[key].decode())
    with (
        Lockstep(model, [own[key].layer for key in once], batches) as plain,
        Lockstep(changed, [moving[key].layer for key in once], batches) as rounded,
    ):
        for key in progress(once):
            weight, twin = own[key], moving[key]
            before, after = plain.next_inputs(), rounded.next_inputs()
            if key in moments:
                rows, seen = _fitted_rows(weight, before, after)
                own_rows = rows if weight.axis == 0 else np.ascontiguousarray(rows.T)
                value = own_rows.reshape(weight.value.shape)
                # so few lines alone say too little about inputs that vary together
                both = InputHessian((seen + moments[key].products) / 2)
                found[key] = encode_value(value, weight.axis, QuantScheme.of(stored[key]), both)
            twin.set_value(found[key].decode())
            if getattr(weight.layer, "bias", None) is not None:
                bias = twin.layer.bias
                off = _mean_difference(weight.layer, before, twin.layer, after)
                bias.set_value((bias.numpy() + off).astype(np.float32))
                biases[f"{key.rpartition('.')[0]}.bias"] = bias.numpy()
    return Rounded(found, biases)


def _calls(model: nn.Layer, weights: Sequence[CodableWeight], batch: np.ndarray) -> Counter[str]:
    """How often the layer of each weight computes in one pass; keys in the order in which they do so first."""
    calls: Counter[str] = Counter()
    hooks = [w.layer.register_forward_pre_hook(lambda _, __, key=w.key: calls.update([key])) for w in weights]
    try:
        with paddle.no_grad():
            model(paddle.to_tensor(batch))
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _fitted_rows(
    weight: CodableWeight, before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that give from the inputs `after` what the weight's own give from `before`, and the moments of `after`.

    With inputs X before and Y after, the rows W + W (X - Y)ᵀ Y (Yᵀ Y)⁻¹ have the least squared error.

    Returns:
        float32 (outputs, inputs), and float32 (inputs, inputs) up to a factor.
    """
    products, crossed = 0.0, 0.0
    for number, (x, y) in enumerate(zip(before, after, strict=True)):
        x_rows = input_rows(x, weight.layer, np.random.default_rng(number))  # the same places of both
        y_rows = input_rows(y, weight.layer, np.random.default_rng(number)).astype(np.float64)
        products = products + y_rows.T @ y_rows
        crossed = crossed + (x_rows - y_rows).T @ y_rows
    mean = max(np.trace(products) / len(products), 1e-30)
    damped = products + DAMPING * mean * np.eye(len(products))
    rows = as_rows(weight.value, weight.axis)
    moved = rows + np.linalg.solve(damped, (rows @ crossed).T).T
    return moved.astype(np.float32), (products / mean).astype(np.float32)


def _mean_difference(
    layer: nn.Layer, before: Sequence[np.ndarray], changed: nn.Layer, after: Sequence[np.ndarray]
) -> np.ndarray:
    """The mean of layer(before) - changed(after) for each output channel, float64 (outputs,)."""
    total, count = 0.0, 0
    with paddle.no_grad():
        for x, y in zip(before, after, strict=True):
            off = (layer(paddle.to_tensor(x)) - changed(paddle.to_tensor(y))).numpy()
            off = np.moveaxis(off, 1, -1) if isinstance(layer, nn.Conv2D) else off
            total = total + off.reshape(-1, off.shape[-1]).sum(axis=0, dtype=np.float64)
            count += off.size // off.shape[-1]
    return total / max(count, 1)
