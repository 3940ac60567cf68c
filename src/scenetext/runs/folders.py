"""Where a run's files are: the project's root, the run's folder, and the names of the files in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.errors import InputError
from scenetext.system.process import let_an_error_end_run_all, prepare_process, silence_noise

BEST = "best_accuracy"  # prefix of the best checkpoint's files
LATEST = "latest"  # prefix of the last checkpoint's files
RESOLVED = "config.yml"  # a run's own configuration
FORMER = "former_"  # and a number: the folders into which a later training moves the former one's files

if TYPE_CHECKING:
    from scenetext.config import Config


def project_root(start: str | Path | None = None) -> Path:
    """The project folder: the one that holds data/, runs/ and submissions/, and from which relative paths start.

    It is the nearest folder at or above `start` that is a project (see `is_project`). If there is none, it is `start`
    itself, so that nothing is ever written to a folder that the user did not name.

    Args:
        start: where to begin, the working directory when None.
    """
    here = Path.cwd() if start is None else Path(start).resolve()
    return next(filter(is_project, (here, *here.parents)), here)


def is_project(folder: Path) -> bool:
    """Whether a folder is a checkout of scenetext, or holds what `scenetext notebooks` copies."""
    if (folder / "notebooks" / "01_data.ipynb").is_file() and (folder / "configs" / "base_ctc.yml").is_file():
        return True
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return re.search(r'^\[project\]\s+name = "scenetext"$', text, re.MULTILINE) is not None


def enter_project_root() -> Path:
    """Makes the project folder the working directory, so that a notebook runs the same from notebooks/ and from there.

    It prints the folder, unless the working directory is a project already. Call it before Paddle is imported, because
    it also chooses threads and instruction sets.
    """
    prepare_process()
    let_an_error_end_run_all()
    here, root = Path.cwd(), project_root()
    os.chdir(root)
    silence_noise()
    if here != root or not is_project(root):
        print(f"Project folder: {root} (data, runs and submissions are read and written there)")
    return root


def run_folder(name: str) -> Path:
    """`runs/<name>`, relative to the working directory; the folder is not created.

    Raises:
        InputError: the name is empty or would lead out of runs/.
    """
    if not re.fullmatch(r"[^/\\\0]+", name) or name in {".", ".."} or name != name.strip():
        raise InputError(f"{name!r} cannot be the name of a run: give one word without a slash.")
    return Path("runs") / name


def pending_file(prefix: str | Path, suffix: str) -> Path:
    """Where a checkpoint's file is until the file has taken its own name: `.latest.next.pdparams`."""
    path = Path(prefix)
    return path.with_name(f".{path.name}.next{suffix}")


def has_weights(prefix: str | Path) -> bool:
    """Whether a checkpoint's weights are there, under their own name or, after a kill, under the hidden one."""
    return Path(f"{prefix}.pdparams").is_file() or pending_file(prefix, ".states").is_file()


def former_folders(folder: Path) -> list[Path]:
    """The folders inside a run's folder to which later trainings moved the former ones' files, the oldest first."""
    found = (path for path in folder.glob(f"{FORMER}*") if path.name.removeprefix(FORMER).isdecimal())
    return sorted(found, key=lambda path: int(path.name.removeprefix(FORMER)))


def configured_run_folder(config: Config, source: str | Path) -> Path:
    """Where a run of `config` goes: Global.save_model_dir, or runs/ and the name of the file `source`."""
    folder = config.Global.save_model_dir
    return Path(folder) if folder else run_folder(Path(source).stem)
