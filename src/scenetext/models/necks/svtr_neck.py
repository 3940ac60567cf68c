"""EncoderWithSVTR, the neck of PP-OCRv3 to v5, SVTRv2 and RepSVTR: attention over a line between two convolutions.

Source: Li et al., PP-OCRv3, arXiv:2206.03001, section 3.1 (SVTR_LCNet); the blocks are SVTR's, arXiv:2205.00159.
Reference: ppocr/modeling/necks/rnn.py.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from scenetext.config.kinds import Count, Factor, Share
from scenetext.config.options import Odd, check_heads
from scenetext.models.blocks.layers import LayerNorm, Swish
from scenetext.models.blocks.svtr_block import GlobalBlock, mix_row
from scenetext.models.necks.light_svtr import ConvBNLayer

REDUCTION = 8  # the outer convolutions have this many times fewer channels than the features


class EncoderWithSVTR(nn.Layer):
    """(B, in_channels, 1, T) → (B, dims, 1, T).

    Args:
        in_channels: channels of the feature map.
        dims: channels out.
        depth: number of attention blocks.
        hidden_dims: channels of those blocks.
        use_guide: PaddleOCR's name for keeping the gradient of this neck from the backbone, which an auxiliary (GTC)
            branch then trains (arXiv:2002.01276; see MultiHead).
        num_heads: heads of each block.
        qkv_bias: whether their projections have a bias.
        mlp_ratio: hidden width of their MLP over hidden_dims.
        drop_rate: dropout after projections.
        attn_drop_rate: dropout on attention weights.
        drop_path: fraction of the lines that skip a branch of a block in training.
        kernel_size: height and width of the outer convolutions.
        qk_scale: factor on the attention logits, by default (hidden_dims / num_heads) ** -0.5.

    Raises:
        OptionError: the heads do not divide hidden_dims.
    """

    def __init__(
        self,
        in_channels: int,
        dims: Count = 64,
        depth: Count = 2,
        hidden_dims: Count = 120,
        use_guide: bool = False,
        num_heads: Count = 8,
        qkv_bias: bool = True,
        mlp_ratio: Factor = 2.0,
        drop_rate: Share = 0.1,
        attn_drop_rate: Share = 0.1,
        drop_path: Share = 0.0,
        kernel_size: tuple[Odd, Odd] = (3, 3),
        qk_scale: Factor | None = None,
    ):
        super().__init__()
        check_heads(num_heads, hidden_dims, "num_heads", "hidden_dims")
        self.use_guide = use_guide
        self.out_channels = dims
        narrow = in_channels // REDUCTION
        self.conv1 = ConvBNLayer(in_channels, narrow, kernel_size)
        self.conv2 = ConvBNLayer(narrow, hidden_dims)
        block = {"drop": drop_rate, "attn_drop": attn_drop_rate, "qkv_bias": qkv_bias}
        block |= {"drop_path": drop_path, "qk_scale": qk_scale}
        self.svtr_block = nn.LayerList(
            [GlobalBlock(hidden_dims, num_heads, mlp_ratio, Swish, **block) for _ in range(depth)]
        )
        self.norm = LayerNorm(hidden_dims, epsilon=1e-6)
        self.conv3 = ConvBNLayer(hidden_dims, in_channels)
        self.conv4 = ConvBNLayer(2 * in_channels, narrow, kernel_size)
        self.conv1x1 = ConvBNLayer(narrow, dims)

    def forward(self, x: Tensor) -> Tensor:
        if self.use_guide:
            x = x.detach()
        z = self.conv2(self.conv1(x))  # (B, hidden, 1, T)
        z = mix_row(z, self.svtr_block, self.norm)
        return self.conv1x1(self.conv4(paddle.concat([x, self.conv3(z)], axis=1)))  # (B, D, 1, T)
