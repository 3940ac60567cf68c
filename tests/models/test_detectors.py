"""Detectors have PaddleOCR's parameters, give its maps, and are equal to the wheels' ONNX graphs."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import paddle
import pytest
from parity import SMALL_ACTIVATIONS, fill, inputs, read_table

from scenetext.config import load_config
from scenetext.data.detection.resize import standardised_photo
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.weights.loading import load_weights
from scenetext.weights.onnx import WHEEL_MODELS, wheel_model

CONFIGS = ("det_repsvtr", "det_ppocrv4_mobile", "det_ppocrv6_small")
WHEELS = {
    "det_ppocrv4_mobile": "rapidocr_onnxruntime:ch_PP-OCRv4_det",
    "det_ppocrv6_small": "rapidocr:PP-OCRv6_det_small",
}
MAPS, BINARY, TRAINED_BINARY = 1e-4, 2e-3, 5e-3  # tolerances; the binary map is 50 times as steep


def build(root, name: str):
    paddle.seed(0)
    return build_model(load_config(root / "configs" / f"{name}.yml"))


def run(layer, x):
    with paddle.no_grad():
        return layer(paddle.to_tensor(x) if isinstance(x, np.ndarray) else x)


@pytest.mark.parametrize("name", ["det_repsvtr_db", "ppocrv4_mobile_det"])
def test_parameters_have_the_reference_keys_shapes_and_order(shared, name):
    table = read_table(shared, name)
    model = build_model({"Architecture": table["architecture"]})
    own = [(key, list(value.shape)) for key, value in model.state_dict().items()]
    assert own == [(row["key"], row["shape"]) for row in table["state_dict"]]
    count = sum(int(np.prod(shape)) for key, shape in own if not key.endswith(("._mean", "._variance")))
    assert count == table["params"]["trainable_style_params"]


@pytest.fixture(scope="module")
def filled(shared):
    table = read_table(shared, "det_repsvtr_db")
    model = build_model({"Architecture": table["architecture"]})
    fill(model, table["fill_rules_applied"])
    model.eval()
    return model, table, np.load(shared / "parity" / "expected" / "det_repsvtr_db.npz")


@pytest.mark.parametrize("label", ["a", "b"])
def test_features_and_maps_equal_the_reference(filled, label):
    model, table, expected = filled
    images = inputs(tuple(table["input_shapes"][label]))[label]
    features = run(model.backbone, images)
    found = {f"c{number}": feature for number, feature in enumerate(features, 2)}
    found |= {
        f"in{number}": run(model.neck.ins_conv[number - 2], feature) for number, feature in enumerate(features, 2)
    }
    found["neck"] = run(model.neck, features)
    found["eval_map"] = run(model.head, found["neck"])
    for name, tensor in found.items():
        own, key = tensor.numpy(), f"{label}_{name}"
        assert list(own.shape) == expected[f"{key}_shape"].tolist()
        sample = own.reshape(1, -1)[:, :: int(expected[f"{key}_sample_step"])]
        scale = max(1.0, float(np.abs(own).max()))
        np.testing.assert_allclose(sample, expected[f"{key}_sample"], atol=MAPS * scale, err_msg=key)
    own = found["eval_map"].numpy()
    whole = own if label == "b" else own[:, :, ::4, ::4]
    np.testing.assert_allclose(whole, expected["b_eval_map_full" if label == "b" else "a_eval_map_every4"], atol=MAPS)


def test_training_maps_and_statistics_equal_the_reference(filled):
    model, table, expected = filled
    images = inputs(tuple(table["input_shapes"]["b"]))["b"]
    model.head.training = True  # three maps, with the statistics of evaluation
    maps = run(model, images)["maps"].numpy()[:, :, ::2, ::2]
    model.head.training = False
    np.testing.assert_allclose(maps[:, :2], expected["b_evalbn_maps_every2"][:, :2], atol=MAPS)
    np.testing.assert_allclose(maps[:, 2], expected["b_evalbn_maps_every2"][:, 2], atol=BINARY)
    before = {key: value.numpy() for key, value in model.state_dict().items()}
    model.train()
    maps = run(model, images)["maps"].numpy()[:, :, ::2, ::2]
    np.testing.assert_allclose(maps[:, :2], expected["b_train_maps_every2"][:, :2], atol=MAPS)
    np.testing.assert_allclose(maps[:, 2], expected["b_train_maps_every2"][:, 2], atol=TRAINED_BINARY)
    state = model.state_dict()
    after = [[state[key].numpy().mean(), state[key].numpy().std()] for key in expected["bn_keys"]]
    np.testing.assert_allclose(after, expected["b_train_bn_after_mean_std"], rtol=1e-3, atol=1e-4)
    model.set_state_dict(before)
    model.eval()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_fused_detector_gives_the_same_map_with_fewer_tensors(root, name):
    model = build(root, name)
    fill(model, SMALL_ACTIVATIONS)
    model.eval()
    images = inputs((1, 3, 64, 96))["a"]
    before, tensors = run(model, images).numpy(), len(model.state_dict())
    for _ in range(2):  # a second call changes nothing
        model.fuse()
        np.testing.assert_allclose(run(model, images).numpy(), before, atol=1e-5)
    assert before.std() > 0.05 and len(model.state_dict()) < tensors / 2 and before.shape == (1, 1, 64, 96)
    assert not any(key.endswith(("._mean", "._variance")) for key in model.state_dict())


def test_a_detector_without_its_threshold_branch_finds_text_and_cannot_be_trained(root):
    model = build(root, "det_repsvtr")
    images = paddle.zeros([1, 3, 32, 64])
    model.train()
    maps = model(images)["maps"]
    binary = 1 / (1 + np.exp(-50 * (maps[:, 0] - maps[:, 1]).numpy()))
    assert maps.shape == [1, 3, 32, 64]
    np.testing.assert_allclose(maps[:, 2].numpy(), binary, atol=1e-4)
    model.eval()
    whole = model(images).numpy()
    model.drop_auxiliary_branch()
    assert (model(images).numpy() == whole).all()
    model.train()
    with pytest.raises(InputError, match="threshold branch was removed"):
        model(images)


def wheel_detector(root, name: str):
    """The detector with the wheel's weights, and a function that runs the wheel's own graph."""
    package, _ = WHEEL_MODELS[WHEELS[name]]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    import onnxruntime

    model = build(root, name)
    model.drop_auxiliary_branch()
    report = load_weights(model, WHEELS[name], strict=True)
    assert report.complete and report.fused
    model.eval()
    session = onnxruntime.InferenceSession(str(wheel_model(WHEELS[name])), providers=["CPUExecutionProvider"])
    return model, lambda images: session.run(None, {session.get_inputs()[0].name: images})[0]


@pytest.mark.parametrize("name", WHEELS)
def test_wheel_weights_give_the_maps_of_the_wheel(root, name):
    model, original = wheel_detector(root, name)
    photo = np.full((96, 160, 3), 90, np.uint8)
    cv2.putText(photo, "SALE 12", (8, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (250, 250, 250), 3)
    images = standardised_photo(photo)[None].astype(np.float32)
    expected = original(images)
    assert expected.max() > 0.9  # it finds the text
    np.testing.assert_allclose(run(model, images).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(("name", "short"), [("det_ppocrv4_mobile", "v4"), ("det_ppocrv6_small", "v6small")])
def test_wheel_weights_give_the_reference_map_of_a_drawn_text(root, shared, name, short):
    expected = np.load(shared / "parity" / "expected" / "det_onnx_outputs.npz")
    model, _ = wheel_detector(root, name)
    own = run(model, standardised_photo(expected["image_u8_bgr"])[None].astype(np.float32)).numpy()
    np.testing.assert_allclose(own[:, :, ::2, ::2], expected[f"{short}_text_map_every2"], atol=1e-4)


def test_weights_of_a_recogniser_are_refused_by_a_detector(root, tmp_path):
    recogniser = build_model(load_config(root / "configs" / "repsvtr.yml", ["Global.character_dict_path="]))
    paddle.save(recogniser.state_dict(), str(tmp_path / "rec.pdparams"))
    detector = build(root, "det_repsvtr")
    detector.drop_auxiliary_branch()
    with pytest.raises(InputError, match="does not match the network completely"):
        load_weights(detector, tmp_path / "rec", strict=True)
    with pytest.raises(InputError, match="another network"):
        load_weights(build(root, "det_ppocrv4_mobile"), "rapidocr:PP-OCRv6_det_small")
