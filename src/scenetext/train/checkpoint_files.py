"""The three files of a checkpoint change together: one rename decides between the former checkpoint and the new one.

`PREFIX.states` holds the size and the SHA-256 of `PREFIX.pdparams` and `PREFIX.pdopt`. A new checkpoint is written
under hidden names (`.PREFIX.next.pdparams` and so on), whole and synced, its states last. From the rename that gives
`.PREFIX.next.states` its name the new checkpoint counts; after it the files only take their own names. So a kill at any
moment leaves the former checkpoint or the new one: readers look for the hidden names first, and the next save finishes
what a kill interrupted. Checkpoints of PaddleOCR hold no hashes and are read as they are.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenetext.errors import InputError, RunError
from scenetext.runs.folders import pending_file
from scenetext.system.files import replacing, sha256_file
from scenetext.weights.pdparams import unpickle_arrays

WEIGHTS, OPTIMISER, STATES = ".pdparams", ".pdopt", ".states"
SUFFIXES = (WEIGHTS, OPTIMISER, STATES)
FILES = "files"  # the key of the hashes in the states

Hashes = dict[str, dict[str, Any]]
"""Size in bytes and SHA-256 by suffix."""


def committed_files(prefix: str | Path) -> dict[str, Path]:
    """Where the files of the checkpoint that counts are, by suffix; they need not exist."""
    is_pending = pending_file(prefix, STATES).is_file()
    files = {}
    for suffix in SUFFIXES:
        new = pending_file(prefix, suffix)
        files[suffix] = new if is_pending and new.is_file() else Path(f"{prefix}{suffix}")
    return files


def replace_checkpoint(
    prefix: str | Path, parts: Mapping[str, Callable[[str], object]], states: Mapping[str, Any]
) -> Hashes:
    """Writes a whole checkpoint in place of the former one.

    Args:
        prefix: the path of its files without their suffixes.
        parts: what writes the weights and the optimiser's state to the path that it is given, by suffix.
        states: what `.states` holds besides the hashes.

    Returns:
        The hashes, for `replace_states`.

    Raises:
        RunError: the disk is full or refuses; the message says which of both checkpoints counts.
    """
    try:
        finish_saving(prefix)
        hashes: Hashes = {}
        for suffix, write in parts.items():
            path = pending_file(prefix, suffix)
            with replacing(path) as file:
                write(file.name)
            hashes[suffix] = _hash(path)
        _write_states(pending_file(prefix, STATES), states, hashes)
        finish_saving(prefix)
    except (OSError, RunError) as error:
        if pending_file(prefix, STATES).is_file():
            told = "the new one is complete and counts when training is resumed from it"
        else:
            _discard(prefix)
            told = "the former one, if there is one, is unchanged"
        raise RunError(f"The checkpoint {prefix} was not saved: {_reason(error)}; {told}.") from error
    return hashes


def replace_states(prefix: str | Path, states: Mapping[str, Any], hashes: Hashes) -> None:
    """Writes `.states` anew for a checkpoint whose weights and optimiser are unchanged.

    Raises:
        RunError: the disk is full or refuses; the former file is unchanged.
    """
    try:
        finish_saving(prefix)
        _write_states(Path(f"{prefix}{STATES}"), states, hashes)
    except (OSError, RunError) as error:
        raise RunError(f"{prefix}{STATES} was not saved: {_reason(error)}; the former file is unchanged.") from error


def read_states(prefix: str | Path) -> dict[Any, Any]:
    """What the `.states` of the checkpoint that counts holds, after a check that its other files belong to it.

    Raises:
        InputError: a file is missing, is no table of numbers and texts, or does not belong to the others.
    """
    files = committed_files(prefix)
    path = files[STATES]
    states = unpickle_arrays(path)
    if not isinstance(states, dict):
        raise InputError(f"{path} holds a {type(states).__name__}, not the state of a training.")
    hashes = states.get(FILES, {})
    if not isinstance(hashes, dict):
        raise InputError(f"{path}: {FILES} is no table of hashes.")
    for suffix, told in hashes.items():
        if suffix not in (WEIGHTS, OPTIMISER) or not files[suffix].is_file() or _hash(files[suffix]) != told:
            raise InputError(
                f"{prefix}{suffix} is not the file that was saved with {path}: the three files of a checkpoint belong "
                "together. Take all of them from one copy, or name the weights as Global.pretrained_model."
            )
    return states


def is_whole(prefix: str | Path) -> bool:
    """Whether there is a checkpoint whose files were saved here and belong together by their hashes."""
    if not all(path.is_file() for path in committed_files(prefix).values()):
        return False
    try:
        return FILES in read_states(prefix)
    except InputError:  # the question is whether
        return False


def finish_saving(prefix: str | Path) -> None:
    """Gives the files of a checkpoint their own names where a kill interrupted that; only the folder's writer may."""
    if not pending_file(prefix, STATES).is_file():
        return
    for suffix in SUFFIXES:  # the states last: as long as their hidden name is there, the others are looked for
        new = pending_file(prefix, suffix)
        if new.is_file():
            os.replace(new, f"{prefix}{suffix}")


def _discard(prefix: str | Path) -> None:
    for suffix in SUFFIXES:
        pending_file(prefix, suffix).unlink(missing_ok=True)


def _write_states(path: Path, states: Mapping[str, Any], hashes: Hashes) -> None:
    with replacing(path) as file:
        pickle.dump({**states, FILES: hashes}, file, protocol=2)


def _hash(path: Path) -> dict[str, Any]:
    return {"size_bytes": path.stat().st_size, "sha256": sha256_file(path)}


def _reason(error: OSError | RunError) -> str:
    if isinstance(error, RunError):
        return str(error).rstrip(".")
    return f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
