"""The loss of differentiable binarization, against PaddleOCR's and against what it should do."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle.nn import functional as F

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


@pytest.mark.parametrize("kind", ["DiceLoss", "BCELoss", "DiceFocalLoss"])
def test_the_right_maps_cost_nearly_nothing_and_wrong_ones_more(kind):
    text = np.zeros((1, 8, 8), np.float32)
    text[:, 2:5, 1:7] = 1
    right = np.stack([text, np.full_like(text, 0.5), text], axis=1)
    costs = []
    for maps in (right, 0.5 + 0 * right, 1 - right):
        losses = db_loss(paddle.to_tensor(maps.astype(np.float32)), targets_of(text), DBLoss(main_loss_type=kind))
        costs.append(float(losses["loss"]))
    assert costs[0] < 1e-4 < costs[1] < costs[2]


def test_the_focal_loss_is_the_papers():
    """Paddle's own focal loss of the logits, which is what PaddleOCR computes, and the Dice loss beside it."""
    rng = np.random.default_rng(0)
    maps = paddle.to_tensor(rng.uniform(0.02, 0.98, (2, 3, 8, 8)).astype(np.float32))
    targets = targets_of((rng.random((2, 8, 8)) < 0.3).astype(np.float32))
    mask = paddle.to_tensor((rng.random((2, 8, 8)) < 0.8).astype(np.float32))
    targets = targets._replace(shrink_mask=mask)
    settings = {"focal_alpha": 0.3, "focal_gamma": 2.5, "dice_weight": 0.5, "focal_weight": 2.0, "alpha": 5.0}
    found = db_loss(maps, targets, DBLoss(main_loss_type="DiceFocalLoss", **settings))
    dice = db_loss(maps, targets, DBLoss(main_loss_type="DiceLoss", balance_loss=False, alpha=5.0))
    for name, index, factor in (("shrink", 0, 5.0), ("binary", 2, 1.0)):
        p = maps[:, index]
        each = F.sigmoid_focal_loss(paddle.log(p / (1 - p)), targets.shrink_map, alpha=0.3, gamma=2.5, reduction="none")
        focal = float((each * mask).sum() / mask.sum())
        expected = 0.5 * float(dice[f"loss_{name}_maps"]) + 2.0 * factor * focal
        assert float(found[f"loss_{name}_maps"]) == pytest.approx(expected, rel=1e-4)


def test_a_batch_without_text_costs_1_and_moves_nothing():
    maps = paddle.rand([2, 3, 8, 8])
    maps.stop_gradient = False
    losses = db_loss(maps, targets_of(np.zeros((2, 8, 8), np.float32)), DBLoss())
    losses["loss"].backward()
    assert float(losses["loss"]) == 1.0 and float(maps.grad.abs().sum()) == 0.0
