"""RARE and STAR-Net: the spline, the decoder, how they are trained and exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from exported import trace
from parity import fill, inputs, read_table, with_the_same_products_everywhere

from scenetext.config import load_config
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.models import build_model, load_charset
from scenetext.models.heads.attention_head import AttentionHead
from scenetext.models.rectifiers.tps import TPS, base_points, slanted_lines, spline_solver, spline_terms
from scenetext.models.targets import Targets, attention_targets
from scenetext.text.charset import Charset

EOS = 9


def targets(*labels: list[int]) -> Targets:
    length = max(map(len, labels))
    ids = [label + [0] * (length - len(label)) for label in labels]
    return Targets(paddle.to_tensor(ids, dtype="int32"), paddle.to_tensor([len(label) for label in labels]))


# ---- the spline


def test_spline_goes_through_its_points():
    base = base_points(20)
    points = np.random.default_rng(0).normal(size=(20, 2))
    coefficients = spline_solver(base) @ np.concatenate([points, np.zeros((3, 2))])
    away = np.linalg.norm(base[:, None] - base[None], axis=2)
    kernel = away**2 * np.log(away + np.eye(20))
    terms = np.concatenate([np.ones((20, 1)), base, kernel], 1)
    np.testing.assert_allclose(terms @ coefficients, points, atol=1e-9)


def test_points_on_the_edges_leave_the_image_unchanged():
    base = base_points(20)
    grid = spline_terms(base, 4, 10) @ spline_solver(base) @ np.concatenate([base, np.zeros((3, 2))])
    rows, columns = np.divmod(np.arange(40), 10)
    np.testing.assert_allclose(grid[:, 0], (2 * columns + 1) / 10 - 1, atol=1e-6)
    np.testing.assert_allclose(grid[:, 1], (2 * rows + 1) / 4 - 1, atol=1e-6)


def test_fresh_transform_samples_along_the_two_slanted_lines():
    transform = TPS(3, input_size=(32, 100))
    points = transform.loc_net(paddle.randn([2, 3, 32, 100]))
    np.testing.assert_allclose(points.numpy(), np.stack([slanted_lines(20)] * 2), atol=1e-6)
    assert transform(paddle.zeros([2, 3, 48, 60])).shape == [2, 3, 32, 100]


def test_the_layer_of_the_side_conditions_is_kept_and_never_trained():
    transform = TPS(3)
    assert not transform.grid_generator.fc.weight.numpy().any()
    assert {k: p.stop_gradient for k, p in transform.named_parameters() if "grid_generator" in k} == {
        "grid_generator.fc.weight": True,
        "grid_generator.fc.bias": True,
    }
    assert transform.loc_net.fc2.bias.optimize_attr["learning_rate"] == 0.1


@pytest.mark.parametrize(
    "options, message",
    [({"model_name": "medium"}, "small, large"), ({"num_fiducial": 7}, "even"), ({"num_fiducial": 4}, "at least 6")],
)
def test_values_that_the_transform_does_not_know_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        TPS(3, **options)


@pytest.mark.parametrize("resize, size", [([3, 32, 320], (32, 320)), (None, (32, 100))])
def test_the_transform_works_at_the_size_that_training_resizes_to(resize, size):
    config = {
        "Architecture": {
            "Transform": {"name": "TPS", "num_fiducial": 6},
            "Backbone": {"name": "MobileNetV3"},
            "Neck": {"name": "SequenceEncoder", "encoder_type": "reshape"},
            "Head": {"name": "CTCHead"},
        }
    }
    if resize:
        dataset = {"name": "LMDBDataSet", "data_dir": "data", "transforms": [{"RecResizeImg": {"image_shape": resize}}]}
        config["Train"] = {"dataset": dataset, "loader": {"batch_size_per_card": 1}}
    model = build_model(config, 9)
    assert model.input_size == size
    assert model(paddle.zeros([1, 3, *size])).shape[1] == size[1] // 4
    config["Architecture"]["Transform"]["input_size"] = [32, 64]
    assert build_model(config, 9).input_size == (32, 64)


def test_rectified_noise_equals_the_reference(shared):
    table = read_table(shared, "rare_r34vd_tps")
    paddle.seed(0)
    model = build_model({"Architecture": table["architecture"]}, 38)
    fill(model, table["fill_rules_applied"])
    model.eval()
    z = np.load(shared / "parity" / "expected" / "rare_r34vd_tps.npz")
    for label, images in inputs(tuple(table["input_shape"])).items():
        rectified = model.transform(paddle.to_tensor(images)).numpy().reshape(2, -1)
        sample = rectified[:, :: int(z[f"transform_{label}_sample_step"])]
        np.testing.assert_allclose(sample, z[f"transform_{label}_sample"], atol=1e-3)


# ---- targets and the decoder


@pytest.mark.parametrize(
    "steps, start, expected",
    [
        (6, False, [[3, 4, EOS, 0, 0, 0], [5, 6, 7, 8, EOS, 0], [EOS, 0, 0, 0, 0, 0]]),
        (6, True, [[0, 3, 4, EOS, 0, 0], [0, 5, 6, 7, 8, EOS], [0, EOS, 0, 0, 0, 0]]),  # as PaddleOCR trains
        (3, False, [[3, 4, EOS], [5, 6, 7], [EOS, 0, 0]]),  # no room for the end
    ],
)
def test_targets_are_the_characters_then_the_end_then_padding(steps, start, expected):
    rows = attention_targets(targets([3, 4], [5, 6, 7, 8], []), steps, EOS, start)
    assert rows.numpy().tolist() == expected


def test_decoder_fed_with_its_own_predictions_predicts_the_same():
    paddle.seed(4)
    head = AttentionHead(12, 10, 8, batch_max_length=7)
    x = paddle.randn([3, 5, 12]) * 3
    free = head(x)
    answers = free.argmax(axis=2)  # (B, 7)
    forced = head.training_outputs(x, Targets(answers.astype("int32"), paddle.full([3], 7, "int64")))
    np.testing.assert_allclose(forced["attention"].numpy(), free.numpy(), atol=1e-6)


def test_teacher_forcing_feeds_each_character_to_the_next_step_only():
    paddle.seed(4)
    head = AttentionHead(12, 10, 8, batch_max_length=5)
    x = paddle.randn([1, 5, 12])
    one, other = (head.training_outputs(x, targets(label))["attention"].numpy() for label in ([3, 4, 5], [3, 7, 5]))
    np.testing.assert_array_equal(one[:, :2], other[:, :2])  # the second label is first seen by the third step
    assert np.abs(one[:, 2] - other[:, 2]).max() > 1e-4


def test_without_teacher_forcing_the_labels_have_no_effect():
    head = AttentionHead(12, 10, 8, batch_max_length=5, teacher_forcing=False)
    x = paddle.randn([1, 5, 12])
    np.testing.assert_array_equal(head.training_outputs(x, targets([3]))["attention"].numpy(), head(x).numpy())


# The losses of PaddleOCR's own classes (commit 4112fb34) run on paddle 3.1.1 with these labels and weights, not taken
# from the parity folder, which has no file of these steps. Batch statistics of two lines make them repeat to 0.3 %.
@pytest.mark.parametrize(
    "forced, expected",
    [(False, [258.828186, 129.450089, 117.910423]), (True, [174.093582, 94.959869, 88.877625])],
)
def test_three_adam_steps_equal_the_reference(shared, forced, expected):
    losses = with_the_same_products_everywhere(three_adam_steps, shared, forced)
    # steps 1 and 2 differ by up to 1 % from one run to the next: batches of two lines behind a TPS amplify rounding
    np.testing.assert_allclose(losses, expected, rtol=2e-2)
    assert losses[0] == pytest.approx(expected[0], rel=1e-3)


def three_adam_steps(shared: Path, forced: bool) -> list[float]:
    table = read_table(shared, "rare_mv3_tps")
    paddle.seed(0)
    architecture = {**table["architecture"], "Head": {**table["architecture"]["Head"], "teacher_forcing": forced}}
    model = build_model({"Architecture": architecture}, 38)
    fill(model, table["fill_rules_applied"])
    model.train()
    labels = targets([11, 12, 13], [5, 6, 7, 8, 9])
    rows = attention_targets(labels, 25, 37, start=not forced).reshape([-1])
    optimiser = paddle.optimizer.Adam(
        5e-4,
        parameters=[p for p in model.parameters() if not p.stop_gradient],
        weight_decay=paddle.regularizer.L2Decay(1e-5),
    )
    images, losses = inputs(tuple(table["input_shape"])), []
    for label in "aba":
        logits = model(paddle.to_tensor(images[label]), labels)["attention"].reshape([-1, 38])
        loss = paddle.nn.functional.cross_entropy(logits, rows, reduction="sum")
        loss.backward()
        optimiser.step()
        optimiser.clear_grad()
        losses.append(float(loss))
    return losses


# ---- configs, classes, export


@pytest.mark.parametrize("backbone, table", [("mv3", "rare_mv3_tps"), ("r34", "rare_r34vd_tps")])
def test_configs_hold_paddleocrs_architectures(root, shared, backbone, table):
    theirs = read_table(shared, table)["architecture"]
    del theirs["Head"]["out_channels"]
    theirs["Head"].pop("l2_decay", None)  # without effect there
    rare, starnet = (
        load_config(root / f"configs/{name}_{backbone}.yml").Architecture.model_dump(exclude_unset=True)
        for name in ("rare", "starnet")
    )
    assert rare == theirs
    assert starnet == {**theirs, "algorithm": "STARNet", "Head": starnet["Head"]}
    assert starnet["Head"]["name"] == "CTCHead"


@pytest.mark.parametrize("name, classes", [("rare_mv3", 38), ("starnet_mv3", 37)])
def test_without_a_dictionary_the_classes_are_0_to_9_and_a_to_z(root, name, classes):
    model = build_model(root / f"configs/{name}.yml")
    assert model.charset == Charset.default()
    assert model.head.classifier.weight.shape[1] == classes
    assert model.input_size == (32, 100)


def test_default_charset_spells_labels_in_lower_case():
    charset = load_charset(load_config({"Global": {"character_dict_path": None}}))
    assert "".join(charset.characters) == "0123456789abcdefghijklmnopqrstuvwxyz"
    assert charset.encode("Ab9") == charset.encode("ab9") == [11, 12, 10]
    assert charset.unknown("A-b") == ["-"]
    assert charset.folded("Ab") == "ab"
    assert Charset(("a", "B")).folded("aB") == "aB"


@pytest.mark.parametrize("format", ["json", "pdmodel"])
def test_exported_decoder_gives_the_networks_probabilities_at_any_batch_size(root, tmp_path, format):
    from paddle.inference import Config, create_predictor

    config = load_config(root / "configs/rare_mv3.yml", ["Architecture.Head.batch_max_length=4"])
    paddle.seed(2)
    model = build_model(config)
    model.eval()
    model.fuse()
    program, parameters = trace(format, model, config, Canvas(32, 100, fixed=True), tmp_path)
    settings = Config(str(program), str(parameters))
    settings.disable_gpu()
    settings.disable_glog_info()
    settings.set_cpu_math_library_num_threads(1)
    predictor = create_predictor(settings)
    images = inputs((3, 3, 32, 100))["b"]
    expected = paddle.nn.functional.softmax(model(paddle.to_tensor(images)), axis=-1).numpy()
    for count in (3, 1):
        handle = predictor.get_input_handle(predictor.get_input_names()[0])
        handle.reshape([count, 3, 32, 100])
        handle.copy_from_cpu(images[:count])
        predictor.run()
        found = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
