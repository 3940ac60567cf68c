"""PP-OCRv4 and v5 mobile, PP-OCRv6, and the weights in installed wheels: they give the originals' outputs."""

from __future__ import annotations

import copy
import zipfile

import numpy as np
import paddle
import pytest
from parity import fill, inputs, read_table

from scenetext.config import load_config
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.backbones.pplcnet_v3 import PPLCNetV3
from scenetext.text.charset import Charset, charset_path
from scenetext.weights.loading import load_weights
from scenetext.weights.onnx import is_wheel_source, read_onnx, wheel_model

WHEELS = {
    "rapidocr_onnxruntime:ch_PP-OCRv4_rec": "configs/ppocrv4_mobile.yml",
    "rapidocr:PP-OCRv6_rec_small": "configs/ppocrv6_small.yml",
}
READING = ("backbone.", "head.ctc_encoder.", "head.ctc_head.")  # keys of the branch that reads


def reading_part(shared, name):
    """The reference's network without its auxiliary branch, and its table."""
    table = read_table(shared, name)
    architecture = copy.deepcopy(table["architecture"])
    head = architecture["Head"]
    head["head_list"] = [entry for entry in head["head_list"] if "CTCHead" in entry]
    head.pop("out_channels_list", None)
    return build_model({"Architecture": architecture}, table["dictionary"]["n_classes_decoder"]), table


def wheel_network(root, source):
    _, charset = read_onnx(wheel_model(source))
    model = build_model(load_config(root / WHEELS[source]), num_classes=charset.num_classes)
    return model, charset


def probabilities(model, images):
    with paddle.no_grad():
        return paddle.nn.functional.softmax(model(paddle.to_tensor(images)), axis=-1).numpy()


@pytest.mark.parametrize("name", ["ppocrv4_mobile_rec", "ppocrv4_en_mobile_rec", "ppocrv5_mobile_rec"])
def test_the_reading_part_has_the_reference_keys_shapes_and_order(shared, name):
    model, table = reading_part(shared, name)
    assert [(k, list(v.shape)) for k, v in model.state_dict().items()] == [
        (row["key"], row["shape"]) for row in table["state_dict"] if row["key"].startswith(READING)
    ]


@pytest.mark.parametrize("name", ["ppocrv4_mobile_rec", "ppocrv4_en_mobile_rec"])
def test_the_reading_part_gives_the_reference_outputs_before_and_after_fusing(shared, name):
    model, table = reading_part(shared, name)
    fill(model, table["fill_rules_applied"])
    model.eval()
    expected = np.load(shared / "parity" / "expected" / f"{name}.npz")
    for step in (lambda: None, model.fuse):
        step()
        for label, images in inputs(tuple(table["input_shape"])).items():
            found = probabilities(model, images)
            np.testing.assert_allclose(found[:, :3], expected[f"{label}_probs_first3"], atol=1e-4)
            np.testing.assert_allclose(found.max(-1), expected[f"{label}_maxprob"], atol=1e-4)
            sure = expected[f"{label}_top1_minus_top2"] > 2e-4
            assert (found.argmax(-1) == expected[f"{label}_argmax"])[sure].all()


def test_affines_pass_into_the_next_convolution_wherever_that_is_exact():
    paddle.seed(2)
    backbone = PPLCNetV3(3, scale=0.25)
    for key, value in backbone.state_dict().items():
        if ".lab." in key:
            value.set_value(value + 0.3 * paddle.randn(value.shape))
    backbone.eval()
    images = paddle.randn([1, 3, 48, 72])
    before = backbone(images).numpy()
    for _ in range(2):  # the second call changes nothing
        backbone.fuse()
        np.testing.assert_allclose(backbone(images).numpy(), before, atol=1e-4 * np.abs(before).max())
    kept = [key for key in backbone.state_dict() if ".lab." in key]
    # both numbers before SE (2 blocks) and at the end, a shift alone before each of the 13 later depthwise layers
    assert sum(key.endswith("scale") for key in kept) == 3 and sum(key.endswith("bias") for key in kept) == 16


