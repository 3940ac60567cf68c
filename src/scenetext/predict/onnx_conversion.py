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

from scenetext.errors import InputError
from scenetext.predict.model_folder import CHARACTERS_KEY, program_files, read_inference_yml
from scenetext.system.files import replacing
from scenetext.system.subprocesses import run_module
from scenetext.text.charset import Charset

OPSET = 14


def can_convert() -> bool:
    """Whether paddle2onnx is installed; it has no wheel for Python 3.13."""
    return importlib.util.find_spec("paddle2onnx") is not None


def convert_to_onnx(folder: str | Path, out: str | Path, for_others: bool = True) -> None:
    """Converts the program and parameters of an exported folder.

    Args:
        folder: the exported folder.
        out: the file to write.
        for_others: whether the file gets the characters as metadata, which RapidOCR needs. This project's engine has
            them from the folder's inference.yml, which can also hold characters that the metadata cannot.

    Raises:
        InputError: the folder is not complete, or the converter is not installed.
        RunError: the converter failed.
    """
    program_files(folder)
    read_inference_yml(folder)
    if not can_convert():
        raise InputError(
            f"{folder} cannot be converted to ONNX, because paddle2onnx is not installed (it has no wheel for Python "
            "3.13): read it with the engine paddle, export as json or pdmodel, or use Python 3.10 to 3.12."
        )
    characters = [CHARACTERS_KEY] if for_others else []
    run_module("scenetext.predict.onnx_conversion", [str(folder), str(out), *characters])


def cached_onnx(folder: str | Path) -> Path:
    """The ONNX form of an exported Paddle folder, converted once and kept in the user's cache, by content."""
    digest = hashlib.sha256(f"opset {OPSET}".encode())
    for path in [*program_files(folder), Path(folder) / "inference.yml"]:
        digest.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scenetext" / "onnx"
    path = cache / f"{digest.hexdigest()}.onnx"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        print(f"{folder} is converted to ONNX once, which takes some seconds; {cache} keeps the copy.", file=sys.stderr)
        convert_to_onnx(folder, path, for_others=False)
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
        if CHARACTERS_KEY in arguments[2:]:
            entry = model.metadata_props.add()
            entry.key, entry.value = CHARACTERS_KEY, characters_metadata(read_inference_yml(folder).charset)
        file.write(model.SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1:])
