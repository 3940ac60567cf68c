"""The configurations and notebooks that come with the package.

In a checkout they are its folders `configs` and `notebooks`. Building a wheel copies both into `scenetext/shipped` (see
setup.py in the checkout), so that an installed wheel has them, too.
"""

from __future__ import annotations

from pathlib import Path

from scenetext.errors import RunError

FOLDERS = ("configs", "notebooks")
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(folder: str) -> Path:
    """Where the files of one of FOLDERS are: in the checkout that the package is imported from, else in the package.

    Raises:
        RunError: they are in neither, because a packager left them out.
    """
    for candidate in (_PACKAGE.parents[1] / folder, _PACKAGE / "shipped" / folder):
        if (candidate / "README.md").is_file() or (candidate / "01_data.ipynb").is_file():
            return candidate
    raise RunError(f"This installation of scenetext has no {folder}: install it again, from a checkout or a wheel.")


def find_shipped(path: Path) -> Path:
    """`path` if it exists; a path below `configs/` that does not exist in the working directory is the shipped file.

    So `configs/ppocrv6_small.yml` can be given in every folder.

    Args:
        path: as the user gave it; a path that exists nowhere is returned unchanged.
    """
    if path.exists() or path.is_absolute() or path.parts[:1] != ("configs",) or ".." in path.parts:
        return path
    found = shipped("configs").joinpath(*path.parts[1:])
    return found if found.is_file() else path
