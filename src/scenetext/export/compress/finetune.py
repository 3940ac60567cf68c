"""Finetuning a network with its weights already quantised: for budgets that rounding alone cannot meet.

In the forward pass each weight is rounded to its levels. In the backward pass the rounding counts as the identity, so
the latent weight behind it moves until it falls to another level (straight-through estimator: Bengio et al.,
arXiv:1308.3432, section 4). The scales are trained too (Esser et al., arXiv:1902.08153, section 3.1; for groups: Chen
et al., arXiv:2407.11062, section 3.3), and so are the biases and normalisations. The teacher is the network itself in
float32: no labels are needed (Mishra and Marr, arXiv:1711.05852, scheme A).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from paddle.nn.layer.layers import HookRemoveHelper
from paddle.nn.layer.rnn import RNNBase
from paddle.optimizer import Adam
from paddle.optimizer.lr import CosineAnnealingDecay

from scenetext.export.compress.codings import PACKED, QuantisedTensor, dequantise_scales, pack, quantise_scales
from scenetext.export.compress.quantisation import as_rows
from scenetext.export.compress.quantised_weights import QuantisableWeight, quantisable_weights
from scenetext.export.compress.sequential_quantisation import QuantisedModel

LEVELS_PER_STEP = 0.003  # how far a weight moves in a training step, of the distance between two levels
SCALE_PER_STEP = 0.002  # how far a scale moves, of the scales' mean
FLOAT_RATE = 1e-4  # learning rate of all that stays float32


class _Latent:
    """The latent weights and the scales of a packed weight, both trained.

    Args:
        weight: of the network.
        quantised: its codes and scales before finetuning.
    """

    def __init__(self, weight: QuantisableWeight, quantised: QuantisedTensor):
        self.weight, self.before, self.levels = weight, quantised, quantised.settings["levels"]
        scales = dequantise_scales(quantised.arrays, weight.axis)  # (outputs, groups)
        outputs, groups = scales.shape
        self.grouped = [outputs, groups, weight.size // (outputs * groups)]
        rows = as_rows(quantised.dequantise(), weight.axis).reshape(self.grouped) / scales[:, :, None]
        self.latent = paddle.create_parameter(self.grouped, "float32")
        self.latent.set_value(rows)
        self.scales = paddle.create_parameter([outputs, groups, 1], "float32")
        self.scales.set_value(scales[:, :, None])

    def fake_quantised(self) -> Tensor:
        """The weight as the program will dequantise it, in the layer's own shape."""
        middle = (self.levels - 1) / 2
        position = paddle.clip(self.latent + middle, 0, self.levels - 1)
        value = (position + (paddle.round(position) - position).detach() - middle) * self.scales
        if self.weight.axis == 0:
            return value.reshape(self.weight.parameter.shape)
        return value.reshape([self.grouped[0], -1]).transpose([1, 0])

    def quantised(self) -> QuantisedTensor:
        """The trained weight as it is stored."""
        codes = np.clip(np.rint(self.latent.numpy() + (self.levels - 1) / 2), 0, self.levels - 1).astype(np.uint8)
        rows = codes.reshape(self.grouped[0], -1)
        own = rows if self.weight.axis == 0 else rows.T
        scales = quantise_scales(self.scales.numpy()[..., 0], self.weight.axis, len(self.weight.parameter.shape))
        return QuantisedTensor(PACKED, {**pack(own, self.levels), **scales}, self.before.settings)


def finetune_quantised(
    model: nn.Layer, quantised: QuantisedModel, batches: Iterable[np.ndarray], steps: int
) -> dict[str, QuantisedTensor]:
    """Trains the codes of packed weights, and all that stays float32, to give the float32 network's outputs.

    Args:
        model: the float32 network, fused, in evaluation mode; afterwards its float32 parameters are the trained ones.
        quantised: its quantised weights and the biases that go with them.
        batches: (B, 3, H, W) float32 each, at least `steps` of them.
        steps: how many to train on; the learning rate falls to 0 along half a cosine.

    Returns:
        The quantised weights with their new codes.
    """
    teacher, weights = copy.deepcopy(model), quantised.weights
    quantised.apply(model)
    for layer in model.sublayers():
        if isinstance(layer, RNNBase):
            layer.train()  # Paddle keeps what its gradient needs in this mode alone; there is no dropout in it
    latents = []
    for weight in quantisable_weights(model):
        if weight.key in weights and weights[weight.key].coding == PACKED and not weight.recurrent:
            latents.append(_Latent(weight, weights[weight.key]))
    coded = {id(weight.parameter) for weight in quantisable_weights(model) if weight.key in weights}
    floats = [p for p in model.parameters() if id(p) not in coded and not p.stop_gradient]
    rate, optimiser = _optimiser(latents, floats, steps)
    hooks = [_fake_quantise_in_forward(latent) for latent in latents]
    try:
        for _, images in zip(range(steps), batches, strict=False):
            images = paddle.to_tensor(images)
            with paddle.no_grad():
                wanted = teacher(images)
            loss = _distance(model(images), wanted) / len(images)
            loss.backward()
            optimiser.step()
            optimiser.clear_grad()
            rate.step()
    finally:
        for hook, latent in zip(hooks, latents, strict=True):
            hook.remove()
            latent.weight.layer.__dict__.pop(latent.weight.attribute, None)
        model.eval()
    return {**weights, **{latent.weight.key: latent.quantised() for latent in latents}}


def _distance(outputs: Tensor, wanted: Tensor) -> Tensor:
    """The cross-entropy of outputs against a teacher's, summed: logits (B, T, C), or maps (B, 1, H, W) in [0, 1]."""
    if outputs.ndim == 3:
        return F.cross_entropy(outputs, F.softmax(wanted, axis=-1), soft_label=True, reduction="sum")
    return F.binary_cross_entropy(outputs, wanted, reduction="sum")


def _optimiser(latents: list[_Latent], floats: list[Tensor], steps: int) -> tuple[CosineAnnealingDecay, Adam]:
    """The learning rate's schedule, and Adam with a learning rate of its own for each kind of parameter."""
    rate = CosineAnnealingDecay(1.0, steps)
    scale_rates = [SCALE_PER_STEP * float(latent.scales.mean()) for latent in latents]
    groups = [
        {"params": [latent.latent for latent in latents], "learning_rate": LEVELS_PER_STEP},
        *({"params": [la.scales], "learning_rate": own} for la, own in zip(latents, scale_rates, strict=True)),
        {"params": floats, "learning_rate": FLOAT_RATE},
    ]
    return rate, Adam(rate, parameters=[group for group in groups if group["params"]])


def _fake_quantise_in_forward(latent: _Latent) -> HookRemoveHelper:
    """Makes a layer compute with the fake-quantised weight: it is set at the start of the layer's forward pass."""

    def hook(layer: nn.Layer, _inputs: tuple) -> None:
        object.__setattr__(layer, latent.weight.attribute, latent.fake_quantised())

    return latent.weight.layer.register_forward_pre_hook(hook)
