"""Scores of detector and recogniser together: which texts of a photo were found and read, by PaddleOCR's tools/end2end.

Texts and boxes are paired whose convex hulls have half of their common area or more (IoU), the largest overlap first. A
pair with an ignored text counts nowhere. Any other is right if its texts are equal once full-width letters, digits and
punctuation are half-width. What is in no pair is missed, or was read where there is no text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from rapidfuzz.distance import Levenshtein

from scenetext.evaluate.box_metrics import intersection_over_union
from scenetext.text.normalise import normalise

IGNORED = "###"
LEAST_IOU = 0.5
_NONE = 1e-9  # PaddleOCR's divisor where there is nothing to divide by


class PlacedText(NamedTuple):
    """A text and its place.

    Attributes:
        points: (N, 2), the outline.
        text: what is written there, or was read.
    """

    points: np.ndarray
    text: str


@dataclass(frozen=True, slots=True)
class EndToEndScores:
    """What was read; the scores of several photos are added.

    Attributes:
        hits: texts that were found and read without a fault.
        detections: texts that were read, those on ignored ones left out.
        texts: texts that are there, ignored ones left out.
        edits: characters to change, to add and to remove until all is right (edit distance).
        characters: of the texts that are there.
        photos: the number of photos.
    """

    hits: int = 0
    detections: int = 0
    texts: int = 0
    edits: int = 0
    characters: int = 0
    photos: int = 0

    def __add__(self, other: EndToEndScores) -> EndToEndScores:
        return EndToEndScores(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    @property
    def precision(self) -> float:
        """Ratio of what was read that is right, in [0, 1]."""
        return self.hits / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        """Ratio of the texts that were read, in [0, 1]."""
        return self.hits / self.texts if self.texts else 0.0

    @property
    def fmeasure(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def character_accuracy(self) -> float:
        """1 - edits / characters, at most 1; below 0 where more was read in wrong places than is there."""
        return 1.0 - self.edits / (self.characters or _NONE)

    @property
    def edits_per_text(self) -> float:
        """Mean edit distance of a text that is there."""
        return self.edits / (self.texts or _NONE)

    @property
    def edits_per_photo(self) -> float:
        """Mean edit distance of a photo."""
        return self.edits / (self.photos or _NONE)

    def as_dict(self) -> dict[str, Any]:
        """Counts and ratios, for JSON."""
        ratios = ("precision", "recall", "fmeasure", "character_accuracy", "edits_per_text", "edits_per_photo")
        return {**asdict(self), **{name: getattr(self, name) for name in ratios}}


def end_to_end_scores(
    texts: Sequence[PlacedText],
    read: Sequence[PlacedText],
    fold: Callable[[str], str] = lambda text: normalise(text, width="half"),
) -> EndToEndScores:
    """Compares what was read on one photo with its texts.

    Args:
        texts: what is there; `###` is ignored.
        read: what was read.
        fold: the form of the texts of a pair that is compared; PaddleOCR's makes full-width characters half-width.
    """
    texts, read = ([PlacedText(each.points, _as_written(each.text)) for each in side] for side in (texts, read))
    free_text, free_read = [True] * len(texts), [True] * len(read)
    total = EndToEndScores(photos=1)
    for at, read_at in _pairs(texts, read):
        if free_text[at] and free_read[read_at]:
            free_text[at] = free_read[read_at] = False
            if texts[at].text != IGNORED:
                wanted, got = fold(texts[at].text), fold(read[read_at].text)
                total += EndToEndScores(int(wanted == got), 1, 1, Levenshtein.distance(wanted, got), len(wanted))
    for each, is_free in zip(texts, free_text, strict=True):
        if is_free and each.text != IGNORED:
            total += EndToEndScores(0, 0, 1, len(each.text), len(each.text))
    for each, is_free in zip(read, free_read, strict=True):
        if is_free:
            total += EndToEndScores(0, 1, 0, len(each.text), 0)
    return total


def _as_written(text: str) -> str:
    """PaddleOCR's label files for this score have ordinary spaces, and none at the ends."""
    return text.replace("\u3000", " ").strip()


def _pairs(texts: Sequence[PlacedText], read: Sequence[PlacedText]) -> list[tuple[int, int]]:
    """Indices of texts and of what was read at about the same place, the largest overlap first."""
    hulls, read_hulls = ([shapely.MultiPoint(each.points).convex_hull for each in side] for side in (texts, read))
    touching = shapely.STRtree(read_hulls).query(np.array(hulls, dtype=object), predicate="intersects")
    overlaps = [
        (intersection_over_union(hulls[at], read_hulls[read_at]), at, read_at) for at, read_at in touching.T.tolist()
    ]
    enough = [entry for entry in overlaps if entry[0] >= LEAST_IOU]
    return [(at, read_at) for _, at, read_at in sorted(enough, key=lambda entry: (-entry[0], *entry[1:]))]
