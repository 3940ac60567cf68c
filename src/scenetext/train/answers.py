"""What a network reads on pictures, as labels: the answers of the pretrained network or a teacher, and pseudo-labels.

Pseudo-labels (Lee, Pseudo-label, ICML workshop 2013) are the answers that are sure and that a second view of the
picture confirms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scenetext.config import Config
from scenetext.config.sections.replay import PretrainedAnswers, PseudoLabels
from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.predict.images import Prediction, Reader, predict_images
from scenetext.predict.trained_model import load_pretrained_reader
from scenetext.system.file_names import shown_path
from scenetext.text.records import RecordTable

TEST_LABELS = ("test_label.csv", "test_label.txt", "test_labels.csv", "test_labels.txt", "test.csv", "answers.csv")
LOOSER = 0.1  # of the height, on each side of the second view


class LooseReader:
    """Reads a wider view of each picture, whose edges are repeated.

    Args:
        reader: reads the views.
    """

    def __init__(self, reader: Reader):
        self.fit_line, self.read_pieces = reader.fit, reader.read_pieces

    def fit(self, image: np.ndarray) -> Any:
        """See `Reader`."""
        margin = max(1, round(LOOSER * image.shape[0]))
        return self.fit_line(cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE))


def answers(
    config: Config,
    part: PretrainedAnswers | PseudoLabels,
    teacher: Reader | None,
    images: ImageSource,
    names: Sequence[str],
    where: str,
    progress: bool,
) -> tuple[RecordTable, str]:
    """Reads pictures without labels.

    Args:
        config: the configuration.
        part: of Train.replay.
        teacher: the network that reads; without one, that of Global.pretrained_model does.
        images: the pictures.
        names: which of them.
        where: the part, for messages.
        progress: show a bar.

    Returns:
        The pictures that are kept with what was read, and half a sentence on how many and how sure they are.

    Raises:
        InputError: there is no network that reads, or a file of labels lies beside pictures for pseudo-labels.
    """
    if teacher is None and not config.Global.pretrained_model:
        raise InputError(
            f"{where} needs a pretrained network that answers: name it in Global.pretrained_model, or another one in "
            "Train.teacher."
        )
    is_pseudo = isinstance(part, PseudoLabels)
    if is_pseudo:
        _refuse_test_labels(Path(part.data_dir), where)
    reader = teacher or load_pretrained_reader(config)
    read = list(predict_images(reader, images, names, progress=progress))
    kept = [p for p in read if p.text and p.confidence >= part.min_confidence]
    if is_pseudo:
        loose = LooseReader(reader)
        second = {p.name: p for p in predict_images(loose, images, [p.name for p in kept], progress=progress)}
        kept = [p for p in kept if _confirms(second[p.name], p, part.min_confidence)]
    table = RecordTable.of_pairs(((p.name, p.text) for p in kept), lambda name, _: f"{where}: {name}")
    return table, f" of {len(read)} pictures, {_sureness(kept)}"


def _confirms(second: Prediction, first: Prediction, min_confidence: float) -> bool:
    return second.text == first.text and second.confidence >= min_confidence


def _sureness(read: Iterable[Prediction]) -> str:
    confidences = [prediction.confidence for prediction in read]
    if not confidences:
        return "none sure enough"
    low, middle = np.percentile(confidences, [10, 50])
    return f"confidence {middle:.3f} in the middle and {low:.3f} at the lowest tenth"


def _refuse_test_labels(pictures: Path, where: str) -> None:
    """Raises InputError if labels lie beside the pictures: then nothing has to be guessed, or nothing may be."""
    folder = pictures if pictures.is_dir() else pictures.parent
    for place in (folder, folder / "answers", folder.parent, folder.parent / "answers"):
        found = next((place / name for name in TEST_LABELS if (place / name).is_file()), None)
        if found:
            raise InputError(
                f"{where}: {shown_path(found)} holds labels of such pictures. Pseudo-labels are for pictures without: "
                "train on the labels if you may (LabelledLines), or take other pictures."
            )
