"""What the PPLCNet backbones share."""

from __future__ import annotations

from collections.abc import Sequence

from scenetext.config.options import OptionError

LEARNING_RATES = 6  # of the stem and of the stages 2 to 6


def check_recogniser(det: bool, lr_mult_list: Sequence[float]) -> None:
    """Raises OptionError for a detector's PP-LCNet, and for another number of factors on the learning rate."""
    if det:
        raise OptionError("det is true, a detector's backbone; a recogniser has det: false.")
    if len(lr_mult_list) != LEARNING_RATES:
        raise OptionError(
            f"lr_mult_list has {len(lr_mult_list)} factors; it takes {LEARNING_RATES}, for the stem and the stages 2 "
            "to 6."
        )
