"""The configuration of a training that has not begun, written into the folder of its run."""

from __future__ import annotations

from pathlib import Path

from scenetext.config import Config, load_config, write_config
from scenetext.errors import InputError
from scenetext.models import load_charset
from scenetext.runs.folders import RESOLVED
from scenetext.train.identity import meaning
from scenetext.train.run_folder import curve_files, holds_weights, move_aside, only_training
from scenetext.weights.sources import DICTIONARY_BESIDE_WEIGHTS


def plan_run(config: Config, folder: Path) -> str:
    """Writes the configuration that the next training into a run's folder reads.

    Weights that are there stay if network, dictionary and evaluation are the same, so that they can be resumed with
    another length or learning rate. Others would stand beside a configuration that is not theirs: they move aside
    with their own, as they would when that training saves its first weights.

    Args:
        config: the configuration; its network has been built, so that its options are known to be right.
        folder: the run's folder; made when missing.

    Returns:
        A sentence for the user if weights have moved aside, else "".

    Raises:
        RunError: a training into this folder is running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with only_training(folder):
        told = ""
        if holds_weights(folder) and not _is_of(folder, config):
            moved = move_aside(folder, curve_files(folder))
            told = f"{folder} held the weights that another configuration gives their meaning: they are in {moved} now."
        write_config(config, folder / RESOLVED)
    return told


def _is_of(folder: Path, config: Config) -> bool:
    """Whether a configuration gives the weights in a run's folder the meaning that they have."""
    try:
        former = load_config(folder / RESOLVED)
    except InputError:  # gone or damaged: whose weights these are cannot be known
        return False
    beside = folder / DICTIONARY_BESIDE_WEIGHTS
    same_characters = beside.is_file() and beside.read_bytes() == load_charset(config).lines().encode("utf-8")
    return same_characters and meaning(former) == meaning(config)
