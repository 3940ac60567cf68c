"""CPU kernels give the results of Paddle's own operations, and the same bits with any number of threads."""

from __future__ import annotations

import itertools

import numpy as np
import paddle
import pytest
from paddle.nn import functional as F

from scenetext.models.blocks.layers import Conv2D, Linear
from scenetext.models.kernels import arrays, ctc, depthwise
from scenetext.train.losses.ctc import ctc_loss


def with_gradients(function, *tensors, seed=7):
    """The output and the gradients of a weighted sum of it."""
    own = [tensor.clone().detach() for tensor in tensors]
    for tensor in own:
        tensor.stop_gradient = False
    out = function(*own)
    paddle.seed(seed)
    (out * paddle.randn(out.shape)).sum().backward()
    return [out.numpy(), *(tensor.grad.numpy() for tensor in own)]


GEOMETRIES = [  # batch, channels, height, width; kernel; stride; padding
    ((2, 6, 8, 20), (3, 3), (1, 1), (1, 1)),
    ((2, 6, 8, 21), (5, 5), (2, 1), (2, 2)),
    ((3, 5, 7, 9), (3, 3), (2, 2), (1, 1)),
    ((1, 4, 9, 10), (3, 3), (1, 2), (1, 1)),
    ((2, 3, 4, 3), (1, 7), (1, 1), (0, 3)),  # a kernel wider than the image
    ((2, 3, 4, 5), (1, 1), (1, 1), (0, 0)),
    ((2, 3, 6, 6), (3, 3), (3, 3), (0, 0)),
]


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), GEOMETRIES)
def test_depthwise_convolution_is_paddles(shape, kernel, stride, padding):
    paddle.seed(0)
    x, weight = paddle.randn(shape), paddle.randn([shape[1], 1, *kernel])
    assert depthwise.is_supported(x, weight, shape[1], 1)
    ours = with_gradients(lambda x, w: depthwise.depthwise_conv2d(x, w, stride, padding), x, weight)
    theirs = with_gradients(lambda x, w: F.conv2d(x, w, None, stride, padding, 1, shape[1]), x, weight)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("frozen", ["x", "weight"])
def test_a_frozen_tensor_gets_no_gradient(frozen):
    paddle.seed(0)
    x, weight = paddle.randn([2, 3, 5, 6]), paddle.randn([3, 1, 3, 3])
    learns, stays = (weight, x) if frozen == "x" else (x, weight)
    learns.stop_gradient = False
    depthwise.depthwise_conv2d(x, weight, (1, 1), (1, 1)).sum().backward()
    ours = learns.grad.numpy()
    learns.clear_gradient()
    F.conv2d(x, weight, None, 1, 1, 1, 3).sum().backward()
    np.testing.assert_allclose(ours, learns.grad.numpy(), rtol=1e-4, atol=1e-4)
    assert stays.grad is None


