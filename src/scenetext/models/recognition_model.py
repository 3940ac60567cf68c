"""The whole network: transform, backbone, neck, head, under PaddleOCR's names."""

from __future__ import annotations

from paddle import Tensor, nn

from scenetext.models.targets import Targets
from scenetext.text.charset import Charset


class RecognitionModel(nn.Layer):
    """A text-line recogniser: (B, 3, H, W) float32 in [-1, 1] → (B, T, C) raw logits, in training and evaluation.

    Attributes:
        transform, backbone, neck, head: the parts, as in the state_dict's keys; transform and neck may be None.
        charset: the characters of the classes.
        fused: whether normalisations and branches have been folded into the convolutions.
        image_size: (height, width) in pixels of the pictures that the config lays lines on, where it says so.
    """

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
        self.fused = False
        self.image_size = image_size

    @property
    def decoding(self) -> str:
        """How the logits become text: "ctc" or "attention"."""
        return self.head.DECODING

    @property
    def input_size(self) -> tuple[int, int | None] | None:
        """(height, width) in pixels where a part works at one size only; the width may be free (None)."""
        for part in (self.transform, self.backbone):
            if size := getattr(part, "input_size", None):
                return size
        return None

    @property
    def longest_label(self) -> int | None:
        """Characters of the longest line that the head can say, where it has a limit of its own."""
        return getattr(self.head, "longest_label", None)

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | dict[str, Tensor]:
        """Logits, or with targets what the losses ask for, by name.

        Args:
            images: (B, 3, H, W) float32 in [-1, 1].
            targets: labels, in training.

        Returns:
            (B, T, C) raw logits; with targets a dict of the outputs of every branch of the head.
        """
        if self.transform is not None:
            images = self.transform(images)
        x = self.backbone(images)  # (B, C, 1, W/4 or W/8)
        if self.neck is not None:
            x = self.neck(x)  # (B, T, D)
        return self.head(x) if targets is None else self.head.training_outputs(x, targets)

    def drop_auxiliary_branch(self) -> None:
        """Lets go of the branch that guides training, where the head has one: reading needs none of it."""
        if hasattr(self.head, "drop_auxiliary_branch"):
            self.head.drop_auxiliary_branch()

    def fuse(self) -> None:
        """Folds every normalisation and every training-time branch into its convolution, in place.

        Outputs in evaluation stay the same within float rounding; a fused network can still be trained, without
        batch statistics.
        """
        for layer in self.sublayers():
            if hasattr(layer, "fuse"):
                layer.fuse()
        self.fused = True
