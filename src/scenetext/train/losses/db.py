"""The loss of differentiable binarization.

Paper: Liao et al., Real-time Scene Text Detection with Differentiable Binarization, AAAI 2020, arXiv:1911.08947,
section 3.4. Reference: ppocr/losses/det_db_loss.py and det_basic_loss.py, whose Dice loss takes the place of the
paper's cross-entropy.
A batch without any text costs exactly 1, the binary map's part, and contributes no gradient, except to DiceFocalLoss.
DiceFocalLoss, PP-OCRv6's: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv:1708.02002, equation 5.
"""

from __future__ import annotations

from collections.abc import Mapping

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.config.sections.detection import DBLoss
from scenetext.models.heads.db_head import LEVELS
from scenetext.models.targets import MapTargets


def detector_loss(outputs: Mapping[str, Tensor], targets: MapTargets, settings: DBLoss) -> dict[str, Tensor]:
    """`db_loss` of a detector's maps, and in its sum those of its auxiliary heads, each with its weight.

    Args:
        outputs: of `heads.db_head`, (B, 3, H, W) float32 each.
        targets: the maps that are wanted, of all heads.
        settings: of the loss.

    Returns:
        () float32: see `db_loss`; and the auxiliary heads' losses, before they are weighed, as "loss_aux_maps_p4" and
        so on.
    """
    losses = db_loss(outputs["maps"], targets, settings)
    for level in LEVELS:
        name = f"aux_maps_{level}"
        if name in outputs:
            losses[f"loss_{name}"] = db_loss(outputs[name], targets, settings)["loss"]
            losses["loss"] = losses["loss"] + getattr(settings, f"aux_weight_{level}") * losses[f"loss_{name}"]
    return losses


def db_loss(maps: Tensor, targets: MapTargets, settings: DBLoss) -> dict[str, Tensor]:
    """The weighted sum of the three maps' losses, over the whole batch.

    Args:
        maps: (B, 3, H, W) float32 in [0, 1]: shrink, threshold and binary map.
        targets: the maps that are wanted.
        settings: of the loss.

    Returns:
        () float32 by PaddleOCR's names: the three parts, and "loss", their sum.
    """
    shrink, threshold, binary = maps[:, 0], maps[:, 1], maps[:, 2]  # (B, H, W)
    text, mask, eps = targets.shrink_map, targets.shrink_mask, settings.eps
    away = (paddle.abs(threshold - targets.threshold_map) * targets.threshold_mask).sum()
    parts = {
        "loss_shrink_maps": settings.alpha * _shrink_loss(shrink, text, mask, settings),
        "loss_threshold_maps": settings.beta * away / (targets.threshold_mask.sum() + eps),
        "loss_binary_maps": _binary_loss(binary, text, mask, settings),
    }
    return {**parts, "loss": sum(parts.values())}


def _shrink_loss(shrink: Tensor, text: Tensor, mask: Tensor, settings: DBLoss) -> Tensor:
    if settings.main_loss_type == "DiceFocalLoss":
        return _dice_focal(shrink, text, mask, settings)
    positive, negative, eps = text * mask, (1 - text) * mask, settings.eps
    found = positive.sum()
    chosen = paddle.floor(paddle.minimum(negative.sum(), found * settings.ohem_ratio))  # pixels without text
    if settings.main_loss_type == "DiceLoss":
        dice = _dice(shrink, text, mask, eps)
        # a single number cannot be balanced: only a batch without text makes a difference
        return dice * (found + chosen) / (found + chosen + eps) if settings.balance_loss else dice
    each = F.binary_cross_entropy(shrink, text, reduction="none")  # (B, H, W)
    if not settings.balance_loss:
        return (each * mask).sum() / (mask.sum() + eps)
    hardest, _ = paddle.topk((each * negative).flatten(), max(1, int(chosen)))
    without_text = hardest.sum() if int(chosen) else paddle.zeros([])
    return ((each * positive).sum() + without_text) / (found + chosen + eps)


def _binary_loss(binary: Tensor, text: Tensor, mask: Tensor, settings: DBLoss) -> Tensor:
    if settings.main_loss_type == "DiceFocalLoss":
        return _dice_focal(binary, text, mask, settings)
    return _dice(binary, text, mask, settings.eps)


def _dice_focal(predicted: Tensor, text: Tensor, mask: Tensor, settings: DBLoss) -> Tensor:
    """The weighted sum of the Dice loss and of the focal loss, a mean over the mask, () float32."""
    right = paddle.where(text > 0.5, predicted, 1 - predicted).clip(settings.eps, 1 - settings.eps)
    alpha = paddle.where(text > 0.5, paddle.full([], settings.focal_alpha), paddle.full([], 1 - settings.focal_alpha))
    focal = -alpha * (1 - right) ** settings.focal_gamma * paddle.log(right)  # (B, H, W)
    mean = (focal * mask).sum() / (mask.sum() + settings.eps)
    dice = _dice(predicted, text, mask, settings.eps)
    return settings.dice_weight * dice + settings.focal_weight * mean


def _dice(predicted: Tensor, text: Tensor, mask: Tensor, eps: float) -> Tensor:
    """1 - 2 |p t| / (|p| + |t|) within the mask, () float32."""
    both = (predicted * text * mask).sum()
    return 1 - 2 * both / ((predicted * mask).sum() + (text * mask).sum() + eps)
