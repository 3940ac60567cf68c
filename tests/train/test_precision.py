"""Mixed precision: the values of its keys, what stays float32, and what happens to a step that float16 cannot hold.

There is no GPU here: `imitated_gpu` says what its imitation is worth.
"""

from __future__ import annotations

import os
import signal

import numpy as np
import paddle
import pytest
from drawn import PP_OCRV6_TINY, draw_digits, tiny_config
from imitated_gpu import imitate
from paddle import nn
from paddle.nn import functional as F

from scenetext.config import load_config
from scenetext.errors import InputError, RunError
from scenetext.models import build_model
from scenetext.models.blocks.layers import GELU, Conv2D, Linear
from scenetext.models.kernels.arrays import is_eager_float32_on_cpu
from scenetext.models.rectifiers.tps import TPS
from scenetext.models.targets import Targets
from scenetext.train import recognition
from scenetext.train.losses import build_loss
from scenetext.train.optimiser import build_optimiser
from scenetext.train.precision import MAX_LEFT_OUT, SMALLEST_SCALE, Precision
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams

LABELS = Targets(paddle.to_tensor([[3, 4, 4, 7], [9, 1, 0, 0]], "int32"), paddle.to_tensor([4, 2]))
DYNAMIC = {"use_amp": True, "scale_loss": 1024, "use_dynamic_loss_scaling": True}


def precision(**settings) -> Precision:
    return Precision(load_config({"Global": settings}))


@pytest.fixture
def gpu(monkeypatch):
    imitate(monkeypatch)


