"""The manifest of a run: what another person needs in order to repeat it."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from scenetext.config import Config
from scenetext.errors import InputError
from scenetext.system.files import sha256_bytes, sha256_file, write_json
from scenetext.system.process import usable_cores

PACKAGES = (
    "scenetext",
    "paddlepaddle",
    "paddlepaddle-gpu",
    "numpy",
    "opencv-contrib-python",
    "rapidocr",
    "onnxruntime",
    "papermill",
)


def environment() -> dict[str, Any]:
    """Versions, host, commit and command of this process."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": usable_cores(),
        "versions": versions,
        "commit": _commit(),
        "command": _command(),
    }


def _command() -> list[str]:
    """The command line of this process; of a notebook's kernel only the name, since the rest is a temporary path."""
    name = Path(sys.argv[0]).name
    return [name] if name.startswith("ipykernel") else [name, *sys.argv[1:]]


def write_manifest(folder: str | Path, config: Config, data_files: Iterable[str | Path] = ()) -> Path:
    """Writes `manifest.json` into a run's folder: environment, seed, and hashes of the configuration and the data.

    Args:
        folder: the run's folder.
        config: the resolved configuration.
        data_files: label files, dictionaries and weights that the run reads.

    Returns:
        The manifest's path.

    Raises:
        InputError: one of the data files does not exist.
    """
    from scenetext.config.yaml_text import dump

    hashes = {}
    for file in map(Path, data_files):
        if not file.is_file():
            raise InputError(f"{file} does not exist, so its hash cannot go into the manifest.")
        hashes[str(file)] = {"sha256": sha256_file(file), "size_bytes": file.stat().st_size}
    path = Path(folder) / "manifest.json"
    write_json(
        path,
        {
            "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seed": config.Global.seed,
            "config_sha256": sha256_bytes(dump(config.model_dump()).encode()),
            "data": hashes,
            **environment(),
        },
    )
    return path


def _commit() -> str | None:
    """The checkout's commit, with "+" when tracked files differ from it, or None outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    here = Path(__file__).resolve()
    try:
        git("ls-files", "--error-unmatch", here.name)  # an installed wheel may lie inside another project's checkout
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
