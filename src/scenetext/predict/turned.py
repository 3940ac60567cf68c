"""Reading a line turned as well, because some signs are upside down and some letters lie on their side.

A line is read upright first. Where its confidence leaves room for a reading that is surer by the margin, it is read
turned by 180 degrees, and a tall line also turned by 90 degrees to either side. The surest turned reading takes the
place of the upright one if it is surer by more than the margin. A confidence never exceeds 1, so a line whose
confidence is at least 1 - margin need not be turned: the texts are those of reading every line in every direction.
With a beam search, whose confidence is the whole text's probability, the margin is one of such probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from scenetext.errors import InputError
from scenetext.predict.choices import TURNED_MARGIN

TALL = 1.5  # a line higher than so many of its widths is also read turned by 90 degrees


def checked_margin(margin: float | None) -> float | None:
    """The margin, if it is one.

    Args:
        margin: in [0, 1]; None reads lines upright only.

    Raises:
        InputError: it is outside.
    """
    if margin is not None and not 0 <= margin <= 1:
        raise InputError(
            f"The margin {margin} of turned lines must be from 0 to 1, as confidences are; {TURNED_MARGIN} is usual."
        )
    return margin


def sideways(image: np.ndarray) -> tuple[np.ndarray, ...]:
    """A tall line turned by 90 degrees clockwise and counter-clockwise; nothing of any other line.

    Args:
        image: (H, W, 3) uint8.
    """
    if image.shape[0] <= TALL * image.shape[1]:
        return ()
    return cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)


def upside_down(image: np.ndarray) -> np.ndarray:
    """A line turned by 180 degrees: (H, W, 3) uint8 → (H, W, 3) uint8."""
    return cv2.rotate(image, cv2.ROTATE_180)


def can_be_beaten(confidence: float, margin: float) -> bool:
    """Whether a turned reading can be surer by more than the margin, the upright one having this confidence."""
    return confidence + margin < 1


def surest(upright: tuple[str, float], turned: Sequence[tuple[str, float]], margin: float) -> tuple[str, float]:
    """The surest turned reading if it is surer than the upright one by more than the margin, else the upright one.

    Args:
        upright: text and confidence.
        turned: the same of the line turned, at least one; of equally sure ones the first counts.
        margin: in [0, 1].
    """
    best = max(turned, key=lambda reading: reading[1])
    return best if best[1] > upright[1] + margin else upright