# ---- the keys


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"use_amp": 1}, ["Global.use_amp must be true or false", "not 1."]),
        ({"amp_level": "O3"}, ["Global.amp_level must be one of O1, O2", "'O3'"]),
        ({"amp_level": "O0"}, ["Global.amp_level must be one of O1, O2", "'O0'"]),  # use_amp says that
        ({"amp_dtype": "int8"}, ["Global.amp_dtype must be one of float16, bfloat16", "'int8'"]),
        ({"scale_loss": 0}, ["Global.scale_loss must be a number above 0", "not 0."]),
        ({"use_dynamic_loss_scaling": "on"}, ["Global.use_dynamic_loss_scaling must be true or false", "'on'"]),
        ({"amp_custom_black_list": "conv2d"}, ["Global.amp_custom_black_list must be a list of texts", "'conv2d'"]),
        ({"amp_custom_black_list": ["matmull"]}, ["amp_custom_black_list names 'matmull'", "the nearest is matmul"]),
        ({"amp_custom_black_list": ["qqqqqq"]}, ["amp_custom_black_list names 'qqqqqq'", "valid are abs, ", " more."]),
        ({"amp_custom_white_list": ["relu", "add"]}, ["amp_custom_white_list names 'add'", "elementwise_add"]),
        (
            {"amp_custom_black_list": ["relu"], "amp_custom_white_list": ["relu"]},
            ["Global.amp_custom_black_list and amp_custom_white_list both hold 'relu': keep one."],
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_the_valid_ones(settings, told):
    with pytest.raises(InputError) as error:
        precision(use_amp=settings.pop("use_amp", True), **settings)
    assert all(part in str(error.value) for part in told), str(error.value)


@pytest.mark.parametrize(
    ("device", "capability", "settings", "dtype", "told"),
    [
        ("gpu:0", (9, 0), {}, "float32", None),  # off unless asked for
        ("gpu:0", (9, 0), {"use_amp": True, "scale_loss": 1024}, "float16", None),
        ("gpu:0", (7, 5), {"use_amp": True, "scale_loss": 1024}, "float16", None),
        ("gpu:0", (7, 5), {"use_amp": True, "amp_dtype": "bfloat16"}, "float32", "7.5, is too old for bfloat16 (8.0)"),
        ("gpu:0", (8, 0), {"use_amp": True, "amp_dtype": "bfloat16"}, "bfloat16", None),
        ("cpu", None, {"use_amp": True}, "float32", "on GPUs only"),
        # Paddle says that this CPU knows bfloat16, and mixes nothing all the same
        ("cpu", None, {"use_amp": True, "amp_dtype": "bfloat16"}, "float32", "on GPUs only"),
        ("gpu:0", (9, 0), {"use_amp": True}, "float16", "Global.scale_loss=1024"),  # PaddleOCR's defaults scale nothing
    ],
)
@pytest.mark.filterwarnings("ignore:AmpScaler can only be enabled")  # there is no such device
def test_the_device_decides_and_a_note_says_so(device, capability, settings, dtype, told, monkeypatch):
    monkeypatch.setattr(paddle, "get_device", lambda: device)
    monkeypatch.setattr(paddle.device.cuda, "get_device_capability", lambda: capability)
    chosen = precision(**settings)
    assert chosen.dtype == dtype
    assert [told in note for note in chosen.notes] == [True] * (told is not None), chosen.notes


def test_paddles_operations_are_known_by_the_names_in_its_own_lists_and_paddleocrs():
    precision(amp_custom_black_list=["matmul", "matmul_v2", "elementwise_add"], amp_custom_white_list=["reduce_mean"])


def test_without_a_gpu_the_keys_change_nothing(tmp_path):
    draw_digits(tmp_path, 8)
    for name, settings in (("plain", {}), ("asked", {**DYNAMIC, "amp_level": "O1"})):
        train(load_config(tiny_config(tmp_path, epoch_num=1, **settings)), tmp_path / name, progress=False)
    plain, asked = (read_pdparams(tmp_path / name / "latest") for name in ("plain", "asked"))
    assert all(np.array_equal(plain[key], asked[key]) for key in plain)
    log = (tmp_path / "asked" / "train.log").read_text(encoding="utf-8")
    assert "Global.use_amp: trains in float32" in log and "without meaning here" not in log


# ---- the networks

CTC = {"name": "CTCHead"}
BILSTM = {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 16}
MOBILE = {"name": "MobileNetV3", "scale": 0.35, "model_name": "small", "small_stride": [1, 2, 2, 2]}
LOCAL = {"name": "svtr", "dims": 32, "depth": 1, "hidden_dims": 32}
LIGHT = {"name": "lightsvtr", "dims": 32, "depth": 1, "num_heads": 4}


def multi_head(neck, auxiliary=False):
    branches = [{"NRTRHead": {"nrtr_dim": 32, "num_decoder_layers": 1}}] if auxiliary else []
    return {"name": "MultiHead", "head_list": [{"CTCHead": {"Neck": neck}}, *branches]}


GTC = {"Backbone": {"name": "PPLCNetV4", "model_size": "tiny"}, "Head": multi_head(LIGHT, auxiliary=True)}
SVTR = {
    "name": "SVTRNet",
    "img_size": [16, 24],
    "embed_dim": [8, 16, 32],
    "out_channels": 32,
    "depth": [1, 2, 1],
    "num_heads": [1, 2, 4],
    "mixer": ["Local", "Conv", "Global", "Global"],
    "local_mixer": [[3, 5]] * 3,
    "out_char_num": 6,
}
SVTRV2 = {
    "name": "SVTRv2",
    "dims": [32, 64, 64],
    "depths": [1, 2, 1],
    "num_heads": [1, 2, 2],
    "mixer": [["Conv"], ["Conv", "Global"], ["Global"]],
}
STN = {
    "name": "STN_ON",
    "tps_inputsize": [32, 64],
    "tps_outputsize": [16, 24],
    "num_control_points": 20,
    "tps_margins": [0.05, 0.05],
    "stn_activation": "none",
}
OF_STUDENT, PAIR = {"model_name_list": ["Student"]}, {"model_name_pairs": [["Student", "Teacher"]]}
DISTILLED = [
    {"DistillationDKDLoss": PAIR},
    {"DistillationCTCLoss": OF_STUDENT},
    {"DistillationNRTRLoss": OF_STUDENT},
    {"DistillCTCLogits": PAIR},
]
KINDS = {  # architecture, loss, height and width of the picture
    "crnn": ({"Backbone": MOBILE, "Neck": BILSTM, "Head": CTC}, {"name": "CTCLoss", "use_focal_loss": True}, (32, 64)),
    "resnet": (
        {"Backbone": {"name": "ResNet", "layers": 18}, "Head": multi_head(LIGHT)},
        {"name": "CTCLoss"},
        (32, 32),
    ),
    "rare": (
        {
            "Transform": {"name": "TPS"},
            "Backbone": MOBILE,
            "Neck": BILSTM,
            "Head": {"name": "AttentionHead", "hidden_size": 16, "batch_max_length": 6},
        },
        {"name": "AttentionLoss"},
        (32, 100),
    ),
    "svtr": (
        {
            "Transform": STN,
            "Backbone": SVTR,
            "Neck": {"name": "SequenceEncoder", "encoder_type": "reshape"},
            "Head": CTC,
        },
        {"name": "CTCLoss"},
        (32, 64),
    ),
    "ppocrv4": (
        {"Backbone": {"name": "PPLCNetV3", "scale": 0.5}, "Head": multi_head(LOCAL)},
        {"name": "CTCLoss"},
        (48, 64),
    ),
    "repsvtr": (
        {"Backbone": {"name": "RepSVTR"}, "Head": multi_head({"name": "reshape"})},
        {"name": "CTCLoss"},
        (48, 64),
    ),
    "svtrv2": (
        {"Backbone": {**SVTRV2, "sub_k": [[2, 1], [2, 1], [-1, -1]], "use_pool": True}, "Head": multi_head(LOCAL)},
        {"name": "CTCLoss"},
        (48, 64),
    ),
    "svtrv2 of its paper": (
        {
            "Backbone": {**SVTRV2, "sub_k": [[1, 1], [2, 1], [-1, -1]], "use_pool": False, "feat2d": True},
            "Head": {"name": "RCTCDecoder", "sub_str_len": 5},
        },
        {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {"SGMLoss": None}]},
        (32, 64),
    ),
    "gtc": (GTC, {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {"NRTRLoss": None}]}, (48, 64)),
    "distilled": (
        {"name": "DistillationModel", "Models": {"Teacher": {**GTC, "freeze_params": True}, "Student": GTC}},
        {"name": "CombinedLoss", "loss_config_list": DISTILLED},
        (48, 64),
    ),
}


