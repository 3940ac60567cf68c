"""Sequential quantisation (GPTQ order): each layer compensates for the error of those that compute before it.

Quantised alone, every layer keeps its own output on the inputs of the float32 network; in the quantised network it gets
other inputs. Here the layers are quantised in the order in which they compute. Each layer first moves its weights so
that from its changed inputs it gives the output that it had (least squares; Li et al., GPTAQ, arXiv:2504.02692, section
3, correct for the same difference within GPTQ). Then the weights are quantised. Then the bias is corrected by the mean
error that is left at the output (Nagel et al., arXiv:1906.04721, appendix D).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import nn

from scenetext.export.compress.calibration import input_rows
from scenetext.export.compress.codings import QuantisedTensor
from scenetext.export.compress.layer_calls import layer_calls
from scenetext.export.compress.lockstep import Lockstep
from scenetext.export.compress.quantisation import QuantScheme, as_rows, quantise_array
from scenetext.export.compress.quantised_weights import QuantisableWeight, quantisable_weights
from scenetext.export.compress.rounding import InputHessian

DAMPING = 0.3  # of the mean of the diagonal: directions in which the inputs hardly vary move the weights little


@dataclass(frozen=True, slots=True)
class QuantisedModel:
    """A network's quantised weights, and the biases that go with them.

    Attributes:
        weights: by key.
        biases: float32 by key, those that differ from the network's own.
    """

    weights: dict[str, QuantisedTensor]
    biases: dict[str, np.ndarray]

    def apply(self, model: nn.Layer) -> None:
        """Sets the dequantised weights and the biases in a network of this structure."""
        for weight in quantisable_weights(model):
            if weight.key in self.weights:
                weight.set_value(self.weights[weight.key].dequantise())
        self.apply_biases(model)

    def apply_biases(self, model: nn.Layer) -> None:
        """Sets the biases in a network of this structure."""
        tensors = model.state_dict()
        for key, bias in self.biases.items():
            tensors[key].set_value(bias)


def quantise_sequentially(
    model: nn.Layer,
    schemes: Mapping[str, QuantScheme],
    alone: Callable[[str], QuantisedTensor],
    hessians: Mapping[str, InputHessian],
    batches: Sequence[np.ndarray],
    progress: Callable[[Iterable], Iterable] = iter,
) -> QuantisedModel:
    """Quantises weights, each after the layers before it.

    Args:
        model: the float32 network, fused, in evaluation mode; it is not changed.
        schemes: by key, how to quantise a weight.
        alone: gives a weight quantised alone by its scheme. Recurrent weights, grouped ones, and those of layers that
            compute more than once in a pass, are taken from it as they are.
        hessians: of the layers' inputs in the float32 network, from more lines than `batches` hold; see
            `input_hessians`.
        batches: (B, 3, H, W) float32 each.
        progress: wraps the iteration over weights.
    """
    changed = copy.deepcopy(model)
    weights = {weight.key: weight for weight in quantisable_weights(model) if weight.key in schemes}
    twins = {weight.key: weight for weight in quantisable_weights(changed)}
    keys = {weight.layer: key for key, weight in weights.items() if not weight.recurrent}
    calls = layer_calls(model, keys, paddle.to_tensor(batches[0]))
    once = [keys[layer] for layer in calls if calls[layer] == 1]
    compensated = set(once) & set(hessians)
    quantised = {key: alone(key) for key in schemes if key not in compensated}
    biases: dict[str, np.ndarray] = {}
    for key in schemes:
        if key not in once:
            twins[key].set_value(quantised[key].dequantise())
    with (
        Lockstep(model, [weights[key].layer for key in once], batches) as float_passes,
        Lockstep(changed, [twins[key].layer for key in once], batches) as quantised_passes,
    ):
        for key in progress(once):
            weight, twin = weights[key], twins[key]
            before, after = float_passes.next_inputs(), quantised_passes.next_inputs()
            if key in compensated:
                quantised[key] = _quantise_compensated(weight, schemes[key], hessians[key], before, after)
            twin.set_value(quantised[key].dequantise())
            if getattr(weight.layer, "bias", None) is not None:
                bias = twin.layer.bias
                correction = _bias_correction(weight.layer, before, twin.layer, after)
                bias.set_value((bias.numpy() + correction).astype(np.float32))
                biases[f"{key.rpartition('.')[0]}.bias"] = bias.numpy()
    return QuantisedModel({key: quantised[key] for key in schemes}, biases)


def _quantise_compensated(
    weight: QuantisableWeight,
    scheme: QuantScheme,
    hessian: InputHessian,
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
) -> QuantisedTensor:
    """Quantises a weight that is moved first, so that it compensates for the change of its inputs."""
    rows, changed_hessian = _compensated_rows(weight, before, after)
    own_rows = rows if weight.axis == 0 else np.ascontiguousarray(rows.T)
    value = own_rows.reshape(weight.value.shape)
    # so few lines alone say too little about inputs that vary together
    both = InputHessian((changed_hessian + hessian.matrix) / 2)
    return quantise_array(value, weight.axis, scheme, both)


def _compensated_rows(
    weight: QuantisableWeight, before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that give from the inputs `after` what the weight's own give from `before`, and the Hessian of `after`.

    With inputs X before and Y after, the rows W + W (X - Y)ᵀ Y (Yᵀ Y)⁻¹ have the least squared error.

    Returns:
        float32 (outputs, inputs), and float32 (inputs, inputs) up to a factor.
    """
    hessian, crossed = 0.0, 0.0
    for number, (x, y) in enumerate(zip(before, after, strict=True)):
        x_rows = input_rows(x, weight.layer, np.random.default_rng(number))  # the same positions of both
        y_rows = input_rows(y, weight.layer, np.random.default_rng(number)).astype(np.float64)
        hessian = hessian + y_rows.T @ y_rows
        crossed = crossed + (x_rows - y_rows).T @ y_rows
    mean = max(np.trace(hessian) / len(hessian), 1e-30)
    damped = hessian + DAMPING * mean * np.eye(len(hessian))
    rows = as_rows(weight.value, weight.axis)
    moved = rows + np.linalg.solve(damped, (rows @ crossed).T).T
    return moved.astype(np.float32), (hessian / mean).astype(np.float32)


def _bias_correction(
    layer: nn.Layer, before: Sequence[np.ndarray], changed: nn.Layer, after: Sequence[np.ndarray]
) -> np.ndarray:
    """The mean of layer(before) - changed(after) for each output channel, float64 (outputs,)."""
    total, count = 0.0, 0
    with paddle.no_grad():
        for x, y in zip(before, after, strict=True):
            error = (layer(paddle.to_tensor(x)) - changed(paddle.to_tensor(y))).numpy()
            error = np.moveaxis(error, 1, -1) if isinstance(layer, nn.Conv2D) else error
            total = total + error.reshape(-1, error.shape[-1]).sum(axis=0, dtype=np.float64)
            count += error.size // error.shape[-1]
    return total / max(count, 1)
