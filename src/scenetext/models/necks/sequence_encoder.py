"""SequenceEncoder: from a feature map of height 1 to a sequence, with an encoder of the map or of the sequence.

The BiLSTM is CRNN's (Shi et al., arXiv:1507.05717, section 2.2). Reference: ppocr/modeling/necks/rnn.py.
"""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn

from scenetext.config.construct import check_options
from scenetext.config.kinds import Count
from scenetext.config.options import OptionError
from scenetext.errors import InputError
from scenetext.models.necks.light_svtr import EncoderWithLightSVTR
from scenetext.models.necks.svtr_neck import EncoderWithSVTR


def map_to_sequence(x: Tensor) -> Tensor:
    """(B, C, 1, W) → (B, T=W, C)."""
    return x.squeeze(2).transpose([0, 2, 1])


def check_one_row(x: Tensor) -> None:
    """Checks that a backbone gave a map of one row; a height that is unknown while a graph is traced passes.

    Args:
        x: the backbone's features.

    Raises:
        InputError: they are no map, or a map of several rows.
    """
    if len(x.shape) != 4:
        raise InputError(
            "The backbone gives a sequence and the neck needs a map of height 1: set Architecture.Backbone.last_stage: "
            "true if the backbone has that option."
        )
    height = x.shape[2]
    if isinstance(height, int) and height > 1:
        raise InputError(
            f"The backbone's feature map has the height {height} and the neck reads a height of 1: divide the images' "
            f"height, in the image_shape of the resize, by {height} (MobileNetV3 and ResNet need 32 pixels), or set "
            "Architecture.Backbone.use_pool: true if the backbone has that option."
        )


class EncoderWithRNN(nn.Layer):
    """Two bidirectional LSTM layers. (B, T, in_channels) → (B, T, 2 * hidden_size).

    Args:
        in_channels: features per time step.
        hidden_size: width of each direction.
    """

    def __init__(self, in_channels: int, hidden_size: Count = 48):
        super().__init__()
        self.lstm = nn.LSTM(in_channels, hidden_size, num_layers=2, direction="bidirectional")
        self.out_channels = hidden_size * 2

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]  # (B, T, 2 * hidden)


# encoders of the sequence (after the map becomes one) and encoders of the map (before)
SEQUENCE_ENCODERS = {"rnn": EncoderWithRNN}
MAP_ENCODERS = {"lightsvtr": EncoderWithLightSVTR, "svtr": EncoderWithSVTR}
ENCODERS = {"reshape": None, **SEQUENCE_ENCODERS, **MAP_ENCODERS}


class SequenceEncoder(nn.Layer):
    """(B, C, 1, W) → (B, T, out_channels).

    Args:
        in_channels: channels of the feature map.
        encoder_type: "reshape" (none), "rnn", "lightsvtr" or "svtr".
        options: further arguments of the encoder, by name. As in PaddleOCR, `hidden_size` is allowed with every encoder
            and has an effect with "rnn" only.

    Raises:
        OptionError: the encoder does not exist, or does not take one of the options.
    """

    def __init__(self, in_channels: int, encoder_type: str, **options: Any):
        super().__init__()
        if encoder_type not in ENCODERS:
            raise OptionError(f"encoder_type is {encoder_type!r}; known are {', '.join(ENCODERS)}.")
        if encoder_type not in SEQUENCE_ENCODERS:
            options.pop("hidden_size", None)
        self.encodes_map = encoder_type in MAP_ENCODERS
        self.encoder = None
        self.out_channels = in_channels
        if encoder := ENCODERS[encoder_type]:
            checked = check_options(encoder, options, {"in_channels": in_channels})
            self.encoder = encoder(in_channels, **checked)
            self.out_channels = self.encoder.out_channels
        elif options:
            raise OptionError(
                f"{next(iter(options))} is an option of an encoder, and reshape is none: leave it out, or name another "
                f"encoder ({', '.join(name for name in ENCODERS if name != 'reshape')})."
            )

    def forward(self, x: Tensor) -> Tensor:
        check_one_row(x)
        if self.encodes_map:
            return map_to_sequence(self.encoder(x))
        x = map_to_sequence(x)
        return x if self.encoder is None else self.encoder(x)  # (B, T, D)
