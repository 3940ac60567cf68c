"""CTCHead: one linear layer from features to characters, trained by CTC (Graves et al., ICML 2006).

Reference: ppocr/modeling/heads/rec_ctc_head.py.
Here the head returns raw logits in training and in evaluation alike; softmax belongs to the loss and to the export.
"""

from __future__ import annotations

import math

from paddle import ParamAttr, Tensor, nn
from paddle.nn.initializer import Uniform
from paddle.regularizer import L2Decay

from scenetext.config.kinds import Count, Rate
from scenetext.models.blocks.layers import Linear
from scenetext.models.blocks.separable_conv import SeparableConv1D
from scenetext.models.heads.class_tensors import ClassTensor
from scenetext.models.targets import Targets


class CTCHead(nn.Layer):
    """(B, T, D) → (B, T, C) raw logits; class 0 is blank.

    Args:
        in_channels: D.
        out_channels: C, blank included.
        fc_decay: factor of the L2 decay on this layer's weights, in place of the optimiser's.
        mid_channels: width of one more linear layer before this one; None for no such layer.
        use_guide: PaddleOCR's name for a separable convolution over neighbouring steps before the linear layers, which
            PP-OCRv6 tiny has in place of a neck.
    """

    DECODING = "ctc"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        fc_decay: Rate = 4e-4,
        mid_channels: Count | None = None,
        use_guide: bool = False,
    ):
        super().__init__()
        self.mid_channels = mid_channels
        self.guide_layer = SeparableConv1D(in_channels) if use_guide else None
        if mid_channels is None:
            self.fc = _linear(in_channels, out_channels, fc_decay)
        else:
            self.fc1 = _linear(in_channels, mid_channels, fc_decay)
            self.fc2 = _linear(mid_channels, out_channels, fc_decay)

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose columns are the characters."""
        return self.fc if self.mid_channels is None else self.fc2

    def class_tensors(self) -> list[ClassTensor]:
        """The tensors with one slice per character."""
        return [ClassTensor(self.classifier.weight, 1), ClassTensor(self.classifier.bias, 0)]

    def forward(self, x: Tensor) -> Tensor:
        if self.guide_layer is not None:
            x = self.guide_layer(x)
        return self.fc(x) if self.mid_channels is None else self.fc2(self.fc1(x))  # (B, T, C)

    def training_outputs(self, x: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The logits under the name that the loss expects: "ctc" (B, T, C)."""
        return {"ctc": self(x)}


def _linear(in_features: int, out_features: int, decay: float) -> Linear:
    bound = 1.0 / math.sqrt(in_features)

    def attr() -> ParamAttr:
        return ParamAttr(initializer=Uniform(-bound, bound), regularizer=L2Decay(decay))

    return Linear(in_features, out_features, weight_attr=attr(), bias_attr=attr())
