"""Opening a model of either kind: an exported folder, or the folder of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.predict.choices import AUTO
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_files import FILE_NAME
from scenetext.predict.recognizer import Recognizer
from scenetext.predict.trained_model import load_reader
from scenetext.runs.folders import BEST, RESOLVED
from scenetext.system.file_names import shown_path
from scenetext.system.files import sha256_file


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that reads lines.

    Attributes:
        reader: reads lines; its `charset` holds the characters.
        files: the SHA-256 of the files that it depends on, by name.
    """

    reader: LineReader
    files: dict[str, str]


def open_model(folder: str | Path, engine: str = AUTO, batch_size: int = 16) -> OpenedModel:
    """Opens an exported folder, or a run with the best weights of its training.

    Args:
        folder: what `scenetext export` or `scenetext train` wrote.
        engine: computes an exported folder, see Recognizer; a run is always computed by Paddle.
        batch_size: lines computed at a time.

    Raises:
        InputError: the folder is neither of the two, or not complete.
    """
    folder = Path(folder)
    if (folder / FILE_NAME).is_file():
        reader = Recognizer(folder, engine, batch_size)
        return OpenedModel(reader, {name: facts["sha256"] for name, facts in reader.files.items()})
    config, weights = folder / RESOLVED, folder / f"{BEST}.pdparams"
    if not config.is_file() or not weights.is_file():
        raise InputError(
            f"{shown_path(folder)} holds neither {FILE_NAME}, as an exported folder does, nor {config.name} and "
            f"{weights.name}, as a run does: give a folder that `scenetext export` or `scenetext train` wrote."
        )
    reader = load_reader(load_config(config), weights)
    reader.batch_size = batch_size
    return OpenedModel(reader, {path.name: sha256_file(path) for path in (config, weights)})
