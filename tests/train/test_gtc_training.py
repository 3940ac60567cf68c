"""MultiHead's auxiliary (GTC) branch and distillation: equal to PaddleOCR, and which networks are trained by which."""

from __future__ import annotations

import cv2
import numpy as np
import paddle
import pytest
from drawn import draw_digits, tiny_config
from parity import fill, inputs, read_table

from scenetext.config import load_config
from scenetext.data.pipeline import canvas_of
from scenetext.errors import InputError
from scenetext.export.exporter import export_model
from scenetext.models import build_model
from scenetext.models.build import BACKBONES
from scenetext.models.heads.multi_head import MultiHead
from scenetext.models.heads.nrtr_head import NRTRHead
from scenetext.models.targets import Targets, nrtr_targets
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.trained_model import load_reader
from scenetext.train.checkpoint import save_weights
from scenetext.train.losses import build_loss
from scenetext.train.pretrained import load_pretrained

CLASSES = 20
NRTR = {"NRTRHead": {"nrtr_dim": 64, "max_text_length": 25, "num_decoder_layers": 2}}


def targets(*rows):
    lengths = [len(row) for row in rows]
    ids = np.zeros((len(rows), max(lengths)), np.int32)
    for own, row in zip(ids, rows, strict=True):
        own[: len(row)] = row
    return Targets(paddle.to_tensor(ids), paddle.to_tensor(np.array(lengths, np.int64)))


LABELS = targets([3, 4, 4, 7], [19, 1])


def network(use_guide=False):
    """A small network with an auxiliary branch."""
    neck = {"name": "lightsvtr", "dims": 32, "depth": 1, "num_heads": 4, "use_guide": use_guide}
    return {
        "model_type": "rec",
        "algorithm": "SVTR_LCNet",
        "Backbone": {"name": "PPLCNetV4", "model_size": "tiny"},
        "Head": {"name": "MultiHead", "head_list": [{"CTCHead": {"Neck": neck, "Head": {"fc_decay": 1e-5}}}, NRTR]},
    }


def build(architecture):
    paddle.seed(1)
    return build_model({"Architecture": architecture}, CLASSES)


def distilled(**changes):
    teacher = {"freeze_params": True, "return_all_feats": True, "pretrained": "teacher", **network()}
    student = {"freeze_params": False, "return_all_feats": True, **network()}
    return {
        "model_type": "rec",
        "name": "DistillationModel",
        "algorithm": "Distillation",
        "Models": {"Teacher": teacher, "Student": student} | changes,
    }


EXPECTED_BRANCHES = [  # reference file, prefix of its keys
    *((name, "") for name in ("svtrv2_rec", "repsvtr_rec", "repsvtr_rec_gtc", "ppocrv4_mobile_rec")),
    ("ppocrv4_en_mobile_rec", ""),
    *(("svtrv2_rec_distillation", prefix) for prefix in ("Teacher.", "Student.")),
    *(("ppocrv4_mobile_rec_distillation", prefix) for prefix in ("Teacher.", "Student.")),
]


@pytest.fixture(scope="module")
def filled(shared):
    """Reference networks with the reference's weights, built once each."""
    made = {}

    def get(name):
        if name not in made:
            made.clear()
            table = read_table(shared, name)
            model = build_model({"Architecture": table["architecture"]}, table["dictionary"]["n_classes_decoder"])
            fill(model, table["fill_rules_applied"])
            model.eval()
            made[name] = (model, table)
        return made[name]

    return get


