"""A CTC head with an auxiliary branch, which helps to train the network and is not needed to read.

Paper: Hu et al., GTC: Guided Training of CTC Towards Efficient and Accurate Scene Text Recognition, AAAI 2020,
arXiv:2002.01276.
"""

from __future__ import annotations

from typing import ClassVar

from paddle import nn

from scenetext.models.heads.class_tensors import ClassTensor


class HeadWithAuxiliaryBranch(nn.Layer):
    """Base of a head that reads by its sublayer `ctc_head` and has other sublayers for training only.

    Attributes:
        AUXILIARY: names of the sublayers of the auxiliary branch, the one that classifies characters first. Each of
            them is None where the network has no such branch.
    """

    DECODING = "ctc"
    AUXILIARY: ClassVar[tuple[str, ...]]

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose columns are the characters."""
        return self.ctc_head.classifier

    def class_tensors(self) -> list[ClassTensor]:
        """The tensors with one slice per character, those of the auxiliary branch included."""
        auxiliary = getattr(self, self.AUXILIARY[0])
        return self.ctc_head.class_tensors() + (auxiliary.class_tensors() if auxiliary is not None else [])

    def drop_auxiliary_branch(self) -> None:
        """Removes the auxiliary branch; a second call changes nothing."""
        for name in self.AUXILIARY:
            setattr(self, name, None)

    def fuse(self) -> None:
        """Does the same as `drop_auxiliary_branch`: a fused network is trained by CTC alone."""
        self.drop_auxiliary_branch()
