"""A network with its weights, as a reader."""

from __future__ import annotations

from pathlib import Path

from scenetext.config import Config
from scenetext.data.pipeline import canvas_of
from scenetext.models.device import choose_device
from scenetext.predict.model_reader import ModelReader


def load_reader(config: Config, weights: str | Path, *, strict: bool = True) -> ModelReader:
    """The network of a config with trained weights, as a reader.

    Args:
        config: loaded by `load_config`.
        weights: what `load_weights` takes.
        strict: refuse weights that do not fill the network; columns moved by character count as filled.
    """
    from scenetext.models import build_model, reading_config
    from scenetext.predict.model_reader import ModelReader
    from scenetext.weights.loading import load_weights

    config = reading_config(config)
    choose_device(config.Global.use_gpu)
    model = build_model(config)
    model.drop_auxiliary_branch()
    load_weights(model, weights, strict=strict)
    return ModelReader(model, canvas_of(config, model.input_size))


def load_pretrained_reader(config: Config) -> ModelReader:
    """The network of a config as its pretrained weights come, before any training.

    Weights out of an installed wheel keep all of their own characters; others read with the config's dictionary, their
    head's columns moved by character.

    Args:
        config: loaded by `load_config`; Global.pretrained_model names the weights.
    """
    from scenetext.models import build_model
    from scenetext.predict.model_reader import ModelReader
    from scenetext.weights.loading import load_weights
    from scenetext.weights.onnx import is_wheel_source, read_onnx, wheel_model

    source = config.Global.pretrained_model
    if not is_wheel_source(source):
        return load_reader(config, source, strict=False)
    _, charset = read_onnx(wheel_model(source))
    choose_device(config.Global.use_gpu)
    model = build_model(config, num_classes=charset.num_classes)
    load_weights(model, source)  # refused unless it holds all that reading needs; a training branch may lack
    model.charset = charset
    return ModelReader(model, canvas_of(config, model.input_size))