@pytest.mark.parametrize("name, prefix", EXPECTED_BRANCHES)
def test_the_auxiliary_branchs_logits_equal_the_reference(shared, filled, name, prefix):
    model, table = filled(name)
    expected = np.load(shared / "parity" / "expected" / f"{name}.npz")
    tokens = expected[f"{prefix}gtc_targets"]  # the start, characters moved by 3, the end
    labels = targets(*([int(t) - 3 for t in row if t > 3] for row in tokens))
    assert (nrtr_targets(labels).numpy() == tokens[:, :9]).all()
    with paddle.no_grad():
        outputs = model(paddle.to_tensor(inputs(tuple(table["input_shape"]))["a"]), labels)
    logits = (outputs[prefix[:-1]] if prefix else outputs)["nrtr"].numpy()
    assert list(logits.shape) == expected[f"{prefix}gtc_logits_shape"].tolist()
    np.testing.assert_allclose(logits[:, :3], expected[f"{prefix}gtc_logits_first3"], atol=2e-4)
    assert (logits.argmax(-1) == expected[f"{prefix}gtc_argmax"]).all()


@pytest.mark.parametrize("name", ["svtrv2_rec_distillation", "ppocrv4_mobile_rec_distillation"])
def test_what_the_reference_freezes_is_frozen_and_the_student_is_not(filled, name):
    model, table = filled(name)
    frozen = {row["key"] for row in table["state_dict"] if row.get("trainable") is False}
    rows = [row for row in table["state_dict"] if row["kind"] == "param"]
    trained = {row["key"] for row in rows if row["key"].startswith("Student.")}
    parameters = dict(model.named_parameters())
    assert frozen and all(parameters[key].stop_gradient for key in frozen)
    assert trained and not any(parameters[key].stop_gradient for key in trained)


@pytest.mark.parametrize("name", ["svtrv2_rec_distillation", "ppocrv4_mobile_rec_distillation"])
def test_teacher_and_student_read_as_the_reference(shared, filled, name):
    model, table = filled(name)
    expected = np.load(shared / "parity" / "expected" / f"{name}.npz")
    images = inputs(tuple(table["input_shape"]))["b"]
    with paddle.no_grad():
        for own in model.names:
            logits = getattr(model, own)(paddle.to_tensor(images))
            probabilities = paddle.nn.functional.softmax(logits, axis=-1).numpy()
            np.testing.assert_allclose(probabilities[:, :3], expected[f"{own}.b_probs_first3"], atol=1e-4)
            np.testing.assert_allclose(probabilities.max(-1), expected[f"{own}.b_maxprob"], atol=1e-4)


@pytest.mark.parametrize("use_pos", [False, True])
def test_the_auxiliary_branch_trains_every_parameter_and_is_gone_once_fused(use_pos):
    architecture = network()
    architecture["Head"]["use_pos"] = use_pos
    model = build(architecture)
    model.train()
    images = paddle.randn([2, 3, 48, 700])  # wider than the 80 time steps that have positional embeddings
    outputs = model(images, LABELS)
    assert {name: list(value.shape) for name, value in outputs.items()} == {
        "ctc": [2, 87, CLASSES],
        "nrtr": [2, 5, CLASSES + 4],
    }
    build_loss(
        load_config({"Loss": {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {"NRTRLoss": None}]}})
    )(outputs, LABELS)["loss"].backward()
    assert [k for k, p in model.named_parameters() if not p.stop_gradient and p.grad is None] == []
    model.eval()
    before = model(images).numpy()
    model.fuse()
    model.fuse()
    np.testing.assert_allclose(model(images).numpy(), before, atol=1e-4 * max(1.0, np.abs(before).max()))
    assert not any("gtc" in key for key in model.state_dict())
    assert list(model(images, LABELS)) == ["ctc"]


@pytest.mark.parametrize("use_guide", [True, False])
def test_use_guide_keeps_the_gradient_of_ctc_from_the_backbone_and_only_that(use_guide):
    model = build(network(use_guide))
    model.train()
    for output, reaches in (("ctc", not use_guide), ("nrtr", True)):
        model(paddle.randn([2, 3, 48, 96]), LABELS)[output].square().mean().backward()
        grads = [p.grad for p in model.backbone.parameters() if not p.stop_gradient]
        assert any(g is not None and float(g.abs().sum()) > 0 for g in grads) == reaches
        model.clear_gradients()


