"""Loading weights: by name, by character, safely, and never silently."""

from __future__ import annotations

import pickle

import numpy as np
import paddle
import pytest
from drawn import tiny_config

from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.text.charset import Charset
from scenetext.train.checkpoint import save_weights
from scenetext.weights.loading import load_weights
from scenetext.weights.onnx import name_tensors
from scenetext.weights.pdparams import read_pdparams

V6 = "rapidocr:PP-OCRv6_rec_small"


class RunsCode:
    def __reduce__(self):
        return (print, ("code from a weight file ran",))


def model_with(tmp_path, characters, name="charset.txt", **changes):
    (tmp_path / name).write_text("".join(c + "\n" for c in characters), encoding="utf-8")
    config = tiny_config(tmp_path, character_dict_path=str(tmp_path / name))
    config["Architecture"] |= changes
    return build_model(config)


@pytest.fixture
def saved(tmp_path):
    """A network that knows a, b, c and its weights with the dictionary beside them."""
    paddle.seed(3)
    model = model_with(tmp_path, "abc")
    save_weights(model, tmp_path / "best")
    return model, tmp_path / "best"


def test_weights_come_back_equal_and_nothing_is_left_over(saved, tmp_path):
    model, prefix = saved
    other = model_with(tmp_path, "abc")
    report = load_weights(other, prefix, strict=True)
    assert report.complete and not report.sliced
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[key].numpy(), value.numpy(), err_msg=key)


def test_head_columns_follow_their_characters_to_another_dictionary(saved, tmp_path):
    model, prefix = saved
    other = model_with(tmp_path, "cxa", "other.txt")
    report = load_weights(other, prefix)
    assert (report.kept, report.added, report.dropped) == (["c", "a"], ["x"], ["b"])
    old, new = model.head.fc.weight.numpy(), other.head.fc.weight.numpy()
    for row, origin in {0: 0, 1: 3, 3: 1}.items():  # blank, c, a
        np.testing.assert_array_equal(new[:, row], old[:, origin])
        assert other.head.fc.bias.numpy()[row] == model.head.fc.bias.numpy()[origin]


def test_a_decoder_with_attention_keeps_what_it_knows_of_every_character_and_of_the_end(tmp_path):
    head = {"name": "AttentionHead", "hidden_size": 8}
    old = model_with(tmp_path, "abc", Head=head)
    save_weights(old, tmp_path / "best")
    new = model_with(tmp_path, "cxa", "other.txt", Head=head)
    report = load_weights(new, tmp_path / "best")
    assert not report.skipped and not report.missing and len(report.sliced) == 3
    told, was_told = (model.head.attention_cell.rnn.weight_ih.numpy() for model in (new, old))
    told, was_told = told[:, -new.head.num_classes :], was_told[:, -old.head.num_classes :]
    for row, origin in {0: 0, 1: 3, 3: 1, -1: -1}.items():  # the start, c, a, the end
        np.testing.assert_array_equal(
            new.head.generator.weight.numpy()[:, row], old.head.generator.weight.numpy()[:, origin]
        )
        np.testing.assert_array_equal(told[:, row], was_told[:, origin])


def test_weights_of_another_network_are_an_error_not_a_fresh_start(saved, tmp_path):
    other = model_with(tmp_path, "abc", Backbone={"name": "ResNet", "layers": 18}, Neck=None)
    arrays = {f"other.{k}": v for k, v in read_pdparams(saved[1]).items()}
    with open(tmp_path / "alien.pdparams", "wb") as file:
        pickle.dump(arrays, file, 2)
    with pytest.raises(InputError, match="weights of another network"):
        load_weights(other, tmp_path / "alien")


def test_partly_matching_weights_are_listed_and_refused_under_strict(saved, tmp_path):
    arrays = read_pdparams(saved[1])
    arrays["backbone.surplus"] = np.zeros(3, np.float32)
    arrays["backbone.conv1.conv.weight"] = np.zeros((1, 3, 3, 3), np.float32)
    del arrays["backbone.conv2.bn.bias"]
    with open(tmp_path / "part.pdparams", "wb") as file:
        pickle.dump(arrays, file, 2)
    report = load_weights(model_with(tmp_path, "abc"), tmp_path / "part")
    assert set(report.skipped) == {"backbone.surplus", "backbone.conv1.conv.weight"}
    assert set(report.missing) == {"backbone.conv2.bn.bias", "backbone.conv1.conv.weight"}
    for key in ("backbone.surplus", "backbone.conv2.bn.bias"):
        assert key in str(report)
    with pytest.raises(InputError, match="strict"):
        load_weights(model_with(tmp_path, "abc"), tmp_path / "part", strict=True)


