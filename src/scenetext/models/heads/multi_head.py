"""MultiHead, the head of PP-OCRv3 and later: a CTC branch with a neck, and in training an auxiliary (GTC) branch.

Paper: Hu et al., GTC: Guided Training of CTC Towards Efficient and Accurate Scene Text Recognition, AAAI 2020,
arXiv:2002.01276; the auxiliary branch is NRTR's decoder. Reference: ppocr/modeling/heads/rec_multi_head.py.
Different here: evaluation returns the CTC branch's raw logits, and `head_list` may lack the auxiliary branch.
PaddleOCR's configs say `use_guide: true` in the CTC branch's neck. As in the paper, this keeps the CTC branch's
gradient from the backbone, so that only the auxiliary branch trains the backbone. It has the same effect here, but our
configs say `false`: RepSVTR then read 52 % of 200 number plates instead of 46 % after the same 313 steps.
"""

from __future__ import annotations

from typing import Any

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn.initializer import TruncatedNormal

from scenetext.config.construct import construct
from scenetext.config.kinds import Count
from scenetext.config.options import OptionError
from scenetext.errors import InputError
from scenetext.models.heads.auxiliary_branch import HeadWithAuxiliaryBranch
from scenetext.models.heads.ctc_head import CTCHead
from scenetext.models.heads.nrtr_head import NRTRHead
from scenetext.models.necks.sequence_encoder import ENCODERS, SequenceEncoder
from scenetext.models.targets import Targets, nrtr_targets

POSITIONS = 80  # of AddPos, because PaddleOCR's weight files hold so many
DEFAULT_NECK = {"name": "reshape"}  # of a CTC branch without Neck: the map becomes a sequence, nothing else


class FCTranspose(nn.Layer):
    """(B, C, T) → (B, T, D) by a linear layer without bias."""

    def __init__(self, in_channels: int, dim: int):
        super().__init__()
        self.fc = nn.Linear(in_channels, dim, bias_attr=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.transpose([0, 2, 1]))


class AddPos(nn.Layer):
    """Adds a learned vector to each time step; all steps from the 80th on get the last one. (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int):
        super().__init__()
        start = ParamAttr(initializer=TruncatedNormal(std=0.02))
        self.dec_pos_embed = self.create_parameter([1, POSITIONS, dim], attr=start)

    def forward(self, x: Tensor) -> Tensor:
        steps = paddle.clip(paddle.arange(x.shape[1]), max=POSITIONS - 1)
        return x + self.dec_pos_embed.index_select(steps, axis=1)


class MultiHead(HeadWithAuxiliaryBranch):
    """(B, in_channels, 1, W) → (B, T, C) raw logits of the CTC branch.

    Args:
        in_channels: channels of the feature map.
        out_channels: classes of the CTC branch, blank included.
        head_list: PaddleOCR's list, `[{"CTCHead": {"Neck": {...}, "Head": {...}}}, {"NRTRHead": {...}}]`; NRTRHead, the
            auxiliary branch, is optional.
        use_pool: whether the features come as a sequence, row by row, (B, H * W, in_channels), and are averaged to one
            row.
        pool_kernel_size: (H, positions of a row per time step) of that average.
        pool_stride: by default the same.
        use_pos: whether a learned vector for each time step is added to the features of the auxiliary branch.

    Raises:
        OptionError: `head_list` has no CTCHead, or names a head or an encoder that does not exist.
    """

    AUXILIARY = ("gtc_head", "before_gtc")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        head_list: list[dict],
        use_pool: bool = False,
        pool_kernel_size: tuple[Count, Count] = (3, 2),
        pool_stride: tuple[Count, Count] | None = None,
        use_pos: bool = False,
    ):
        super().__init__()
        self.map_shape = [0, in_channels, pool_kernel_size[0], -1]
        self.pool = nn.AvgPool2D(pool_kernel_size, pool_stride or pool_kernel_size) if use_pool else None
        self.before_gtc = self.gtc_head = None
        for entry in head_list:
            for name, options in entry.items():
                if name == "CTCHead":
                    self._add_ctc_branch(dict(options or {}), in_channels, out_channels)
                elif name == "NRTRHead":
                    self._add_auxiliary_branch(dict(options or {}), in_channels, out_channels, use_pos)
                else:
                    raise OptionError(f"head_list names {name}; known are CTCHead and NRTRHead, the auxiliary branch.")
        if not hasattr(self, "ctc_head"):
            raise OptionError("head_list holds no CTCHead, the branch that reads at inference.")

    def _add_ctc_branch(self, options: dict[str, Any], in_channels: int, out_channels: int) -> None:
        neck = dict(options.get("Neck") or DEFAULT_NECK)
        if "name" not in neck:
            raise OptionError(f"head_list.CTCHead.Neck lacks a name; known are {', '.join(ENCODERS)}.")
        neck["encoder_type"] = neck.pop("name")
        self.ctc_encoder = construct(SequenceEncoder, "head_list.CTCHead.Neck", neck, in_channels=in_channels)
        self.ctc_head = construct(
            CTCHead,
            "head_list.CTCHead.Head",
            options.get("Head") or {},
            in_channels=self.ctc_encoder.out_channels,
            out_channels=out_channels,
        )

    def _add_auxiliary_branch(
        self, options: dict[str, Any], in_channels: int, out_channels: int, use_pos: bool
    ) -> None:
        options.pop("max_text_length", None)  # the targets are as long as the labels
        decoder = construct(NRTRHead, "head_list.NRTRHead", options, out_channels=out_channels)
        positions = [AddPos(decoder.dim)] if use_pos else []
        self.before_gtc = nn.Sequential(nn.Flatten(2), FCTranspose(in_channels, decoder.dim), *positions)
        self.gtc_head = decoder

    def forward(self, x: Tensor) -> Tensor:
        return self.ctc_head(self.ctc_encoder(self._map(x)))  # (B, T, C)

    def training_outputs(self, x: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The logits of both branches.

        Args:
            x: (B, in_channels, 1, W), or a sequence with `use_pool`.
            targets: labels of L characters with padding.

        Returns:
            "ctc" (B, T, C) and, with an auxiliary branch, "nrtr" (B, L + 1, C + 4): the characters and the end.
        """
        x = self._map(x)
        outputs = {"ctc": self.ctc_head(self.ctc_encoder(x))}
        if self.gtc_head is not None:
            outputs["nrtr"] = self.gtc_head(self.before_gtc(x), nrtr_targets(targets))
        return outputs

    def _map(self, x: Tensor) -> Tensor:
        """The feature map (B, in_channels, 1, W)."""
        if self.pool is not None:
            return self.pool(x.transpose([0, 2, 1]).reshape(self.map_shape))
        if x.ndim != 4:
            raise InputError(
                "The backbone gives a sequence of all positions and MultiHead needs a map: set "
                "Architecture.Head.use_pool: true, and pool_kernel_size to the rows and columns to average over."
            )
        return x