def dtypes(outputs) -> set:
    if isinstance(outputs, dict):
        return set().union(*(dtypes(part) for part in outputs.values()))
    return {outputs.dtype}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_trains_in_half_precision_near_float32_with_losses_in_float32(kind, gpu):
    architecture, loss, size = KINDS[kind]
    config = load_config({"Architecture": architecture, "Loss": loss})
    paddle.seed(1)
    model = build_model(config, 22)
    model.train()
    loss_of, images = build_loss(config), paddle.rand([2, 3, *size]) * 2 - 1
    losses = []
    for settings in ({"use_amp": False}, {"amp_level": "O1", "amp_dtype": "bfloat16"}, {"amp_level": "O2"}):
        paddle.seed(2)
        outputs = precision(**{"use_amp": True, **settings}).forward(model, images, LABELS)
        assert dtypes(outputs) == {paddle.float32}
        value = loss_of(outputs, LABELS)["loss"]
        value.backward()
        trained = {key: p for key, p in model.named_parameters() if not p.stop_gradient}
        assert {p.dtype for p in trained.values()} == {p.grad.dtype for p in trained.values()} == {paddle.float32}
        assert [key for key, p in trained.items() if not np.isfinite(p.grad.numpy()).all()] == []
        losses.append(float(value))
        model.clear_gradients()
    assert losses[0] != losses[1] != losses[2] != losses[0], "something was not computed in half precision"
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=0.02)


