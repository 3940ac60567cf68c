"""oneDNN's operations give the results and gradients of Paddle's own, in whichever layout the tensors lie."""

from __future__ import annotations

import imitated_gpu
import numpy as np
import paddle
import pytest
from paddle import nn
from paddle.nn import functional as F

from scenetext.config import load_config
from scenetext.models import build_model
from scenetext.models.blocks import layers
from scenetext.models.blocks.svtr_block import Attention
from scenetext.models.kernels import attention, convolution, onednn
from scenetext.train.losses import ctc_loss
from scenetext.train.precision import Precision


def forget() -> None:
    onednn.library.cache_clear()
    onednn._find.cache_clear()


@pytest.fixture(autouse=True)
def whole_onednn(monkeypatch: pytest.MonkeyPatch):
    """oneDNN as a user has it who switches nothing off."""
    monkeypatch.delenv("SCENETEXT_ONEDNN", raising=False)
    restore = forget  # a test may replace the functions
    restore()
    if onednn.library() is None:
        pytest.skip(onednn.why_unused())
    yield
    monkeypatch.undo()
    restore()


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
    pair = [(v, v) if isinstance(v, int) else v for v in (stride, padding, dilation)]
    check(
        layer,
        lambda x: F.conv2d(x, layer.weight, layer.bias, stride, padding, dilation, groups),
        paddle.randn([2, inside, 9, 21]),
        lambda x: convolution.conv2d(order(x), layer.weight, layer.bias, *pair, groups),
    )


@pytest.mark.parametrize(("kernel", "by_onednn"), [(1, False), (3, True), ((1, 3), True)])
def test_a_1x1_convolution_is_left_to_paddle(kernel, by_onednn, monkeypatch):
    called = []
    monkeypatch.setattr(convolution, "conv2d", lambda x, *_: called.append(x) or x)
    layers.Conv2D(4, 4, kernel)(paddle.randn([2, 4, 5, 6]))
    assert bool(called) is by_onednn


def test_a_convolution_keeps_the_layout_and_gives_a_frozen_tensor_no_gradient():
    x, weight = turned(paddle.randn([2, 4, 5, 6])), paddle.randn([3, 4, 1, 1])
    weight.stop_gradient = False
    y = convolution.conv2d(x, weight, None, (1, 1), (0, 0), (1, 1), 1)
    assert tuple(y.strides) == convolution.strides_of(tuple(y.shape), True)
    y.sum().backward()
    assert x.grad is None and weight.grad is not None


def test_a_convolution_of_which_only_the_bias_trains_gives_it_its_gradient():
    x, weight, bias = paddle.randn([2, 4, 5, 6]), paddle.randn([3, 4, 3, 3]), paddle.zeros([3])
    bias.stop_gradient = False
    convolution.conv2d(x, weight, bias, (1, 1), (1, 1), (1, 1), 1).sum().backward()
    assert weight.grad is None
    np.testing.assert_allclose(bias.grad.numpy(), [60.0] * 3)


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


MISSING = {  # what is not there, and the words of the note in train.log
    "switched off": (lambda patch, empty: patch.setenv("SCENETEXT_ONEDNN", "0"), "SCENETEXT_ONEDNN=0 switches"),
    "another processor": (lambda patch, empty: patch.setattr("platform.machine", lambda: "aarch64"), "slow on aarch64"),
    "no library": (lambda patch, empty: patch.setattr(paddle, "__file__", f"{empty}/__init__.py"), "has no oneDNN"),
    "no function": (lambda patch, empty: patch.setattr(onednn, "FUNCTIONS", ["dnnl_x"]), "oneDNN has no dnnl_x"),
    "another version": (lambda patch, empty: patch.setattr(onednn, "MAJOR", 2), "has version 3, not 2"),
}


@pytest.mark.parametrize("case", MISSING)
def test_without_onednn_paddles_kernels_train_and_the_log_says_why(case, monkeypatch, tmp_path):
    layer, x = nn.Sequential(layers.Conv2D(3, 4, 3), nn.Flatten(2), layers.Linear(12, 5)), paddle.randn([2, 3, 5, 6])
    assert Precision(load_config({})).notes == []
    change, told = MISSING[case]
    change(monkeypatch, tmp_path)
    forget()
    monkeypatch.setattr(convolution, "conv2d", None)  # not called
    assert layer(x).shape == [2, 4, 5] and onednn.library() is None
    (note,) = Precision(load_config({})).notes
    assert note.startswith("trains with Paddle's own kernels, because ") and told in note


@pytest.mark.parametrize("name", onednn.FUNCTIONS)
def test_every_function_that_is_called_is_looked_for(name):
    assert hasattr(onednn.library(), name)


