"""MultiHead: the CTC branch of PP-OCRv3 and later, with a neck of its own.

Reference: ppocr/modeling/heads/rec_multi_head.py. In evaluation only the CTC branch counts, and it returns raw logits.
"""

from __future__ import annotations

from paddle import Tensor, nn

from scenetext.errors import InputError
from scenetext.models.construct import construct
from scenetext.models.ctc_head import CTCHead
from scenetext.models.sequence_encoder import SequenceEncoder


class MultiHead(nn.Layer):
    """(B, in_channels, 1, W) → (B, T, C) raw logits of the CTC branch.

    Args:
        in_channels: channels of the feature map.
        out_channels: classes of the CTC branch, blank included.
        head_list: PaddleOCR's list; `[{"CTCHead": {"Neck": {...}, "Head": {...}}}]`.
    """

    def __init__(self, in_channels: int, out_channels: int, head_list: list[dict]):
        super().__init__()
        for entry in head_list:
            for name, options in entry.items():
                if name != "CTCHead":
                    raise InputError(
                        f"Architecture.Head.head_list names {name}, which is not built yet; keep CTCHead alone to "
                        "finetune with CTC only."
                    )
                neck = dict(options["Neck"])
                self.ctc_encoder = SequenceEncoder(in_channels, neck.pop("name"), **neck)
                self.ctc_head = construct(
                    CTCHead,
                    "Architecture.Head.head_list.CTCHead.Head",
                    options.get("Head") or {},
                    in_channels=self.ctc_encoder.out_channels,
                    out_channels=out_channels,
                )
        if not hasattr(self, "ctc_head"):
            raise InputError("Architecture.Head.head_list holds no CTCHead, the branch that reads at inference.")

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose columns are the characters."""
        return self.ctc_head.classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.ctc_head(self.ctc_encoder(x))  # (B, T, C)
