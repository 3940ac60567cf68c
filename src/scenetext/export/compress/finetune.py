"""Training a network with its weights already rounded: for budgets that rounding alone cannot meet.

Forward, each weight is rounded to its levels; backward, the rounding is taken for no change, so that the weight behind it
moves until it falls to another level (straight-through estimator: Bengio et al., arXiv:1308.3432, section 4). The scales
learn along (Esser et al., arXiv:1902.08153, section 3.1; for groups: Chen et al., arXiv:2407.11062, section 3.3), and so
do the biases and normalisations. The teacher is the network itself in float32: no labels are needed (Mishra and Marr,
arXiv:1711.05852, scheme A).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from paddle.nn.layer.rnn import RNNBase

from scenetext.export.compress.coded_weights import CodableWeight, codable_weights
from scenetext.export.compress.codings import PACKED, StoredTensor, pack, store_scales, stored_scales
from scenetext.export.compress.encoding import as_rows
from scenetext.export.compress.sequential_rounding import Rounded

LEVELS_PER_STEP = 0.003  # how far a weight moves in a training step, of the distance between two levels
SCALE_PER_STEP = 0.002  # how far a scale moves, of the scales' mean
FLOAT_RATE = 1e-4  # of all that stays float32


class _Latent:
    """A packed weight and what is trained of it: the number behind each level, and the scales.

    Args:
        weight: of the network.
        stored: as the fitter rounded it.
    """

    def __init__(self, weight: CodableWeight, stored: StoredTensor):
        self.weight, self.stored, self.levels = weight, stored, stored.settings["levels"]
        scales = stored_scales(stored.arrays, weight.axis)  # (outputs, groups)
        outputs, groups = scales.shape
        self.grouped = [outputs, groups, weight.size // (outputs * groups)]
        rows = as_rows(stored.decode(), weight.axis).reshape(self.grouped) / scales[:, :, None]
        self.behind = paddle.create_parameter(self.grouped, "float32")
        self.behind.set_value(rows)
        self.scales = paddle.create_parameter([outputs, groups, 1], "float32")
        self.scales.set_value(scales[:, :, None])

    def rounded(self) -> Tensor:
        """The weight as the program will decode it, in the layer's own shape."""
        middle = (self.levels - 1) / 2
        place = paddle.clip(self.behind + middle, 0, self.levels - 1)
        value = (place + (paddle.round(place) - place).detach() - middle) * self.scales
        if self.weight.axis == 0:
            return value.reshape(self.weight.parameter.shape)
        return value.reshape([self.grouped[0], -1]).transpose([1, 0])

    def encoded(self) -> StoredTensor:
        """The trained weight in storage."""
        level = np.clip(np.rint(self.behind.numpy() + (self.levels - 1) / 2), 0, self.levels - 1).astype(np.uint8)
        rows = level.reshape(self.grouped[0], -1)
        own = rows if self.weight.axis == 0 else rows.T
        scales = store_scales(self.scales.numpy()[..., 0], self.weight.axis, len(self.weight.parameter.shape))
        return StoredTensor(PACKED, {**pack(own, self.levels), **scales}, self.stored.settings)


def finetune_rounded(
    model: nn.Layer, rounded: Rounded, batches: Iterable[np.ndarray], steps: int
) -> dict[str, StoredTensor]:
    """Trains the levels of packed weights, and what is not coded, to give the float32 network's answers.

    Args:
        model: the float32 network, fused, in evaluation mode; afterwards its uncoded parameters are the trained ones.
        rounded: its coded weights and the biases that go with them.
        batches: (B, 3, H, W) float32 each, at least `steps` of them.
        steps: how many to train on; the learning rate falls to 0 along half a cosine.

    Returns:
        The coded weights with their new levels.
    """
    teacher, stored = copy.deepcopy(model), rounded.stored
    rounded.apply(model)
    for layer in model.sublayers():
        if isinstance(layer, RNNBase):
            layer.train()  # Paddle keeps what its gradient needs in this mode alone; there is no dropout in it
    latents = []
    for weight in codable_weights(model):
        if weight.key in stored and stored[weight.key].coding == PACKED and not weight.recurrent:
            latents.append(_Latent(weight, stored[weight.key]))
    coded = {id(weight.parameter) for weight in codable_weights(model) if weight.key in stored}
    floats = [p for p in model.parameters() if id(p) not in coded and not p.stop_gradient]
    rate = paddle.optimizer.lr.CosineAnnealingDecay(1.0, steps)
    scale_rates = [SCALE_PER_STEP * float(latent.scales.mean()) for latent in latents]
    groups = [
        {"params": [latent.behind for latent in latents], "learning_rate": LEVELS_PER_STEP},
        *({"params": [la.scales], "learning_rate": own} for la, own in zip(latents, scale_rates, strict=True)),
        {"params": floats, "learning_rate": FLOAT_RATE},
    ]
    optimiser = paddle.optimizer.Adam(rate, parameters=[group for group in groups if group["params"]])
    hooks = [_round_in_forward(latent) for latent in latents]
    try:
        for _, images in zip(range(steps), batches, strict=False):
            images = paddle.to_tensor(images)
            with paddle.no_grad():
                wanted = F.softmax(teacher(images), axis=-1)  # (B, T, C)
            loss = F.cross_entropy(model(images), wanted, soft_label=True, reduction="sum") / len(images)
            loss.backward()
            optimiser.step()
            optimiser.clear_grad()
            rate.step()
    finally:
        for hook, latent in zip(hooks, latents, strict=True):
            hook.remove()
            latent.weight.layer.__dict__.pop(latent.weight.attribute, None)
        model.eval()
    return {**stored, **{latent.weight.key: latent.encoded() for latent in latents}}


def _round_in_forward(latent: _Latent):
    """Puts the rounded weight in the way of the one behind it, at the start of its layer's forward."""

    def hook(layer: nn.Layer, _inputs: tuple) -> None:
        object.__setattr__(layer, latent.weight.attribute, latent.rounded())

    return latent.weight.layer.register_forward_pre_hook(hook)
