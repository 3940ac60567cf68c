"""Several sets of lines as one training set: labelled lines, and others that are mixed with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from scenetext.data.dataset import Lines
from scenetext.text.records import Record, RecordTable


class MixedLines(Lines):
    """The lines of several sets, one set after the other; each set has its own pictures and augmentations.

    Args:
        parts: the sets, of one charset and height; the labelled lines come first.
    """

    def __init__(self, parts: Sequence[Lines]):
        first = parts[0]
        self.parts = list(parts)
        self.records = RecordTable.joined([part.records for part in parts])
        self.images, self.charset, self.height_px = first.images, first.charset, first.height_px
        self.max_width_px, self.longest_label, self.cache = first.max_width_px, first.longest_label, None
        self.unknown = sum((part.unknown for part in parts), Counter())
        self.shortened = sum(part.shortened for part in parts)
        self.too_long: list[Record] = [record for part in parts for record in part.too_long]
        self._starts = np.cumsum([0, *map(len, parts)])

    def widths_px(self) -> np.ndarray:
        """See `Lines`."""
        return np.concatenate([part.widths_px() for part in self.parts])

    def check_pictures(self) -> None:
        """See `Lines`."""
        for part in self.parts:
            part.check_pictures()

    def picture_sizes_px(self) -> np.ndarray:
        """See `Lines`."""
        return np.concatenate([part.picture_sizes_px() for part in self.parts])

    def load(
        self, index: int, epoch: int = 0, height_px: int | None = None, filled_px: int | None = None
    ) -> tuple[np.ndarray, list[int]]:
        """See `Lines`."""
        at = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.parts[at].load(index - int(self._starts[at]), epoch, height_px, filled_px)
