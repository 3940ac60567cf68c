"""The whole network: backbone, neck, head, under PaddleOCR's names."""

from __future__ import annotations

from paddle import Tensor, nn

from scenetext.charset import Charset


class Recogniser(nn.Layer):
    """A text-line recogniser: (B, 3, H, W) float32 in [-1, 1] → (B, T, C) raw logits, in training and evaluation.

    Attributes:
        backbone, neck, head: the parts, as in the state_dict's keys; neck may be None.
        charset: the characters of the classes; class 0 is blank.
        fused: whether normalisations and branches have been folded into the convolutions.
    """

    def __init__(self, backbone: nn.Layer, neck: nn.Layer | None, head: nn.Layer, charset: Charset | None = None):
        super().__init__()
        self.backbone = backbone
        if neck is not None:
            self.neck = neck
        self.has_neck = neck is not None
        self.head = head
        self.charset = charset
        self.fused = False

    def forward(self, images: Tensor) -> Tensor:
        x = self.backbone(images)  # (B, C, 1, W/4 or W/8)
        if self.has_neck:
            x = self.neck(x)  # (B, T, D)
        return self.head(x)  # (B, T, C)

    def fuse(self) -> None:
        """Folds every normalisation and every training-time branch into its convolution, in place.

        Outputs in evaluation stay the same within float rounding; a fused network can still be trained, without
        batch statistics.
        """
        for layer in self.sublayers():
            if hasattr(layer, "fuse"):
                layer.fuse()
        self.fused = True
