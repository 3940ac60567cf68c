"""AttentionHead: a recurrent decoder that predicts one character per step, attending to the features of the line.

Paper: Shi et al., Robust Scene Text Recognition with Automatic Rectification, CVPR 2016, arXiv:1603.03915,
section 3.2.2; additive attention is Bahdanau et al., arXiv:1409.0473, section 3.1.
Reference: ppocr/modeling/heads/rec_att_head.py.
Different here: the head returns raw logits in training and in evaluation alike, it projects the features once instead
of at every step, and training feeds the label's characters to the decoder (teacher forcing). PaddleOCR's decoder is fed
its own predictions in training, too, and must predict the start token first; `teacher_forcing: false` does the same.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from scenetext.config.kinds import Count
from scenetext.models.heads.class_tensors import ClassTensor
from scenetext.models.targets import Targets, attention_targets

TEACHER_FORCING = True  # the default, as in PaddleOCR; the loss needs it, too


class AttentionGRUCell(nn.Layer):
    """One step of the decoder: attention, then a gated recurrent unit (arXiv:1406.1078).

    Args:
        in_channels: D.
        hidden_size: width of the recurrent unit.
        num_classes: C.
    """

    def __init__(self, in_channels: int, hidden_size: int, num_classes: int):
        super().__init__()
        self.i2h = nn.Linear(in_channels, hidden_size, bias_attr=False)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1, bias_attr=False)
        self.rnn = nn.GRUCell(in_channels + num_classes, hidden_size)

    def forward(self, x: Tensor, keys: Tensor, hidden: Tensor, previous: Tensor) -> Tensor:
        """Computes the next hidden state.

        Args:
            x: (B, T, D) features.
            keys: (B, T, hidden), their projection by `i2h`.
            hidden: (B, hidden), the previous state.
            previous: (B, C), the previous character, one-hot.

        Returns:
            (B, hidden).
        """
        logits = self.score(paddle.tanh(keys + self.h2h(hidden).unsqueeze(1)))  # (B, T, 1)
        context = paddle.matmul(F.softmax(logits, axis=1), x, transpose_x=True).squeeze(1)  # (B, D)
        return self.rnn(paddle.concat([context, previous], axis=1), hidden)[0]


class AttentionHead(nn.Layer):
    """(B, T, D) → (B, steps, C) raw logits; class 0 starts a line, the last class ends it.

    Args:
        in_channels: D.
        out_channels: C, the characters and these two classes.
        hidden_size: width of the recurrent unit.
        batch_max_length: steps: the characters of the longest line, and its end.
        teacher_forcing: whether training feeds the label's characters to the decoder instead of its predictions.
    """

    DECODING = "attention"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_size: Count,
        batch_max_length: Count = 25,
        teacher_forcing: bool = TEACHER_FORCING,
    ):
        super().__init__()
        self.num_classes = out_channels
        self.steps = batch_max_length
        self.teacher_forcing = teacher_forcing
        self.attention_cell = AttentionGRUCell(in_channels, hidden_size, out_channels)
        self.generator = nn.Linear(hidden_size, out_channels)

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose columns are the characters."""
        return self.generator

    @property
    def longest_label(self) -> int:
        """Characters of the longest line that the steps can spell; one step is for the end of the line."""
        return self.steps - 1

    def class_tensors(self) -> list[ClassTensor]:
        """The tensors with one slice per character; the recurrent unit has the previous character as an input."""
        inputs = self.attention_cell.rnn.weight_ih  # (3 * hidden, D + C)
        return [
            ClassTensor(self.generator.weight, 1, "attention"),
            ClassTensor(self.generator.bias, 0, "attention"),
            ClassTensor(inputs, 1, "attention", start=inputs.shape[1] - self.num_classes),
        ]

    def forward(self, x: Tensor) -> Tensor:
        return self._decode(x, None)  # (B, steps, C)

    def training_outputs(self, x: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The logits under the name that the loss expects: "attention" (B, steps, C).

        `targets.attention_targets` gives the classes that they should predict.
        """
        fed = None
        if self.teacher_forcing:
            fed = attention_targets(targets, self.steps, eos=self.num_classes - 1)
        return {"attention": self._decode(x, fed)}

    def _decode(self, x: Tensor, fed: Tensor | None) -> Tensor:
        """Logits (B, steps, C); each step is fed the character before it: of `fed` (B, steps), or the likeliest one."""
        keys = self.attention_cell.i2h(x)
        hidden = paddle.zeros_like(keys[:, 0])  # (B, hidden)
        character = paddle.zeros_like(keys[:, 0, 0], dtype="int64")  # (B,), SOS
        logits = []
        for step in range(self.steps):
            hidden = self.attention_cell(x, keys, hidden, F.one_hot(character, self.num_classes))
            logits.append(self.generator(hidden))  # (B, C)
            character = logits[-1].argmax(axis=1) if fed is None else fed[:, step]
        return paddle.stack(logits, axis=1)  # (B, steps, C)