def test_a_weight_file_that_would_run_code_is_refused_without_running_it(saved, tmp_path, capsys):
    with open(tmp_path / "evil.pdparams", "wb") as file:
        pickle.dump({"head.fc.bias": RunsCode()}, file, 2)
    with pytest.raises(InputError, match="asks to run .*print"):
        load_weights(saved[0], tmp_path / "evil")
    assert "code from a weight file ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "do not exist"),
        (b"", "not a whole file"),
        (b"PK\x03\x04 no pickle", "not a whole file"),
        (pickle.dumps([1, 2]), "not a table"),
        (pickle.dumps({"a": "text"}), "a is a str"),
        (pickle.dumps({"a": np.array(["text"])}), "a holds <U4 values, not numbers"),
        (pickle.dumps({"a": np.array([None])}), "a holds object values, not numbers"),
        (pickle.dumps({"a": np.array([1.0, np.nan], np.float32)}), "a holds numbers that are not finite"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff", "not a whole file"),  # bytes of a length beyond any memory
    ],
)
def test_a_file_that_holds_no_weights_is_named(tmp_path, content, message):
    path = tmp_path / "w.pdparams"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_pdparams(path)


def test_a_folder_in_place_of_a_weight_file_is_named(tmp_path):
    (tmp_path / "w.pdparams").mkdir()
    with pytest.raises(InputError, match="w.pdparams cannot be read"):
        read_pdparams(tmp_path / "w")


def test_bfloat16_which_paddle_pickles_as_uint16_is_read_as_what_it_means(tmp_path):
    numbers = paddle.to_tensor([1.0, -0.15625, 3e-20, 0.0])
    paddle.save({"whole": numbers, "half": numbers.astype("bfloat16")}, str(tmp_path / "w.pdparams"))
    arrays = read_pdparams(tmp_path / "w")
    assert arrays["half"].dtype == np.float32
    np.testing.assert_array_equal(arrays["half"], numbers.astype("bfloat16").astype("float32").numpy())
    np.testing.assert_array_equal(arrays["whole"], numbers.numpy())


def test_what_paddle_saves_beside_weights_is_named(tmp_path):
    paddle.save({"w": paddle.ones([2]), "epoch": 3}, str(tmp_path / "w.pdparams"))  # the tensor as (name, array)
    with pytest.raises(InputError, match="epoch is a int, not an array"):
        read_pdparams(tmp_path / "w")


def test_a_file_without_statistics_fuses_no_network_that_it_does_not_hold_fused(saved, tmp_path):
    head = {key: value for key, value in read_pdparams(saved[1]).items() if key.startswith("head.")}
    with open(tmp_path / "head.pdparams", "wb") as file:
        pickle.dump(head, file, 2)
    model = model_with(tmp_path, "abc")
    keys = list(model.state_dict())
    report = load_weights(model, tmp_path / "head")
    assert not report.fused and not model.fused and list(model.state_dict()) == keys
    assert report.random_backbone and "NOTHING OF THE BACKBONE" in str(report)
    assert f"and {len(report.missing) - 20} more" in str(report)

    saved[0].fuse()
    save_weights(saved[0], tmp_path / "fused")
    report = load_weights(model, tmp_path / "fused", strict=True)
    assert report.fused and model.fused and not report.random_backbone


def snapshot(model):
    """Everything of a network that loading may change."""
    return {key: value.numpy().copy() for key, value in model.state_dict().items()}, model.fused, model.training


def assert_unchanged(model, before):
    arrays, fused, training = before
    assert (model.fused, model.training) == (fused, training)
    assert list(model.state_dict()) == list(arrays)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), arrays[key], err_msg=key)


@pytest.mark.parametrize("kind", ["another graph", "part of a fused file, strict", "another fused network", "no file"])
def test_a_failed_load_leaves_the_network_as_it_was(kind, saved, tmp_path):
    other = saved[0]
    other.fuse()
    save_weights(other, tmp_path / "fused")
    arrays = read_pdparams(tmp_path / "fused")
    source, strict = tmp_path / "w.pdparams", False
    if kind == "another graph":
        source = V6
    elif kind == "part of a fused file, strict":
        strict = True
        del arrays["head.fc.bias"]
    elif kind == "another fused network":
        arrays = {f"other.{key}": value for key, value in arrays.items()}
    if kind != "no file":
        with open(tmp_path / "w.pdparams", "wb") as file:
            pickle.dump(arrays, file, 2)
    model = model_with(tmp_path, "abc")
    before = snapshot(model)
    with pytest.raises(InputError):
        load_weights(model, source, strict=strict)
    assert_unchanged(model, before)


