"""SVTR: an image line becomes a map of patches, and three stages of mixing blocks turn it into one row of characters.

Paper: Du et al., SVTR: Scene Text Recognition with a Single Visual Model, IJCAI 2022, arXiv:2205.00159, section 3.
Reference: ppocr/modeling/backbones/rec_svtrnet.py (SVTRNet).

- Patch embedding (3.2): convolutions of stride 2, not a cut into squares; then a learned embedding of each position, so
  that the network works at one image size, `input_size`.
- Mixing blocks (3.3, svtr_block.py): local first, to see the strokes of one character, then global.
- Merging (3.4, `SubSample`): between stages the map loses half its height and keeps its width.
- Combining (3.5): the rows are averaged to one.

The dropout at the end is the classic one, and stays as PaddleOCR has it: training drops a share of the features and
leaves the others as they are, evaluation multiplies all by the share that is kept (0.9). The two agree in expectation;
scaling up in training, as dropout does elsewhere here, would do so too but answer otherwise with PaddleOCR's weights.
Different here: the masks of local mixing are no stored tensors (svtr_block.py); a stage's height is the convolutions'
own, rounded up, where PaddleOCR rounds down and fails on a height that is no multiple of 16.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import TruncatedNormal

from scenetext.config.kinds import Count, Factor, Rate, Share
from scenetext.config.options import Odd, OptionError, check_heads
from scenetext.errors import InputError
from scenetext.models.blocks.layers import GELU, FoldableConv, conv2d
from scenetext.models.blocks.svtr_block import Attention, Block, ConvMixer, LocalAttention, linear

MIXERS = ("Local", "Global", "Conv")
Window = tuple[Odd, Odd]  # height, width


class ConvBNLayer(FoldableConv):
    """3x3 convolution of stride 2, batch normalisation, GELU (keys `conv`, `norm`)."""

    BN = "norm"

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__(conv2d(in_channels, out_channels, 3, 2, 1, bias=bias), nn.BatchNorm2D(out_channels), GELU())


class PatchEmbed(nn.Layer):
    """(B, in_channels, H, W) → (B, T, D); `halvings` convolutions of stride 2, the widths doubling up to `dim` = D."""

    def __init__(self, in_channels: int, dim: int, halvings: int):
        super().__init__()
        widths = [in_channels, *(dim >> i for i in reversed(range(halvings)))]
        self.proj = nn.Sequential(*map(ConvBNLayer, widths[:-1], widths[1:]))

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose([0, 2, 1])  # (B, T, D)


class SubSample(nn.Layer):
    """Merging: halves the height of a map of H x W positions. (B, H * W, in) → (B, ceil(H / 2) * W, out).

    Args:
        in_channels, out_channels: width of the embedding before and after.
        map_size: (H, W).
        pooled: by the mean of an average and a maximum pool and a linear layer, in place of a convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, map_size: tuple[int, int], pooled: bool = False):
        super().__init__()
        self.map_shape = [0, in_channels, *map_size]
        self.pooled = pooled
        if pooled:
            self.avgpool = nn.AvgPool2D((3, 5), (2, 1), (1, 2))
            self.maxpool = nn.MaxPool2D((3, 5), (2, 1), (1, 2))
            self.proj = linear(in_channels, out_channels)
        else:
            self.conv = conv2d(in_channels, out_channels, 3, (2, 1), 1, bias=True)
        self.norm = nn.LayerNorm(out_channels, epsilon=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose([0, 2, 1]).reshape(self.map_shape)  # (B, D, H, W)
        x = (self.avgpool(x) + self.maxpool(x)) * 0.5 if self.pooled else self.conv(x)
        x = x.flatten(2).transpose([0, 2, 1])  # (B, T, D)
        return self.norm(self.proj(x) if self.pooled else x)


class SVTRNet(nn.Layer):
    """(B, 3, H, W) → (B, out_channels, 1, out_char_num), or (B, T, D) without the last stage.

    Args:
        in_channels: channels of the image.
        img_size: (H, W) in pixels, the only size it works at.
        embed_dim: D of each of the three stages.
        depth: blocks of each stage.
        num_heads: heads of attention, or groups of a convolution, in each stage.
        mixer: "Local", "Global" or "Conv" for every block in turn.
        local_mixer: (height, width) of the local window, or of the convolution, in each stage; odd.
        patch_merging: how the height is halved between stages: "Conv", "Pool", or None for not at all.
        mlp_ratio: hidden width of the MLPs over D.
        qkv_bias: whether the projections to queries, keys and values have a bias.
        qk_scale: factor on the attention's scores, by default (D / heads) ** -0.5.
        drop_rate: dropout on the embedding, after projections and in the MLPs.
        last_drop: dropout on the features of the last stage.
        attn_drop_rate: dropout on attention weights.
        drop_path_rate: share of samples that skip a branch of the last block in training; it grows from 0 at the first.
        epsilon: of the blocks' layer normalisations.
        out_channels: features per time step of the last stage.
        out_char_num: time steps of the last stage.
        last_stage: average the rows to one and project to `out_channels`; else the last map's positions come out as
            they are, row by row, with D channels whatever `out_channels` says.
        sub_num: halvings of the image by the patch embedding, 2 or 3.
        prenorm: True normalises AFTER each sum, False before each branch and once at the end. PaddleOCR's name for
            it is the wrong way round, and its configs mean what its code does.

    Attributes:
        out_channels: channels that come out.
        input_size: `img_size`.
        map_size: (H, W) of the last stage's map.
    """

    def __init__(
        self,
        in_channels: int = 3,
        img_size: tuple[Count, Count] = (32, 100),
        embed_dim: tuple[Count, Count, Count] = (64, 128, 256),
        depth: tuple[Count, Count, Count] = (3, 6, 3),
        num_heads: tuple[Count, Count, Count] = (2, 4, 8),
        mixer: Sequence[str] = ("Local",) * 6 + ("Global",) * 6,
        local_mixer: tuple[Window, Window, Window] = ((7, 11),) * 3,
        patch_merging: str | None = "Conv",
        mlp_ratio: Factor = 4.0,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop_rate: Share = 0.0,
        last_drop: Share = 0.1,
        attn_drop_rate: Share = 0.0,
        drop_path_rate: Share = 0.1,
        epsilon: Rate = 1e-6,
        out_channels: Count = 192,
        out_char_num: Count = 25,
        last_stage: bool = True,
        sub_num: int = 2,
        prenorm: bool = True,
    ):
        super().__init__()
        _check(depth, mixer, local_mixer, patch_merging, sub_num)
        for stage, (heads, dim) in enumerate(zip(num_heads, embed_dim, strict=True)):
            check_heads(heads, dim, f"num_heads.{stage}", f"embed_dim.{stage}")
        self.input_size = tuple(img_size)
        self.patch_embed = PatchEmbed(in_channels, embed_dim[0], sub_num)
        height, width = (-(-side // 2**sub_num) for side in img_size)
        self.pos_embed = self.create_parameter(
            [1, height * width, embed_dim[0]], default_initializer=TruncatedNormal(std=0.02)
        )
        self.pos_drop = nn.Dropout(drop_rate)
        drop_paths = iter(np.linspace(0.0, drop_path_rate, sum(depth)).tolist())
        names = iter(mixer)

        def block(stage: int) -> Block:
            name, dim, heads, window = next(names), embed_dim[stage], num_heads[stage], local_mixer[stage]
            attention = {
                "qkv_bias": qkv_bias,
                "attn_drop": attn_drop_rate,
                "proj_drop": drop_rate,
                "qk_scale": qk_scale,
            }
            if name == "Conv":
                positions = ConvMixer(dim, heads, (height, width), window)
            elif name == "Local":
                positions = LocalAttention(dim, heads, (height, width), window, **attention)
            else:
                positions = Attention(dim, heads, **attention)
            return Block(dim, positions, mlp_ratio, GELU, drop_rate, next(drop_paths), epsilon, post_norm=prenorm)

        self.blocks1 = nn.LayerList([block(0) for _ in range(depth[0])])
        self.sub_sample1 = self.sub_sample2 = None
        if patch_merging:
            self.sub_sample1 = SubSample(embed_dim[0], embed_dim[1], (height, width), patch_merging == "Pool")
            height = -(-height // 2)
        self.blocks2 = nn.LayerList([block(1) for _ in range(depth[1])])
        if patch_merging:
            self.sub_sample2 = SubSample(embed_dim[1], embed_dim[2], (height, width), patch_merging == "Pool")
            height = -(-height // 2)
        self.blocks3 = nn.LayerList([block(2) for _ in range(depth[2])])
        self.map_size = (height, width)
        self.map_shape = [0, embed_dim[2], height, width]
        self.last_stage = last_stage
        if last_stage:
            self.avg_pool = nn.AdaptiveAvgPool2D((1, out_char_num))
            self.last_conv = conv2d(embed_dim[2], out_channels, 1)
            self.hardswish = nn.Hardswish()
            self.dropout = nn.Dropout(last_drop, mode="downscale_in_infer")
        self.norm = None if prenorm else nn.LayerNorm(embed_dim[2], epsilon=epsilon)
        self.out_channels = out_channels if last_stage else embed_dim[2]

    def forward(self, x: Tensor) -> Tensor:
        if paddle.in_dynamic_mode() and tuple(x.shape[2:]) != self.input_size:
            (height, width), (own_height, own_width) = self.input_size, x.shape[2:]
            raise InputError(
                f"SVTRNet was built for images of {height}x{width} pixels (height x width), not "
                f"{own_height}x{own_width}: make the resize's image_shape and Architecture.Backbone.img_size the same."
            )
        x = self.pos_drop(self.patch_embed(x) + self.pos_embed)  # (B, T, D)
        for blocks, merging in (
            (self.blocks1, self.sub_sample1),
            (self.blocks2, self.sub_sample2),
            (self.blocks3, None),
        ):
            for block in blocks:
                x = block(x)
            if merging is not None:
                x = merging(x)
        if self.norm is not None:
            x = self.norm(x)
        if not self.last_stage:
            return x  # (B, T, D)
        x = x.transpose([0, 2, 1]).reshape(self.map_shape)  # (B, D, H, W)
        return self.dropout(self.hardswish(self.last_conv(self.avg_pool(x))))  # (B, C, 1, out_char_num)


def _check(
    depth: Sequence[int],
    mixer: Sequence[str],
    local_mixer: Sequence[Sequence[int]],
    patch_merging: str | None,
    sub_num: int,
) -> None:
    if len(mixer) != sum(depth):
        raise OptionError(f"mixer names {len(mixer)} mixers for the {sum(depth)} blocks of depth.")
    for name in mixer:
        if name not in MIXERS:
            raise OptionError(f"mixer holds {name!r}; known are {', '.join(MIXERS)}.")
    if any(side % 2 == 0 for window in local_mixer for side in window):
        raise OptionError(f"local_mixer is {local_mixer}; a window has a centre, so both sides must be odd.")
    if patch_merging not in ("Conv", "Pool", None):
        raise OptionError(f"patch_merging is {patch_merging!r}; known are Conv, Pool and null.")
    if sub_num not in (2, 3):
        raise OptionError(f"sub_num is {sub_num}; PaddleOCR's patch embedding halves an image 2 or 3 times.")
