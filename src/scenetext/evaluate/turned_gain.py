"""Does it pay to read lines turned? Labelled lines are read upright and with turned views, and compared one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenetext.data.sources.images import ImageSource, open_images
from scenetext.evaluate.comparison import Comparison, compare_texts
from scenetext.predict.choices import TURNED_MARGIN
from scenetext.predict.images import Prediction, read_records
from scenetext.predict.line_reader import LineReader
from scenetext.predict.turned import can_be_beaten
from scenetext.text.records import Record


@dataclass(frozen=True, slots=True)
class TurnedGain:
    """What turned views gain and cost.

    Attributes:
        margin: by which a turned reading was surer to be kept.
        comparison: reading upright against reading turned as well.
        read_again: lines that were read turned, because a turned reading could be surer by the margin.
        kept: lines whose turned reading was kept.
        upright_seconds, turned_seconds: what reading all lines took.
    """

    margin: float
    comparison: Comparison
    read_again: int
    kept: int
    upright_seconds: float
    turned_seconds: float

    @property
    def gains(self) -> bool:
        """Whether more lines are read right with turned views."""
        return self.comparison.difference.value > 0

    def __str__(self) -> str:
        return (
            f"{self.comparison}. {self.read_again:,} lines were read turned, too; {self.kept:,} of these readings were "
            f"kept. It took {self.turned_seconds:.1f} s instead of {self.upright_seconds:.1f} s"
        )


def turned_gain(
    open_reader: Callable[..., LineReader],
    records: Sequence[Record],
    images: ImageSource | str | Path,
    margin: float = TURNED_MARGIN,
    seed: int = 0,
    progress: bool = True,
) -> TurnedGain:
    """Reads labelled lines upright and with turned views.

        print(turned_gain(partial(Recognizer, folder), records, images))

    Args:
        open_reader: gives the reader; it is called with `turned`, the margin, or None to read upright.
        records: the labelled lines; a picture that cannot be read counts as empty.
        images: their pictures.
        margin: see `LineReader`.
        seed: of the interval's bootstrap.
        progress: show bars.

    Raises:
        InputError: there are no lines, or the margin is outside [0, 1].
    """
    source = open_images(images) if isinstance(images, (str, Path)) else images

    def read(turned: float | None) -> tuple[list[Prediction], float]:
        reader, start = open_reader(turned=turned), time.perf_counter()
        return list(read_records(reader, records, source, progress)), time.perf_counter() - start

    (with_turned, turned_seconds), (upright, upright_seconds) = read(margin), read(None)
    texts = [[prediction.text for prediction in read] for read in (upright, with_turned)]
    names, targets = [record.name for record in records], [record.text for record in records]
    comparison = compare_texts(names, targets, *texts, ("upright", "with turned views"), seed=seed)
    kept = sum(one.confidence < other.confidence for one, other in zip(upright, with_turned, strict=True))
    again = sum(prediction.problem is None and can_be_beaten(prediction.confidence, margin) for prediction in upright)
    return TurnedGain(margin, comparison, again, kept, upright_seconds, turned_seconds)
