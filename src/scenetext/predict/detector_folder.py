"""`inference.yml` of an exported detector, in PaddleX's form: how photos are prepared and how boxes are made.

PaddleX keeps the configuration's transforms of Eval; it knows the operators that are written here and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from scenetext.config.sections.detection import DBPostProcess, DetResizeForTest, NormalizeImage
from scenetext.config.yaml_text import parse, read_text, shown
from scenetext.data.detection.resize import DetectionSize
from scenetext.errors import InputError
from scenetext.predict.boxes import BoxRule
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.model_files import CHECKSUMS_KEY, FILE_NAME, read_checksums
from scenetext.predict.model_folder import DETECTOR_POST_PROCESS, write_yml

if TYPE_CHECKING:
    from scenetext.config import Config

# names that PaddleX knows, by (backbone, its size); it reads the network from the files and only checks the name
MODEL_NAMES = {
    ("PPLCNetV3", None): "PP-OCRv4_mobile_det",
    ("PPLCNetV4", "tiny"): "PP-OCRv6_tiny_det",
    ("PPLCNetV4", "small"): "PP-OCRv6_small_det",
    ("PPLCNetV4", "medium"): "PP-OCRv6_medium_det",
}
DEFAULT_MODEL_NAME = "PP-OCRv5_mobile_det"


@dataclass(frozen=True)
class DetectorSettings:
    """What a reader of an exported detector needs beside the network.

    Attributes:
        model_name: the name under which PaddleX accepts the folder.
        detection: what happens before and after the network.
        checksums: the SHA-256 of the program and its parameters, by file name; empty where they are not known.
    """

    model_name: str
    detection: DetectionSettings
    checksums: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config) -> DetectorSettings:
        """Of a detector's configuration."""
        backbone = config.Architecture.Backbone or {}
        key = (backbone.get("name"), backbone.get("model_size"))
        known = MODEL_NAMES.get(key) or MODEL_NAMES.get((key[0], None)) or DEFAULT_MODEL_NAME
        return cls(config.Global.model_name or known, DetectionSettings.of(config))

    def write(self, folder: str | Path) -> None:
        """Writes `inference.yml` into a folder."""
        detection = self.detection
        size = {key: value for key, value in asdict(detection.size).items() if key != "longest_px"}
        resize = {key: value for key, value in size.items() if value not in (None, False)}
        normalise = {"mean": list(detection.mean), "std": list(detection.std), "scale": "1./255.", "order": "hwc"}
        value = {
            "Global": {"model_name": self.model_name},
            "PreProcess": {
                "transform_ops": [
                    {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                    {"DetLabelEncode": None},
                    {"DetResizeForTest": resize if set(resize) - {"limit_type"} else None},
                    {"NormalizeImage": normalise},
                    {"ToCHWImage": None},
                    {"KeepKeys": {"keep_keys": ["image", "shape"]}},
                ]
            },
            "PostProcess": {"name": DETECTOR_POST_PROCESS, **asdict(detection.rule)},
        }
        if self.checksums:
            value[CHECKSUMS_KEY] = dict(self.checksums)
        write_yml(folder, value)


def is_detector(folder: str | Path) -> bool:
    """Whether an exported folder holds a detector; a folder that cannot be read holds none."""
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return False
    post = _parsed(path).get("PostProcess")
    return isinstance(post, Mapping) and post.get("name") == DETECTOR_POST_PROCESS


def read_detector_yml(folder: str | Path) -> DetectorSettings:
    """Reads the `inference.yml` of an exported detector, of this project's or PaddleOCR's making.

    Raises:
        InputError: the folder or the file is missing, is a recogniser's, or has an entry that no reader can work with.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise InputError(f"{folder} holds no {FILE_NAME}: give a folder that `scenetext export` wrote for a detector.")
    value = _parsed(path)
    if not is_detector(folder):
        post = value.get("PostProcess")
        name = post.get("name") if isinstance(post, Mapping) else post
        raise InputError(
            f"{folder} is no detector: its PostProcess.name is {shown(name)}, and a detector has "
            f"{DETECTOR_POST_PROCESS}. Give the folder of a detector; `scenetext read` takes recognisers as --model."
        )
    operations = _operations(value, path)
    try:
        resize = DetResizeForTest.model_validate(operations.get("DetResizeForTest") or {})
        normalise = NormalizeImage.model_validate(operations.get("NormalizeImage") or {})
        post = DBPostProcess.model_validate(value["PostProcess"])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {key} {first['msg']}, and is {shown(first['input'])}: export it again.") from None
    settings = DetectionSettings(
        DetectionSize(**resize.model_dump()),
        BoxRule(**post.model_dump(exclude={"name"})),
        tuple(normalise.mean),
        tuple(normalise.std),
    )
    section = value.get("Global")
    name = section.get("model_name") if isinstance(section, Mapping) else None
    return DetectorSettings(
        name if isinstance(name, str) else DEFAULT_MODEL_NAME, settings, read_checksums(value, path)
    )


def _parsed(path: Path) -> Mapping[str, Any]:
    value, _ = parse(read_text(path, str(path)), str(path), texts=[(CHECKSUMS_KEY,)])
    if not isinstance(value, Mapping):
        raise InputError(f"{path} is {shown(value)}, not a mapping of sections: export it again.")
    return value


def _operations(value: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The options of each operation before the network, by its name."""
    section = value.get("PreProcess")
    listed = section.get("transform_ops") if isinstance(section, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise InputError(f"{path} lacks PreProcess.transform_ops; a folder that `scenetext export` writes has it.")
    return {name: options for one in listed for name, options in one.items()}
