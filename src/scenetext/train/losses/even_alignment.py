"""Cross-entropy against an even alignment: a start from which CTC finds the characters soon.

A network with random weights has no alignment. CTC then outputs blanks for some thousand steps until it finds one by
chance. Speech recognition starts by dividing an utterance evenly among its sounds (the flat start of Young et al., The
HTK Book, section 3.2.2), and Sak et al. (arXiv:1507.06947, section 2.2) start CTC from a network trained on aligned
frames. A printed line is close to even already: the characters of a plate or of a short word are about equally wide.
"""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from scenetext.text.charset import BLANK

INK = 0.5  # of a character's share of the line: that much in its middle is the character, the rest is blank


def even_alignment_loss(logits: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the lines of the sum over their time steps of -log p(class of the step).

    Args:
        logits: (B, T, C) raw; class 0 is blank.
        ids: (B, L) int32, padded.
        lengths: (B,) int64, characters per label. The characters are taken to fill the whole canvas.

    Returns:
        () float32.
    """
    classes = even_alignment(ids, lengths, logits.shape[1])
    return F.cross_entropy(logits, classes, reduction="sum") / len(ids)


def even_alignment(ids: Tensor, lengths: Tensor, steps: int) -> Tensor:
    """The class of each time step if all characters of a line are equally wide, (B, steps) int64.

    Where a character has fewer than two steps, all of its steps are its own.

    Args:
        ids: (B, L) int32, padded.
        lengths: (B,) int64, characters per label.
        steps: time steps of the network.
    """
    share = lengths.astype("float32").unsqueeze(1) / steps  # of a character that a step covers
    place = (paddle.arange(steps, dtype="float32").unsqueeze(0) + 0.5) * share  # in characters from the left
    number = paddle.floor(place)
    is_ink = (place - number - 0.5).abs() <= paddle.clip(share / 2, min=INK / 2)
    index = paddle.clip(number.astype("int64"), max=ids.shape[1] - 1)
    classes = paddle.take_along_axis(ids.astype("int64"), index, axis=1)
    return paddle.where(is_ink, classes, paddle.full_like(classes, BLANK))
