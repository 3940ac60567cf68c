"""What the pretrained network reads on pictures without labels, as labels: its answers, and pseudo-labels.

Pseudo-labels (Lee, Pseudo-label, ICML workshop 2013) are the answers that are sure and that a second view of the
picture confirms.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from scenetext.config import Config
from scenetext.config.sections.replay import PretrainedAnswers, PseudoLabels
from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.predict.images import Prediction, predict_images
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.trained_model import load_pretrained_reader
from scenetext.system.file_names import shown_path
from scenetext.text.records import RecordTable

TEST_LABELS = ("test_label.csv", "test_label.txt", "test_labels.csv", "test_labels.txt", "test.csv", "answers.csv")
LOOSER = 0.1  # of the height, on each side of the second view


class LooseReader(ModelReader):
    """Reads a wider view of each picture, whose edges are repeated."""

    def fit(self, image: np.ndarray) -> object:
        margin = max(1, round(LOOSER * image.shape[0]))
        return super().fit(cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE))


def answers(
    config: Config, part: PretrainedAnswers | PseudoLabels, images: ImageSource, where: str, progress: bool
) -> tuple[RecordTable, str]:
    """Reads pictures without labels.

    Args:
        config: the configuration; Global.pretrained_model names the network that reads.
        part: of Train.replay.
        images: the pictures.
        where: the part, for messages.
        progress: show a bar.

    Returns:
        The pictures that are kept with what was read, and half a sentence on how many and how sure they are.

    Raises:
        InputError: there is no pretrained network, or a file of labels lies beside pictures for pseudo-labels.
    """
    if not config.Global.pretrained_model:
        raise InputError(f"{where} needs a pretrained network that answers: name it in Global.pretrained_model.")
    is_pseudo = isinstance(part, PseudoLabels)
    if is_pseudo:
        _refuse_test_labels(Path(part.data_dir), where)
    reader = load_pretrained_reader(config)
    read = list(predict_images(reader, images, progress=progress))
    kept = [p for p in read if p.text and p.confidence >= part.min_confidence]
    if is_pseudo:
        loose = LooseReader(reader.model, reader.canvas)
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
