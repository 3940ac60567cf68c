"""Our networks have PaddleOCR's parameters and give its outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from parity import fill, inputs, read_table, with_the_same_products_everywhere

from scenetext.config import load_config
from scenetext.models import build_model
from scenetext.models.kernels import ctc, depthwise, onednn
from scenetext.train.losses import ctc_loss
from scenetext.train.optimiser import build_optimiser

TABLES = [  # reference networks
    "crnn_mv3_small",
    "crnn_r34vd",
    "ppocrv4_en_mobile_rec",
    "ppocrv4_mobile_rec",
    "ppocrv4_mobile_rec_distillation",
    "ppocrv5_mobile_rec",
    "rare_mv3_tps",
    "rare_r34vd_tps",
    "repsvtr_rec",
    "repsvtr_rec_gtc",
    "svtr_tiny_ch",
    "svtr_tiny_stn_en",
    "svtrv2_rec",
    "svtrv2_rec_distillation",
    "svtrv2_rec_gtc",
    "svtrv2_rec_gtc_distill",
]
# those with expected outputs, and the tolerance on probabilities
OUTPUTS = {
    "crnn_mv3_small": 1e-4,
    "ppocrv4_en_mobile_rec": 1e-4,
    "ppocrv4_mobile_rec": 1e-4,
    "ppocrv4_mobile_rec_distillation": 1e-4,
    "rare_r34vd_tps": 5e-4,
    "repsvtr_rec": 1e-4,
    "repsvtr_rec_gtc": 1e-4,
    "svtr_tiny_stn_en": 2e-3,
    "svtrv2_rec": 1e-4,
    "svtrv2_rec_distillation": 1e-4,
}


PER_INPUT = ("probs_shape", "probs_first3", "maxprob", "top1_minus_top2", "argmax")


def build(shared, name):
    table = read_table(shared, name)
    paddle.seed(0)
    model = build_model({"Architecture": table["architecture"]}, table["dictionary"]["n_classes_decoder"])
    return model, table


@pytest.mark.parametrize("name", TABLES)
def test_parameters_have_the_reference_keys_shapes_and_order(shared, name):
    model, table = build(shared, name)
    assert [(k, list(v.shape)) for k, v in model.state_dict().items()] == [
        (row["key"], row["shape"]) for row in table["state_dict"]
    ]


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_equal_the_reference(shared, name):
    model, table = build(shared, name)
    fill(model, table["fill_rules_applied"])
    model.eval()
    expected = np.load(shared / "parity" / "expected" / f"{name}.npz")
    networks = {f"{part}.": getattr(model, part) for part in getattr(model, "names", ())} or {"": model}
    for prefix, network in networks.items():
        for label, images in inputs(tuple(table["input_shape"])).items():
            with paddle.no_grad():
                logits = network(paddle.to_tensor(images))
                probabilities = paddle.nn.functional.softmax(logits, axis=-1).numpy()
            own = {key: expected[f"{prefix}{label}_{key}"] for key in PER_INPUT}
            assert list(probabilities.shape) == own["probs_shape"].tolist()
            np.testing.assert_allclose(probabilities[:, :3], own["probs_first3"], atol=OUTPUTS[name])
            np.testing.assert_allclose(probabilities.max(-1), own["maxprob"], atol=OUTPUTS[name])
            sure = own["top1_minus_top2"] > 2 * OUTPUTS[name]
            assert (probabilities.argmax(-1) == own["argmax"])[sure].all()


def test_ctc_loss_equals_the_reference_and_an_infeasible_line_costs_nothing(shared):
    z = np.load(shared / "parity" / "expected" / "ctc_loss.npz")
    logits = paddle.to_tensor(z["logits_TBC"].transpose(1, 0, 2))
    for line, expected in enumerate(z["loss"]):
        own = logits[line : line + 1].clone()
        own.stop_gradient = False
        ids, length = (paddle.to_tensor(z[key][line : line + 1]) for key in ("labels", "label_len"))
        loss = ctc_loss(own, ids, length, focal=False)
        loss.backward()
        assert float(loss) == pytest.approx(float(expected), abs=1e-4)
        assert (float(own.grad.abs().sum()) == 0.0) == (expected == 0.0)


def test_three_adam_steps_equal_the_reference(shared):
    losses, gradients, state = with_the_same_products_everywhere(three_adam_steps, shared)
    z = np.load(shared / "parity" / "expected" / "train_steps_crnn_mv3_small.npz")
    for name in (n for n in z.files if n.startswith("grad0_abs_mean.") and float(z[n]) > 1e-3):
        assert gradients[name.removeprefix("grad0_abs_mean.")] == pytest.approx(float(z[name]), rel=2e-3), name
    np.testing.assert_allclose(losses, z["losses"], rtol=1e-5)
    for name in (n for n in z.files if n.startswith("after3_mean_std.")):
        value = state[name.removeprefix("after3_mean_std.")]
        np.testing.assert_allclose([value.mean(), value.std()], z[name], rtol=2e-3, atol=1e-4, err_msg=name)


def three_adam_steps(shared: Path) -> tuple[list[float], dict[str, float], dict[str, np.ndarray]]:
    """Losses, mean sizes of the first step's gradients, and the tensors afterwards; for a process of its own.

    Computed by Paddle's kernels: Numba and oneDNN compile ours for the processor, and Adam enlarges the difference of
    their last digits. `test_kernels` and `test_onednn` compare ours with Paddle's.
    """
    depthwise.is_supported = ctc.is_supported = onednn.is_usable = lambda *_: False
    model, table = build(shared, "crnn_mv3_small")
    fill(model, table["fill_rules_applied"])
    z = np.load(shared / "parity" / "expected" / "train_steps_crnn_mv3_small.npz")
    config = {
        "Optimizer": {
            "name": "Adam",
            "beta1": 0.9,
            "beta2": 0.999,
            "lr": {"name": "Const", "learning_rate": 0.001},
            "regularizer": {"name": "L2", "factor": 1e-5},
        }
    }
    optimiser = build_optimiser(load_config(config), model, 1, 3)
    model.train()
    images = inputs(tuple(table["input_shape"]))
    ids, lengths = paddle.to_tensor(z["labels"].astype(np.int32)), paddle.to_tensor(z["lengths"])
    losses, gradients = [], {}
    for step, label in enumerate("aba"):
        loss = ctc_loss(model(paddle.to_tensor(images[label])), ids, lengths, focal=False)
        loss.backward()
        if step == 0:
            gradients = {key: float(p.grad.abs().mean()) for key, p in model.named_parameters() if p.grad is not None}
        optimiser.step()
        optimiser.clear_grad()
        losses.append(float(loss))
    return losses, gradients, {key: value.numpy() for key, value in model.state_dict().items()}
