"""What the pretrained network misreads among the labelled lines, and training that changes nothing else.

A pretrained network that reads most lines well misreads few characters always: signs that its training labelled in
another way, or hardly showed. If only the classes of these characters are trained, the logits of all others stay what
they are, and a few examples are enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.regularizer import L2Decay

from scenetext.data.dataset import Lines
from scenetext.errors import InputError
from scenetext.models.blocks.layers import freeze
from scenetext.models.recognition_model import RecognitionModel
from scenetext.predict.images import Reader, read_records
from scenetext.text.charset import Charset
from scenetext.text.normalise import normalise_for_score


@dataclass(frozen=True, slots=True)
class Readings:
    """What the pretrained network reads on the labelled lines, (N,) each.

    Attributes:
        texts, labels: without what the normalised score forgives.
        confidences: in [0, 1].
    """

    texts: Sequence[str]
    labels: Sequence[str]
    confidences: np.ndarray

    @classmethod
    def of(cls, labelled: Lines, reader: Reader, progress: bool) -> Readings:
        """Reads the lines; see the class."""
        read = list(read_records(reader, labelled.records, labelled.images, progress))
        texts, labels = [p.text for p in read], labelled.records.texts()
        normalised = (list(map(normalise_for_score, each)) for each in (texts, labels))
        return cls(*normalised, np.array([p.confidence for p in read]))

    @property
    def wrong(self) -> np.ndarray:
        """(N,) bool: lines that are misread."""
        return np.array([text != label for text, label in zip(self.texts, self.labels, strict=True)])

    def doubted(self, confidence: float | None) -> np.ndarray:
        """(N,) bool: lines of another number of characters than are read with this confidence; none for None."""
        if confidence is None:
            return np.zeros(len(self.texts), bool)
        other = np.array([len(text) != len(label) for text, label in zip(self.texts, self.labels, strict=True)])
        return other & (self.confidences >= confidence)


def misread_classes(
    readings: Readings, ids: Sequence[Sequence[int]], kept: np.ndarray, charset: Charset, least: int, recall: float
) -> list[int]:
    """The classes of characters that are misread more often than not.

    Args:
        readings: of the labelled lines.
        ids: the classes of their labels.
        kept: (N,) bool, the lines that count.
        charset: of the classes.
        least: lines that hold such a character at least.
        recall: the share of these lines in whose reading it is found, at most.
    """
    lines: Counter[int] = Counter()
    found: Counter[int] = Counter()
    for number in np.flatnonzero(kept):
        for each in set(ids[number]):
            lines[each] += 1
            found[each] += normalise_for_score(charset.decode([each])) in readings.texts[number]
    return sorted(each for each, count in lines.items() if count >= least and found[each] <= recall * count)


def train_only(model: RecognitionModel, classes: Collection[int]) -> None:
    """Lets training change the weights of these CTC classes alone.

    Args:
        model: the network.
        classes: of the CTC head.

    Raises:
        InputError: the head has no weights of CTC classes.
    """
    freeze(model)
    for layer in model.sublayers():
        if hasattr(layer, "_use_global_stats"):  # a normalisation's statistics are weights of other classes, too
            layer._use_global_stats = True
    entries = [entry for entry in model.head.class_tensors() if entry.layout == "ctc"]
    if not entries:
        raise InputError("Train.misread_characters is for networks with a CTC head: leave it out.")
    trained = {id(entry.tensor) for entry in entries}
    for layer in model.sublayers():
        if trained & {id(parameter) for parameter in layer.parameters(include_sublayers=False)}:
            layer.register_forward_pre_hook(_without_gradient)  # nothing before it has to be differentiated
    for tensor, axis, _, start in entries:
        mask = np.zeros(tensor.shape, np.float32)
        np.moveaxis(mask, axis, 0)[[start + each for each in classes]] = 1.0
        tensor.stop_gradient = False
        tensor.regularizer = L2Decay(0.0)  # decay is no gradient and would reach the other classes
        tensor.register_hook(_masked(paddle.to_tensor(mask)))


def _without_gradient(layer: nn.Layer, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(each.detach() for each in inputs)


def _masked(mask: Tensor):  # noqa: ANN202  a hook of Paddle's: gradient → gradient
    return lambda gradient: gradient * mask