@pytest.mark.parametrize("height", [32, 48, 64])
def test_the_backbone_has_a_step_for_every_8_pixels_at_every_training_height(height):
    backbone = PPLCNetV3(3, scale=0.25)
    for mode in (backbone.train, backbone.eval):
        mode()
        assert backbone(paddle.zeros([1, 3, height, 88])).shape == [1, backbone.out_channels, 1, 11]


def test_pp_ocrv6_tiny_has_the_head_of_the_released_network(root):
    model = build_model(load_config(root / "configs/ppocrv6_tiny.yml"), 6906)
    shapes = {key: value.shape for key, value in model.head.ctc_head.state_dict().items()}
    assert {key: shape for key, shape in shapes.items() if not key.endswith(("_mean", "_variance"))} == {
        "guide_layer.0.weight": [160, 1, 5],
        "guide_layer.1.weight": [160],
        "guide_layer.1.bias": [160],
        "guide_layer.3.weight": [160, 160, 1],
        "guide_layer.4.weight": [160],
        "guide_layer.4.bias": [160],
        "fc1.weight": [160, 80],
        "fc1.bias": [80],
        "fc2.weight": [80, 6906],
        "fc2.bias": [6906],
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"det": True}, "det: false"),  # the detector's strides
        ({"lr_mult_list": [0, 0, 1]}, "3 factors; it takes 6"),
    ],
)
def test_options_of_other_backbones_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        build_model({"Architecture": {"Backbone": {"name": "PPLCNetV3"} | options, "Head": {"name": "CTCHead"}}}, 9)


def test_a_stage_whose_learning_rate_is_0_is_frozen_fused_or_not():
    backbone = PPLCNetV3(3, scale=0.25, lr_mult_list=[0, 0, 1, 1, 1, 1])
    for _ in range(2):
        assert all(parameter.stop_gradient for parameter in backbone.blocks2.parameters())
        assert not any(parameter.stop_gradient for parameter in backbone.blocks3[0].pw_conv.act.parameters())
        backbone.fuse()


