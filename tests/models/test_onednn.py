"""oneDNN's operations give the results and gradients of Paddle's own, in whichever layout the tensors lie."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.nn import functional as F

from scenetext.models.blocks import layers
from scenetext.models.blocks.svtr_block import Attention
from scenetext.models.kernels import attention, convolution, onednn


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch):
    """oneDNN, which only SCENETEXT_ONEDNN=1 switches on."""
    monkeypatch.setenv("SCENETEXT_ONEDNN", "1")
    forget = onednn.library.cache_clear  # a test may replace the function
    forget()
    if onednn.library() is None:
        pytest.skip("Paddle's wheel has no oneDNN here")
    yield
    forget()


def outcome(layer, function, x, seed=7):
    """The output, and the gradients of a weighted sum of it: of x and of the layer's parameters, those that learn."""
    x = x.detach().clone()
    x.stop_gradient = False
    y = function(x)
    paddle.seed(seed)
    (y * paddle.randn(y.shape)).sum().backward()
    return [y, x.grad, *(p.grad for p in (layer.parameters() if layer else []) if not p.stop_gradient)]


def check(layer, theirs, x, ours=None):
    """Compares a layer, or a function, with Paddle's computation of the same."""
    paddle.seed(0)
    own = outcome(layer, ours or layer, x)
    own = [tensor.numpy() for tensor in own]
    if layer:
        layer.clear_gradients()
    others = [tensor.numpy() for tensor in outcome(layer, theirs, x)]
    assert len(own) == len(others)
    for one, other in zip(own, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(other).max()))


def turned(x):
    """The same numbers with the channels last in memory."""
    return x.transpose([0, 2, 3, 1]).contiguous().transpose([0, 3, 1, 2])


CONVOLUTIONS = [  # channels in and out, kernel, stride, padding, dilation, groups, bias
    (3, 8, 3, (2, 2), 1, 1, 1, True),
    (16, 32, 1, 1, 0, 1, 1, False),
    (16, 16, 5, 1, 2, 1, 4, True),
    (8, 8, 3, (2, 1), 1, 1, 2, False),
    (6, 4, 3, 1, 2, 2, 2, True),
]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("inside", "out", "kernel", "stride", "padding", "dilation", "groups", "bias"), CONVOLUTIONS)
def test_a_convolution_is_paddles(inside, out, kernel, stride, padding, dilation, groups, bias, channels_last):
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    layer = layers.Conv2D(inside, out, kernel, **options, bias_attr=None if bias else False)
    order = turned if channels_last else lambda x: x
    check(
        layer,
        lambda x: F.conv2d(x, layer.weight, layer.bias, stride, padding, dilation, groups),
        paddle.randn([2, inside, 9, 21]),
        lambda x: layer(order(x)),
    )


def test_a_convolution_keeps_the_layout_and_gives_a_frozen_tensor_no_gradient():
    x, weight = turned(paddle.randn([2, 4, 5, 6])), paddle.randn([3, 4, 1, 1])
    weight.stop_gradient = False
    y = convolution.conv2d(x, weight, None, (1, 1), (0, 0), (1, 1), 1)
    assert tuple(y.strides) == convolution.strides_of(tuple(y.shape), True)
    y.sum().backward()
    assert x.grad is None and weight.grad is not None


@pytest.mark.parametrize("deviation", [0.1, 1.0, 30.0])
@pytest.mark.parametrize(("layer", "theirs"), [(layers.GELU(), F.gelu), (layers.Swish(), F.swish)])
def test_an_activation_is_paddles(layer, theirs, deviation):
    check(None, theirs, paddle.randn([3, 7, 33]) * deviation, layer)


def test_a_layer_normalisation_is_paddles():
    layer = layers.LayerNorm(24, epsilon=1e-6)
    layer.weight.set_value(paddle.randn([24]))
    check(layer, lambda x: F.layer_norm(x, 24, layer.weight, layer.bias, 1e-6), paddle.randn([2, 9, 24]) + 3.0)


@pytest.mark.parametrize(("times", "heads", "width"), [(7, 3, 8), (33, 2, 32)])
def test_attention_is_paddles(times, heads, width, monkeypatch):
    layer, x = Attention(heads * width, heads), paddle.randn([2, times, heads * width])
    with_kernel = [tensor.numpy() for tensor in outcome(layer, layer, x)]
    layer.clear_gradients()
    monkeypatch.setattr(onednn, "library", lambda: None)
    monkeypatch.setattr(attention, "attention", None)  # not called
    for one, other in zip(with_kernel, outcome(layer, layer, x), strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-5)


def test_it_is_off_unless_one_variable_switches_it_on():
    code = "from scenetext.models.kernels import onednn; print(onednn.library())"
    without = {name: value for name, value in os.environ.items() if name != "SCENETEXT_ONEDNN"}
    done = subprocess.run([sys.executable, "-c", code], env=without, capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr


def test_a_frozen_layer_keeps_its_numbers():
    layer = nn.Sequential(layers.Conv2D(4, 4, 1), nn.Flatten(2), layers.Linear(15, 6), layers.LayerNorm(6))
    layers.freeze(layer)
    x = paddle.randn([2, 4, 3, 5])
    x.stop_gradient = False
    layer(x).sum().backward()
    assert x.grad is not None and all(p.grad is None for p in layer.parameters())
