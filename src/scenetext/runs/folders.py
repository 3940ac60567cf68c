"""Where a run's files are: the project's root, the run's folder, and the names of the files in it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.errors import InputError
from scenetext.system.process import prepare_process, silence_noise

BEST = "best_accuracy"  # prefix of the best checkpoint's files
LATEST = "latest"  # prefix of the last checkpoint's files
RESOLVED = "config.yml"  # a run's own configuration

if TYPE_CHECKING:
    from scenetext.config import Config


def project_root(start: str | Path | None = None) -> Path:
    """The project's root: the nearest folder at or above `start` whose pyproject.toml is scenetext's.

    Args:
        start: where to begin, the working directory when None. If no folder is found from there, it is the checkout
            that the package was installed from.

    Raises:
        InputError: there is no such folder.
    """
    here = Path.cwd() if start is None else Path(start).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[3]):
        if _is_root(folder):
            return folder
    raise InputError(f"{here} is not inside a checkout of scenetext: change to its folder first.")


def enter_project_root() -> Path:
    """Makes the project's root the working directory, so that a notebook runs the same from notebooks/.

    Call it before Paddle is imported, because it also chooses threads and instruction sets.
    """
    prepare_process()
    root = project_root()
    os.chdir(root)
    silence_noise()
    return root


def _is_root(folder: Path) -> bool:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return project.get("project", {}).get("name") == "scenetext"


def run_folder(name: str) -> Path:
    """`runs/<name>`, relative to the working directory; the folder is not created.

    Raises:
        InputError: the name is empty or would lead out of runs/.
    """
    if not re.fullmatch(r"[^/\\\0]+", name) or name in {".", ".."} or name != name.strip():
        raise InputError(f"{name!r} cannot be the name of a run: give one word without a slash.")
    return Path("runs") / name


def configured_run_folder(config: Config, source: str | Path) -> Path:
    """Where a run of `config` goes: Global.save_model_dir, or runs/ and the name of the file `source`."""
    folder = config.Global.save_model_dir
    return Path(folder) if folder else run_folder(Path(source).stem)
