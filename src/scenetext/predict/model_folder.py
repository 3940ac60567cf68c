"""`inference.yml`, which makes an exported folder complete: the input's shape and the characters, in PaddleX's form.

The `paddleocr` package, PaddleX and this project read the same file. Only the operators that PaddleX's text
recognition knows are written; the character list holds neither the blank nor the space that every reader appends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scenetext.config.kinds import IMAGE_SHAPE, PAIRS_OF_SIDES
from scenetext.config.yaml_text import parse, read_text, shown
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.predict.model_files import CHECKSUMS_KEY, FILE_NAME, read_checksums
from scenetext.system.files import read_json, write_text
from scenetext.text.charset import SPACE, Charset

if TYPE_CHECKING:
    from scenetext.config import Config

PROGRAMS = ("inference.json", "inference.pdmodel")  # where both are there, the first is read, as by PaddleX
PARAMETERS = "inference.pdiparams"
ONNX = "inference.onnx"
REPORT = "report.json"  # of the export, in its folder
CHARACTERS_KEY = "character"  # of the ONNX metadata: the characters, one a line, as RapidOCR reads them

# names that PaddleX knows, by (backbone, its size); it reads the network from the files and only checks the name
MODEL_NAMES = {
    ("PPLCNetV4", "tiny"): "PP-OCRv6_tiny_rec",
    ("PPLCNetV4", "small"): "PP-OCRv6_small_rec",
    ("PPLCNetV4", "medium"): "PP-OCRv6_medium_rec",
    ("SVTRv2", None): "ch_SVTRv2_rec",
    ("RepSVTR", None): "ch_RepSVTR_rec",
}
DEFAULT_MODEL_NAME = "PP-OCRv4_mobile_rec"
DETECTOR_POST_PROCESS = "DBPostProcess"  # in the folder of a detector, see `detector_folder`
DECODERS = {"ctc": "CTCLabelDecode", "attention": "AttnLabelDecode"}
CHANNELS = 3
MAX_CHARACTER = 100  # code points of an entry of the dictionary; clusters of Indic scripts have 10


@dataclass(frozen=True)
class InferenceSettings:
    """What a reader of an exported folder needs beside the network.

    Attributes:
        model_name: the name under which PaddleX accepts the folder.
        canvas: what lines are laid on. A fixed one is written as PaddleOCR's SVTRRecResizeImg, which means the same,
            several ones as our MultiSizeResize; PaddleX does not know these operators and refuses the folder instead of
            reading it wrongly.
        charset: the characters of the classes.
        decoding: "ctc" or "attention".
        checksums: the SHA-256 of the program and its parameters, by file name; empty where they are not known.
    """

    model_name: str
    canvas: Canvas
    charset: Charset
    decoding: str = "ctc"
    checksums: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: str | Path) -> None:
        """Writes `inference.yml` into a folder."""
        charset = self.charset
        characters = charset.characters[:-1] if charset.use_space_char else charset.characters
        value = {
            "Global": {"model_name": self.model_name},
            "PreProcess": {
                "transform_ops": [
                    {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                    self._resize(),
                    {"KeepKeys": {"keep_keys": ["image"]}},
                ]
            },
            "PostProcess": {"name": DECODERS[self.decoding], "character_dict": list(characters)},
        }
        if self.checksums:
            value[CHECKSUMS_KEY] = dict(self.checksums)
        write_yml(folder, value)

    def _resize(self) -> dict[str, dict[str, Any]]:
        shape = [CHANNELS, self.canvas.height_px, self.canvas.width_px]
        if self.canvas.by_ratio:
            sizes = [list(size) for size in self.canvas.by_ratio]
            return {"MultiSizeResize": {"image_shape": shape, "base_shape": sizes, "max_ratio": len(sizes)}}
        if not self.canvas.fixed:
            return {"RecResizeImg": {"image_shape": shape}}
        return {"SVTRRecResizeImg": {"image_shape": shape, "padding": not self.canvas.stretched}}


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_yml(folder: str | Path, value: Mapping[str, Any]) -> None:
    """Writes the content of `inference.yml` into a folder."""
    write_text(Path(folder) / FILE_NAME, yaml.dump(value, Dumper=_DUMPER, allow_unicode=True, sort_keys=False))


def read_inference_yml(folder: str | Path) -> InferenceSettings:
    """Reads the `inference.yml` of an exported folder, of this project's or PaddleOCR's making.

    Raises:
        InputError: the folder or the file is missing, lacks a needed entry, or has one that no reader can work with;
            or it names an unknown decoder.
    """
    path = Path(folder) / FILE_NAME
    if not Path(folder).is_dir():
        raise InputError(f"The model folder {folder} does not exist: give a folder that `scenetext export` wrote.")
    if not path.exists():
        raise InputError(f"{folder} holds no {FILE_NAME}: give a folder that `scenetext export` wrote.")
    characters_path = ("PostProcess", "character_dict")
    value, _ = parse(read_text(path, str(path)), str(path), texts=[characters_path, (CHECKSUMS_KEY,)])
    operations = _look_up(value, path, "PreProcess", "transform_ops")
    decoder = _look_up(value, path, "PostProcess", "name")
    if decoder == DETECTOR_POST_PROCESS:
        raise InputError(
            f"{folder} holds a text detector (PostProcess.name {decoder}), and a recogniser is needed: `scenetext "
            "read` takes detectors as --detector."
        )
    canvas = _canvas(operations, path)
    decoding = next((name for name, known in DECODERS.items() if known == decoder), None)
    if decoding is None:
        raise InputError(
            f"{path} names the decoder PostProcess.name {shown(decoder)}; {' and '.join(DECODERS.values())} are known."
        )
    characters = _look_up(value, path, *characters_path)
    if not isinstance(characters, list) or not all(isinstance(character, str) for character in characters):
        raise InputError(f"{path}: PostProcess.character_dict is {shown(characters)}, not a list of characters.")
    longest = max(characters, key=len, default="")
    if len(longest) > MAX_CHARACTER:
        raise InputError(f"{path}: PostProcess.character_dict holds {shown(longest)}, which is no character.")
    charset = Charset((*characters, SPACE), use_space_char=True)
    return InferenceSettings(_model_name(value, path), canvas, charset, decoding, read_checksums(value, path))


def _model_name(value: Mapping[str, Any], path: Path) -> str:
    section = value.get("Global")
    name = section.get("model_name") if isinstance(section, Mapping) else None
    if section is not None and not isinstance(section, Mapping):
        raise InputError(f"{path}: Global is {shown(section)}, not a mapping that holds model_name.")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{path}: Global.model_name is {shown(name)}, not a name.")
    return name or DEFAULT_MODEL_NAME


def _canvas(operations: Any, path: Path) -> Canvas:
    for operation in operations if isinstance(operations, list) else []:
        for name in ("RecResizeImg", "SVTRRecResizeImg", "MultiSizeResize"):
            options = operation.get(name) if isinstance(operation, Mapping) else None
            if isinstance(options, Mapping) and "image_shape" in options:
                try:
                    _, height, width = IMAGE_SHAPE.convert(options["image_shape"])
                except ValueError:
                    raise InputError(
                        f"{path}: PreProcess.transform_ops.{name}.image_shape must be {IMAGE_SHAPE.name}, not "
                        f"{shown(options['image_shape'])}."
                    ) from None
                if name == "MultiSizeResize":
                    return Canvas(height, width, by_ratio=_sizes(options, path))
                fixed = name == "SVTRRecResizeImg"
                return Canvas(height, width, fixed, fixed and options.get("padding") is False)
    raise InputError(f"{path} has no PreProcess.transform_ops.RecResizeImg.image_shape of three numbers.")


def _sizes(options: Mapping[str, Any], path: Path) -> tuple[tuple[int, int], ...]:
    """Width and height of the canvas of each ratio."""
    try:
        sizes = PAIRS_OF_SIDES.convert(options.get("base_shape"))
    except ValueError:
        sizes = []
    if not sizes:
        raise InputError(
            f"{path}: PreProcess.transform_ops.MultiSizeResize.base_shape must be {PAIRS_OF_SIDES.name}, not "
            f"{shown(options.get('base_shape'))}."
        )
    return tuple(map(tuple, sizes))


def _look_up(value: Any, path: Path, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, Mapping) or value.get(key) is None:
            raise InputError(f"{path} lacks {'.'.join(keys)}; a folder that `scenetext export` writes has it.")
        value = value[key]
    return value


def model_name(config: Config) -> str:
    """The name for PaddleX: the config's Global.model_name, else by backbone, else one that it accepts."""
    if config.Global.model_name:
        return config.Global.model_name
    backbone = config.Architecture.Backbone or {}
    key = (backbone.get("name"), backbone.get("model_size"))
    return MODEL_NAMES.get(key) or MODEL_NAMES.get((key[0], None)) or DEFAULT_MODEL_NAME


