"""Training targets: each line's label as CTC classes, the targets of other decoders made from it, a detector's maps."""

from __future__ import annotations

from typing import NamedTuple

import paddle
from paddle import Tensor

from scenetext.text.charset import BLANK, NRTR_EOS, NRTR_SHIFT, NRTR_SOS, SOS


class Targets(NamedTuple):
    """The labels of a batch.

    Attributes:
        ids: (B, L) int32, CTC classes of the characters (character i is class i + 1), padded with the blank, 0.
        lengths: (B,) int64, characters per label.
        answers: (B, T, C) raw logits of the pretrained network or a teacher, where the loss asks for them.
    """

    ids: Tensor
    lengths: Tensor
    answers: Tensor | None = None


class MapTargets(NamedTuple):
    """The maps that a detector should give for a batch, (B, H, W) float32 each.

    Attributes:
        threshold_map: thresholds of the binarization.
        threshold_mask: where they count, 0 or 1.
        shrink_map: where text is, 0 or 1.
        shrink_mask: where that counts, 0 or 1.
    """

    threshold_map: Tensor
    threshold_mask: Tensor
    shrink_map: Tensor
    shrink_mask: Tensor


def attention_targets(targets: Targets, steps: int, eos: int, start: bool = False) -> Tensor:
    """The target class of each step of an attention decoder: the characters, then EOS, then SOS as padding.

    A label of `steps` characters or more is cut to its first `steps` characters, without EOS.

    Args:
        targets: the labels.
        steps: of the decoder.
        eos: the class that ends a line, the decoder's last class.
        start: whether SOS stands before the characters, as PaddleOCR trains RARE.

    Returns:
        (B, steps) int64.
    """
    batch = targets.ids.shape[0]
    # padding is SOS already: the blank has the same number
    ids = paddle.concat([targets.ids.astype("int64"), paddle.full([batch, steps], SOS, "int64")], axis=1)
    ends = paddle.arange(ids.shape[1]) == targets.lengths.astype("int64").unsqueeze(1)  # (B, L)
    ids = paddle.where(ends, paddle.full_like(ids, eos), ids)
    if start:
        ids = paddle.concat([paddle.full([batch, 1], SOS, "int64"), ids], axis=1)
    return ids[:, :steps]


def nrtr_targets(targets: Targets) -> Tensor:
    """The inputs and targets of NRTR's decoder: the start, the characters, the end, then padding.

    Args:
        targets: the labels, padded to L characters.

    Returns:
        (B, L + 2) int64.
    """
    ids = targets.ids.astype("int64")
    moved = Targets(paddle.where(ids == BLANK, ids, ids + NRTR_SHIFT), targets.lengths)
    classes = attention_targets(moved, ids.shape[1] + 1, eos=NRTR_EOS)  # its padding, 0, is NRTR's as well
    return paddle.concat([paddle.full([ids.shape[0], 1], NRTR_SOS, "int64"), classes], axis=1)
