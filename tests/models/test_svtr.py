"""SVTR and its STN: masks, splines, what training and evaluation share, and what an exported folder stores."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from exported import trace
from paddle.nn import functional as F
from parity import fill, inputs, read_table

from scenetext.config import load_config
from scenetext.data.pipeline import canvas_of
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.backbones.svtr import SubSample, SVTRNet
from scenetext.models.blocks.layers import GELU
from scenetext.models.blocks.svtr_block import Attention, Block, ConvMixer, DropPath, GlobalBlock, LocalAttention
from scenetext.models.rectifiers.stn import STN_ON, edge_points, shrink, spline_matrix

CONFIGS = {"svtr_tiny_en": Canvas(64, 256, True, True), "svtr_tiny_ch": Canvas(32, 320, True, False)}
SMALL = dict(img_size=(16, 24), embed_dim=(8, 16, 32), depth=(1, 2, 1), num_heads=(1, 2, 4), out_char_num=6)
STN = dict(tps_inputsize=(32, 64), tps_outputsize=(32, 100), num_control_points=20, tps_margins=(0.05, 0.05))


def network(mixer="LLGG", **options):
    names = {"L": "Local", "G": "Global", "C": "Conv"}
    windows = ((3, 5),) * 3
    return SVTRNet(3, **SMALL | {"mixer": [names[c] for c in mixer], "local_mixer": windows} | options)


@pytest.mark.parametrize("name", CONFIGS)
def test_config_is_for_one_canvas_and_every_parameter_gets_a_gradient(root, name):
    config = load_config(root / f"configs/{name}.yml")
    paddle.seed(1)
    model = build_model(config, 20)
    canvas = canvas_of(config, model.input_size, "Train")
    assert canvas == canvas_of(config, model.input_size, "Eval") == CONFIGS[name]
    model.train()
    model(paddle.randn([2, 3, canvas.height_px, canvas.width_px])).square().mean().backward()
    assert [k for k, p in model.named_parameters() if not p.stop_gradient and p.grad is None] == []


@pytest.mark.parametrize("name", CONFIGS)
def test_fused_network_reads_the_same_and_no_line_depends_on_its_batch_mates(root, name):
    paddle.seed(1)
    model = build_model(load_config(root / f"configs/{name}.yml"), 20)
    for key, value in model.state_dict().items():
        if key.endswith(("_mean", "_variance")):
            value.set_value(0.5 + 0.5 * paddle.rand(value.shape))
    model.eval()
    images = paddle.randn([2, 3, *model.input_size])
    before = model(images).numpy()
    np.testing.assert_allclose(model(images[1:]).numpy(), before[1:], atol=1e-5)
    model.fuse()
    model.fuse()  # a second call changes nothing
    np.testing.assert_allclose(model(images).numpy(), before, atol=1e-4 * max(1.0, np.abs(before).max()))
    assert not any(key.endswith(("_mean", "_variance")) for key in model.state_dict())


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("format", ["json", "pdmodel"])
def test_exported_network_answers_alike_on_onednn_and_stores_no_masks(root, name, format, tmp_path):
    config = load_config(root / f"configs/{name}.yml")
    paddle.seed(1)
    model = build_model(config, 20)
    if name == "svtr_tiny_en":  # points off the grid of pixels, where the kind of interpolation shows
        model.transform.stn_head.stn_fc2.weight.set_value(0.1 * paddle.randn([512, 40]))
    model.eval()
    model.fuse()
    images = paddle.randn([2, 3, *model.input_size])
    expected = F.softmax(model(images), axis=-1).numpy()
    program, parameters = trace(format, model, config, CONFIGS[name], tmp_path)
    settings = paddle.inference.Config(str(program), str(parameters))
    settings.disable_glog_info()
    settings.set_cpu_math_library_num_threads(1)
    settings.enable_mkldnn()
    predictor = paddle.inference.create_predictor(settings)
    found = predictor.run([images])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    weights = sum(value.size for value in model.state_dict().values())
    spline = 32 * 100 * 20 if name == "svtr_tiny_en" else 0
    assert parameters.stat().st_size < 4 * (weights + spline) + 20_000


# ---- blocks


@pytest.mark.parametrize("window", [(3, 5), (1, 1), (7, 11)])
def test_local_attention_sees_the_window_and_nothing_else(window):
    height, width, dim = 4, 6, 8
    layer = LocalAttention(dim, 2, (height, width), window)
    x = paddle.randn([1, height * width, dim])
    x.stop_gradient = False
    at = 2 * width + 1  # row 2, column 1
    layer(x)[0, at].sum().backward()
    seen = x.grad.abs().sum(-1).numpy().reshape(height, width) > 1e-20  # Paddle's softmax gives exp(-64) at least
    row, column = np.mgrid[:height, :width]
    assert (seen == ((abs(row - 2) <= window[0] // 2) & (abs(column - 1) <= window[1] // 2))).all()


def test_a_window_over_the_whole_map_is_global_attention():
    local = LocalAttention(8, 2, (3, 4), (5, 7))
    everywhere = Attention(8, 2)
    everywhere.set_state_dict(local.state_dict())
    x = paddle.randn([2, 12, 8])
    np.testing.assert_allclose(local(x).numpy(), everywhere(x).numpy(), atol=1e-6)


@pytest.mark.parametrize("post_norm", [False, True])
def test_block_normalises_before_its_branches_or_after_the_sums(post_norm):
    block = GlobalBlock(8, 2, 2.0, GELU, post_norm=post_norm)
    x = 5.0 + 3.0 * paddle.randn([2, 6, 8])
    out = block(x).numpy()
    assert np.allclose(out.std(-1), 1.0, atol=0.05) == post_norm
    assert (abs(out.mean(-1)).max() < 1e-4) == post_norm


def test_drop_path_drops_whole_samples_in_training_and_keeps_the_expectation():
    layer = DropPath(0.25)
    x = paddle.ones([4000, 2, 3])
    out = layer(x).numpy().reshape(4000, -1)
    assert (out == out[:, :1]).all()
    np.testing.assert_allclose(np.unique(out), [0.0, 4 / 3], rtol=1e-6)
    assert out.mean() == pytest.approx(1.0, abs=0.05)
    layer.eval()
    assert layer(x) is x


def test_drop_path_grows_from_block_to_block():
    rates = [block.drop_path.rate for block in network(drop_path_rate=0.3).sublayers() if isinstance(block, Block)]
    np.testing.assert_allclose(rates, [0.0, 0.1, 0.2, 0.3])


def test_last_dropout_means_the_same_in_training_and_evaluation():
    net = network(last_drop=0.1)
    x = paddle.ones([64, 192, 1, 25])
    trained = net.dropout(x).numpy()
    assert set(np.unique(trained).tolist()) == {0.0, 1.0}  # nothing is scaled up
    net.eval()
    np.testing.assert_allclose(net.dropout(x).numpy(), 0.9, rtol=1e-6)
    assert trained.mean() == pytest.approx(0.9, abs=0.01)


# ---- the backbone


@pytest.mark.parametrize(
    "options, shape",
    [
        ({}, [2, 192, 1, 6]),
        ({"mixer": "CCGG", "prenorm": True, "last_stage": False}, [2, 6, 32]),  # the last map, 1 x 6
        ({"patch_merging": "Pool"}, [2, 192, 1, 6]),
        ({"patch_merging": None, "embed_dim": (16, 16, 16), "last_stage": False}, [2, 24, 16]),  # 4 x 6 to the end
        ({"sub_num": 3, "out_char_num": 3, "out_channels": 7}, [2, 7, 1, 3]),
        ({"img_size": (20, 22)}, [2, 192, 1, 6]),  # no multiples of 16 and 4
        ({"qkv_bias": False, "qk_scale": 0.5, "drop_rate": 0.1, "attn_drop_rate": 0.1}, [2, 192, 1, 6]),
    ],
)
def test_every_option_gives_the_shape_that_it_says(options, shape):
    net = network(**options)
    out = net(paddle.randn([2, 3, *net.input_size]))
    assert out.shape == shape
    assert net.out_channels == (shape[1] if net.last_stage else shape[2])
    out.square().sum().backward()
    assert [k for k, p in net.named_parameters() if not p.stop_gradient and p.grad is None] == []


@pytest.mark.parametrize(
    "options, message",
    [
        ({"mixer": "LLG"}, "3 mixers for the 4 blocks"),
        ({"local_mixer": ((2, 5),) * 3}, "odd"),
        ({"patch_merging": "Mean"}, "'Mean'; known are Conv, Pool and null"),
        ({"sub_num": 4}, "sub_num is 4"),
    ],
)
def test_values_without_a_meaning_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        network(**options)


def test_unknown_mixer_and_image_of_another_size_are_refused():
    with pytest.raises(InputError, match="'Glocal'; known are Local, Global, Conv"):
        SVTRNet(3, mixer=["Glocal"] * 12)
    with pytest.raises(InputError, match="16x24 pixels .* not 16x28"):
        network()(paddle.zeros([1, 3, 16, 28]))


def test_conv_mixer_and_merging_work_on_the_map():
    x = paddle.randn([2, 3 * 6, 8])
    image = x.transpose([0, 2, 1]).reshape([2, 8, 3, 6])
    mixer = ConvMixer(8, 2, (3, 6), (3, 5))
    np.testing.assert_allclose(
        mixer(x).numpy(), mixer.local_mixer(image).flatten(2).transpose([0, 2, 1]).numpy(), atol=1e-6
    )
    assert SubSample(8, 5, (3, 6))(x).shape == SubSample(8, 5, (3, 6), pooled=True)(x).shape == [2, 2 * 6, 5]


def test_teacher_of_pp_ocrv4_is_this_network(shared):
    table = read_table(shared, "ppocrv4_mobile_rec_distillation")
    options = dict(table["architecture"]["Models"]["Teacher"]["Backbone"])
    options.pop("name")
    model = paddle.nn.Layer()
    model.Teacher = paddle.nn.Layer()
    model.Teacher.backbone = SVTRNet(3, **options)
    rows = [(r["key"], r["shape"]) for r in table["state_dict"] if r["key"].startswith("Teacher.backbone.")]
    assert [(key, list(value.shape)) for key, value in model.state_dict().items()] == rows
    fill(model, table["fill_rules_applied"])
    model.eval()
    expected = np.load(shared / "parity" / "expected" / "ppocrv4_mobile_rec_distillation.npz")
    for label, images in inputs(tuple(table["input_shape"])).items():
        with paddle.no_grad():
            out = model.Teacher.backbone(paddle.to_tensor(images)).numpy().reshape(2, -1)
        sample = expected[f"Teacher.backbone_{label}_sample"]
        np.testing.assert_allclose(out[:, :: -(-out.shape[1] // sample.shape[1])], sample, atol=1e-4)


# ---- the rectifier before it


def test_spline_goes_through_its_points_and_leaves_a_flat_map_flat():
    targets = edge_points(20, 0.05, 0.1)
    positions = np.random.default_rng(0).random((7, 2))
    sources = np.random.default_rng(1).random((20, 2))
    np.testing.assert_allclose(spline_matrix(targets, targets) @ sources, sources, atol=1e-9)
    shear = np.array([[1.1, 0.2], [-0.3, 0.9]])
    sheared = spline_matrix(targets, positions) @ (targets @ shear + 3.0)
    np.testing.assert_allclose(sheared, positions @ shear + 3.0, atol=1e-9)


def test_shrink_is_bilinear_interpolation_that_keeps_the_corners():
    x = paddle.randn([2, 3, 17, 41])
    expected = F.interpolate(x, [8, 10], mode="bilinear", align_corners=True)
    np.testing.assert_allclose(shrink(x, (8, 10)).numpy(), expected.numpy(), atol=1e-4)


def test_untrained_rectifier_shows_the_whole_image():
    stn = STN_ON(3, stn_activation="none", **STN)
    stn.eval()
    ramp = paddle.linspace(0.0, 1.0, 256).expand([2, 3, 64, 256])  # x, at every pixel
    # what lies 0.05 from the output's edge lies 0.01 from the image's, and beyond the image is its edge
    x = np.clip(0.01 + (np.linspace(0.0, 1.0, 100) - 0.05) * 0.98 / 0.9, 0.0, 1.0)
    np.testing.assert_allclose(stn(ramp).numpy(), np.broadcast_to(x, (2, 3, 32, 100)), atol=1e-5)


def test_sigmoid_starts_from_the_same_points():
    x = paddle.randn([2, 3, 64, 256])
    points = [STN_ON(3, stn_activation=name, **STN).stn_head(shrink(x, (32, 64))) for name in ("none", "sigmoid")]
    np.testing.assert_allclose(points[0].numpy(), points[1].numpy(), atol=1e-6)
    np.testing.assert_allclose(points[0][0].numpy(), edge_points(20, 0.01, 0.01), atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"stn_activation": "tanh"}, "'tanh'; known are none, sigmoid"),
        ({"stn_activation": "none", "num_control_points": 15}, "must be even"),
    ],
)
def test_values_that_the_rectifier_does_not_know_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        STN_ON(3, **STN | options)
