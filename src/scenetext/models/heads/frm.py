"""RCTCDecoder, the head of SVTRv2: features are rearranged into reading order, then each column is classified.

Paper: Du et al., SVTRv2: CTC Beats Encoder-Decoder Models in Scene Text Recognition, ICCV 2025, arXiv:2411.15858,
section 3.2 (feature rearrangement) and 3.3 (semantic guidance). Reference: OpenOCR (PyTorch),
openrec/modeling/decoders/rctc_decoder.py, and its GTCDecoder for training with the semantic guidance module.
Different here: the head itself holds the semantic guidance module, its auxiliary branch, and the option `sub_str_len`
switches it on; OpenOCR wraps both decoders in a third one. The gradients of the guidance and of CTC both reach the
backbone, as with OpenOCR's `detach: False`, with which the paper's models are trained. Evaluation returns raw logits,
and `fuse()` removes the auxiliary branch.
"""

from __future__ import annotations

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import TruncatedNormal

from scenetext.config.kinds import Rate
from scenetext.config.options import OptionError
from scenetext.errors import InputError
from scenetext.models.blocks.layers import GELU, rows_of
from scenetext.models.blocks.svtr_block import GlobalBlock, linear
from scenetext.models.heads.auxiliary_branch import HeadWithAuxiliaryBranch
from scenetext.models.heads.ctc_head import CTCHead
from scenetext.models.heads.semantic_guidance import SemanticGuidance
from scenetext.models.targets import Targets

HEAD_WIDTH = 32  # channels of one attention head


class FeatureRearrangement(nn.Layer):
    """A map becomes a sequence in reading order. (B, D, H, W) → (B, W, D).

    Horizontally, every position attends to its whole row, which moves the features of a slanted or curved line to the
    columns where CTC expects them. Vertically, a learned token selects in every column the rows that hold the text.

    Args:
        dim: D, a multiple of 32.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.horizontal = GlobalBlock(dim, dim // HEAD_WIDTH, 4.0, GELU, qkv_bias=False)
        self.key_value = linear(dim, 2 * dim)
        self.selecting_token = self.create_parameter([dim, 1], attr=ParamAttr(initializer=TruncatedNormal(std=0.02)))

    def forward(self, x: Tensor) -> Tensor:
        height = rows_of(x)
        x = self.horizontal(x.transpose([0, 2, 3, 1]).flatten(0, 1))  # (B * H, W, D)
        x = x.unsqueeze(1).reshape([-1, height, 0, x.shape[2]])  # (B, H, W, D)
        keys, values = self.key_value(x).chunk(2, axis=-1)
        weights = F.softmax(paddle.matmul(keys, self.selecting_token), axis=1)  # (B, H, W, 1)
        return (weights * values).sum(axis=1)  # (B, W, D)


class RCTCDecoder(HeadWithAuxiliaryBranch):
    """(B, D, H, W) → (B, T = W, C) raw logits; class 0 is blank.

    Args:
        in_channels: D, a multiple of 32.
        out_channels: C, blank included.
        fc_decay: factor of the L2 decay on the classifier's weights, in place of the optimiser's.
        sub_str_len: characters of context on either side for the semantic guidance module; 0 trains by CTC alone.

    Raises:
        InputError: `in_channels` is not a multiple of 32.
        OptionError: `sub_str_len` is negative.
    """

    AUXILIARY = ("sgm",)

    def __init__(self, in_channels: int, out_channels: int, fc_decay: Rate = 0.0, sub_str_len: int = 0):
        super().__init__()
        if in_channels % HEAD_WIDTH:
            raise InputError(
                f"RCTCDecoder needs a multiple of {HEAD_WIDTH} channels and the backbone gives {in_channels}: change "
                "the last number of Architecture.Backbone.dims."
            )
        if sub_str_len < 0:
            raise OptionError(f"sub_str_len is {sub_str_len}; it is a number of characters, at least 0.")
        self.frm = FeatureRearrangement(in_channels)
        self.ctc_head = CTCHead(in_channels, out_channels, fc_decay)
        self.sgm = SemanticGuidance(in_channels, out_channels, sub_str_len) if sub_str_len else None

    def forward(self, x: Tensor) -> Tensor:
        return self.ctc_head(self.frm(x))  # (B, T, C)

    def training_outputs(self, x: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The logits of both branches.

        Args:
            x: (B, D, H, W) features.
            targets: labels of L characters with padding.

        Returns:
            "ctc" (B, T, C) and, with semantic guidance, "sgm" (B, 2L, C): every character from its left context, then
            every character from its right one.
        """
        outputs = {"ctc": self(x)}
        if self.sgm is not None:
            outputs["sgm"] = self.sgm(x, targets.ids)
        return outputs
