"""NRTRHead: a transformer decoder that predicts a line character by character, MultiHead's auxiliary (GTC) branch.

Paper: Sheng et al., NRTR: A No-Recurrence Sequence-to-Sequence Model for Scene Text Recognition, ICDAR 2019,
arXiv:1806.00926, section III; the blocks are those of arXiv:1706.03762, section 3. Training CTC together with attention
is GTC (Hu et al., AAAI 2020, arXiv:2002.01276). Reference: ppocr/modeling/heads/rec_nrtr_head.py (Transformer).
Different here: only the decoder is built, and only for training with teacher forcing; nothing here reads with it. Its
targets are as long as the labels; PaddleOCR leaves out every line of 24 or 25 characters. Its classes are those of CTC,
moved by `NRTR_SHIFT`, and one more at the end, which PaddleOCR never uses but its weights have.
"""

from __future__ import annotations

import math
from typing import Annotated

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Normal, XavierUniform

from scenetext.config.kinds import Count
from scenetext.config.options import multiple_of
from scenetext.models.blocks.svtr_block import FAR, Mlp
from scenetext.models.heads.class_tensors import ClassTensor
from scenetext.text.charset import NRTR_PAD, NRTR_SHIFT

HEAD_WIDTH = 32  # channels of one attention head
Heads = Annotated[int, multiple_of(HEAD_WIDTH)]  # channels of several attention heads
LONGEST = 5000  # positions, because PaddleOCR's weight files hold so many
DROPOUT = 0.1


class MultiHeadAttention(nn.Layer):
    """Multi-head attention of a sequence to itself or to a memory. (B, S, D) → (B, S, D).

    Args:
        dim: D.
        heads: heads, each D / heads wide.
        to_memory: whether it attends to a memory, which `forward` then needs.
    """

    def __init__(self, dim: int, heads: int, to_memory: bool = False):
        super().__init__()
        self.shape = [0, -1, heads, dim // heads]
        self.scale = (dim // heads) ** -0.5
        if to_memory:
            self.q = nn.Linear(dim, dim)
            self.kv = nn.Linear(dim, dim * 2)
        else:
            self.qkv = nn.Linear(dim, dim * 3)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """Attends.

        Args:
            x: (B, S, D).
            memory: (B, T, D) that x attends to; None for x itself.
            mask: added to the attention logits, (B, heads, S, S or T) by broadcasting.
        """
        projected = self.qkv(x).chunk(3, -1) if memory is None else [self.q(x), *self.kv(memory).chunk(2, -1)]
        q, k, v = (part.reshape(self.shape).transpose([0, 2, 1, 3]) for part in projected)  # (B, heads, S or T, width)
        logits = paddle.matmul(q * self.scale, k, transpose_y=True)  # (B, heads, S, S or T)
        weights = F.softmax(logits if mask is None else logits + mask, axis=-1)
        return self.out_proj(paddle.matmul(weights, v).transpose([0, 2, 1, 3]).flatten(2))  # (B, S, D)


class DecoderBlock(nn.Layer):
    """Attention to the characters so far, attention to the image, MLP; each residual sum is normalised.

    (B, S, D) → (B, S, D), with a memory (B, T, D).

    Args:
        dim: D, a multiple of 32.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.self_attn = MultiHeadAttention(dim, dim // HEAD_WIDTH)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn = MultiHeadAttention(dim, dim // HEAD_WIDTH, to_memory=True)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, dim * 4, nn.ReLU, DROPOUT)
        for layer in (self.mlp.fc1, self.mlp.fc2):
            XavierUniform()(layer.weight)
        self.norm3 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(self.self_attn(x, mask=mask)))
        x = self.norm2(x + self.dropout(self.cross_attn(x, memory)))
        return self.norm3(x + self.dropout(self.mlp(x)))  # (B, S, D)


class Embeddings(nn.Layer):
    """Characters as vectors, times sqrt(D); padding is a vector of zeros. (B, S) → (B, S, D).

    Args:
        num_classes: of the characters.
        dim: D.
    """

    def __init__(self, num_classes: int, dim: int):
        super().__init__()
        start = ParamAttr(initializer=Normal(0.0, dim**-0.5))
        self.embedding = nn.Embedding(num_classes, dim, padding_idx=NRTR_PAD, weight_attr=start)
        self.scale = math.sqrt(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(x) * self.scale


class PositionalEncoding(nn.Layer):
    """Adds sines and cosines of the position (arXiv:1706.03762, section 3.5). (B, S, D) → (B, S, D).

    Args:
        dim: D.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.dropout = nn.Dropout(DROPOUT)
        frequency = paddle.exp(paddle.arange(0, dim, 2, dtype="float32") * (-math.log(10000.0) / dim))
        angle = paddle.arange(0, LONGEST, dtype="float32").unsqueeze(1) * frequency  # (LONGEST, D / 2)
        pe = paddle.stack([paddle.sin(angle), paddle.cos(angle)], axis=-1).flatten(1)  # sine, cosine, sine, ...
        self.register_buffer("pe", pe.unsqueeze(1))  # (LONGEST, 1, D), as PaddleOCR's weights have it

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.pe[: x.shape[1]].squeeze(1))


class NRTRHead(nn.Layer):
    """Features and the characters before each one → logits of every character.

    Args:
        out_channels: classes of CTC, blank included.
        nrtr_dim: D, a multiple of 32.
        num_decoder_layers: blocks of the decoder.
    """

    def __init__(self, out_channels: int, nrtr_dim: Heads = 256, num_decoder_layers: Count = 4):
        super().__init__()
        self.dim = nrtr_dim
        num_classes = out_channels + NRTR_SHIFT + 1
        self.embedding = Embeddings(num_classes, nrtr_dim)
        self.positional_encoding = PositionalEncoding(nrtr_dim)
        self.decoder = nn.LayerList([DecoderBlock(nrtr_dim) for _ in range(num_decoder_layers)])
        start = ParamAttr(initializer=Normal(0.0, nrtr_dim**-0.5))
        self.tgt_word_prj = nn.Linear(nrtr_dim, num_classes, weight_attr=start, bias_attr=False)

    def class_tensors(self) -> list[ClassTensor]:
        """The tensors with one slice per character."""
        return [
            ClassTensor(self.embedding.embedding.weight, 0, "nrtr"),
            ClassTensor(self.tgt_word_prj.weight, 1, "nrtr"),
        ]

    def forward(self, memory: Tensor, tokens: Tensor) -> Tensor:
        """Predicts every character from those before it.

        Args:
            memory: (B, T, D) features.
            tokens: (B, S + 1) int64, from `targets.nrtr_targets`: the start, the characters, the end, padding.

        Returns:
            (B, S, C) raw logits of `tokens[:, 1:]`, each seeing the tokens before it.
        """
        x = self.positional_encoding(self.embedding(tokens[:, :-1]))  # (B, S, D)
        mask = paddle.triu(paddle.full([x.shape[1], x.shape[1]], FAR), 1)
        for block in self.decoder:
            x = block(x, memory, mask)
        return self.tgt_word_prj(x)  # (B, S, C)