def test_o2_shows_half_precision_weights_except_in_sums_and_rectifiers_and_restores_them(gpu):
    model = build_model({"Architecture": KINDS["rare"][0]}, 22)
    seen = {}

    def look(*_):
        for key, layer in model.named_sublayers():
            weights = {name: weight for name, weight in layer._parameters.items() if weight is not None}
            seen.update({f"{key}.{name}": weight.dtype for name, weight in weights.items()})

    model.backbone.register_forward_pre_hook(look)
    own = {key: id(p) for key, p in model.named_parameters()}
    precision(use_amp=True).forward(model, paddle.rand([2, 3, 32, 100]), LABELS)
    kept = {key for key, dtype in seen.items() if dtype == paddle.float32}
    assert {dtype for key, dtype in seen.items() if key not in kept} == {paddle.float16}
    assert {"backbone.conv1.conv.weight", "head.generator.bias"} <= seen.keys() - kept
    assert {"transform.loc_net.fc2.bias", "neck.encoder.lstm.weight_ih_l0", "backbone.conv1.bn.weight"} <= kept
    assert {key: id(p) for key, p in model.named_parameters()} == own


def test_o2_restores_the_weights_when_the_network_fails(gpu):
    model = build_model({"Architecture": PP_OCRV6_TINY}, 22)
    with pytest.raises(ValueError, match="channel"):
        precision(use_amp=True).forward(model, paddle.rand([2, 5, 48, 64]), LABELS)
    assert {p.dtype for p in model.parameters()} == {paddle.float32}


def test_positions_in_the_picture_stay_float32_under_mixed_precision(gpu):
    generator = TPS(3).grid_generator
    points = paddle.rand([2, 20, 2]) * 2 - 1
    with paddle.amp.auto_cast():
        half = paddle.matmul(generator.solver, paddle.concat([points, paddle.zeros([2, 3, 2])], 1))
        grid = generator(points)
    assert half.dtype == paddle.float16  # which the grid would be without an exception
    np.testing.assert_array_equal(grid.numpy(), generator(points).numpy())


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Linear(8, 8), [2, 8]),
        (Conv2D(8, 8, 1), [2, 8, 4, 4]),
        (Conv2D(8, 8, 3, groups=8), [2, 8, 4, 4]),
        (GELU(), [2, 8]),
    ],
    ids=["linear", "convolution", "depthwise convolution", "gelu"],
)
def test_layers_that_are_faster_on_a_cpu_leave_half_precision_inputs_to_paddle(layer, shape, monkeypatch):
    """Paddle's CPU has no half precision for them, so the test sees only that Paddle's own layer is called."""
    asked = []
    plain = type(layer).__mro__[1]
    monkeypatch.setattr(F, "gelu", lambda x: asked.append("paddle's"))
    if plain is not nn.Layer:
        monkeypatch.setattr(plain, "forward", lambda self, x: asked.append("paddle's"))
    x = paddle.rand(shape).astype("float16")
    x.stop_gradient = False
    assert not is_eager_float32_on_cpu(x)
    layer(x)
    assert asked == ["paddle's"]


# ---- the loss scale


class OneWeight(nn.Layer):
    """A network of one weight and one batch normalisation; a loss of `size` has the gradient `size`."""

    def __init__(self):
        super().__init__()
        self.weight = self.create_parameter([1], default_initializer=nn.initializer.Constant(1.0))
        self.norm = nn.BatchNorm1D(1)

    def forward(self, images, targets):
        return {"ctc": self.weight * images + 0.0 * self.norm(images)}


def steps(mixed: Precision, sizes: list[float]) -> tuple[list[bool], list[float], OneWeight]:
    """Which steps updated the weight, the weight after each, and the network; an infinite size is an overflow."""
    network = OneWeight()
    optimiser = paddle.optimizer.Momentum(0.125, 0.5, parameters=network.parameters())
    updated, weights = [], []
    for size in sizes:
        outputs = mixed.forward(network, paddle.to_tensor([[size], [size]]), LABELS)
        updated.append(mixed.backward_and_step(outputs["ctc"].mean(), optimiser))
        weights.append(float(network.weight))
    return updated, weights, network


INF = float("inf")


