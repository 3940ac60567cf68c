"""From a config in PaddleOCR's schema to a network: three dictionary look-ups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenetext.charset import Charset, charset_path
from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.models.construct import construct, look_up
from scenetext.models.ctc_head import CTCHead
from scenetext.models.mobilenet_v3 import MobileNetV3
from scenetext.models.multi_head import MultiHead
from scenetext.models.pplcnet_v4 import PPLCNetV4
from scenetext.models.recogniser import Recogniser
from scenetext.models.resnet_vd import ResNet
from scenetext.models.sequence_encoder import SequenceEncoder

BACKBONES = {"MobileNetV3": MobileNetV3, "PPLCNetV4": PPLCNetV4, "ResNet": ResNet}
NECKS = {"SequenceEncoder": SequenceEncoder}
HEADS = {"CTCHead": CTCHead, "MultiHead": MultiHead}

# keys of PaddleOCR's own YAMLs that its classes swallow without using them
UNUSED_KEYS = {"PPLCNetV4": {"use_rep", "stem_type", "det"}}


def build_model(config: str | Path | dict[str, Any], num_classes: int | None = None) -> Recogniser:
    """Builds the recogniser of a config, with freshly initialised weights.

    Args:
        config: path of a YAML in PaddleOCR's schema, or the loaded dict.
        num_classes: classes, blank included; by default those of the config's dictionary.

    Returns:
        The network; `model.charset` holds its characters unless `num_classes` was given.

    Raises:
        InputError: a part or key that is not known, or a dictionary that does not exist.
    """
    config = load_config(config)
    charset = None
    if num_classes is None:
        charset = load_charset(config)
        num_classes = charset.num_classes
    architecture = config["Architecture"]
    if architecture.get("Transform"):
        raise InputError(f"Architecture.Transform {architecture['Transform']} is not built yet.")
    backbone = _build(BACKBONES, architecture, "Backbone", in_channels=architecture.get("in_channels", 3))
    neck = None
    channels = backbone.out_channels
    if architecture.get("Neck"):
        neck = _build(NECKS, architecture, "Neck", in_channels=channels)
        channels = neck.out_channels
    head = _build(HEADS, architecture, "Head", in_channels=channels, out_channels=num_classes)
    return Recogniser(backbone, neck, head, charset)


def load_charset(config: dict[str, Any]) -> Charset:
    """The characters of the config's dictionary.

    Raises:
        InputError: no dictionary is named, or it does not exist.
    """
    settings = config["Global"]
    path = settings.get("character_dict_path")
    if not path:
        raise InputError("Global.character_dict_path is empty: name the dictionary, one character a line.")
    return Charset.from_file(charset_path(path), use_space_char=bool(settings.get("use_space_char", False)))


def _build(table: dict[str, type], architecture: dict[str, Any], part: str, **given: int):
    place = f"Architecture.{part}"
    options = dict(architecture.get(part) or {})
    name = options.pop("name", None)
    cls = look_up(table, name, place)
    for key in UNUSED_KEYS.get(name, ()):
        options.pop(key, None)
    return construct(cls, place, options, **given)