def network_of(folder: str | Path) -> str:
    """The name of the network in an exported folder: by the report of the export, else by the settings.

    Raises:
        InputError: the report is no report.
    """
    path = Path(folder) / REPORT
    if not path.is_file():  # as PaddleOCR writes the folder, whose name for PaddleX is that of the network
        return read_inference_yml(folder).model_name
    report = read_json(path)
    if not isinstance(report, Mapping) or not isinstance(report.get("network"), str):
        raise InputError(f"{path} is no report of an export, which names the network: export again, or remove it.")
    return report["network"]


def program_files(folder: str | Path) -> tuple[Path, Path]:
    """The program and the parameters of an exported folder.

    Raises:
        InputError: one of them is missing.
    """
    folder = Path(folder)
    program = next((folder / name for name in PROGRAMS if (folder / name).is_file()), None)
    if program is None:
        other = " It holds inference.onnx: use --engine onnxruntime." if (folder / ONNX).is_file() else ""
        raise InputError(f"{folder} holds neither {' nor '.join(PROGRAMS)}.{other}")
    if not (folder / PARAMETERS).is_file():
        raise InputError(f"{folder} holds {program.name} without {PARAMETERS}.")
    return program, folder / PARAMETERS


def model_bytes(folder: str | Path) -> int:
    """The bytes that the competition counts: the program and its parameters.

    Raises:
        InputError: the folder holds no program.
    """
    folder = Path(folder)
    read_inference_yml(folder)  # says what is wrong with the folder
    if not any((folder / name).is_file() for name in (*PROGRAMS, ONNX)):
        raise InputError(f"{folder} holds no program: give a folder that `scenetext export` wrote.")
    counted = (folder / name for name in (*PROGRAMS, PARAMETERS, ONNX))
    return sum(path.stat().st_size for path in counted if path.is_file())
