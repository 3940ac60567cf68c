"""Networks: gradients, fusing, independence of batch mates, shapes, options, fast layers."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from parity import randomise_statistics

from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.blocks.layers import GELU, Conv2D

SMALL = {
    "crnn_mobile": ("configs/crnn_mobile.yml", 32),
    "crnn_server": ("configs/crnn_server.yml", 32),
    "ppocrv4_mobile": ("configs/ppocrv4_mobile.yml", 48),
    "ppocrv6_tiny": ("configs/ppocrv6_tiny.yml", 48),
    "ppocrv6_small": ("configs/ppocrv6_small.yml", 48),
    "ppocrv6_medium": ("configs/ppocrv6_medium.yml", 48),
    "rare_mv3": ("configs/rare_mv3.yml", 32),
    "repsvtr": ("configs/repsvtr.yml", 48),
    "starnet_mv3": ("configs/starnet_mv3.yml", 32),
    "svtrv2": ("configs/svtrv2.yml", 48),
}
PP_OCRV6 = {
    size: {
        "Backbone": {"name": "PPLCNetV4", "model_size": size},
        "Head": {
            "name": "MultiHead",
            "head_list": [{"CTCHead": {"Neck": {"name": neck, **options}, "Head": {"fc_decay": 1e-5}}}],
        },
    }
    for size, neck, options in (
        ("tiny", "reshape", {}),
        ("small", "lightsvtr", {"dims": 120, "depth": 2}),
        ("medium", "lightsvtr", {"dims": 192, "depth": 2}),
    )
}


def load(root, name):
    from scenetext.config import load_config

    paddle.seed(1)
    return build_model(load_config(root / SMALL[name][0]), 20), SMALL[name][1]


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_gets_a_gradient(root, name):
    model, height = load(root, name)
    model.train()
    trained = {key: p for key, p in model.named_parameters() if not p.stop_gradient}
    for parameter in trained.values():
        if not parameter.any():  # a factor of zero would let no gradient through to the layers before it
            parameter.set_value(paddle.randn(parameter.shape) * 0.1)
    colours = 2 * paddle.randn([8, 3, 1, 1])  # squeeze and excite needs lines of several colours
    lines = paddle.randn([8, 3, height, 64]) + colours
    model(lines).square().mean().backward()
    assert [key for key, p in trained.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", SMALL)
def test_fused_network_gives_the_same_logits(root, name):
    model, height = load(root, name)
    randomise_statistics(model)
    model.eval()
    images = paddle.randn([2, 3, height, 96])
    before = model(images).numpy()
    model.fuse()
    after = model(images).numpy()
    np.testing.assert_allclose(after, before, atol=1e-4 * max(1.0, np.abs(before).max()))
    assert not any(key.endswith(("_mean", "_variance")) for key in model.state_dict())


@pytest.mark.parametrize("name", SMALL)
def test_a_line_is_read_alike_whatever_its_batch_mates(root, name):
    model, height = load(root, name)
    model.eval()
    images = paddle.randn([3, 3, height, 64])
    together, alone = model(images)[1:2].numpy(), model(images[1:2]).numpy()
    # the products of a batch are cut into blocks as the processor likes it, so the last digits may differ
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5 * max(1.0, np.abs(alone).max()))


@pytest.mark.parametrize("size", PP_OCRV6)
@pytest.mark.parametrize("height", [32, 48, 64])
def test_pp_ocrv6_has_a_time_step_for_every_8_pixels_at_every_training_height(size, height):
    model = build_model({"Architecture": PP_OCRV6[size]}, 30)
    for mode in (model.train, model.eval):
        mode()
        assert model(paddle.zeros([1, 3, height, 88])).shape == [1, 11, 30]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"Backbone": {"name": "MobileNetV2"}}, "the nearest is MobileNetV3"),  # a class that does not exist
        ({"Backbone": {"name": "MobileNetV3", "scal": 0.5}}, "the nearest is scale"),  # a typo in a key
        ({"Neck": {"name": "SequenceEncoder", "encoder_type": "gru"}}, "known are"),  # an encoder that does not exist
        ({"Transform": {"name": "TSP"}}, "Transform.name .* the nearest is TPS"),  # a rectifier that does not exist
        ({"Head": {"name": "MultiHead", "head_list": []}}, "no CTCHead"),  # no branch that reads
    ],
)
def test_unknown_parts_are_refused_with_a_hint(change, message):
    architecture = {
        "Backbone": {"name": "MobileNetV3"},
        "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn"},
        "Head": {"name": "CTCHead"},
    }
    with pytest.raises(InputError, match=f"(?i){message}"):
        build_model({"Architecture": architecture | change}, 20)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(in_channels=6, out_channels=8, kernel_size=3, stride=2, padding=1),
        dict(in_channels=8, out_channels=8, kernel_size=3, padding=1, groups=8),  # depthwise
        dict(in_channels=6, out_channels=4, kernel_size=2, padding="SAME"),
        dict(in_channels=6, out_channels=4, kernel_size=1),
    ],
)
def test_fast_bias_equals_paddles_convolution_and_its_gradients(arguments):
    plain, fast = paddle.nn.Conv2D(**arguments), Conv2D(**arguments)
    fast.set_state_dict(plain.state_dict())
    bias = np.random.default_rng(0).normal(size=plain.bias.shape).astype(np.float32)
    grads = []
    images = paddle.randn([2, arguments["in_channels"], 12, 20])
    for layer in (plain, fast):
        layer.bias.set_value(bias)
        own = images.clone()
        own.stop_gradient = False
        out = layer(own)
        out.square().sum().backward()
        grads.append([out, own.grad, layer.weight.grad, layer.bias.grad])
    for expected, value in zip(*grads, strict=True):
        np.testing.assert_allclose(value.numpy(), expected.numpy(), rtol=1e-4, atol=1e-3)


def test_gelu_and_its_gradient_equal_paddles_own_over_the_whole_range():
    x = np.concatenate([np.linspace(-6, 6, 401), [-80, -20, 20, 80]]).astype(np.float32)
    layer = GELU()
    values = []
    for function in (paddle.nn.functional.gelu, layer):
        own = paddle.to_tensor(x, stop_gradient=False)
        out = function(own * 1.0)
        out.sum().backward()
        values.append((out.numpy(), own.grad.numpy()))
    np.testing.assert_allclose(values[1][0], values[0][0], atol=1e-6)
    np.testing.assert_allclose(values[1][1], values[0][1], atol=1e-6)
