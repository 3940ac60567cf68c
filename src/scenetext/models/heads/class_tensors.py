"""Which numbers of a head belong to which character: weights for one dictionary can be moved to another by them."""

from __future__ import annotations

from typing import NamedTuple

from paddle import Tensor


class ClassTensor(NamedTuple):
    """A tensor with one slice per class.

    Attributes:
        tensor: the parameter.
        axis: of the classes.
        layout: how the classes are numbered, a key of `charset.CLASSES_BEYOND_CTC`.
        start: the index on the axis at which the classes begin.
    """

    tensor: Tensor
    axis: int
    layout: str = "ctc"
    start: int = 0
