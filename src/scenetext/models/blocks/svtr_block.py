"""The block of SVTR and of the networks built from it: it mixes a line's positions, then its channels.

Paper: Du et al., SVTR: Scene Text Recognition with a Single Visual Model, IJCAI 2022, arXiv:2205.00159, section 3.3.
Reference: ppocr/modeling/backbones/rec_svtrnet.py. Stochastic depth is arXiv:1603.09382.
`Block` takes any mixer of positions; here are `Attention` (global mixing), `LocalAttention` (a window around each
position) and `ConvMixer` (a grouped convolution). `GlobalBlock` is a `Block` with `Attention`. All of them work on
sequences (B, T, D). `DropPath` and `Mlp` can be used alone. `to_sequence` and `mix_row` lead from maps to sequences.
Different here: the mask of local mixing is computed from four numbers in each forward pass. PaddleOCR keeps a T x T
tensor per block, 1.5 million numbers in SVTR tiny, and its exported folder stores them all.
"""

from __future__ import annotations

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import TruncatedNormal

from scenetext.models.blocks.layers import LayerNorm, Linear, conv2d
from scenetext.models.kernels import attention, onednn

FAR = -1e9  # added to the logits of hidden positions, whose weight becomes 0; unlike -inf, all file formats hold it


def linear(in_features: int, out_features: int, bias: bool = True) -> Linear:
    """A linear layer whose weights start as a truncated normal of standard deviation 0.02 and its bias as zero."""
    return Linear(
        in_features,
        out_features,
        weight_attr=ParamAttr(initializer=TruncatedNormal(std=0.02)),
        bias_attr=None if bias else False,
    )


def to_sequence(x: Tensor, training: bool) -> Tensor:
    """(B, D, H, W) → (B, T = H * W, D); for oneDNN, in training, a view of a map whose channels are last in memory."""
    if onednn.is_usable(training, x):
        return x.transpose([0, 2, 3, 1]).flatten(1, 2)
    return x.flatten(2).transpose([0, 2, 1])


class DropPath(nn.Layer):
    """Stochastic depth: in training, the fraction `rate` of the samples skips this branch; the others are scaled up.

    Takes any tensor whose first axis is the batch.

    Args:
        rate: probability in [0, 1) that a sample skips the branch.
    """

    def __init__(self, rate: float = 0.0):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if self.rate == 0.0 or not self.training:
            return x
        return F.dropout(x, self.rate, axis=0, training=True)  # one draw per sample