def test_no_function_is_called_that_is_not_looked_for(monkeypatch):
    loaded, called = onednn.library(), set()

    class Recording:
        def __getattr__(self, name):
            called.add(name)
            return getattr(loaded, name)

    monkeypatch.setattr(onednn, "library", Recording)
    losses_of(1, width=72)  # which no other test has prepared
    assert called - set(onednn.FUNCTIONS) == set()
    assert {
        "dnnl_primitive_create",
        "dnnl_primitive_execute",
        "dnnl_convolution_forward_primitive_desc_create",
    } <= called


MIXERS = [["Conv"], ["Conv", "Global"], ["Global"]]
NETWORK = {
    "Backbone": {"name": "SVTRv2", "dims": [16, 32, 32], "depths": [1, 2, 1], "num_heads": [2, 4, 4], "mixer": MIXERS},
    "Neck": {"name": "SequenceEncoder", "encoder_type": "reshape"},
    "Head": {"name": "CTCHead"},
}


def small_network():
    paddle.seed(3)
    return build_model({"Architecture": NETWORK}, 12)


def test_in_evaluation_mode_paddles_kernels_compute(monkeypatch):
    model, x = small_network(), paddle.randn([2, 3, 32, 64])
    model.eval()
    own = model(x).numpy()
    monkeypatch.setattr(onednn, "library", lambda: None)
    np.testing.assert_array_equal(own, model(x).numpy())


def test_under_mixed_precision_paddles_kernels_compute(monkeypatch):
    layer, x = layers.Linear(8, 8), paddle.randn([2, 8])
    assert onednn.is_usable(True, x)
    imitated_gpu.imitate(monkeypatch)
    with paddle.amp.auto_cast(level="O1", dtype="bfloat16"):
        assert not onednn.is_usable(True, x)
        assert layer(x).dtype == paddle.bfloat16
    assert onednn.is_usable(True, x)


def test_who_watches_the_attention_sees_its_weights():
    layer, x, seen = Attention(16, 2), paddle.randn([2, 5, 16]), []
    fused = layer(x).numpy()
    hook = layer.attn_drop.register_forward_post_hook(lambda _, given, result: seen.append(given[0].shape))
    np.testing.assert_allclose(layer(x).numpy(), fused, atol=1e-6)
    assert seen == [[2, 2, 5, 5]]
    hook.remove()
    layer(x)
    assert len(seen) == 1


def test_a_convolutions_weight_gradient_does_not_add_up_all_images_one_after_the_other():
    """It once did: the error was 2.2e-6 of its size, and two processes did not train like one."""
    rng = np.random.default_rng(0)
    x, gradient = (rng.normal(size=(8, 16, 24, 80)).astype(np.float32) for _ in range(2))
    weight = paddle.zeros([16, 16, 3, 3])
    weight.stop_gradient = False
    y = convolution.conv2d(paddle.to_tensor(x), weight, None, (1, 1), (1, 1), (1, 1), 1)
    y.backward(paddle.to_tensor(gradient))
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (1, 1), (1, 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (24, 80), axis=(2, 3))  # (8, 16, 3, 3, 24, 80)
    expected = np.einsum("bihwyx,boyx->oihw", windows, gradient.astype(np.float64), optimize=True)
    error = np.sqrt(((weight.grad.numpy() - expected) ** 2).mean() / (expected**2).mean())
    assert error < 1.2e-6


def losses_of(steps, width=64):
    """The losses of a small network's steps with Momentum, the images of each drawn from a seed."""
    model = small_network()
    optimiser = paddle.optimizer.Momentum(0.01, 0.9, parameters=model.parameters())
    rng, losses = np.random.default_rng(5), []
    for _ in range(steps):
        images = paddle.to_tensor(rng.normal(size=(4, 3, 32, width)).astype(np.float32))
        ids = paddle.to_tensor(rng.integers(1, 12, (4, 3)).astype(np.int32))
        loss = ctc_loss(model(images), ids, paddle.full([4], 3, "int64"), False)
        loss.backward()
        optimiser.step()
        optimiser.clear_grad()
        losses.append(float(loss))
    return losses


def test_twenty_steps_have_paddles_losses_and_two_trainings_of_one_seed_the_same(monkeypatch):
    first, second = losses_of(20), losses_of(20)
    assert first == second and first[-1] != first[0]
    monkeypatch.setattr(onednn, "library", lambda: None)
    monkeypatch.setattr(convolution, "conv2d", None)  # not called
    np.testing.assert_allclose(first, losses_of(20), rtol=1e-4)


def test_a_frozen_layer_keeps_its_numbers():
    layer = nn.Sequential(layers.Conv2D(4, 4, 3, padding=1), nn.Flatten(2), layers.Linear(15, 6), layers.LayerNorm(6))
    layers.freeze(layer)
    x = paddle.randn([2, 4, 3, 5])
    x.stop_gradient = False
    layer(x).sum().backward()
    assert x.grad is not None and all(p.grad is None for p in layer.parameters())
