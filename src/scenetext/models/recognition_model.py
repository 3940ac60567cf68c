"""A whole network: rectifier, backbone, neck and head, under PaddleOCR's names."""

from __future__ import annotations

from paddle import Tensor, nn

from scenetext.models.fusible_model import FusibleModel
from scenetext.models.targets import Targets
from scenetext.text.charset import Charset


class RecognitionModel(FusibleModel):
    """Reads text lines: (B, 3, H, W) float32 in [-1, 1] → (B, T, C) raw logits, in training and in evaluation.

    Args:
        backbone, neck, head: the parts; neck may be None.
        charset: the characters of the classes, if they are known.
        transform: the rectifier, which PaddleOCR calls Transform; may be None.

    Attributes:
        transform, backbone, neck, head: the parts, as in the state_dict's keys.
        charset: the characters of the classes.
        fused: whether normalisations and branches have been folded into the convolutions.
        image_size: (height, width) in pixels of the pictures that the config lays lines on, where it says so.
        pth_img_mode: the order of colours that weights from PyTorch were trained with; pictures here are blue first.
    """

    pth_img_mode = "RGB"

    def __init__(
        self,
        backbone: nn.Layer,
        neck: nn.Layer | None,
        head: nn.Layer,
        charset: Charset | None = None,
        transform: nn.Layer | None = None,
        image_size: tuple[int, int] | None = None,
    ):
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.charset = charset
        self.image_size = image_size

    @property
    def decoding(self) -> str:
        """Which decoder turns the logits into text: "ctc" or "attention"."""
        return self.head.DECODING

    @property
    def input_size(self) -> tuple[int, int | None] | None:
        """(height, width) in pixels if a part works at one size only, else None; a width of None is free."""
        for part in (self.transform, self.backbone):
            if size := getattr(part, "input_size", None):
                return size
        return None

    @property
    def longest_label(self) -> int | None:
        """Characters of the longest line that the head can spell, if it has such a limit, else None."""
        return getattr(self.head, "longest_label", None)

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | dict[str, Tensor]:
        """Computes logits.

        Args:
            images: (B, 3, H, W) float32 in [-1, 1].
            targets: labels, in training.

        Returns:
            (B, T, C) raw logits; with targets a dict of the outputs of every branch of the head, by the names that the
            losses use.
        """
        if self.transform is not None:
            images = self.transform(images)
        x = self.backbone(images)  # (B, C, 1, W/4 or W/8)
        if self.neck is not None:
            x = self.neck(x)  # (B, T, D)
        return self.head(x) if targets is None else self.head.training_outputs(x, targets)