def test_a_character_of_the_auxiliary_branch_sees_only_those_before_it_and_its_own_line():
    paddle.seed(3)
    branch = NRTRHead(CLASSES, 64, 2)
    branch.eval()
    memory, tokens = paddle.randn([2, 12, 64]), nrtr_targets(targets([3, 4, 5, 6], [7, 8]))
    logits = branch(memory, tokens).numpy()
    changed = tokens.clone()
    changed[0, 3] = 9
    other = branch(memory, changed).numpy()
    np.testing.assert_allclose(other[0, :3], logits[0, :3], atol=1e-6)
    assert np.abs(other[0, 3:] - logits[0, 3:]).max() > 1e-3
    np.testing.assert_allclose(other[1], logits[1], atol=1e-6)
    np.testing.assert_allclose(branch(memory[1:], tokens[1:, :4]).numpy()[0], logits[1, :3], atol=1e-5)


def test_a_label_of_any_length_has_nrtr_targets():
    """PaddleOCR leaves out every line of 24 or 25 characters when max_text_length is 25."""
    tokens = nrtr_targets(targets(list(range(1, 31)), [5])).numpy()
    assert tokens[0].tolist() == [2, *range(4, 34), 3]
    assert tokens[1].tolist() == [2, 8, 3, *[0] * 29]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"head_list": [{"CTCHead": {}}, {"SARHead": {}}]}, "names SARHead; known are"),  # a branch that does not exist
        ({"head_list": [{"CTCHead": {}}, {"NRTRHead": {"nrtr_dimm": 8}}]}, "the nearest is nrtr_dim"),  # a typo
    ],
)
def test_a_head_that_cannot_be_built_is_refused_with_a_hint(change, message):
    architecture = network()
    architecture["Head"] |= change
    with pytest.raises(InputError, match=message):
        build(architecture)


def test_a_sequence_of_rows_is_pooled_and_without_pooling_refused():
    head = MultiHead(8, CLASSES, [{"CTCHead": {}}], use_pool=True)
    rows = paddle.randn([2, 3 * 10, 8])  # 3 rows of 10 positions
    assert head(rows).shape == [2, 5, CLASSES]
    pooled = rows.reshape([2, 3, 5, 2, 8]).mean(axis=[1, 3])  # (B, T, C)
    np.testing.assert_allclose(head(rows).numpy(), head.ctc_head(pooled).numpy(), atol=1e-5)
    with pytest.raises(InputError, match="use_pool"):
        MultiHead(8, CLASSES, [{"CTCHead": {}}])(rows)


def test_a_frozen_teacher_neither_moves_nor_drops_out_while_its_student_trains():
    """PaddleOCR leaves it in training mode."""
    model = build(distilled())
    assert model.pretrained == {"Teacher": "teacher"} and model.student is model.Student
    before = {key: value.numpy() for key, value in model.state_dict().items()}
    model.eval()
    model.train()
    assert model.Student.training and not any(layer.training for layer in model.Teacher.sublayers(include_self=True))
    optimiser = paddle.optimizer.Adam(1e-3, parameters=[p for p in model.parameters() if not p.stop_gradient])
    images = paddle.randn([2, 3, 48, 96])
    outputs = model(images, LABELS)
    assert list(outputs) == ["Teacher", "Student"] and list(outputs["Teacher"]) == ["ctc", "nrtr"]
    assert outputs["Teacher"]["nrtr"].stop_gradient
    again = model(images, LABELS)
    np.testing.assert_array_equal(again["Teacher"]["nrtr"].numpy(), outputs["Teacher"]["nrtr"].numpy())
    (outputs["Student"]["ctc"].square().mean() + outputs["Student"]["nrtr"].square().mean()).backward()
    optimiser.step()
    moved = {k for k, v in model.state_dict().items() if not np.array_equal(v.numpy(), before[k])}
    assert moved and all(key.startswith("Student.") for key in moved)


def test_a_distillation_reads_as_its_student_and_fuses_it_alone():
    model = build(distilled())
    model.eval()
    images = paddle.randn([1, 3, 48, 96])
    before = model(images).numpy()
    np.testing.assert_array_equal(before, model.Student(images).numpy())
    model.fuse()
    np.testing.assert_allclose(model(images).numpy(), before, atol=1e-4 * max(1.0, np.abs(before).max()))
    assert model.fused and not model.Teacher.fused and model.decoding == "ctc"
    assert model.head is model.Student.head


