"""RCTCDecoder, the head of SVTRv2: features are rearranged into reading order, then each column is classified.

Paper: Du et al., SVTRv2: CTC Beats Encoder-Decoder Models in Scene Text Recognition, ICCV 2025, arXiv:2411.15858,
section 3.2 (feature rearrangement) and 3.3 (semantic guidance). Reference: OpenOCR (PyTorch),
openrec/modeling/decoders/rctc_decoder.py, and its GTCDecoder for training with guidance.
Different here: one head holds the guide, and one option (`sub_str_len`) switches it on; OpenOCR wraps its decoders in a
third one. The guide's gradient and CTC's both reach the backbone, as with OpenOCR's `detach: False`, which the paper's
models are trained with. Evaluation returns raw logits, and `fuse()` lets go of the guide.
"""

from __future__ import annotations

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import TruncatedNormal

from scenetext.config.kinds import Rate
from scenetext.config.options import OptionError
from scenetext.errors import InputError
from scenetext.models.blocks.layers import GELU
from scenetext.models.blocks.svtr_block import GlobalBlock, linear
from scenetext.models.heads.class_tensors import ClassTensor
from scenetext.models.heads.ctc_head import CTCHead
from scenetext.models.heads.semantic_guidance import SemanticGuidance
from scenetext.models.targets import Targets

HEAD_WIDTH = 32  # channels of one attention head


class FeatureRearrangement(nn.Layer):
    """A map becomes a sequence in reading order. (B, D, H, W) → (B, W, D).

    Horizontally every position looks at its whole row, so that a slanted or curved line's features come to stand where
    CTC looks for them; vertically a learned token chooses, in every column, the rows that hold the text.

    Args:
        dim: D, a multiple of 32.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.horizontal = GlobalBlock(dim, dim // HEAD_WIDTH, 4.0, GELU, qkv_bias=False)
        self.key_value = linear(dim, 2 * dim)
        self.selecting_token = self.create_parameter([dim, 1], attr=ParamAttr(initializer=TruncatedNormal(std=0.02)))

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        x = self.horizontal(x.transpose([0, 2, 3, 1]).flatten(0, 1))  # (B * H, W, D)
        x = x.unsqueeze(1).reshape([-1, height, 0, x.shape[2]])  # (B, H, W, D)
        keys, values = self.key_value(x).chunk(2, axis=-1)
        weights = F.softmax(paddle.matmul(keys, self.selecting_token), axis=1)  # (B, H, W, 1)
        return (weights * values).sum(axis=1)  # (B, W, D)


class RCTCDecoder(nn.Layer):
    """(B, D, H, W) → (B, T = W, C) raw logits; class 0 is blank.

    Args:
        in_channels: D, a multiple of 32.
        out_channels: C, blank included.
        fc_decay: factor of the L2 decay on the classifier's weights, in place of the optimiser's.
        sub_str_len: characters of context on either side that guide training; 0 trains without guidance.
    """

    DECODING = "ctc"

    def __init__(self, in_channels: int, out_channels: int, fc_decay: Rate = 0.0, sub_str_len: int = 0):
        super().__init__()
        if in_channels % HEAD_WIDTH:
            raise InputError(f"RCTCDecoder needs a multiple of {HEAD_WIDTH} channels, not {in_channels}.")
        if sub_str_len < 0:
            raise OptionError(f"sub_str_len is {sub_str_len}; it counts characters.")
        self.frm = FeatureRearrangement(in_channels)
        self.ctc_head = CTCHead(in_channels, out_channels, fc_decay)
        self.sgm = SemanticGuidance(in_channels, out_channels, sub_str_len) if sub_str_len else None

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose columns are the characters."""
        return self.ctc_head.classifier

    def class_tensors(self) -> list[ClassTensor]:
        """What has a slice per character, the guide's included."""
        guide = self.sgm.class_tensors() if self.sgm is not None else []
        return self.ctc_head.class_tensors() + guide

    def forward(self, x: Tensor) -> Tensor:
        return self.ctc_head(self.frm(x))  # (B, T, C)

    def training_outputs(self, x: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The logits "ctc" (B, T, C) and, with guidance, "sgm" (B, 2L, C): every character from its left, its right."""
        outputs = {"ctc": self(x)}
        if self.sgm is not None:
            outputs["sgm"] = self.sgm(x, targets.ids)
        return outputs

    def drop_auxiliary_branch(self) -> None:
        """Lets go of the guide, which reads nothing; once gone, does nothing."""
        self.sgm = None

    def fuse(self) -> None:
        """As `drop_auxiliary_branch`: a fused network trains by CTC alone."""
        self.drop_auxiliary_branch()
