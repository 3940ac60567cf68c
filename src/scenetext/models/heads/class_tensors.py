"""Which numbers of a head belong to which character, so that a head can be moved to another dictionary."""

from __future__ import annotations

from typing import NamedTuple

from paddle import Tensor


class ClassTensor(NamedTuple):
    """A tensor with one slice per class.

    Attributes:
        tensor: the parameter.
        axis: of the classes.
        layout: a key of `charset.CLASSES_BEYOND_CTC`, how the classes are numbered.
        start: where on the axis the classes begin.
    """

    tensor: Tensor
    axis: int
    layout: str = "ctc"
    start: int = 0
