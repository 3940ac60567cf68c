"""A whole detector: backbone, neck and head, under PaddleOCR's names."""

from __future__ import annotations

from paddle import Tensor, nn

from scenetext.models.fusible_model import FusibleModel

STRIDE = 32  # both sides of a picture are multiples of this


class DetectionModel(FusibleModel):
    """Finds text: (B, 3, H, W) float32, standardised → maps of the same size; see `heads.db_head`.

    Args:
        backbone, neck, head: the parts.

    Attributes:
        backbone, neck, head: the parts, as in the state_dict's keys.
        fused: whether normalisations and branches have been folded into the convolutions.
        charset: None: a detector reads no characters.
        image_size: (height, width) in pixels of a picture that shows the order of the layers.
    """

    charset = None
    image_size = (2 * STRIDE, 2 * STRIDE)

    def __init__(self, backbone: nn.Layer, neck: nn.Layer, head: nn.Layer):
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    @property
    def decoding(self) -> str:
        """How boxes are made of the maps: "db"."""
        return self.head.DECODING

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        """Computes the maps.

        Args:
            images: (B, 3, H, W) float32, blue first, each channel standardised; H and W are multiples of STRIDE.

        Returns:
            In evaluation the shrink map, (B, 1, H, W) in [0, 1]; in training {"maps": (B, 3, H, W)}, and
            those of auxiliary heads.
        """
        return self.head(self.neck(self.backbone(images)))
