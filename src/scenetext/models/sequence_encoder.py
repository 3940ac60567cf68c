"""SequenceEncoder: from a feature map of height 1 to a sequence, with an encoder of the sequence.

The BiLSTM is CRNN's (Shi et al., arXiv:1507.05717, section 2.2). Reference: ppocr/modeling/necks/rnn.py.
"""

from __future__ import annotations

from paddle import Tensor, nn

from scenetext.errors import InputError
from scenetext.models.construct import construct
from scenetext.models.light_svtr import EncoderWithLightSVTR
from scenetext.models.svtr_neck import EncoderWithSVTR


def map_to_sequence(x: Tensor) -> Tensor:
    """(B, C, 1, W) → (B, T=W, C)."""
    return x.squeeze(2).transpose([0, 2, 1])


class EncoderWithRNN(nn.Layer):
    """Two bidirectional LSTM layers. (B, T, in_channels) → (B, T, 2 * hidden_size)."""

    def __init__(self, in_channels: int, hidden_size: int):
        super().__init__()
        self.lstm = nn.LSTM(in_channels, hidden_size, num_layers=2, direction="bidirectional")
        self.out_channels = hidden_size * 2

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]  # (B, T, 2 * hidden)


# encoders of the sequence (after the map becomes one) and encoders of the map (before)
SEQUENCE_ENCODERS = {"rnn": EncoderWithRNN}
MAP_ENCODERS = {"lightsvtr": EncoderWithLightSVTR, "svtr": EncoderWithSVTR}


class SequenceEncoder(nn.Layer):
    """(B, C, 1, W) → (B, T, out_channels).

    Args:
        in_channels: channels of the feature map.
        encoder_type: "reshape" (none), "rnn", "lightsvtr" or "svtr".
        hidden_size: of the BiLSTM, per direction.
        options: further arguments of the map encoder, by name.
    """

    def __init__(self, in_channels: int, encoder_type: str, hidden_size: int = 48, **options):
        super().__init__()
        self.encodes_map = encoder_type in MAP_ENCODERS
        self.encoder = None
        place = f"the neck {encoder_type}"
        if encoder_type in SEQUENCE_ENCODERS:
            self.encoder = construct(
                SEQUENCE_ENCODERS[encoder_type], place, options, in_channels=in_channels, hidden_size=hidden_size
            )
        elif self.encodes_map:
            self.encoder = construct(MAP_ENCODERS[encoder_type], place, options, in_channels=in_channels)
        elif encoder_type != "reshape":
            known = ", ".join(["reshape", *SEQUENCE_ENCODERS, *MAP_ENCODERS])
            raise InputError(f"The neck's encoder_type {encoder_type!r} is unknown; known are {known}.")
        self.out_channels = in_channels if self.encoder is None else self.encoder.out_channels

    def forward(self, x: Tensor) -> Tensor:
        if self.encodes_map:
            return map_to_sequence(self.encoder(x))
        x = map_to_sequence(x)
        return x if self.encoder is None else self.encoder(x)  # (B, T, D)
