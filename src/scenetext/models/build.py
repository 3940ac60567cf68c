"""From a config in PaddleOCR's schema to a network, or to several: four dictionary look-ups each."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenetext.config import Config, load_config
from scenetext.config.construct import construct, look_up
from scenetext.config.sections import architecture as settings
from scenetext.models.backbones.mobilenet_v3 import MobileNetV3
from scenetext.models.backbones.pplcnet_v3 import PPLCNetV3
from scenetext.models.backbones.pplcnet_v4 import PPLCNetV4, todays_options
from scenetext.models.backbones.repsvtr import RepSVTR
from scenetext.models.backbones.resnet_vd import ResNet
from scenetext.models.backbones.svtr import SVTRNet
from scenetext.models.backbones.svtrv2 import SVTRv2
from scenetext.models.distillation import DistillationModel, student_name
from scenetext.models.heads.attention_head import AttentionHead
from scenetext.models.heads.ctc_head import CTCHead
from scenetext.models.heads.frm import RCTCDecoder
from scenetext.models.heads.multi_head import MultiHead
from scenetext.models.necks.sequence_encoder import SequenceEncoder
from scenetext.models.recognition_model import RecognitionModel
from scenetext.models.rectifiers.stn import STN_ON
from scenetext.models.rectifiers.tps import TPS
from scenetext.text.charset import CLASSES_BEYOND_CTC, Charset, charset_path

BACKBONES = {
    "MobileNetV3": MobileNetV3,
    "PPLCNetV3": PPLCNetV3,
    "PPLCNetV4": PPLCNetV4,
    "RepSVTR": RepSVTR,
    "ResNet": ResNet,
    "SVTRNet": SVTRNet,
    "SVTRv2": SVTRv2,
}
NECKS = {"SequenceEncoder": SequenceEncoder}
HEADS = {"AttentionHead": AttentionHead, "CTCHead": CTCHead, "MultiHead": MultiHead, "RCTCDecoder": RCTCDecoder}
TRANSFORMS = {"STN_ON": STN_ON, "TPS": TPS}

# keys of PaddleOCR's own YAMLs that its classes swallow without using them
UNUSED_KEYS = {
    "AttentionHead": {"l2_decay"},
    "MultiHead": {"out_channels_list"},  # the dictionary counts, as in its tools/train.py
    "SVTRNet": {"patch_size"},
    "SVTRv2": {"local_k"},  # its code takes the kernels' sizes from elsewhere
}
# names in PaddleOCR's own YAMLs that even PaddleOCR does not know, and what is meant
MEANT = {"repvit_svtr": "RepSVTR"}  # ch_SVTRv2_rec_gtc_distill.yml
# options of earlier classes of PaddleOCR's in the words of today's
TRANSLATED = {"PPLCNetV4": todays_options}


def build_model(
    config: str | Path | Mapping[str, Any] | Config, num_classes: int | None = None
) -> RecognitionModel | DistillationModel:
    """Builds the recogniser of a config, or the recognisers, with freshly initialised weights.

    Args:
        config: path of a YAML in PaddleOCR's schema, the same as a dict, or the loaded configuration.
        num_classes: classes of the head, blank, or start and end, included; by default those of the config's
            dictionary.

    Returns:
        The network; `model.charset` holds its characters unless `num_classes` was given.

    Raises:
        InputError: a part or key that is not known, or a dictionary that does not exist.
    """
    config = load_config(config)
    architecture = config.Architecture
    charset = load_charset(config) if num_classes is None else None
    size = _training_size(config)
    if isinstance(architecture, settings.DistillationModel):
        models = architecture.Models
        return DistillationModel(
            {
                name: _recogniser(own, f"Architecture.Models.{name}", charset, num_classes, size)
                for name, own in models.items()
            },
            frozen={name for name, own in models.items() if own.freeze_params},
            pretrained={name: own.pretrained for name, own in models.items() if own.pretrained},
        )
    return _recogniser(architecture, "Architecture", charset, num_classes, size)


def reading_config(config: Config) -> Config:
    """The config of what reads: of a distillation the student's, else the config itself."""
    architecture = config.Architecture
    if not isinstance(architecture, settings.DistillationModel):
        return config
    models = architecture.Models
    name = student_name(models, {name for name, own in models.items() if own.freeze_params})
    return config.model_copy(update={"Architecture": models[name].alone()})


def load_charset(config: Config) -> Charset:
    """The characters of the config's dictionary; 0-9a-z, with labels in lower case, where it names none.

    Raises:
        InputError: the dictionary does not exist.
    """
    path, use_space_char = config.Global.character_dict_path, config.Global.use_space_char
    if not path:
        return Charset.default(use_space_char)
    return Charset.from_file(charset_path(path), use_space_char)


def _training_size(config: Config) -> dict[str, list[int]]:
    """The size of training's pictures, as an option of what works at one size."""
    resize = config.resize("Train")
    return {"input_size": resize.image_shape[1:]} if resize else {}


def _recogniser(
    architecture: settings.Network,
    place: str,
    charset: Charset | None,
    num_classes: int | None,
    size: dict[str, list[int]],
) -> RecognitionModel:
    if num_classes is None:
        head = look_up(HEADS, (architecture.Head or {}).get("name"), f"{place}.Head")
        num_classes = charset.num_classes + CLASSES_BEYOND_CTC[head.DECODING]
    in_channels, transform = architecture.in_channels, None
    if architecture.Transform:
        options = size | architecture.Transform
        transform = _build(TRANSFORMS, options, f"{place}.Transform", in_channels=in_channels)
        in_channels = transform.out_channels
    backbone = _build(BACKBONES, architecture.Backbone, f"{place}.Backbone", in_channels=in_channels)
    neck = None
    channels = backbone.out_channels
    if architecture.Neck:
        neck = _build(NECKS, architecture.Neck, f"{place}.Neck", in_channels=channels)
        channels = neck.out_channels
    head = _build(HEADS, architecture.Head, f"{place}.Head", in_channels=channels, out_channels=num_classes)
    return RecognitionModel(backbone, neck, head, charset, transform)


def _build(table: dict[str, type], options: Mapping[str, Any] | None, place: str, **given: int) -> Any:
    options = dict(options or {})
    name = options.pop("name", None)
    if name in MEANT:
        warnings.warn(f"{place}.name is {name!r}, which exists nowhere; building {MEANT[name]!r}.", stacklevel=4)
        name = MEANT[name]
    cls = look_up(table, name, place)
    for key in UNUSED_KEYS.get(name, ()):
        options.pop(key, None)
    if name in TRANSLATED:
        options = TRANSLATED[name](options, place)
    return construct(cls, place, options, **given)
