"""The transformer block of SVTR: global mixing of a line's positions, then of its channels.

Paper: Du et al., SVTR: Scene Text Recognition with a Single Visual Model, IJCAI 2022, arXiv:2205.00159, section 3.3.
Reference: ppocr/modeling/backbones/rec_svtrnet.py (Attention, Mlp, Block). Stochastic depth is arXiv:1603.09382.
"""

from __future__ import annotations

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import TruncatedNormal


def linear(in_features: int, out_features: int, bias: bool = True) -> nn.Linear:
    """A linear layer whose weights start as a truncated normal of deviation 0.02, its bias as zero."""
    return nn.Linear(
        in_features,
        out_features,
        weight_attr=ParamAttr(initializer=TruncatedNormal(std=0.02)),
        bias_attr=None if bias else False,
    )


class Attention(nn.Layer):
    """Multi-head self-attention over all positions (arXiv:1706.03762, section 3.2). (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int, heads: int, qkv_bias: bool = True, attn_drop: float = 0.0, proj_drop: float = 0.0):
        super().__init__()
        self.heads = heads
        self.dim = dim
        self.qkv = linear(dim, dim * 3, qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        head_dim = self.dim // self.heads
        qkv = self.qkv(x).reshape([0, -1, 3, self.heads, head_dim]).transpose([2, 0, 3, 1, 4])
        q, k, v = qkv[0] * head_dim**-0.5, qkv[1], qkv[2]  # (B, heads, T, head_dim)
        weights = F.softmax(paddle.matmul(q, k, transpose_y=True), axis=-1)  # (B, heads, T, T)
        x = paddle.matmul(self.attn_drop(weights), v).transpose([0, 2, 1, 3]).reshape([0, -1, self.dim])
        return self.proj_drop(self.proj(x))  # (B, T, D)


class Mlp(nn.Layer):
    """Two linear layers with an activation between. (B, T, D) → (B, T, D)."""

    def __init__(self, dim: int, hidden: int, activation: type[nn.Layer], drop: float = 0.0):
        super().__init__()
        self.fc1 = linear(dim, hidden)
        self.act = activation()
        self.fc2 = linear(hidden, dim)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))  # (B, T, D)


class GlobalBlock(nn.Layer):
    """Pre-norm attention and MLP, each with its skip. (B, T, D) → (B, T, D).

    PaddleOCR writes this order as `prenorm: False`; its names of the two orders are the wrong way round.
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
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, epsilon=epsilon)
        self.mixer = Attention(dim, heads, qkv_bias, attn_drop, drop)
        self.norm2 = nn.LayerNorm(dim, epsilon=epsilon)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), activation, drop)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))  # (B, T, D)