def test_a_scaled_step_is_the_unscaled_one_and_one_that_overflows_leaves_no_trace(gpu, capsys):
    sizes = [1.0, INF, 2.0, INF, INF, 0.5]
    mixed = precision(**DYNAMIC)
    updated, weights, network = steps(mixed, sizes)
    assert updated == [size != INF for size in sizes]
    assert mixed.metrics() == {"loss_scale": 1024 / 2**3}
    _, plain, reference = steps(precision(), [size for size in sizes if size != INF])
    assert [weight for weight, moved in zip(weights, updated, strict=True) if moved] == plain  # velocity and all
    assert float(network.norm._mean) == float(reference.norm._mean)
    assert float(network.norm._variance) == float(reference.norm._variance)
    assert mixed.failure is None and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "sizes", "told"),
    [
        (DYNAMIC, [INF] * 5, None),
        (DYNAMIC, [INF] * 24, None),  # the scale is 2^-14
        (DYNAMIC, [INF] * 25, "even at a loss scale of 3.1e-05"),
        (DYNAMIC, [INF, 1.0] * 25, None),  # every second step updates the weights
        (DYNAMIC, [INF, 1.0] * 24 + [INF], "even at a loss scale"),
        ({"use_amp": True}, [INF] * (MAX_LEFT_OUT - 1), None),  # the scale is fixed
        ({"use_amp": True}, [INF] * MAX_LEFT_OUT, f"no gradient of {MAX_LEFT_OUT} steps in a row"),
        ({"use_amp": True}, ([INF] * (MAX_LEFT_OUT - 1) + [1.0]) * 2, None),
    ],
)
def test_only_many_overflows_in_a_row_or_a_scale_that_has_collapsed_end_a_training(settings, sizes, told, gpu):
    assert 2.0**-15 < SMALLEST_SCALE == 2.0**-14
    mixed = precision(**settings)
    steps(mixed, sizes)
    assert (mixed.failure is None) if told is None else (told in mixed.failure)


@pytest.mark.parametrize(
    ("before", "after", "scale"),
    [
        (DYNAMIC, DYNAMIC, 256.0),
        (DYNAMIC, {**DYNAMIC, "scale_loss": 64.0}, 256.0),  # the first scale is long past
        (DYNAMIC, {"use_amp": True, "scale_loss": 64.0}, 64.0),  # a fixed one counts
        ({"use_amp": True}, DYNAMIC, 1.0),
        ({"use_amp": False}, DYNAMIC, 1024.0),  # a checkpoint of float32
        (DYNAMIC, {"use_amp": True, "amp_dtype": "bfloat16"}, None),
    ],
)
def test_the_loss_scale_is_restored_unless_the_config_fixes_it(before, after, scale, gpu):
    first, second = precision(**before), precision(**after)
    steps(first, [INF, INF] if first.dtype == "float16" else [])
    second.restore(first.state())
    assert second.metrics().get("loss_scale") == scale


def test_a_checkpoint_holds_the_count_of_good_steps_too(gpu):
    """After 2,000 of them the scale is doubled, in the resumed training at the same step."""
    whole, parts = precision(**DYNAMIC), [precision(**DYNAMIC), precision(**DYNAMIC)]
    for mixed in (whole, *parts):
        mixed.scaler.set_incr_every_n_steps(4)
    steps(whole, [1.0, INF, 1.0, 1.0, 1.0, 1.0])
    steps(parts[0], [1.0, INF, 1.0])
    parts[1].restore(parts[0].state())
    steps(parts[1], [1.0, 1.0, 1.0])
    assert whole.state() == parts[1].state() and whole.metrics() == {"loss_scale": 1024.0}


def test_a_checkpoint_holds_the_count_of_steps_left_out_too(gpu):
    first, second = precision(use_amp=True), precision(use_amp=True)
    steps(first, [INF] * (MAX_LEFT_OUT - 1))
    second.restore(first.state())
    assert first.failure is None
    steps(second, [INF])
    assert second.failure is not None


def test_a_step_that_another_process_cannot_hold_is_left_out_here_too(gpu, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda numbers: numbers.add_(paddle.ones_like(numbers)))
    mixed = precision(**DYNAMIC)
    updated, weights, _ = steps(mixed, [1.0])
    assert updated == [False] and weights == [1.0] and mixed.metrics() == {"loss_scale": 512.0}