def test_depthwise_convolution_takes_a_transposed_image():
    paddle.seed(0)
    x = paddle.randn([2, 5, 9, 4]).transpose([0, 3, 1, 2])
    layer = Conv2D(4, 4, 3, padding=1, groups=4)
    np.testing.assert_allclose(
        layer(x).numpy(), F.conv2d(x, layer.weight, layer.bias, 1, 1, 1, 4).numpy(), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("dtype", "groups", "dilation"), [("float64", 4, 1), ("float32", 2, 1), ("float32", 4, 2), ("float32", 1, (1, 1))]
)
def test_other_convolutions_keep_paddles_kernel(dtype, groups, dilation):
    x, weight = paddle.ones([1, 4, 8, 8], dtype), paddle.ones([4, 4 // groups, 3, 3], dtype)
    assert not depthwise.is_supported(x, weight, groups, dilation)


def test_nan_and_infinity_stay_what_they_are():
    x, weight = paddle.ones([1, 2, 6, 40]), paddle.ones([2, 1, 3, 3])
    x[0, 0, 3, 7] = float("nan")
    x[0, 1, 3, 7] = float("inf")
    y, gradient, weight_gradient = with_gradients(
        lambda x, w: depthwise.depthwise_conv2d(x, w, (1, 1), (1, 1)), x, weight
    )
    assert np.isnan(y[0, 0, 2:5, 6:9]).all() and np.isposinf(y[0, 1, 2:5, 6:9]).all() and np.isfinite(gradient).all()
    assert np.isnan(weight_gradient[0]).all() and not np.isfinite(weight_gradient[1]).any()
    logits = paddle.ones([1, 4, 5])
    logits[0, 1, 2] = float("nan")
    loss = ctc.ctc_of_lines(logits, paddle.to_tensor([[2]], "int32"), paddle.to_tensor([1], "int64"))
    assert np.isnan(float(loss))


def log_p_by_enumeration(logits, label):
    """log p of a label, summed over every path that spells it, in float64."""
    steps, classes = logits.shape
    log_p = logits.astype(np.float64)
    log_p = log_p - np.log(np.exp(log_p).sum(1, keepdims=True))
    paths = [
        sum(log_p[t, c] for t, c in enumerate(path))
        for path in itertools.product(range(classes), repeat=steps)
        if [c for c, _ in itertools.groupby(path) if c] == label
    ]
    return np.logaddexp.reduce(paths) if paths else -np.inf


@pytest.mark.parametrize("label", [[1], [2, 1], [1, 1], [2, 2, 1], []], ids=str)
def test_ctc_sums_over_every_path(label):
    logits = np.random.default_rng(0).normal(0, 2, (5, 3)).astype(np.float32)
    ids = paddle.to_tensor([label or [0]], "int32")
    loss = ctc.ctc_of_lines(paddle.to_tensor(logits[None]), ids, paddle.to_tensor([len(label)], "int64"))
    assert float(loss) == pytest.approx(-log_p_by_enumeration(logits, label), abs=1e-5)


@pytest.mark.parametrize("focal", [False, True])
def test_ctc_is_paddles_with_its_gradient(focal, monkeypatch):
    rng = np.random.default_rng(1)
    logits = paddle.to_tensor(rng.normal(0, 2, (4, 20, 50)).astype(np.float32))
    ids = paddle.to_tensor(rng.integers(1, 50, (4, 6)), "int32")
    lengths = paddle.to_tensor([6, 1, 3, 5], "int64")
    ours = with_gradients(lambda x: ctc_loss(x, ids, lengths, focal), logits)
    monkeypatch.setattr(ctc, "is_supported", lambda logits: False)
    theirs = with_gradients(lambda x: ctc_loss(x, ids, lengths, focal), logits)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


def test_a_label_that_the_steps_cannot_spell_contributes_no_gradient():
    logits = paddle.randn([2, 3, 5])
    ids, lengths = paddle.to_tensor([[1, 1, 1], [1, 2, 3]], "int32"), paddle.to_tensor([3, 3], "int64")
    loss, gradient = with_gradients(lambda x: ctc.ctc_of_lines(x, ids, lengths), logits)
    assert loss[0] == 0.0 and not gradient[0].any()
    assert loss[1] > 0.0 and gradient[1].any()


def test_a_linear_layer_is_paddles():
    paddle.seed(0)
    layer = Linear(6, 40)
    x = paddle.randn([2, 5, 6])
    ours = with_gradients(layer, x)
    weight, bias = layer.weight.grad.numpy(), layer.bias.grad.numpy()
    layer.clear_gradients()
    theirs = with_gradients(lambda x: F.linear(x, layer.weight, layer.bias), x)
    for own, other in zip([*ours, weight, bias], [*theirs, layer.weight.grad, layer.bias.grad], strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


def test_threads_change_no_bit(monkeypatch):
    paddle.seed(0)
    x, weight = paddle.randn([3, 7, 6, 30]), paddle.randn([7, 1, 3, 3])
    logits = paddle.randn([5, 12, 30])
    ids, lengths = paddle.randint(1, 30, [5, 4]).astype("int32"), paddle.full([5], 4, "int64")
    seen = []
    for count in (1, 3):
        monkeypatch.setattr(arrays, "threads", lambda count=count: count)
        seen.append(
            with_gradients(lambda x, w: depthwise.depthwise_conv2d(x, w, (1, 1), (1, 1)), x, weight)
            + with_gradients(lambda x: ctc.ctc_of_lines(x, ids, lengths), logits)
        )
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)
