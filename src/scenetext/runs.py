"""What belongs to a run: the project's root, its folder, its seed, and the manifest that says what made it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import random
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.files import sha256_bytes, sha256_file, write_json

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


def project_root(start: str | Path | None = None) -> Path:
    """The project's root: the nearest folder at or above `start` whose pyproject.toml is scenetext's.

    Args:
        start: where to begin, the working directory when None. When nothing is found from there, the checkout that
            the package was installed from is taken.

    Raises:
        InputError: there is no such folder.
    """
    here = Path.cwd() if start is None else Path(start).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if _is_root(folder):
            return folder
    raise InputError(f"{here} is not inside a checkout of scenetext: change to its folder first.")


def enter_project_root() -> Path:
    """Makes the project's root the working directory, so that a notebook runs alike from there and from notebooks/.

    To be called before Paddle is imported, because it also chooses threads and instruction sets.
    """
    from scenetext.cpu import prepare_process

    prepare_process()
    root = project_root()
    os.chdir(root)
    silence_noise()
    return root


def silence_noise() -> None:
    """Ignores warnings that come every time, whatever the user does."""
    for message in (
        "IProgress not found",  # tqdm falls back to its text bar where Jupyter's widgets are not installed
        "No ccache found",  # Paddle, about compiling what nobody compiles here
        "When training, we now always track",  # Paddle, at every batch normalisation layer
    ):
        warnings.filterwarnings("ignore", message=message)


def _is_root(folder: Path) -> bool:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return project.get("project", {}).get("name") == "scenetext"


def run_folder(name: str) -> Path:
    """`runs/<name>`, relative to the working directory; it is not made.

    Raises:
        InputError: the name is empty or would lead out of runs/.
    """
    if not re.fullmatch(r"[^/\\\0]+", name) or name in {".", ".."} or name != name.strip():
        raise InputError(f"{name!r} cannot be the name of a run: give one word without a slash.")
    return Path("runs") / name


def configured_run_folder(config: Mapping[str, Any], source: str | Path) -> Path:
    """Where a run of `config` goes: Global.save_model_dir, or runs/ and the name of the file `source`."""
    folder = config.get("Global", {}).get("save_model_dir")
    return Path(folder) if folder else run_folder(Path(source).stem)


def seed_everything(seed: int) -> None:
    """Seeds Python's, NumPy's and Paddle's random numbers."""
    import numpy
    import paddle

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    paddle.seed(seed)


def choose_device(config: Mapping[str, Any]) -> str:
    """Makes Paddle compute on a GPU if Global.use_gpu allows it and there is one, else on the CPU; returns which."""
    import paddle

    from scenetext.config import setting

    gpu = setting(config, "Global.use_gpu") and paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if not gpu:
        paddle.set_device("cpu")
    return paddle.get_device()


def environment() -> dict[str, Any]:
    """Versions, host and commit: what another person needs to know to repeat a run."""
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
    """What started this process; of a notebook's kernel the name alone, for the rest is a temporary file's path."""
    name = Path(sys.argv[0]).name
    return [name] if name.startswith("ipykernel") else [name, *sys.argv[1:]]


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_manifest(folder: str | Path, config: Mapping[str, Any], data_files: Iterable[str | Path] = ()) -> Path:
    """Writes `manifest.json` into a run's folder: environment, seed, and hashes of the configuration and the data.

    Args:
        folder: the run's folder.
        config: the resolved configuration.
        data_files: label files, dictionaries and weights that the run reads; a missing one is an InputError.

    Returns:
        The manifest's path.
    """
    from scenetext.config import setting
    from scenetext.config.text import dump

    hashes = {}
    for file in map(Path, data_files):
        if not file.is_file():
            raise InputError(f"{file} does not exist, so its hash cannot go into the manifest.")
        hashes[str(file)] = {"sha256": sha256_file(file), "size_bytes": file.stat().st_size}
    path = Path(folder) / "manifest.json"
    write_json(
        path,
        {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": setting(config, "Global.seed"),
            "config_sha256": sha256_bytes(dump(dict(config)).encode()),
            "data": hashes,
            **environment(),
        },
    )
    return path


def _commit() -> str | None:
    """The checkout's commit, with "+" when tracked files differ from it, or None outside a checkout."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        root = project_root(Path(__file__).parent)
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (InputError, OSError, subprocess.CalledProcessError):
        return None
