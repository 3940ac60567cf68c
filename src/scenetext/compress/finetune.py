"""Training a network with its weights already rounded: for budgets that rounding alone cannot meet.

Forward, each weight is rounded to its levels; backward, the rounding is taken for no change, so that the weight behind it
moves until it falls to another level (straight-through estimator: Bengio et al., arXiv:1308.3432, section 4). The
teacher is the network itself in float32: no labels are needed (Mishra and Marr, arXiv:1711.05852, scheme A). The scales
stay, the biases and normalisations learn along.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from paddle.nn.layer.rnn import RNNBase

from scenetext.compress.codings import PACKED, StoredTensor, pack
from scenetext.compress.encoding import as_rows
from scenetext.compress.stored import CodableWeight, codable_weights

LEVELS_PER_STEP = 0.01  # how far a weight moves in a training step, of the distance between two levels
FLOAT_RATE = 1e-4  # of all that stays float32


@dataclass(slots=True)
class _Latent:
    """A weight behind its rounding."""

    weight: CodableWeight
    stored: StoredTensor
    steps: Tensor  # of the weight's shape
    levels: int

    def rounded(self, value: Tensor) -> Tensor:
        middle = (self.levels - 1) / 2
        place = paddle.clip(value / self.steps + middle, 0, self.levels - 1)
        nearest = place + (paddle.round(place) - place).detach()
        return (nearest - middle) * self.steps

    def encoded(self) -> StoredTensor:
        ratio = self.weight.value / self.steps.numpy() + (self.levels - 1) / 2
        level = np.clip(np.rint(ratio), 0, self.levels - 1).astype(np.uint8)
        rows = as_rows(level, self.weight.axis)
        return StoredTensor(PACKED, {**pack(rows, self.levels), "scale": self.stored.arrays["scale"]}, self.stored.settings)


def finetune_rounded(
    model: nn.Layer, stored: Mapping[str, StoredTensor], batches: Iterable[np.ndarray], steps: int
) -> dict[str, StoredTensor]:
    """Trains the levels of packed weights, and what is not coded, to give the float32 network's answers.

    Args:
        model: the float32 network, fused, in evaluation mode; afterwards its uncoded parameters are the trained ones.
        stored: its coded weights.
        batches: (B, 3, H, W) float32 each, at least `steps` of them.
        steps: how many to train on; the learning rate falls to 0 along half a cosine.

    Returns:
        The coded weights with their new levels.
    """
    teacher = copy.deepcopy(model)
    for layer in model.sublayers():
        if isinstance(layer, RNNBase):
            layer.train()  # Paddle keeps what its gradient needs in this mode alone; there is no dropout in it
    latents, found = [], dict(stored)
    for weight in codable_weights(model):
        if weight.key not in stored:
            continue
        tensor = stored[weight.key]
        weight.set_value(tensor.decode())
        if tensor.coding == PACKED and not weight.recurrent:
            latents.append(_latent(weight, tensor))
    trained = {id(latent.weight.parameter) for latent in latents}
    fixed = [w.parameter for w in codable_weights(model) if w.key in stored and id(w.parameter) not in trained]
    frozen = {id(parameter) for parameter in fixed}
    hooks = [_round_in_forward(latent) for latent in latents]
    rate = paddle.optimizer.lr.CosineAnnealingDecay(1.0, steps)
    groups = [
        {"params": [latent.weight.parameter], "learning_rate": LEVELS_PER_STEP * float(latent.steps.mean())}
        for latent in latents
    ]
    floats = [p for p in model.parameters() if id(p) not in trained and id(p) not in frozen and not p.stop_gradient]
    groups.append({"params": floats, "learning_rate": FLOAT_RATE})
    optimiser = paddle.optimizer.Adam(rate, parameters=groups)
    try:
        for _, images in zip(range(steps), batches, strict=False):
            images = paddle.to_tensor(images)
            with paddle.no_grad():
                wanted = F.log_softmax(teacher(images), axis=-1)  # (B, T, C)
            answer = F.log_softmax(model(images), axis=-1)
            loss = (wanted.exp() * (wanted - answer)).sum() / len(images)
            loss.backward()
            optimiser.step()
            optimiser.clear_grad()
            rate.step()
    finally:
        for hook, latent in zip(hooks, latents, strict=True):
            hook.remove()
            latent.weight.layer.__dict__.pop(latent.weight.attribute, None)
        model.eval()
    for latent in latents:
        found[latent.weight.key] = latent.encoded()
    return found


def _latent(weight: CodableWeight, tensor: StoredTensor) -> _Latent:
    rows = as_rows(weight.value, weight.axis)
    scale = tensor.arrays["scale"].astype(np.float32) * np.float32(tensor.settings["unit"])  # (outputs, groups)
    steps = np.repeat(scale, rows.shape[1] // scale.shape[1], axis=1)
    steps = steps.reshape(weight.value.shape) if weight.axis == 0 else np.ascontiguousarray(steps.T)
    return _Latent(weight, tensor, paddle.to_tensor(steps), tensor.settings["levels"])


def _round_in_forward(latent: _Latent):
    """Puts the rounded weight in the way of the one behind it, at the start of its layer's forward."""

    def hook(layer: nn.Layer, _inputs: tuple) -> None:
        object.__setattr__(layer, latent.weight.attribute, latent.rounded(latent.weight.parameter))

    return latent.weight.layer.register_forward_pre_hook(hook)
