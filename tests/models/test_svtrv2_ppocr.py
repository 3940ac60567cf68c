"""PaddleOCR's SVTRv2 (server) and RepSVTR (mobile), and the neck that they share."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from parity import fill, inputs, read_table

from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.backbones.repsvtr import RepSVTR, rep_depthwise

CLASSES = 20
SVTRV2 = {  # one block of each kind
    "name": "SVTRv2",
    "dims": [32, 64, 64],
    "depths": [1, 2, 1],
    "num_heads": [1, 2, 2],
    "mixer": [["Conv"], ["Conv", "Global"], ["Global"]],
    "local_k": [[5, 5], [5, 5], [-1, -1]],  # PaddleOCR does not use it either
    "sub_k": [[2, 1], [2, 1], [-1, -1]],
    "use_pool": True,
}
BACKBONES = {"svtrv2": SVTRV2, "repsvtr": {"name": "RepSVTR"}}


def network(backbone, use_guide=False):
    paddle.seed(1)
    neck = {"name": "svtr", "dims": 32, "depth": 1, "hidden_dims": 32, "kernel_size": [1, 3], "use_guide": use_guide}
    head = {"name": "MultiHead", "head_list": [{"CTCHead": {"Neck": neck, "Head": {"fc_decay": 1e-5}}}]}
    return build_model({"Architecture": {"Backbone": backbone, "Head": head}}, CLASSES)


@pytest.mark.parametrize("name", ["svtrv2_rec", "repsvtr_rec"])
def test_the_fused_network_still_gives_the_reference_probabilities(shared, name):
    table = read_table(shared, name)
    model = build_model({"Architecture": table["architecture"]}, table["dictionary"]["n_classes_decoder"])
    fill(model, table["fill_rules_applied"])
    model.eval()
    for _ in range(2):  # the second call changes nothing
        model.fuse()
    assert not any(key.endswith(("_mean", "_variance")) for key in model.state_dict())
    expected = np.load(shared / "parity" / "expected" / f"{name}.npz")
    for label, images in inputs(tuple(table["input_shape"])).items():
        with paddle.no_grad():
            probabilities = paddle.nn.functional.softmax(model(paddle.to_tensor(images)), axis=-1).numpy()
        np.testing.assert_allclose(probabilities[:, :3], expected[f"{label}_probs_first3"], atol=1e-4)
        np.testing.assert_allclose(probabilities.max(-1), expected[f"{label}_maxprob"], atol=1e-4)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("height", [32, 48, 64])
def test_there_is_a_time_step_for_every_8_pixels_at_every_training_height(name, height):
    model = network(BACKBONES[name])
    for mode in (model.train, model.eval):
        mode()
        assert model(paddle.zeros([1, 3, height, 88])).shape == [1, 11, CLASSES]


@pytest.mark.parametrize("use_guide", [True, False])
def test_use_guide_of_the_neck_keeps_the_gradient_of_ctc_from_the_backbone_only(use_guide):
    model = network(SVTRV2, use_guide)
    model.train()
    model(paddle.randn([2, 3, 48, 64])).square().mean().backward()
    trainable = {key: p.grad is not None for key, p in model.named_parameters() if not p.stop_gradient}
    assert all(reached for key, reached in trainable.items() if key.startswith("head."))
    assert {reached for key, reached in trainable.items() if key.startswith("backbone.")} == {not use_guide}


@pytest.mark.parametrize("name", BACKBONES)
def test_a_traced_network_reads_any_width(tmp_path, name):
    model = network(BACKBONES[name])
    model.train()
    model(paddle.randn([4, 3, 48, 64]))  # statistics, so that RepSVTR's features keep to a scale
    model.eval()
    spec = [paddle.static.InputSpec([None, 3, 48, None], "float32")]
    paddle.jit.save(model, str(tmp_path / "net"), input_spec=spec)
    loaded = paddle.jit.load(str(tmp_path / "net"))
    loaded.eval()
    for batch, width in ((1, 40), (3, 104)):
        images = paddle.randn([batch, 3, 48, width])
        expected = model(images).numpy()
        np.testing.assert_allclose(loaded(images).numpy(), expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


def test_repsvtrs_depthwise_layers_become_one_convolution_each():
    layer = rep_depthwise(8)
    for key, value in layer.state_dict().items():
        value.set_value(0.5 + paddle.rand(value.shape) if key.endswith("_variance") else paddle.randn(value.shape))
    layer.eval()
    images = paddle.randn([2, 8, 9, 11])
    before = layer(images).numpy()
    layer.fuse()
    np.testing.assert_allclose(layer(images).numpy(), before, atol=1e-4)
    assert {key: value.shape for key, value in layer.state_dict().items()} == {
        "reparam_conv.weight": [8, 1, 3, 3],
        "reparam_conv.bias": [8],
    }


def test_repsvtrs_channel_mixers_start_as_the_identity():
    for block in RepSVTR(3).features[1:]:
        x = paddle.randn([1, block.channel_mixer.m[0].c.weight.shape[1], 2, 3])
        assert (block.channel_mixer(x) == x).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"use_pos_embed": True}, "use_pos_embed is True"),  # would fix the size of the images
        ({"last_stage": True}, "last_stage is True"),
        ({"use_pool": False}, "feat2d is False"),  # neither a row nor a map
        ({"depths": [1, 1, 1]}, "mixer.1 .* needs 1"),
        ({"mixer": [["Conv"], ["Global", "Conv"], ["Global"]]}, "Conv before Global"),
        ({"mixer": [["Conv"], ["Conv", "Local"], ["Global"]]}, "of Conv and Global"),
        ({"num_heads": [1, 2]}, "num_heads lists 2 stages and depths 3"),
        ({"depth": [1, 2, 1]}, "the nearest is depths"),  # SVTRNet's word
    ],
)
def test_values_that_no_known_network_has_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        network(SVTRV2 | change)
