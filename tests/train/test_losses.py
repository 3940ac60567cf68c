"""Losses: equal to PaddleOCR's, under its names, and what they may and may not depend on."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from scenetext.config import load_config
from scenetext.config.section import shape_of
from scenetext.config.sections import loss as settings
from scenetext.errors import InputError
from scenetext.models.targets import Targets, attention_targets, nrtr_targets
from scenetext.train.losses import attention_loss, build, build_loss, ctc_logits_loss, dkd_loss, nrtr_loss

DISTILLED = {
    "name": "CombinedLoss",
    "loss_config_list": [
        {
            "DistillationDKDLoss": {
                "weight": 0.1,
                "model_name_pairs": [["Student", "Teacher"]],
                "key": "head_out",
                "multi_head": True,
                "alpha": 1.0,
                "beta": 2.0,
                "dis_head": "gtc",
                "name": "dkd",
            }
        },
        {"DistillationCTCLoss": {"weight": 1.0, "model_name_list": ["Student"], "key": "head_out", "multi_head": True}},
        {
            "DistillationNRTRLoss": {
                "weight": 1.0,
                "smoothing": False,
                "model_name_list": ["Student"],
                "key": "head_out",
                "multi_head": True,
            }
        },
        {
            "DistillCTCLogits": {
                "weight": 1.0,
                "reduction": "mean",
                "model_name_pairs": [["Student", "Teacher"]],
                "key": "head_out",
            }
        },
    ],
}
DKD = {"temperature": 1.0, "alpha": 1.0, "beta": 2.0, "count_padding": False}
GTC = {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {"NRTRLoss": None}]}


def loss_of(section, **more):
    return build_loss(load_config({"Loss": section, **more}))


@pytest.fixture(scope="module")
def reference(shared):
    with np.load(shared / "parity" / "expected" / "losses.npz") as z:
        return dict(z)


@pytest.fixture(scope="module")
def targets(reference):
    longest = int(reference["length"].max())  # the reference pads to 25 and cuts to this
    return Targets(
        paddle.to_tensor(reference["label_ctc"][:, :longest].astype(np.int32)), paddle.to_tensor(reference["length"])
    )


@pytest.fixture(scope="module")
def outputs(reference):
    return {
        model: {head: paddle.to_tensor(reference[f"{key}_{model.lower()}"]) for head, key in HEADS.items()}
        for model in ("Student", "Teacher")
    }


HEADS = {"ctc": "ctc", "nrtr": "gtc"}


def test_nrtr_and_attention_targets_are_those_of_the_reference(reference, targets):
    tokens = nrtr_targets(targets).numpy()
    assert (tokens == reference["label_gtc"][:, : tokens.shape[1]]).all()
    rows = reference["att_labels"]  # the start, the characters, the end as class 11
    lengths = (rows == 11).argmax(1) - 1
    ids = np.where(np.arange(1, 25) <= lengths[:, None], rows[:, 1:], 0)
    expected = attention_targets(
        Targets(paddle.to_tensor(ids.astype(np.int32)), paddle.to_tensor(lengths)), 25, eos=11, start=True
    )
    assert (expected.numpy() == rows).all()


def test_multi_loss_equals_the_reference(reference, targets, outputs):
    losses = loss_of(GTC)(outputs["Student"], targets)
    assert list(losses) == ["CTCLoss", "NRTRLoss", "loss"]
    assert float(losses["CTCLoss"]) == pytest.approx(float(reference["CTCLoss_mean"]), rel=1e-5)
    assert float(losses["NRTRLoss"]) == pytest.approx(float(reference["NRTRLoss_smoothing_True"]), rel=1e-5)
    assert float(losses["loss"]) == pytest.approx(float(losses["CTCLoss"]) + float(losses["NRTRLoss"]), rel=1e-6)


def test_multi_loss_weighs_ctc_by_the_first_weight_and_the_auxiliary_branch_by_the_second(targets, outputs):
    plain = loss_of(GTC)(outputs["Student"], targets)
    weighed = loss_of({**GTC, "weight_1": 0.1, "weight_2": 2.0})(outputs["Student"], targets)
    total = 0.1 * float(plain["CTCLoss"]) + 2.0 * float(plain["NRTRLoss"])
    assert float(weighed["loss"]) == pytest.approx(total, rel=1e-6)


def test_combined_loss_equals_the_reference_once_padding_counts_as_there(reference, targets, outputs):
    dkd, ctc, nrtr, logits = (dict(next(iter(part.values()))) for part in DISTILLED["loss_config_list"])
    dkd["count_padding"] = nrtr["count_padding"] = True
    parts = [
        {"DistillationDKDLoss": dkd},
        {"DistillationCTCLoss": ctc},
        {"DistillationNRTRLoss": nrtr},
        {"DistillCTCLogits": logits},
    ]
    losses = loss_of({"name": "CombinedLoss", "loss_config_list": parts})(outputs, targets)
    expected = {
        "dkd_0": 0.1 * float(reference["DKD_alpha1_beta2"]),
        "loss_ctc_Student_0": float(reference["CTCLoss_mean"]),
        "loss_nrtr_Student_0": float(reference["NRTR_CELoss_smoothing_False_DistillationNRTRLoss"]),
        "ctc_logits_0": float(reference["DistillCTCLogits_mean"]),
    }
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(
        {**expected, "loss": sum(expected.values())}, rel=1e-5
    )


def test_paddleocrs_distillation_section_is_taken_unedited_and_gives_its_log_names(targets, outputs):
    losses = loss_of(DISTILLED)(outputs, targets)
    assert list(losses) == ["dkd_0", "loss_ctc_Student_0", "loss_nrtr_Student_0", "ctc_logits_0", "loss"]


def test_attention_loss_equals_the_reference(reference):
    logits, labels = (paddle.to_tensor(reference[key]) for key in ("att_logits", "att_labels"))
    assert float(attention_loss(logits, labels)) == pytest.approx(float(reference["AttentionLoss_sum"]), rel=1e-6)


@pytest.mark.parametrize("forced", [True, False])  # without teacher forcing the decoder outputs the start token first
def test_attention_loss_asks_for_the_start_token_only_without_teacher_forcing(targets, forced):
    logits = paddle.randn([2, 25, 12])
    architecture = {"Head": {"name": "AttentionHead", "teacher_forcing": forced}}
    losses = loss_of({"name": "AttentionLoss"}, Architecture=architecture)({"attention": logits}, targets)
    expected = attention_loss(logits, attention_targets(targets, 25, 11, start=not forced))
    assert list(losses) == ["loss"] and float(losses["loss"]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("smoothing", [True, False])
def test_a_lines_nrtr_loss_does_not_depend_on_how_far_it_is_padded(smoothing):
    logits, tokens = paddle.randn([1, 9, 30]), paddle.to_tensor([[5, 6, 3, 0, 0, 0, 0, 0, 0]])
    losses = [float(nrtr_loss(logits[:, :n], tokens[:, :n], smoothing, count_padding=False)) for n in (3, 9)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_lines_distillation_does_not_depend_on_how_far_it_is_padded():
    student, teacher = paddle.randn([1, 9, 30]), paddle.randn([1, 9, 30])
    tokens = paddle.to_tensor([[5, 6, 3, 0, 0, 0, 0, 0, 0]])
    losses = [float(dkd_loss(student[:, :n], teacher[:, :n], tokens[:, :n], **DKD)) for n in (3, 9)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_decoupled_distillation_with_the_teachers_own_weights_is_plain_distillation(temperature):
    """Section 3.1 of the paper: divergence = target part + (1 - teacher's p of the label) * part among the others."""
    student, teacher = paddle.randn([1, 1, 8]), paddle.randn([1, 1, 8])
    log_s, log_t = (paddle.nn.functional.log_softmax(x / temperature) for x in (student, teacher))
    whole = float((log_t.exp() * (log_t - log_s)).sum()) * temperature**2
    rest = 1.0 - float(log_t.exp()[0, 0, 5])
    own = dkd_loss(student, teacher, paddle.to_tensor([[5]]), **DKD | {"temperature": temperature, "beta": rest})
    assert float(own) == pytest.approx(whole, rel=1e-4)


def test_a_student_that_equals_its_teacher_has_nothing_to_learn():
    logits, tokens = paddle.randn([2, 5, 9]) * 20, paddle.to_tensor([[4, 5, 6, 7, 3], [8, 3, 0, 0, 0]])
    assert float(dkd_loss(logits, logits, tokens, **DKD)) == pytest.approx(0.0, abs=1e-6)
    assert float(ctc_logits_loss(logits, logits)) == pytest.approx(0.0, abs=1e-6)


def test_losses_and_gradients_stay_finite_on_logits_of_any_size():
    tokens = paddle.to_tensor([[4, 5, 6, 7, 3], [8, 3, 0, 0, 0]])
    for size in (1.0, 1e3):
        student, teacher = (paddle.randn([2, 5, 9]) * size for _ in range(2))
        student.stop_gradient = False
        loss = dkd_loss(student, teacher, tokens, **DKD) + ctc_logits_loss(student, teacher)
        loss += nrtr_loss(student, tokens, smoothing=True, count_padding=False)
        loss.backward()
        assert np.isfinite(float(loss)) and np.isfinite(student.grad.numpy()).all()


@pytest.mark.parametrize(
    "section, message",
    [
        ({"name": "MultiLoss", "loss_config_list": []}, "name the parts of MultiLoss"),  # nothing to sum
        ({"name": "MultiLoss", "loss_config_list": [{"NRTRLos": None}]}, "NRTRLoss"),  # a typo
        ({"name": "CombinedLoss", "loss_config_list": [{"CTCLoss": None}]}, "CTCLoss"),  # not a loss between networks
        (
            {"name": "CombinedLoss", "loss_config_list": [{"DistillationCTCLoss": None}]},
            "model_name_list",
        ),  # lacks the networks
    ],
)
def test_a_loss_that_cannot_be_built_is_refused_with_a_hint(section, message):
    with pytest.raises(InputError, match=message):
        loss_of(section)


def test_a_loss_says_which_output_the_network_lacks(targets, outputs):
    with pytest.raises(InputError, match="needs the output 'nrtr' and the network gives 'ctc'"):
        loss_of(GTC)({"ctc": outputs["Student"]["ctc"]}, targets)


def test_two_losses_of_one_name_are_refused(targets, outputs):
    part = {"DistillationCTCLoss": {"model_name_list": ["Student"]}}
    with pytest.raises(InputError, match="loss_ctc_Student_0"):
        loss_of({"name": "CombinedLoss", "loss_config_list": [part, part]})(outputs, targets)


@pytest.mark.parametrize(
    ("section", "computed"),
    [(settings.MultiLoss, build.HEAD_LOSSES), (settings.CombinedLoss, build.DISTILLATION_LOSSES)],
)
def test_every_part_that_a_configuration_may_name_is_computed(section, computed):
    assert set(shape_of(section.model_fields["loss_config_list"]).classes.values()) == set(computed)


def test_a_loss_of_one_network_over_several_is_refused(targets, outputs):
    network = {"Head": {"name": "AttentionHead"}}
    models = {"name": "DistillationModel", "Models": {"Student": network, "Teacher": network}}
    with pytest.raises(
        InputError, match="Loss.name is AttentionLoss, but Architecture has 2 networks: CombinedLoss is for"
    ):
        loss_of({"name": "AttentionLoss"}, Architecture=models)(outputs, targets)
