"""The semantic guidance module (SGM): an auxiliary branch that finds a character in the image by its neighbours.

Paper: Du et al., SVTRv2, arXiv:2411.15858, section 3.3. Reference: OpenOCR's SMTRDecoder (openrec/modeling/decoders/
smtr_decoder.py; Du et al., Out of Length Text Recognition with Sub-String Matching, arXiv:2407.12317).
The strings to the left and to the right of each character become one query each. The query attends to the feature map,
and the result is classified as the character. A character's features can be found by its context only if they hold
information on that context, so the backbone learns language. Reading needs nothing of this.
Different here, where the paper differs from OpenOCR's code: a line of L characters gives 2L queries. OpenOCR also has
queries for the ends of the line, and replaces some context characters at random. The classes are therefore those of
CTC. The blank is never a target; its embedding fills the positions of a context that have no character, and is masked.
"""

from __future__ import annotations

import math

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Normal, TruncatedNormal

from scenetext.models.blocks.svtr_block import FAR, to_sequence
from scenetext.models.heads.class_tensors import ClassTensor
from scenetext.models.heads.nrtr_head import MultiHeadAttention
from scenetext.text.charset import BLANK

CONTEXT_HEAD_WIDTH = 32  # channels of one head over the context
PICTURE_HEADS = 2


class StringEncoder(nn.Layer):
    """The query token and the position embeddings of the strings on one side ("the character right of ...").

    Args:
        dim: D.
        length: characters of a string.
    """

    def __init__(self, dim: int, length: int):
        super().__init__()
        self.token = self.create_parameter([1, 1, dim], attr=ParamAttr(initializer=TruncatedNormal(std=0.02)))
        # One more position stands before the string and is never masked: at the ends of a line it is all that the
        # query can attend to.
        self.places = self.create_parameter([length + 1, dim], attr=ParamAttr(initializer=TruncatedNormal(std=0.02)))

    def forward(self, characters: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded strings (S, length, D) → the query token (S, 1, D) and what it attends to, (S, length + 1, D)."""
        strings = F.pad(characters, [0, 0, 1, 0, 0, 0]) + self.places
        return self.token.expand([strings.shape[0], -1, -1]), strings


class SemanticGuidance(nn.Layer):
    """A feature map and the labels → logits of every character, from its left context and from its right one.

    Args:
        dim: D, channels of the map.
        num_classes: C, CTC's, blank included.
        length: characters of a context on one side.
    """

    def __init__(self, dim: int, num_classes: int, length: int = 5):
        super().__init__()
        self.length = length
        self.dim = dim
        self.char_embed = nn.Embedding(num_classes, dim, weight_attr=ParamAttr(initializer=Normal(0.0, dim**-0.5)))
        self.left = StringEncoder(dim, length)
        self.right = StringEncoder(dim, length)
        self.norm_token = nn.LayerNorm(dim, epsilon=1e-6)
        self.norm_string = nn.LayerNorm(dim, epsilon=1e-6)
        self.read_string = MultiHeadAttention(dim, dim // CONTEXT_HEAD_WIDTH, to_memory=True)
        self.norm_query = nn.LayerNorm(dim, epsilon=1e-6)
        self.norm_picture = nn.LayerNorm(dim, epsilon=1e-6)
        self.search_picture = MultiHeadAttention(dim, PICTURE_HEADS, to_memory=True)
        self.norm_found = nn.LayerNorm(dim, epsilon=1e-6)
        self.classifier = nn.Linear(dim, num_classes)
        for layer in self.sublayers():
            if isinstance(layer, nn.Linear):
                TruncatedNormal(std=0.02)(layer.weight)

    def class_tensors(self) -> list[ClassTensor]:
        """The tensors with one slice per character."""
        embedding, weight, bias = self.char_embed.weight, self.classifier.weight, self.classifier.bias
        return [ClassTensor(embedding, 0), ClassTensor(weight, 1), ClassTensor(bias, 0)]

    def forward(self, features: Tensor, ids: Tensor) -> Tensor:
        """Predicts every character twice, from its left and from its right context.

        Args:
            features: (B, D, H, W).
            ids: (B, L) int, CTC classes padded with the blank.

        Returns:
            (B, 2L, C) raw logits: those from the left contexts, then those from the right ones.
        """
        left, right = contexts(ids, self.length)
        queries = paddle.concat([self._query(self.left, left), self._query(self.right, right)], axis=1)  # (B, 2L, D)
        picture = self.norm_picture(to_sequence(features, self.training))  # (B, H * W, D)
        found = self.search_picture(self.norm_query(queries), picture)
        return self.classifier(self.norm_found(found))  # (B, 2L, C)

    def _query(self, side: StringEncoder, context: Tensor) -> Tensor:
        """Queries for contexts of one side. (B, L, length) → (B, L, D)."""
        strings = context.flatten(0, 1)  # (B * L, length)
        token, memory = side(self.char_embed(strings) * math.sqrt(self.dim))
        mask = F.pad((strings == BLANK).astype("float32") * FAR, [0, 0, 1, 0])  # (B * L, length + 1)
        query = token + self.read_string(self.norm_token(token), self.norm_string(memory), mask.unsqueeze([1, 2]))
        return query.reshape([-1, context.shape[1], self.dim])


def contexts(ids: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The `length` characters to the left and to the right of each character, in reading order.

    Args:
        ids: (B, L) CTC classes, padded with the blank.
        length: characters on each side; blanks stand beyond the ends of the line.

    Returns:
        Twice (B, L, length).
    """
    count = ids.shape[1]
    blanks = paddle.full([ids.shape[0], length], BLANK, ids.dtype)
    before, after = paddle.concat([blanks, ids], axis=1), paddle.concat([ids, blanks], axis=1)
    left = paddle.stack([before[:, i : i + count] for i in range(length)], axis=-1)
    right = paddle.stack([after[:, i : i + count] for i in range(1, length + 1)], axis=-1)
    return left, right
