"""EncoderWithLightSVTR, the neck of PP-OCRv6: a 1x7 convolution mixes nearby steps, attention mixes all of them.

Source: PP-OCRv6's introduction in PaddleOCR's documentation (June 2026); reference ppocr/modeling/necks/rnn.py.
PP-OCRv3 to v5 concatenate the input and apply a convolution (`svtr_neck`); v6 adds a 1x1 convolution of the input.
"""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn

from scenetext.config.kinds import Count, Factor, Share
from scenetext.config.options import Odd, check_heads
from scenetext.models.blocks.layers import FoldableConv, LayerNorm, Swish, conv2d, fold_batch_norm
from scenetext.models.blocks.svtr_block import GlobalBlock, mix_row


class ConvBNLayer(FoldableConv):
    """Convolution, batch normalisation, Swish (keys `conv`, `norm`).

    Args:
        in_channels, out_channels: channels in and out.
        kernel: side, or (height, width), odd.
    """

    BN = "norm"

    def __init__(self, in_channels: int, out_channels: int, kernel: int | Sequence[int] = 1):
        padding = tuple(side // 2 for side in kernel) if isinstance(kernel, (tuple, list)) else kernel // 2
        super().__init__(
            conv2d(in_channels, out_channels, kernel, padding=padding), nn.BatchNorm2D(out_channels), Swish()
        )


class LocalConv(nn.Sequential):
    """Depthwise 1xk convolution, batch normalisation, Swish (keys `0`, `1`).

    Args:
        dims: channels.
        kernel_width: k, odd.
    """

    def __init__(self, dims: int, kernel_width: int):
        conv = conv2d(dims, dims, (1, kernel_width), padding=(0, kernel_width // 2), groups=dims)
        super().__init__(conv, nn.BatchNorm2D(dims), Swish())

    def fuse(self) -> None:
        """Folds the batch normalisation into the convolution, in place; a second call changes nothing."""
        if isinstance(self[1], nn.BatchNorm2D):
            self[0] = fold_batch_norm(self[0], self[1])
            self[1] = nn.Identity()


class EncoderWithLightSVTR(nn.Layer):
    """(B, in_channels, 1, T) → (B, dims, 1, T).

    Args:
        in_channels: channels of the feature map.
        dims: channels inside and out.
        depth: number of attention blocks.
        num_heads: heads of each.
        qkv_bias: whether their projections have a bias.
        mlp_ratio: hidden width of their MLP over dims.
        drop_rate: dropout after projections.
        attn_drop_rate: dropout on attention weights.
        local_kernel: width of the local convolution in time steps.
        use_guide: PaddleOCR's name for keeping the gradient of this neck from the backbone, which an auxiliary (GTC)
            branch then trains (arXiv:2002.01276; see MultiHead).

    Raises:
        OptionError: the heads do not divide dims.
    """

    def __init__(
        self,
        in_channels: int,
        dims: Count = 64,
        depth: Count = 1,
        num_heads: Count = 8,
        qkv_bias: bool = True,
        mlp_ratio: Factor = 4.0,
        drop_rate: Share = 0.1,
        attn_drop_rate: Share = 0.1,
        local_kernel: Odd = 7,
        use_guide: bool = False,
    ):
        super().__init__()
        check_heads(num_heads, dims, "num_heads", "dims")
        self.use_guide = use_guide
        self.out_channels = dims
        self.conv_reduce = ConvBNLayer(in_channels, dims)
        self.local_conv = LocalConv(dims, local_kernel)
        self.svtr_block = nn.LayerList(
            [GlobalBlock(dims, num_heads, mlp_ratio, Swish, drop_rate, attn_drop_rate, qkv_bias) for _ in range(depth)]
        )
        self.norm = LayerNorm(dims, epsilon=1e-6)
        self.skip_conv = ConvBNLayer(in_channels, dims)

    def forward(self, x: Tensor) -> Tensor:
        if self.use_guide:
            x = x.detach()
        skip = self.skip_conv(x)
        x = self.conv_reduce(x)
        x = x + self.local_conv(x)  # (B, D, 1, T)
        return mix_row(x, self.svtr_block, self.norm) + skip  # (B, D, 1, T)
