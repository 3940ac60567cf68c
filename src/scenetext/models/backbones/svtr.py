"""SVTR: a line becomes a map of patches, and three stages of mixing blocks turn the map into one row of features.

Paper: Du et al., SVTR: Scene Text Recognition with a Single Visual Model, IJCAI 2022, arXiv:2205.00159, section 3.
Reference: ppocr/modeling/backbones/rec_svtrnet.py (SVTRNet).

- Patch embedding (3.2): convolutions of stride 2 instead of a cut into squares; then a learned embedding of each
  position is added, so the network works at one image size only, `input_size`.
- Mixing blocks (3.3, svtr_block.py): local ones first, which see the strokes of one character, then global ones.
- Merging (3.4, `SubSample`): between stages the map loses half its height and keeps its width.
- Combining (3.5): the rows are averaged to one.

The dropout at the end scales in evaluation, as PaddleOCR's does: training drops features and leaves the others as they
are, evaluation multiplies all of them by the probability of being kept (0.9). Scaling up in training, as dropout does
elsewhere here, has the same expectation but gives other outputs with PaddleOCR's weights.
Different here: the masks of local mixing are not stored as tensors (svtr_block.py). The height of a stage is rounded
up, as the convolutions round it; PaddleOCR rounds down and fails on a height that is not a multiple of 16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn.initializer import TruncatedNormal

from scenetext.config.kinds import Count, Factor, Share
from scenetext.config.options import Odd, OptionError, check_heads
from scenetext.errors import InputError
from scenetext.models.blocks.layers import GELU, FoldableConv, LayerNorm, conv2d
from scenetext.models.blocks.svtr_block import Attention, Block, ConvMixer, LocalAttention, linear, to_sequence

STAGES = 3
MIXERS = ("Local", "Global", "Conv")
Window = tuple[Odd, Odd]  # height, width


class ConvBNLayer(FoldableConv):
    """3x3 convolution of stride 2, batch normalisation, GELU (keys `conv`, `norm`).

    Args:
        in_channels, out_channels: channels in and out.
        bias: whether the convolution has one.
    """

    BN = "norm"

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__(conv2d(in_channels, out_channels, 3, 2, 1, bias=bias), nn.BatchNorm2D(out_channels), GELU())


class PatchEmbed(nn.Layer):
    """(B, in_channels, H, W) → (B, T, D) by convolutions of stride 2, whose widths double up to D.

    Args:
        in_channels: channels of the image.
        dim: D.
        halvings: number of the convolutions.
    """

    def __init__(self, in_channels: int, dim: int, halvings: int):
        super().__init__()
        widths = [in_channels, *(dim >> i for i in reversed(range(halvings)))]
        self.proj = nn.Sequential(*map(ConvBNLayer, widths[:-1], widths[1:]))

    def forward(self, x: Tensor) -> Tensor:
        return to_sequence(self.proj(x), self.training)  # (B, T, D)


class SubSample(nn.Layer):
    """Merging: halves the height of a map of H x W positions. (B, H * W, in) → (B, ceil(H / 2) * W, out).

    Args:
        in_channels, out_channels: width of the embedding before and after.
        map_size: (H, W).
        pooled: whether the mean of an average and a maximum pool, then a linear layer, take the place of the
            convolution.
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
        self.norm = LayerNorm(out_channels, epsilon=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose([0, 2, 1]).reshape(self.map_shape)  # (B, D, H, W)
        x = (self.avgpool(x) + self.maxpool(x)) * 0.5 if self.pooled else self.conv(x)
        x = to_sequence(x, self.training)  # (B, T, D)
        return self.norm(self.proj(x) if self.pooled else x)


class SVTRNet(nn.Layer):
    """(B, 3, H, W) → (B, out_channels, 1, out_char_num), or (B, T, D) without the last stage.

    Args:
        in_channels: channels of the image.
        img_size: (H, W) in pixels, the only size that it works at.
        embed_dim: D of each of the three stages.
        depth: blocks of each stage.
        num_heads: heads of attention, or groups of a convolution, in each stage.
        mixer: "Local", "Global" or "Conv" for every block in turn.
        local_mixer: (height, width) of the local window, or of the convolution, in each stage; odd.
        patch_merging: how the height is halved between stages: "Conv", "Pool", or None for not at all.
        mlp_ratio: hidden width of the MLPs over D.
        qkv_bias: whether the projections to queries, keys and values have a bias.
        qk_scale: factor on the attention logits, by default (D / heads) ** -0.5.
        drop_rate: dropout on the embedding, after projections and in the MLPs.
        last_drop: dropout on the features of the last stage.
        attn_drop_rate: dropout on attention weights.
        drop_path_rate: fraction of the samples that skip a branch of the last block in training; it grows linearly
            from 0 at the first block.
        epsilon: of the blocks' layer normalisations.
        out_channels: features per time step of the last stage.
        out_char_num: time steps of the last stage.
        last_stage: whether the rows are averaged to one and projected to `out_channels`; otherwise the positions of the
            last map come out row by row, with D channels, and `out_channels` has no effect.
        sub_num: halvings of the image by the patch embedding, 2 or 3.
        prenorm: True normalises AFTER each sum, False before each branch and once at the end. PaddleOCR's name of it
            is the wrong way round; it stands here because PaddleOCR's configs use it.

    Raises:
        OptionError: the lists disagree in length, or an option has a value that has no meaning.

    Attributes:
        out_channels: channels out.
        input_size: `img_size`.
        map_size: (H, W) of the last stage's map.
    """

    def __init__(
        self,
        in_channels: int,
        img_size: tuple[Count, Count] = (32, 100),
        embed_dim: tuple[Count, Count, Count] = (64, 128, 256),
        depth: tuple[Count, Count, Count] = (3, 6, 3),
        num_heads: tuple[Count, Count, Count] = (2, 4, 8),
        mixer: Sequence[str] = ("Local",) * 6 + ("Global",) * 6,
        local_mixer: tuple[Window, Window, Window] = ((7, 11),) * 3,
        patch_merging: str | None = "Conv",
        mlp_ratio: Factor = 4.0,
        qkv_bias: bool = True,
        qk_scale: Factor | None = None,
        drop_rate: Share = 0.0,
        last_drop: Share = 0.1,
        attn_drop_rate: Share = 0.0,
        drop_path_rate: Share = 0.1,
        epsilon: Factor = 1e-6,
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
        rates = np.linspace(0.0, drop_path_rate, sum(depth)).tolist()
        attention = {"qkv_bias": qkv_bias, "attn_drop": attn_drop_rate, "proj_drop": drop_rate, "qk_scale": qk_scale}
        each_block = zip(mixer, rates, strict=True)
        self.sub_sample1 = self.sub_sample2 = None
        for stage, (dim, heads, window) in enumerate(zip(embed_dim, num_heads, local_mixer, strict=True)):
            blocks = nn.LayerList()
            for name, rate in islice(each_block, depth[stage]):
                positions = _position_mixer(name, dim, heads, (height, width), window, attention)
                blocks.append(Block(dim, positions, mlp_ratio, GELU, drop_rate, rate, epsilon, post_norm=prenorm))
            setattr(self, f"blocks{stage + 1}", blocks)
            if patch_merging and stage < STAGES - 1:
                merging = SubSample(dim, embed_dim[stage + 1], (height, width), pooled=patch_merging == "Pool")
                setattr(self, f"sub_sample{stage + 1}", merging)
                height = -(-height // 2)
        self.map_size = (height, width)
        self.map_shape = [0, embed_dim[-1], height, width]
        self.out_channels = out_channels if last_stage else embed_dim[-1]
        self.last_stage = last_stage
        if last_stage:
            self._add_last_stage(embed_dim[-1], out_char_num, last_drop)
        self.norm = None if prenorm else LayerNorm(embed_dim[-1], epsilon=epsilon)

    def _add_last_stage(self, dim: int, steps: int, drop: float) -> None:
        self.avg_pool = nn.AdaptiveAvgPool2D((1, steps))
        self.last_conv = conv2d(dim, self.out_channels, 1)
        self.hardswish = nn.Hardswish()
        self.dropout = nn.Dropout(drop, mode="downscale_in_infer")

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


def _position_mixer(
    name: str,
    dim: int,
    heads: int,
    map_size: tuple[int, int],
    window: Sequence[int],
    attention: Mapping[str, Any],
) -> nn.Layer:
    """The mixer of a block, (B, T, D) → (B, T, D), by its name in MIXERS; `attention` holds further options."""
    if name == "Conv":
        return ConvMixer(dim, heads, map_size, window)
    if name == "Local":
        return LocalAttention(dim, heads, map_size, window, **attention)
    return Attention(dim, heads, **attention)


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