def test_a_graph_is_loaded_at_the_size_of_the_networks_pictures(tmp_path):
    model = model_with(tmp_path, "abc")
    assert model.image_size == (32, 128)
    model.fuse()
    sizes = []
    model.register_forward_pre_hook(lambda _layer, inputs: sizes.append(tuple(inputs[0].shape)))
    for size in ((32, 128), (32, 160)):
        with pytest.raises(InputError, match="holds 0 tensors"):
            name_tensors([], model, size if size != model.image_size else None)
    assert sizes == [(1, 3, 32, 128), (1, 3, 32, 160)]
    model.image_size = None
    with pytest.raises(InputError, match="give image_shape in RecResizeImg"):
        name_tensors([], model)


def test_a_cut_off_weight_file_is_named(saved):
    path = saved[1].with_suffix(".pdparams")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole file"):
        read_pdparams(path)


def v6_config(root, tmp_path, charset):
    from scenetext.config import load_config

    charset.write(tmp_path / "v6.txt")
    return load_config(root / "configs/ppocrv6_small.yml", [f"Global.character_dict_path={tmp_path / 'v6.txt'}"])


def test_pp_ocrv6_small_from_the_wheel_equals_onnxruntime_on_the_same_images(root, tmp_path):
    import onnxruntime

    from scenetext.weights.onnx import read_onnx, wheel_model

    path = wheel_model(V6)
    model = build_model(v6_config(root, tmp_path, read_onnx(path)[1]))
    assert load_weights(model, V6, strict=True).complete
    model.eval()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for images in (
        np.random.default_rng(0).uniform(-1, 1, (2, 3, 48, 200)).astype(np.float32),
        np.zeros((1, 3, 48, 64), np.float32),
    ):
        with paddle.no_grad():
            ours = paddle.nn.functional.softmax(model(paddle.to_tensor(images)), axis=-1).numpy()
        theirs = session.run(None, {"x": images})[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        assert (ours.argmax(-1) == theirs.argmax(-1)).all()


def test_pp_ocrv6_small_is_sliced_to_the_characters_in_use(root, tmp_path):
    model = build_model(v6_config(root, tmp_path, Charset(("中", "国", "\ue000", " "), use_space_char=True)))
    report = load_weights(model, V6)
    assert report.added == ["\ue000"] and report.kept == ["中", "国", " "] and len(report.dropped) == 18706
    assert model.head.classifier.weight.shape == [120, 5]


@pytest.mark.parametrize("between", [[], ["Identity"], ["Squeeze"], ["Identity", "Squeeze"]])
def test_a_batch_normalisation_is_folded_into_its_convolution_also_where_conv1d_is_exported_in_two_dimensions(
    tmp_path, between
):
    from onnx import TensorProto, helper, numpy_helper, save_model

    from scenetext.weights.onnx import read_onnx

    rng, epsilon = np.random.default_rng(0), 1e-5
    weight = rng.normal(size=(2, 3, 1, 5)).astype(np.float32)
    gamma, beta, mean, variance = np.abs(rng.normal(size=(4, 2))).astype(np.float32)
    names = ["y", *(f"between{number}" for number in range(len(between)))]
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    nodes += [helper.make_node(kind, [names[i]], [names[i + 1]]) for i, kind in enumerate(between)]
    nodes += [helper.make_node("BatchNormalization", [names[-1], *"gbmv"], ["z"], epsilon=epsilon)]
    given = {"w": weight, "g": gamma, "b": beta, "m": mean, "v": variance}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xz"]
    tensors = [numpy_helper.from_array(array, name) for name, array in given.items()]
    save_model(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)), tmp_path / "g.onnx")

    folded, bias = read_onnx(tmp_path / "g.onnx")[0]
    factor = gamma / np.sqrt(variance + epsilon)
    np.testing.assert_allclose(folded, weight * factor[:, None, None, None], rtol=1e-6)
    np.testing.assert_allclose(bias, beta - mean * factor, rtol=1e-6)
