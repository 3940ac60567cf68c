"""What every whole network can: fold its normalisations and branches, and drop what only training uses."""

from __future__ import annotations

from paddle import nn


class FusibleModel(nn.Layer):
    """A network with a `head`, whose layers fold themselves.

    Attributes:
        fused: whether normalisations and branches have been folded into the convolutions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fused = False

    def drop_auxiliary_branch(self) -> None:
        """Removes the head's auxiliary branch, if it has one: it is for training only."""
        if hasattr(self.head, "drop_auxiliary_branch"):
            self.head.drop_auxiliary_branch()

    def fuse(self) -> None:
        """Folds every normalisation and every parallel branch into its convolution, in place.

        A recogniser's auxiliary branch is removed, too. Outputs in evaluation stay the same within float rounding. A
        fused network can still be trained, without batch statistics.
        """
        for layer in self.sublayers():
            if hasattr(layer, "fuse"):
                layer.fuse()
        self.fused = True
