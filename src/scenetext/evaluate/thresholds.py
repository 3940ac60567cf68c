"""What a detector would find at other thresholds: hmean for pairs of PostProcess.thresh and PostProcess.box_thresh.

The map of a network that was trained for a short time is unsure of itself: it may find nothing at a box_thresh of 0.6
and half of the texts at 0.4. One score at one pair of thresholds does not tell it from a network that finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tqdm.auto import tqdm

from scenetext.data.detection.decoding import decode_photo
from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.evaluate.box_metrics import BoxCounts, count_boxes
from scenetext.evaluate.together import Found
from scenetext.predict.boxes import Box, BoxRule
from scenetext.predict.text_detector import TextDetector
from scenetext.text.photo_labels import PhotoLabel

THRESHES = (0.1, 0.2, 0.3, 0.4, 0.5)
BOX_THRESHES = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)


@dataclass(frozen=True, slots=True)
class ThresholdScore:
    """What is found on labelled photos at a pair of thresholds.

    Attributes:
        thresh, box_thresh: see `predict.boxes.BoxRule`.
        counts: of all photos.
    """

    thresh: float
    box_thresh: float
    counts: BoxCounts


def threshold_scores(
    detector: TextDetector, labels: Sequence[PhotoLabel], source: ImageSource, *, progress: bool = True
) -> tuple[list[Found], list[ThresholdScore]]:
    """Scores a detector at each pair of THRESHES and BOX_THRESHES; a photo is searched once.

    Args:
        detector: finds the boxes.
        labels: of the photos.
        source: the photos; on one that cannot be read nothing is found.
        progress: show a progress bar.

    Returns:
        What is found on each photo at the detector's own thresholds; and one entry for each pair, in the order of
        THRESHES, then of BOX_THRESHES.
    """
    counts: dict[tuple[float, float], list[BoxCounts]] = {(t, b): [] for t in THRESHES for b in BOX_THRESHES}
    own: list[Found] = []
    for label in tqdm(labels, desc="photos", unit="photo", disable=not progress):
        found, by_thresh = _search(detector, source, label)
        own.append(found)
        for (thresh, box_thresh), of_photos in counts.items():
            outlines = [box.points for box in by_thresh.get(thresh, ()) if box.score >= box_thresh]
            of_photos.append(count_boxes(label.outlines, label.ignored, outlines))
    return own, [ThresholdScore(*pair, BoxCounts.total(of_photos)) for pair, of_photos in counts.items()]


def _search(detector: TextDetector, source: ImageSource, label: PhotoLabel) -> tuple[Found, dict[float, list[Box]]]:
    """What is found on a photo at the detector's own thresholds, and the boxes at each of THRESHES."""
    try:
        photo = decode_photo(source.read(label.name), f"{source.location(label.name)} ({label.location})")
    except InputError as error:
        return ([], str(error)), {}
    probabilities, rule = detector.map(photo.image), detector.settings.rule

    def boxes(rule: BoxRule) -> list[Box]:
        found = rule.boxes(probabilities, photo.image.shape[:2])
        return [Box(photo.size.in_photo(box.points), box.score) for box in found]

    least = min(BOX_THRESHES)
    return (boxes(rule), None), {t: boxes(replace(rule, thresh=t, box_thresh=least)) for t in THRESHES}


def best_of(scores: Sequence[ThresholdScore]) -> ThresholdScore:
    """The one with the highest hmean, of equals the one with the highest thresholds, which finds less by chance."""
    return max(scores, key=lambda score: (score.counts.hmean, score.box_thresh, score.thresh))


def rows_of(scores: Sequence[ThresholdScore]) -> list[dict[str, float]]:
    """For JSON: thresh, box_thresh, and precision, recall and hmean of each pair."""
    return [{"thresh": s.thresh, "box_thresh": s.box_thresh, **s.counts.as_dict()} for s in scores]


def table(scores: Sequence[ThresholdScore]) -> str:
    """The hmeans as text, a row for each of THRESHES, and what to make of them."""
    hmeans = {(score.thresh, score.box_thresh): score.counts.hmean for score in scores}
    lines = ["hmean by thresh (down) and box_thresh (across)", _row("", (f"{b:.2f}" for b in BOX_THRESHES))]
    lines += [_row(f"{t:.2f}", (f"{hmeans[t, b]:.3f}" for b in BOX_THRESHES)) for t in THRESHES]
    best = best_of(scores)
    if not best.counts.matched:
        return "\n".join([*lines, "Nothing is found at any of them: the network has to be trained for longer."])
    settings = f"PostProcess.thresh={best.thresh} PostProcess.box_thresh={best.box_thresh}"
    lines.append(f"highest: {best.counts.hmean:.4f} by -o {settings}, for `evaluate -c` and `export`;")
    return "\n".join([*lines, "chosen on these photos, so it says less of others"])


def _row(first: str, cells: Iterable[str]) -> str:
    return f"{first:>5}" + "".join(f"{cell:>7}" for cell in cells)
