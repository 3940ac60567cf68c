"""The loss of differentiable binarization, against PaddleOCR's and against what it should do."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from scenetext.config.sections.detection import DBLoss
from scenetext.models.targets import MapTargets
from scenetext.train.losses.db import db_loss

CASES = {
    "normal": {},
    "few_negatives": {},
    "no_positives": {},
    "all_masked": {},
    "one_empty_image": {},
    "bce_normal": {"main_loss_type": "BCELoss"},
    "unbalanced_normal": {"balance_loss": False},
}
TARGETS = ("threshold_map", "threshold_mask", "shrink_map", "shrink_mask")
PARTS = ("loss_shrink_maps", "loss_threshold_maps", "loss_binary_maps", "loss")


@pytest.mark.parametrize(("case", "settings"), CASES.items(), ids=CASES)
def test_losses_and_gradients_equal_the_reference(shared, case, settings):
    expected = np.load(shared / "parity" / "expected" / "det_loss.npz")
    maps = paddle.to_tensor(expected[f"{case}_maps"])
    maps.stop_gradient = False
    targets = MapTargets(*(paddle.to_tensor(expected[f"{case}_{name}"]) for name in TARGETS))
    losses = db_loss(maps, targets, DBLoss(**settings))
    for name in PARTS:
        assert float(losses[name]) == pytest.approx(float(expected[f"{case}_{name}"][0]), rel=1e-5, abs=1e-6)
    losses["loss"].backward()
    np.testing.assert_allclose(maps.grad.numpy(), expected[f"{case}_grad"], rtol=1e-4, atol=1e-6)


def targets_of(text: np.ndarray) -> MapTargets:
    ones = np.ones_like(text)
    return MapTargets(*map(paddle.to_tensor, (ones * 0.5, text, text, ones)))


@pytest.mark.parametrize("kind", ["DiceLoss", "BCELoss"])
def test_the_right_maps_cost_nearly_nothing_and_wrong_ones_more(kind):
    text = np.zeros((1, 8, 8), np.float32)
    text[:, 2:5, 1:7] = 1
    right = np.stack([text, np.full_like(text, 0.5), text], axis=1)
    costs = []
    for maps in (right, 0.5 + 0 * right, 1 - right):
        losses = db_loss(paddle.to_tensor(maps.astype(np.float32)), targets_of(text), DBLoss(main_loss_type=kind))
        costs.append(float(losses["loss"]))
    assert costs[0] < 1e-4 < costs[1] < costs[2]


def test_a_batch_without_text_costs_1_and_moves_nothing():
    maps = paddle.rand([2, 3, 8, 8])
    maps.stop_gradient = False
    losses = db_loss(maps, targets_of(np.zeros((2, 8, 8), np.float32)), DBLoss())
    losses["loss"].backward()
    assert float(losses["loss"]) == 1.0 and float(maps.grad.abs().sum()) == 0.0
