"""From an exported folder to ONNX, for ONNX Runtime and RapidOCR.

paddle2onnx converts in a process of its own (`python -m scenetext.predict.onnx_conversion FOLDER FILE`), because its
library cannot share a process with every version of ONNX. RapidOCR reads the characters from the metadata `character`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.errors import InputError
from scenetext.predict.detector_folder import is_detector, read_detector_yml
from scenetext.predict.model_files import FILE_NAME
from scenetext.predict.model_folder import CHARACTERS_KEY, ONNX, program_files, read_inference_yml
from scenetext.system.files import replacing, sha256_file
from scenetext.system.locks import one_process
from scenetext.system.subprocesses import run_module
from scenetext.text.charset import Charset

if TYPE_CHECKING:
    import onnx

OPSET = 14
WITH_CHARACTERS = "characters"  # of the process's command line
INPUT_AXES = ("batch", None, "height", "width")
OUTPUT_AXES = {3: ("batch", "time", "classes"), 4: ("batch", None, "height", "width")}  # of recogniser and detector


def can_convert() -> bool:
    """Whether paddle2onnx is installed; it has no wheel for Python 3.13."""
    return importlib.util.find_spec("paddle2onnx") is not None


def can_be_onnx(folder: str | Path) -> bool:
    """Whether an exported folder holds an ONNX file, or can be converted to one here."""
    return (Path(folder) / ONNX).is_file() or can_convert()


def convert_to_onnx(folder: str | Path, out: str | Path, characters: bool = True) -> None:
    """Converts the program and parameters of an exported folder.

    Args:
        folder: the exported folder.
        out: the file to write.
        characters: write a recogniser's dictionary into the metadata, for RapidOCR; not every dictionary can be
            written so.

    Raises:
        InputError: the folder is not complete, or the converter is not installed.
        RunError: the converter failed.
    """
    program_files(folder)
    read_detector_yml(folder) if is_detector(folder) else read_inference_yml(folder)
    if not can_convert():
        raise InputError(
            f"{folder} cannot be converted to ONNX, because paddle2onnx is not installed (it has no wheel for Python "
            "3.13): read it with the engine paddle, export as json or pdmodel, or use Python 3.10 to 3.12."
        )
    run_module("scenetext.predict.onnx_conversion", [str(folder), str(out), *([WITH_CHARACTERS] if characters else [])])


def onnx_file(source: str | Path) -> Path:
    """An ONNX file itself, or that of an exported folder: its own, or the cached conversion of its Paddle program."""
    path = Path(source)
    if path.is_file():
        return path
    return path / ONNX if (path / ONNX).is_file() else cached_onnx(path)


def cached_onnx(folder: str | Path) -> Path:
    """The ONNX form of an exported Paddle folder, converted once and kept in the user's cache, by content.

    The file's name holds the SHA-256 of its content, too: a damaged file is converted again.
    """
    digest = hashlib.sha256(f"opset {OPSET}".encode())
    for path in [*program_files(folder), Path(folder) / FILE_NAME]:
        digest.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scenetext" / "onnx"
    key = digest.hexdigest()
    found = _whole_file(cache, key)
    if found is None:
        with one_process(cache / key):
            found = _whole_file(cache, key) or _convert_into(cache, key, folder)
    return found


def _whole_file(cache: Path, key: str) -> Path | None:
    """The file of this key whose content has the SHA-256 in its name."""
    return next((path for path in cache.glob(f"{key}-*.onnx") if path.stem == f"{key}-{sha256_file(path)}"), None)


def _convert_into(cache: Path, key: str, folder: str | Path) -> Path:
    print(f"{folder} is converted to ONNX once, which takes some seconds; {cache} keeps the copy.", file=sys.stderr)
    for damaged in cache.glob(f"{key}-*.onnx"):
        damaged.unlink()
    made = cache / f"{key}.onnx"
    convert_to_onnx(folder, made, characters=False)
    path = made.with_name(f"{key}-{sha256_file(made)}.onnx")
    os.replace(made, path)
    return path


def characters_metadata(charset: Charset) -> str:
    """The characters as RapidOCR reads them: one a line, without blank and the space that it appends.

    Raises:
        InputError: a character is a line break to Python's splitlines, so that RapidOCR would count classes wrongly.
    """
    characters = charset.characters[:-1] if charset.use_space_char else charset.characters
    text = "\n".join(characters)
    if text.splitlines() != list(characters):
        odd = next(c for c in characters if c.splitlines() != [c])
        raise InputError(
            f"The character {odd!r} of the dictionary is empty or a line break, and the list of characters inside an "
            "ONNX file has one a line: take it out of the dictionary, or export as json."
        )
    return text


def tidy(graph: onnx.GraphProto) -> None:
    """Names the free axes, and removes what no result depends on, of which ONNX Runtime warns at every load."""
    output_axes = OUTPUT_AXES[len(graph.output[0].type.tensor_type.shape.dim)]
    for values, axes in ((graph.input, INPUT_AXES), (graph.output, output_axes)):
        for axis, name in zip(values[0].type.tensor_type.shape.dim, axes, strict=True):
            if axis.dim_param and name is not None:
                axis.dim_param = name
    used = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):  # which stand in the order of computation
        if used.intersection(node.output):
            used.update(node.input)
            nodes.append(node)
    constants = [constant for constant in graph.initializer if constant.name in used]
    for field, kept in ((graph.node, nodes[::-1]), (graph.initializer, constants)):
        del field[:]
        field.extend(kept)


def main(arguments: list[str]) -> None:
    """The process's own part."""
    import onnx
    import paddle2onnx

    folder, out = map(Path, arguments[:2])
    program, parameters = program_files(folder)
    with replacing(out) as file:
        paddle2onnx.export(
            str(program),
            str(parameters),
            file.name,
            opset_version=OPSET,
            enable_onnx_checker=True,
            optimize_tool="None",
        )
        model = onnx.load(file.name)
        tidy(model.graph)
        if WITH_CHARACTERS in arguments[2:] and not is_detector(folder):
            entry = model.metadata_props.add()
            entry.key, entry.value = CHARACTERS_KEY, characters_metadata(read_inference_yml(folder).charset)
        file.truncate(0)  # what the converter wrote may be longer
        file.write(model.SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1:])