# ---- whole trainings


def test_a_resumed_float16_training_ends_like_an_uninterrupted_one_and_saves_float32(tmp_path, gpu, monkeypatch):
    draw_digits(tmp_path, 8)
    settings = {**DYNAMIC, "scale_loss": 2.0**14, "epoch_num": 3}  # too much for the first steps
    config = load_config(tiny_config(tmp_path, **settings))
    train(config, tmp_path / "whole", progress=False)
    step, left_out = Precision.backward_and_step, []

    def stop_after_the_first(self, loss, optimiser):
        updated = step(self, loss, optimiser)
        left_out.append(self.left_out)
        os.kill(os.getpid(), signal.SIGINT)
        return updated

    with monkeypatch.context() as patch:
        patch.setattr(Precision, "backward_and_step", stop_after_the_first)
        assert train(config, tmp_path / "parts", progress=False).stopped == "interrupted" and left_out == [1]
    config = load_config(config, [f"Global.checkpoints={tmp_path / 'parts' / 'latest'}"])
    train(config, tmp_path / "parts", progress=False)
    for name in ("latest", "best_accuracy"):
        whole, parts = (read_pdparams(tmp_path / run / name) for run in ("whole", "parts"))
        assert {array.dtype for array in whole.values()} == {np.dtype("float32")}
        assert all(np.array_equal(whole[key], parts[key]) for key in whole)
    log = (tmp_path / "whole" / "train.log").read_text(encoding="utf-8")
    assert "step 1 left out: its gradient is beyond float16; the loss scale is now 8192" in log
    assert "step 6 left out" not in log


@pytest.mark.parametrize(
    ("settings", "continues"),
    [(DYNAMIC, True), ({"use_amp": True, "amp_dtype": "bfloat16"}, False), ({}, False)],
    ids=["float16", "bfloat16", "float32"],
)
def test_one_loss_that_is_not_finite_costs_float16_a_step_and_other_types_the_training(
    settings, continues, tmp_path, gpu, monkeypatch
):
    draw_digits(tmp_path, 8)
    config = load_config(tiny_config(tmp_path, epoch_num=2, eval_batch_epoch=2, **settings))
    loss_of, factors = build_loss(config), iter([1.0, INF, *[1.0] * 99])
    monkeypatch.setattr(
        recognition,
        "build_loss",
        lambda config: lambda outputs, targets: {"loss": loss_of(outputs, targets)["loss"] * next(factors)},
    )
    if not continues:
        with pytest.raises(RunError, match="The loss became inf at step 2"):
            train(config, tmp_path / "run", progress=False)
        return
    assert train(config, tmp_path / "run", progress=False).stopped == "finished"
    rows = (tmp_path / "run" / "history.jsonl").read_text(encoding="utf-8")
    assert "step 2 left out" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "Infinity" not in rows and "NaN" not in rows


def test_a_learning_rate_that_explodes_ends_a_float16_training_too(tmp_path, gpu):
    draw_digits(tmp_path, 8)
    config = tiny_config(tmp_path, epoch_num=10, eval_batch_epoch=10, **{**DYNAMIC, "scale_loss": 2.0**-8})
    config["Optimizer"] = {"name": "Momentum", "lr": {"name": "Const", "learning_rate": 1e12}}
    with pytest.raises(RunError, match="learning_rate"):
        train(load_config(config), tmp_path / "run", progress=False)


def test_what_the_optimiser_holds_is_float32_under_o2(tmp_path, gpu):
    draw_digits(tmp_path, 4)
    config = load_config(tiny_config(tmp_path))
    model = build_model(config)
    optimiser = build_optimiser(config, model, 1, 1)
    mixed = precision(**DYNAMIC)
    outputs = mixed.forward(model, paddle.rand([2, 3, 32, 64]), LABELS)
    assert mixed.backward_and_step(build_loss(config)(outputs, LABELS)["loss"], optimiser)
    moments = [value for key, value in optimiser.state_dict().items() if "moment" in key]
    assert moments and {value.dtype for value in moments} == {paddle.float32}
