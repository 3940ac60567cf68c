"""From a config in PaddleOCR's schema to a network, or to several; each part is found by its name in a dictionary."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paddle import nn

from scenetext.config import Config, load_config
from scenetext.config.construct import construct, look_up
from scenetext.config.sections import architecture as settings
from scenetext.errors import InputError
from scenetext.models.backbones.mobilenet_v3 import MobileNetV3
from scenetext.models.backbones.pplcnet_v3 import PPLCNetV3, PPLCNetV3Detector
from scenetext.models.backbones.pplcnet_v4 import PPLCNetV4, PPLCNetV4Detector, current_options
from scenetext.models.backbones.repsvtr import RepSVTR, RepSVTRDetector
from scenetext.models.backbones.resnet_vd import ResNet
from scenetext.models.backbones.svtr import SVTRNet
from scenetext.models.backbones.svtrv2 import SVTRv2
from scenetext.models.detection_model import DetectionModel
from scenetext.models.distillation import DistillationModel, student_name
from scenetext.models.heads.attention_head import AttentionHead
from scenetext.models.heads.ctc_head import CTCHead
from scenetext.models.heads.db_head import DBHead
from scenetext.models.heads.frm import RCTCDecoder
from scenetext.models.heads.multi_head import MultiHead
from scenetext.models.necks.rse_fpn import RSEFPN, RepLKFPN
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
DETECTOR_BACKBONES = {
    "PPLCNetV3": PPLCNetV3Detector,
    "PPLCNetV4": PPLCNetV4Detector,
    "RepSVTR_det": RepSVTRDetector,
}
DETECTOR_NECKS = {"RSEFPN": RSEFPN, "RepLKFPN": RepLKFPN}
DETECTOR_HEADS = {"DBHead": DBHead}
# the classes of each part, by model_type
PARTS = {
    "rec": {"Transform": TRANSFORMS, "Backbone": BACKBONES, "Neck": NECKS, "Head": HEADS},
    "det": {"Transform": {}, "Backbone": DETECTOR_BACKBONES, "Neck": DETECTOR_NECKS, "Head": DETECTOR_HEADS},
}

# keys of PaddleOCR's own YAMLs that its classes accept and do not use
UNUSED_KEYS = {
    "AttentionHead": {"l2_decay"},
    "MultiHead": {"out_channels_list"},  # the dictionary gives the number of classes, as in its tools/train.py
    "SVTRNet": {"patch_size"},
    "SVTRv2": {"local_k"},  # its code takes the kernels' sizes from elsewhere
}
# names in PaddleOCR's own YAMLs that PaddleOCR does not know either, and the class that they mean
MEANT = {"repvit_svtr": "RepSVTR"}  # ch_SVTRv2_rec_gtc_distill.yml
# functions that translate the options of earlier classes of PaddleOCR to those of the present class
TRANSLATED = {PPLCNetV4: current_options}


def build_model(
    config: str | Path | Mapping[str, Any] | Config, num_classes: int | None = None
) -> RecognitionModel | DistillationModel | DetectionModel:
    """Builds the network of a config, or the networks of a distillation, with freshly initialised weights.

    A recogniser or, with Architecture.model_type det, a detector.

    Args:
        config: path of a YAML in PaddleOCR's schema, the same as a dict, or the loaded configuration.
        num_classes: classes of a recogniser's head, including the blank, or start and end; by default as many as the
            config's dictionary needs.

    Returns:
        The network; a recogniser's `charset` holds its characters unless `num_classes` was given.

    Raises:
        InputError: the config names a part, a key or a dictionary that does not exist.
    """
    config = load_config(config)
    architecture = config.Architecture
    if architecture.model_type == "det":
        return _detection_model(architecture, "Architecture")
    model = _recognition_models(config, architecture, num_classes)
    model.pth_img_mode = config.Global.pth_img_mode
    return model


def _recognition_models(
    config: Config, architecture: settings.Network | settings.DistillationModel, num_classes: int | None
) -> RecognitionModel | DistillationModel:
    charset = load_charset(config) if num_classes is None else None
    size = _training_size(config)
    if isinstance(architecture, settings.DistillationModel):
        models = architecture.Models
        return DistillationModel(
            {
                name: _recognition_model(section, f"Architecture.Models.{name}", charset, num_classes, size)
                for name, section in models.items()
            },
            frozen={name for name, section in models.items() if section.freeze_params},
            pretrained={name: section.pretrained for name, section in models.items() if section.pretrained},
        )
    return _recognition_model(architecture, "Architecture", charset, num_classes, size)


def reading_config(config: Config) -> Config:
    """The config of the network that reads: for a distillation that of the student, else the config itself.

    Args:
        config: the loaded config.

    Returns:
        A config whose Architecture is one network.
    """
    architecture = config.Architecture
    if not isinstance(architecture, settings.DistillationModel):
        return config
    models = architecture.Models
    name = student_name(models, {name for name, section in models.items() if section.freeze_params})
    return config.model_copy(update={"Architecture": models[name].alone()})


def load_charset(config: Config) -> Charset:
    """The characters of the config's dictionary; without a dictionary 0-9a-z, with labels in lower case.

    Args:
        config: the loaded config.

    Raises:
        InputError: the dictionary does not exist.
    """
    path, use_space_char = config.Global.character_dict_path, config.Global.use_space_char
    if not path:
        return Charset.default(use_space_char)
    return Charset.from_file(charset_path(path), use_space_char)


def _training_size(config: Config) -> dict[str, list[int]]:
    """The size of training images, as the option `input_size` of parts that work at one size only."""
    resize = config.resize("Train")
    return {"input_size": resize.image_shape[1:]} if resize else {}


def _recognition_model(
    architecture: settings.Network,
    location: str,
    charset: Charset | None,
    num_classes: int | None,
    size: dict[str, list[int]],
) -> RecognitionModel:
    if num_classes is None:
        head = look_up(HEADS, (architecture.Head or {}).get("name"), f"{location}.Head")
        num_classes = charset.num_classes + CLASSES_BEYOND_CTC[head.DECODING]
    in_channels, transform = architecture.in_channels, None
    if architecture.Transform:
        options = size | architecture.Transform
        transform = _build(TRANSFORMS, options, f"{location}.Transform", in_channels=in_channels)
        in_channels = transform.out_channels
    backbone = _build(BACKBONES, architecture.Backbone, f"{location}.Backbone", in_channels=in_channels)
    neck = None
    channels = backbone.out_channels
    if architecture.Neck:
        neck = _build(NECKS, architecture.Neck, f"{location}.Neck", in_channels=channels)
        channels = neck.out_channels
    head = _build(HEADS, architecture.Head, f"{location}.Head", in_channels=channels, out_channels=num_classes)
    image_size = tuple(size["input_size"]) if size else None
    return RecognitionModel(backbone, neck, head, charset, transform, image_size)


def _detection_model(architecture: settings.Network, location: str) -> DetectionModel:
    if architecture.Transform:
        raise InputError(f"{location}.Transform rectifies lines of text, and a detector has none: leave it empty.")
    parts = PARTS["det"]
    channels = {"in_channels": architecture.in_channels}
    backbone = _build(parts["Backbone"], architecture.Backbone, f"{location}.Backbone", **channels)
    neck = _build(parts["Neck"], architecture.Neck, f"{location}.Neck", in_channels=backbone.out_channels)
    head = _build(parts["Head"], architecture.Head, f"{location}.Head", in_channels=neck.out_channels)
    sums = neck.out_channels if isinstance(neck, RepLKFPN) else 0
    if head.aux_in_channels not in (0, sums):
        given = f"{sums} channels" if sums else "none to give"
        raise InputError(
            f"{location}.Head.aux_in_channels is {head.aux_in_channels}, for auxiliary heads on the sums of the "
            f"pyramid, and {type(neck).__name__} has {given}: set it to {sums}."
        )
    return DetectionModel(backbone, neck, head)


def _build(table: dict[str, type], options: Mapping[str, Any] | None, location: str, **given: Any) -> nn.Layer:
    """Builds one part of a network from its section of the config; `given` are the channel counts of its neighbours."""
    options = dict(options or {})
    name = options.pop("name", None)
    if name in MEANT:
        warnings.warn(f"{location}.name is {name!r}, which exists nowhere; building {MEANT[name]!r}.", stacklevel=4)
        name = MEANT[name]
    cls = look_up(table, name, location)
    for key in UNUSED_KEYS.get(name, ()):
        options.pop(key, None)
    if cls in TRANSLATED:
        options = TRANSLATED[cls](options, location)
    return construct(cls, location, options, **given)
