"""From a configuration and weights to a network, and to a reader of lines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.config import Config
from scenetext.data.pipeline import canvas_of
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.models.device import choose_device
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.text_detector import EagerMaps, TextDetector

if TYPE_CHECKING:
    from paddle import nn

    from scenetext.models.detection_model import DetectionModel
    from scenetext.models.recognition_model import RecognitionModel
    from scenetext.weights.loading import LoadReport


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A network that reads, with its weights.

    Attributes:
        config: the configuration of what reads: of a distillation the student's.
        model: the network in evaluation mode, without an auxiliary branch.
        canvas: what lines are laid on.
        report: what became of the weights.
    """

    config: Config
    model: RecognitionModel
    canvas: Canvas
    report: LoadReport

    @property
    def reader(self) -> ModelReader:
        """The network as a reader of lines."""
        return ModelReader(self.model, self.canvas)


def load_trained_model(
    config: Config, weights: str | Path, *, strict: bool = True, num_classes: int | None = None
) -> TrainedModel:
    """Builds the network of a configuration and loads its weights, on the device that is chosen already.

    Args:
        config: loaded by `load_config`.
        weights: what `load_weights` takes.
        strict: refuse weights that do not fill the network, or hold more; columns moved by character count as filled.
        num_classes: classes of the head; by default those of the configuration's dictionary.

    Raises:
        InputError: the weights are missing or unsafe, match nothing, or are refused under `strict`.
    """
    from scenetext.models import build_model, reading_config
    from scenetext.weights.loading import load_weights

    config = reading_config(config)
    model = build_model(config, num_classes)
    model.drop_auxiliary_branch()
    report = load_weights(model, weights, strict)
    model.eval()
    return TrainedModel(config, model, canvas_of(config, model.input_size), report)


def load_reader(
    config: Config, weights: str | Path, *, strict: bool = True, turned: float | None = None
) -> ModelReader:
    """A trained network as a reader, on the device of Global.use_gpu; see `load_trained_model` and `LineReader`."""
    choose_device(config.Global.use_gpu)
    trained = load_trained_model(config, weights, strict=strict)
    return ModelReader(trained.model, trained.canvas, turned)


def load_detector(config: Config, weights: str | Path, *, strict: bool = True) -> TextDetector:
    """A detector with its weights, on the device of Global.use_gpu.

    Args:
        config: a detector's, loaded by `load_config`.
        weights: what `load_weights` takes.
        strict: refuse weights that do not fill the network, or hold more.

    Raises:
        InputError: the configuration is a recogniser's, or the weights are missing, unsafe, or of another network.
    """
    choose_device(config.Global.use_gpu)
    model, _ = load_detection_model(config, weights, strict=strict)
    return TextDetector(EagerMaps(model), DetectionSettings.of(config))


def load_detection_model(
    config: Config, weights: str | Path, *, strict: bool = True
) -> tuple[DetectionModel, LoadReport]:
    """The network of a detector in evaluation mode, without its threshold branch, and what became of the weights."""
    from scenetext.models import build_model
    from scenetext.weights.loading import load_weights

    if config.Architecture.model_type != "det":
        raise InputError(
            "The configuration is one of text recognition (Architecture.model_type rec), not a detector's."
        )
    model = build_model(config)
    model.drop_auxiliary_branch()
    report = load_weights(model, weights, strict)
    model.eval()
    return model, report


def load_pretrained_reader(config: Config, strict: bool = False) -> ModelReader:
    """The network of a configuration with its pretrained weights, not finetuned, as a reader.

    Weights out of an installed wheel keep all of their own characters; others read with the configuration's dictionary,
    their head's columns moved by character.

    Args:
        config: loaded by `load_config`; Global.pretrained_model names the weights.
        strict: see `load_trained_model`.
    """
    from scenetext.weights.onnx import is_wheel_source, read_onnx, wheel_model

    source = config.Global.pretrained_model
    if not is_wheel_source(source):
        return load_reader(config, source, strict=strict)
    _, charset = read_onnx(wheel_model(source))
    choose_device(config.Global.use_gpu)
    trained = load_trained_model(config, source, strict=strict, num_classes=charset.num_classes)
    trained.model.charset = charset
    return trained.reader


def reader_facts(reader: ModelReader) -> dict[str, str]:
    """What the texts of a reader depend on: its parameters, its canvas and its dictionary."""
    return {
        "weights": parameters_hash(reader.model),
        "canvas": str(reader.canvas),
        "charset": "\n".join(reader.charset.characters),
    }


def parameters_hash(model: nn.Layer) -> str:
    """The SHA-256 of a network's parameters, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.shape}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
