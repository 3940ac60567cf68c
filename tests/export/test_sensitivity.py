"""The losses that are measured for one weight after another, and the passes that begin in the middle."""

from __future__ import annotations

from collections import Counter

import numpy as np
import paddle
import pytest
from drawn import PP_OCRV6_TINY, detector_config, tiny_config
from exported import tiny_folder
from paddle import nn

from scenetext.export.compress import quantisable_weights
from scenetext.export.compress.codings import PACKED
from scenetext.export.compress.quantisation import QuantScheme, quantise
from scenetext.export.compress.sensitivity import ReferenceOutputs, measure_losses
from scenetext.models import build_model

RNG = np.random.default_rng(0)
ATTENTION = {
    "Backbone": {"name": "MobileNetV3", "scale": 0.35, "model_name": "small"},
    "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 16},
    "Head": {"name": "AttentionHead", "hidden_size": 16, "batch_max_length": 4},
}


def crnn() -> dict:
    return tiny_config(tiny_folder())


def transformer() -> dict:
    return {**crnn(), "Architecture": PP_OCRV6_TINY}


def attention() -> dict:
    return {**crnn(), "Architecture": ATTENTION, "Loss": {"name": "AttentionLoss"}}


def detector() -> dict:
    return detector_config(tiny_folder())


class Tied(nn.Layer):
    """Computes with one layer twice, and with one weight in two layers; one layer never computes."""

    def __init__(self):
        super().__init__()
        self.twice, self.first, self.second, self.never = (nn.Linear(3, 3) for _ in range(4))
        self.second.weight = self.first.weight

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        for layer in (self.twice, self.first, self.twice, self.second):
            x = paddle.tanh(layer(x))
        return x


def one_by_one(outputs: ReferenceOutputs, weights: list, quantised: dict[str, np.ndarray]) -> dict[str, float]:
    """The losses, each from whole passes."""
    losses = {}
    for weight in weights:
        own = weight.value
        weight.set_value(quantised[weight.key])
        losses[weight.key] = outputs.divergence()
        weight.set_value(own)
    return losses


@pytest.mark.parametrize("network", [crnn, transformer, attention, detector, Tied])
def test_passes_that_begin_in_the_middle_measure_what_whole_passes_measure(network) -> None:
    paddle.seed(1)
    model = Tied() if network is Tied else build_model(network())
    model.eval()
    shape = (2, 5, 3) if network is Tied else (2, 3, 32, 64)
    if network is not Tied:
        model.fuse()
    weights = quantisable_weights(model)
    weights = weights[:: -(-len(weights) // 10)]  # all over the network
    quantised = {w.key: quantise(w, QuantScheme(PACKED, 4)).dequantise() for w in weights}
    outputs = ReferenceOutputs(model, [RNG.uniform(-1, 1, shape).astype(np.float32) for _ in range(2)])
    wanted = one_by_one(outputs, weights, quantised)
    assert measure_losses(outputs, weights, quantised) == pytest.approx(wanted, rel=1e-6, abs=1e-12)
    assert outputs.divergence() == 0.0  # the network is as it was
    assert sum(loss > 1e-9 for loss in wanted.values()) > len(wanted) // 2
    assert not [layer for layer in model.sublayers() if "forward" in vars(layer)]


class Counted(nn.Linear):
    """Counts how often it computes."""

    computed: Counter

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        self.computed[self.name] += 1
        return super().forward(x)


def test_what_stands_before_a_changed_layer_is_computed_once(monkeypatch) -> None:
    model = nn.Sequential(*(nn.Sequential(*(Counted(4, 4) for _ in range(3))) for _ in range(2)))
    layers = [layer for block in model for layer in block]
    monkeypatch.setattr(Counted, "computed", Counter(), raising=False)
    for name, layer in enumerate(layers):
        layer.name = name
    outputs = ReferenceOutputs(model, [RNG.normal(size=(1, 2, 4)).astype(np.float32)])
    weights = quantisable_weights(model)
    before = Counter(Counted.computed)
    measure_losses(outputs, weights[::-1], {w.key: 0 * w.value for w in weights})
    # one pass finds the order; layer n computes changed, unchanged if one follows, and after each of the n before it
    assert Counted.computed - before == {name: 2 + (name < 5) + name for name in range(6)}