def test_of_a_distillations_file_the_student_is_evaluated_and_exported(tmp_path):
    folder = draw_digits(tmp_path / "digits", 4)
    config = tiny_config(folder)
    student = config["Architecture"]
    models = {"Teacher": {"freeze_params": True, **student}, "Student": {"freeze_params": False, **student}}
    config["Architecture"] = {"name": "DistillationModel", "algorithm": "Distillation", "Models": models}
    config["Loss"] = {
        "name": "CombinedLoss",
        "loss_config_list": [{"DistillationCTCLoss": {"model_name_list": ["Student"]}}],
    }
    config = load_config(config)
    paddle.seed(1)
    model = build_model(config)
    model.eval()
    save_weights(model, tmp_path / "both")
    pictures = [cv2.imread(str(folder / "images" / f"{number}.png")) for number in range(4)]
    canvas = canvas_of(config, model.Student.input_size)
    assert load_reader(config, tmp_path / "both")(pictures) == ModelReader(model.Student, canvas)(pictures)
    report = export_model(config, tmp_path / "both", tmp_path / "out", storage="float32", progress=False)
    assert max(report.max_difference.values()) < 1e-4


@pytest.mark.parametrize(
    "holds, checkpoint, refused",
    [("all", "", False), ("half", "", True), (None, "", True), (None, "runs/latest", False)],
)
def test_a_frozen_teacher_whose_weights_are_not_all_loaded_is_refused(tmp_path, holds, checkpoint, refused):
    teacher = build(network())
    arrays = {key: value.numpy() for key, value in teacher.state_dict().items()}
    if holds == "half":
        arrays = {key: value for key, value in arrays.items() if "gtc_head" not in key}
    paddle.save(arrays, str(tmp_path / "teacher.pdparams"))
    own = {"freeze_params": True, **network(), **({"pretrained": str(tmp_path / "teacher")} if holds else {})}
    config = load_config({"Architecture": distilled(Teacher=own), "Global": {"checkpoints": checkpoint}})
    model = build_model(config, CLASSES)
    if refused:
        with pytest.raises(
            InputError, match="Models.Teacher has freeze_params: true, .* the student would learn from random ones"
        ):
            load_pretrained(config, model)
    else:
        notes, interpolation = load_pretrained(config, model)
        assert len(notes) == (holds == "all") and interpolation.alpha == 1.0


def test_a_file_without_the_auxiliary_branch_is_read_all_the_same(tmp_path):
    folder = draw_digits(tmp_path / "digits", 4)
    config = load_config(tiny_config(folder) | {"Architecture": network()})
    model = build_model(config)
    model.eval()
    arrays = {key: value.numpy() for key, value in model.state_dict().items()}
    paddle.save(
        {k: v for k, v in arrays.items() if not k.startswith(("head.gtc_head", "head.before_gtc"))},
        str(tmp_path / "own.pdparams"),
    )
    pictures = [cv2.imread(str(folder / "images" / f"{number}.png")) for number in range(4)]
    expected = ModelReader(model, canvas_of(config, model.input_size))(pictures)
    assert load_reader(config, tmp_path / "own")(pictures) == expected


def test_a_distillation_without_a_network_to_train_is_refused():
    frozen = {"Student": {"freeze_params": True, **network()}}
    with pytest.raises(InputError, match="Architecture.Models are all frozen by freeze_params"):
        build(distilled(**frozen))


def test_the_backbone_that_paddleocrs_config_misnames_is_built_with_a_warning():
    student = network() | {"Backbone": {"name": "repvit_svtr"}}
    with pytest.warns(UserWarning, match="Models.Student.Backbone.name is 'repvit_svtr'.*'RepSVTR'"):
        model = build(distilled(Student=student))
    assert isinstance(model.Student.backbone, BACKBONES["RepSVTR"])