class Attention(nn.Layer):
    """Multi-head self-attention over all positions (arXiv:1706.03762, section 3.2). (B, T, D) → (B, T, D).

    Args:
        dim: D.
        heads: heads, each D / heads wide.
        qkv_bias: whether the projections to queries, keys and values have a bias.
        attn_drop: dropout on attention weights.
        proj_drop: dropout on the output.
        qk_scale: factor on the attention logits, by default (D / heads) ** -0.5.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        qk_scale: float | None = None,
    ):
        super().__init__()
        self.heads = heads
        self.dim = dim
        self.scale = qk_scale or (dim // heads) ** -0.5
        self.qkv = linear(dim, dim * 3, qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        if self._is_plain() and onednn.is_usable(self.training, x):
            return self.proj_drop(self.proj(attention.attention(self.qkv(x), self.heads, self.scale)))
        qkv = self.qkv(x).reshape([0, -1, 3 * self.heads, self.dim // self.heads]).transpose([0, 2, 1, 3])
        q, k, v = qkv.chunk(3, 1)  # (B, heads, T, head_dim); indexing has a slow gradient
        weights = F.softmax(self.mask(paddle.matmul(q * self.scale, k, transpose_y=True)), axis=-1)  # (B, heads, T, T)
        x = paddle.matmul(self.attn_drop(weights), v).transpose([0, 2, 1, 3]).reshape([0, -1, self.dim])
        return self.proj_drop(self.proj(x))  # (B, T, D)

    def _is_plain(self) -> bool:
        """Whether nothing comes between the two products, no mask, dropout or hook, so that one operation does all."""
        drop = self.attn_drop
        watched = drop._forward_pre_hooks or drop._forward_post_hooks  # by who wants to see the weights
        return not watched and not (self.training and drop.p > 0) and type(self).mask is Attention.mask

    def mask(self, logits: Tensor) -> Tensor:
        """The attention logits with those of hidden positions lowered; here no position is hidden.

        (B, heads, T, T) → (B, heads, T, T).
        """
        return logits


class LocalAttention(Attention):
    """Attention within a window around each position of a map of H x W positions, T = H * W (section 3.3).

    (B, T, D) → (B, T, D).

    Args:
        dim, heads, qkv_bias, attn_drop, proj_drop, qk_scale: as in `Attention`.
        map_size: (H, W).
        window: (height, width) in positions, both odd.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        map_size: tuple[int, int],
        window: tuple[int, int],
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        qk_scale: float | None = None,
    ):
        super().__init__(dim, heads, qkv_bias, attn_drop, proj_drop, qk_scale)
        self.map_size = tuple(map_size)
        self.window = tuple(window)

    def mask(self, logits: Tensor) -> Tensor:
        (height, width), (window_h, window_w) = self.map_size, self.window
        rows = _far(height, window_h // 2).reshape([height, 1, height, 1])
        columns = _far(width, window_w // 2).reshape([1, width, 1, width])
        mask = (rows + columns).reshape([height * width, height * width])  # (T, T)
        # Batch and heads share an axis for this sum. Otherwise oneDNN joins the sum with the product before it into one
        # operation for which it has no fast kernel, and the block takes 50 times as long.
        logits = logits.reshape([-1, *mask.shape]) + mask
        return logits.reshape([-1, self.heads, *mask.shape])  # (B, heads, T, T)


def _far(length: int, reach: int) -> Tensor:
    """(length, length): `FAR` where two positions lie more than `reach` apart, else 0."""
    far = paddle.full([length, length], FAR)
    return paddle.triu(far, reach + 1) + paddle.tril(far, -reach - 1)


class ConvMixer(nn.Layer):
    """A grouped convolution as the mixer of a map of H x W positions. (B, T = H * W, D) → (B, T, D).

    Args:
        dim: D.
        groups: groups of channels.
        map_size: (H, W).
        kernel: (height, width), both odd.
    """

    def __init__(self, dim: int, groups: int, map_size: tuple[int, int], kernel: tuple[int, int]):
        super().__init__()
        self.map_shape = [0, dim, *map_size]
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.local_mixer = conv2d(dim, dim, tuple(kernel), padding=padding, groups=groups, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose([0, 2, 1]).reshape(self.map_shape)  # (B, D, H, W)
        return to_sequence(self.local_mixer(x), self.training)  # (B, T, D)


class Mlp(nn.Layer):
    """Two linear layers with an activation between. (B, T, D) → (B, T, D).

    Args:
        dim: D.
        hidden: width between the two layers.
        activation: class of the activation.
        drop: dropout after each layer.
    """

    def __init__(self, dim: int, hidden: int, activation: type[nn.Layer], drop: float = 0.0):
        super().__init__()
        self.fc1 = linear(dim, hidden)
        self.act = activation()
        self.fc2 = linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))  # (B, T, D)


class Block(nn.Layer):
    """A mixer of positions and an MLP, each with a residual connection and a layer normalisation.

    (B, T, D) → (B, T, D).

    Args:
        dim: D.
        mixer: the mixer of positions, (B, T, D) → (B, T, D).
        mlp_ratio: hidden width of the MLP over D.
        activation: class of the MLP's activation.
        drop: dropout in the MLP.
        drop_path: fraction of the samples that skip a branch in training.
        epsilon: of the layer normalisations.
        post_norm: normalise the sum, norm(x + f(x)), instead of the branch's input, x + f(norm(x)). PaddleOCR calls
            the former `prenorm: True`; its names of the two orders are the wrong way round.
    """

    def __init__(
        self,
        dim: int,
        mixer: nn.Layer,
        mlp_ratio: float,
        activation: type[nn.Layer],
        drop: float = 0.0,
        drop_path: float = 0.0,
        epsilon: float = 1e-5,
        post_norm: bool = False,
    ):
        super().__init__()
        self.norm1 = LayerNorm(dim, epsilon=epsilon)
        self.mixer = mixer
        self.norm2 = LayerNorm(dim, epsilon=epsilon)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), activation, drop)
        self.drop_path = DropPath(drop_path)
        self.post_norm = post_norm

    def forward(self, x: Tensor) -> Tensor:
        if self.post_norm:
            x = self.norm1(x + self.drop_path(self.mixer(x)))
            return self.norm2(x + self.drop_path(self.mlp(x)))  # (B, T, D)
        x = x + self.drop_path(self.mixer(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))  # (B, T, D)


class GlobalBlock(Block):
    """A block with attention over all positions. (B, T, D) → (B, T, D).

    Args:
        dim, mlp_ratio, activation, drop_path, epsilon, post_norm: as in `Block`.
        heads, attn_drop, qkv_bias, qk_scale: as in `Attention`.
        drop: dropout in the MLP and on the attention's output.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float,
        activation: type[nn.Layer],
        drop: float = 0.0,
        attn_drop: float = 0.0,
        qkv_bias: bool = True,
        epsilon: float = 1e-5,
        drop_path: float = 0.0,
        post_norm: bool = False,
        qk_scale: float | None = None,
    ):
        mixer = Attention(dim, heads, qkv_bias, attn_drop, drop, qk_scale)
        super().__init__(dim, mixer, mlp_ratio, activation, drop, drop_path, epsilon, post_norm)


def mix_row(x: Tensor, blocks: nn.LayerList, norm: nn.LayerNorm) -> Tensor:
    """Applies blocks to the positions of a map of one row, and normalises. (B, D, 1, T) → (B, D, 1, T).

    Args:
        x: the map.
        blocks: layers (B, T, D) → (B, T, D).
        norm: the normalisation after the last of them.
    """
    x = to_sequence(x, norm.training)
    for block in blocks:
        x = block(x)
    return norm(x).transpose([0, 2, 1]).unsqueeze(2)