@pytest.mark.parametrize("source", WHEELS)
def test_weights_of_a_wheel_read_real_crops_as_onnxruntime_does(root, shared, source):
    pytest.importorskip(source.partition(":")[0])
    import onnxruntime

    model, charset = wheel_network(root, source)
    assert load_weights(model, source, strict=True, charset=charset).complete
    model.eval()
    session = onnxruntime.InferenceSession(str(wheel_model(source)), providers=["CPUExecutionProvider"])
    with zipfile.ZipFile(shared / "competition" / "test_images.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        crops = {name: decode_image(archive.read(name), name) for name in {*names[::24], *names[::200]}}
    assert len(crops) >= 50
    differences = {}
    for name, crop in crops.items():
        images = on_48_rows(crop)
        theirs = session.run(None, {session.get_inputs()[0].name: images})[0]
        ours = probabilities(model, images)
        assert (ours.argmax(-1) == theirs.argmax(-1)).all()
        differences[name] = np.abs(ours - theirs).max()
    assert max(differences[name] for name in names[::200]) <= 1e-4
    # Noise of 1e-6 on the image changes the least certain crops by up to 2e-3, in either runtime (see
    # tests/benchmarks/LOG.md).
    every_24th = [differences[name] for name in names[::24]]
    assert np.sort(every_24th)[-3] <= 1e-4 and max(every_24th) <= 2e-3


def on_48_rows(crop):
    """(1, 3, 48, W) float32 in [-1, 1], W by the crop's proportions."""
    import cv2

    height, width = crop.shape[:2]
    line = cv2.resize(crop, (max(48, round(48 * width / height)), 48))
    return (line.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]


def test_the_head_of_a_wheel_is_sliced_to_the_characters_in_use(root, tmp_path):
    source = next(iter(WHEELS))
    pytest.importorskip(source.partition(":")[0])
    Charset(("中", "国", "\ue000")).write(tmp_path / "few.txt")
    config = load_config(root / WHEELS[source], [f"Global.character_dict_path={tmp_path / 'few.txt'}"])
    report = load_weights(build_model(config), source)
    assert report.added == ["\ue000"] and report.kept == ["中", "国", " "] and not report.skipped and not report.missing


@pytest.mark.parametrize(
    ("source", "is_wheel"),
    [
        ("rapidocr:PP-OCRv6_rec_small", True),
        ("rapidocr_onnxruntime:ch_PP-OCRv4_rec", True),
        ("rapidocr:PP-OCRv6_rec_smal", True),  # a typo; refused with the list of models
        ("https://host/weights.pdparams", False),
        ("PP-OCRv4_mobile_rec", False),
        ("runs/rapidocr/best_accuracy", False),
        ("rapidocr", False),
    ],
)
def test_a_wheels_weights_are_distinguished_from_files_and_addresses(source, is_wheel):
    assert is_wheel_source(source) == is_wheel


def test_an_unknown_model_of_a_wheel_is_refused_with_those_that_are_there():
    with pytest.raises(InputError, match="rapidocr_onnxruntime:ch_PP-OCRv4_rec"):
        wheel_model("rapidocr:PP-OCRv6_rec_smal")


def scaled(x, factor, shift, name):
    from onnx import helper

    return [
        helper.make_node("Mul", [factor, x], [f"{name}.product"]),
        helper.make_node("Add", [f"{name}.product", shift], [name]),
    ]


@pytest.mark.parametrize(
    ("shift", "behind", "expected"),
    [
        ("three", "Relu", lambda weight, bias: [weight * 2, bias * 2 + 3]),  # learned: part of the convolution
        ("none", "Relu", lambda weight, bias: [weight, bias]),  # Paddle's scale operator, a constant
        ("three", "Clip", lambda weight, bias: [weight, bias]),  # a hard sigmoid
    ],
)
def test_a_factor_and_a_shift_behind_a_convolution(tmp_path, shift, behind, expected):
    from onnx import helper

    nodes = [helper.make_node("Conv", ["x", "weight", "bias"], ["y"]), *scaled("y", "two", shift, "z")]
    assert_read_as(expected, tmp_path, [*nodes, helper.make_node(behind, ["z"], ["out"])])


@pytest.mark.parametrize(
    ("pads", "readers", "expected"),
    [
        (0, 1, lambda weight, bias: [weight * 2, bias + 3 * weight.sum(axis=(1, 2, 3))]),  # the next one takes both
        (1, 1, lambda weight, bias: [[1.5], weight * 2, bias]),  # its zeros are not shifted: the shift stays
        (0, 2, lambda weight, bias: [[2], [3], weight, bias]),  # another layer reads the shifted map
    ],
)
def test_a_factor_and_a_shift_before_a_convolution(tmp_path, pads, readers, expected):
    from onnx import helper

    nodes = [helper.make_node("Relu", ["x"], ["y"]), *scaled("y", "two", "three", "z")]
    nodes.append(helper.make_node("Conv", ["z", "weight", "bias"], ["out"], pads=[pads] * 4))
    nodes += [helper.make_node("GlobalAveragePool", ["z"], ["mean"])] * (readers - 1)
    assert_read_as(expected, tmp_path, nodes)


def assert_read_as(expected, folder, nodes):
    import onnx
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    numbers = {"weight": rng.normal(size=(2, 3, 1, 1)), "bias": rng.normal(size=2)}
    numbers |= {"two": [2], "three": [3], "none": [0]}
    numbers = {name: np.asarray(value, np.float32) for name, value in numbers.items()}
    images, out = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", "out"))
    initialisers = [numpy_helper.from_array(value, name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "graph", [images], [out], initialisers)
    onnx.save(helper.make_model(graph), str(folder / "graph.onnx"))
    tensors, _ = read_onnx(folder / "graph.onnx")
    for tensor, value in zip(tensors, expected(numbers["weight"], numbers["bias"]), strict=True):
        np.testing.assert_allclose(tensor, value, rtol=1e-6)


def test_the_english_dictionary_is_paddleocrs_and_names_the_space_twice():
    charset = Charset.from_file(charset_path("ppocr/utils/en_dict.txt"), use_space_char=True)
    assert charset.num_classes == 97
    assert "".join(charset.characters[:12]) == "0123456789:;" and "".join(charset.characters[-3:]) == "/  "
    assert sorted(charset.characters[:95]) == [chr(code) for code in range(32, 127)]
    assert charset.encode(" ") == [96]
