"""SVTRv2 as a backbone: grouped convolutions mix nearby positions, then attention mixes all of them.

Paper: Du et al., SVTRv2: CTC Beats Encoder-Decoder Models in Scene Text Recognition, ICCV 2025, arXiv:2411.15858,
section 3.1. References: ppocr/modeling/backbones/rec_svtrv2.py (PaddleOCR's server network: one 5x5 convolution per
mixer, one row at the end) and OpenOCR's openrec/modeling/encoders/svtrv2_lnconv_two33.py (the paper's networks: two 3x3
convolutions, the rows kept for the feature rearrangement of `frm`).
Every block normalises after its sums. There is no position embedding, so images may have any height and width. Keys are
PaddleOCR's: where attention follows convolutions within a stage, a layer without weights takes an index between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.config.kinds import Count, Factor, Share
from scenetext.config.options import Odd, OptionError, check_heads
from scenetext.models.backbones.svtr import ConvBNLayer
from scenetext.models.blocks.layers import GELU, LayerNorm, conv2d, rows_of
from scenetext.models.blocks.svtr_block import Attention, Block, to_sequence
from scenetext.models.kernels import onednn

EPSILON = 1e-6


def to_map(x: Tensor, height: int | Tensor, training: bool) -> Tensor:
    """(B, T = H * W, D) → (B, D, H, W); for oneDNN, in training, a view whose channels are last in memory.

    See `rows_of` for the height.
    """
    if onednn.is_usable(training, x):
        return x.reshape([0, height, -1, x.shape[2]]).transpose([0, 3, 1, 2])
    return x.transpose([0, 2, 1]).reshape([0, x.shape[2], height, -1])


class POPatchEmbed(nn.Layer):
    """Patches that overlap. (B, 3, H, W) → (B, D, H/4, W/4).

    Args:
        in_channels: channels of the image.
        dim: D.
        bias: whether the convolutions have one.
    """

    def __init__(self, in_channels: int, dim: int, bias: bool):
        super().__init__()
        half = dim // 2
        self.patch_embed = nn.Sequential(ConvBNLayer(in_channels, half, bias), ConvBNLayer(half, dim, bias))

    def forward(self, x: Tensor) -> Tensor:
        return self.patch_embed(x)


class ConvBlock(Block):
    """A block whose mixer takes a map. (B, D, H, W) → (B, D, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        height = rows_of(x)
        if onednn.is_usable(self.training, x):  # sequences are views of these maps; the sum of two maps would copy both
            total = to_sequence(x, True) + self.drop_path(to_sequence(self.mixer(x), True))
        else:
            total = to_sequence(x + self.drop_path(self.mixer(x)), self.training)
        x = self.norm1(total)
        return to_map(self.norm2(x + self.drop_path(self.mlp(x))), height, self.training)


class FlattenTranspose(nn.Layer):
    """(B, D, H, W) → (B, T, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return to_sequence(x, self.training)


class SubSample(nn.Layer):
    """Merging between stages. (B, in, H, W) → (B, out, H / stride, W / stride).

    Args:
        in_channels, out_channels: channels in and out.
        stride: (down, right).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: Sequence[int]):
        super().__init__()
        self.conv = conv2d(in_channels, out_channels, 3, tuple(stride), 1, bias=True)
        self.norm = LayerNorm(out_channels, epsilon=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return to_map(self.norm(to_sequence(x, self.training)), rows_of(x), self.training)


class SVTRStage(nn.Layer):
    """Blocks of one width, then the merging. (B, D, H, W) → (B, out, H', W').

    Args:
        blocks: at least one; those that mix by convolution come before those that mix by attention.
        downsample: the merging; None after the last stage.
    """

    def __init__(self, blocks: Sequence[Block], downsample: SubSample | None):
        super().__init__()
        self.blocks = nn.LayerList()
        for block in blocks:
            if self.blocks and isinstance(self.blocks[-1], ConvBlock) and not isinstance(block, ConvBlock):
                self.blocks.append(FlattenTranspose())
            self.blocks.append(block)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        height = rows_of(x)
        if not isinstance(self.blocks[0], ConvBlock):
            x = to_sequence(x, self.training)
        for block in self.blocks:
            x = block(x)
        if not isinstance(self.blocks[-1], ConvBlock):
            x = to_map(x, height, self.training)
        return x if self.downsample is None else self.downsample(x)


class SVTRv2(nn.Layer):
    """(B, 3, H, W) → (B, D, 1, W/8), or without `use_pool` the last stage's map.

    Args:
        in_channels: channels of the image.
        dims: D of each stage.
        depths: blocks of each stage.
        num_heads: heads of attention, or groups of a convolution, in each stage.
        mixer: "Conv" or "Global" for every block of every stage; convolutions come before attention.
        sub_k: strides of the merging after each stage but the last.
        conv_kernels: sides of the convolutions of a Conv mixer, one after the other.
        mlp_ratio: hidden width of the MLPs over D.
        drop_path_rate: fraction of the lines that skip a branch of the last block in training; it grows linearly from 0
            at the first block.
        stem_bias: whether the convolutions of the patches have a bias besides their normalisation.
        use_pool: whether the whole height and pairs of columns are averaged at the end.
        feat2d: whether the head takes a map with its rows; must be the opposite of `use_pool`.
        use_pos_embed: must be false.
        last_stage: must be false.

    Raises:
        OptionError: the lists disagree in length, or an option has a value that no known network has.
    """

    def __init__(
        self,
        in_channels: int,
        dims: Sequence[Count] = (128, 256, 384),
        depths: Sequence[Count] = (6, 6, 6),
        num_heads: Sequence[Count] = (4, 8, 12),
        mixer: Sequence[Sequence[str]] = (("Conv",) * 6, ("Conv",) * 2 + ("Global",) * 4, ("Global",) * 6),
        sub_k: Sequence[tuple[int, int]] = ((2, 1), (2, 1), (-1, -1)),
        conv_kernels: Sequence[Odd] = (5,),
        mlp_ratio: Factor = 4.0,
        drop_path_rate: Share = 0.1,
        stem_bias: bool = True,
        use_pool: bool = True,
        feat2d: bool = False,
        use_pos_embed: bool = False,
        last_stage: bool = False,
    ):
        super().__init__()
        _check(depths, mixer, {"dims": dims, "num_heads": num_heads, "mixer": mixer, "sub_k": sub_k})
        for stage, (heads, dim) in enumerate(zip(num_heads, dims, strict=True)):
            check_heads(heads, dim, f"num_heads.{stage}", f"dims.{stage}")
        _check_flags(use_pool, use_pos_embed=use_pos_embed, last_stage=last_stage, feat2d=feat2d)
        self.pope = POPatchEmbed(in_channels, dims[0], stem_bias)
        rates = iter(np.linspace(0.0, drop_path_rate, sum(depths)).tolist())

        def block(stage: int, name: str) -> Block:
            dim, heads, rate = dims[stage], num_heads[stage], next(rates)
            if name == "Conv":
                convs = [conv2d(dim, dim, side, padding=side // 2, groups=heads, bias=True) for side in conv_kernels]
                positions = convs[0] if len(convs) == 1 else nn.Sequential(*convs)
                return ConvBlock(dim, positions, mlp_ratio, GELU, 0.0, rate, EPSILON, post_norm=True)
            return Block(dim, Attention(dim, heads), mlp_ratio, GELU, 0.0, rate, EPSILON, post_norm=True)

        self.stages = nn.LayerList()
        for stage, names in enumerate(mixer):
            last = stage == len(dims) - 1
            merging = None if last else SubSample(dims[stage], dims[stage + 1], sub_k[stage])
            self.stages.append(SVTRStage([block(stage, name) for name in names], merging))
        self.use_pool = use_pool
        self.out_channels = dims[-1]

    def forward(self, x: Tensor) -> Tensor:
        x = self.pope(x)  # (B, D, H/4, W/4)
        for stage in self.stages:
            x = stage(x)
        return F.avg_pool2d(x, [x.shape[2], 2]) if self.use_pool else x


def _check_flags(use_pool: bool, **flags: bool) -> None:
    """Raises OptionError for a flag of PaddleOCR's class whose other value is not built here."""
    for name, value in flags.items():
        expected = name == "feat2d" and not use_pool
        if value != expected:
            raise OptionError(f"{name} is {value!r} and use_pool {use_pool!r}; with it, only {expected!r} is built.")


def _check(depths: Sequence[int], mixer: Sequence[Sequence[str]], listed: dict[str, Sequence]) -> None:
    for name, values in listed.items():
        if len(values) != len(depths):
            raise OptionError(f"{name} lists {len(values)} stages and depths {len(depths)}.")
    for stage, (depth, names) in enumerate(zip(depths, mixer, strict=True)):
        if len(names) != depth or set(names) - {"Conv", "Global"} or list(names) != sorted(names):
            raise OptionError(
                f"mixer.{stage} is {list(names)}; it needs {depth} of Conv and Global, Conv before Global."
            )
    for stage, strides in enumerate(listed["sub_k"][:-1]):
        if min(strides) < 1:
            raise OptionError(
                f"sub_k.{stage} is {list(strides)}; a stage that another follows has strides of at least 1."
            )
