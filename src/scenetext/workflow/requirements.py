"""What a notebook needs from the notebooks before it: a missing file is one sentence that says which one to run."""

from __future__ import annotations

from pathlib import Path

from scenetext.errors import InputError
from scenetext.runs.folders import run_folder
from scenetext.workflow.demo import PARAMETERS as DEMO


def require_raw(raw: str | Path) -> None:
    """Checks that the folder of raw files exists, and offers the drawn sample otherwise.

    Raises:
        InputError: it does not exist.
    """
    if Path(raw).is_dir():
        return
    sample = DEMO["raw"]
    offer = "which `scenetext demo` has drawn" if Path(sample).is_dir() else "after `scenetext demo` has drawn it"
    raise InputError(
        f"The folder {raw} does not exist: put the competition's files there (data/README.md lists their names), or "
        f'set raw = "{sample}" for the sample competition, {offer}.'
    )


def require(notebook: str, *files: str | Path) -> None:
    """Checks that files which another notebook writes exist.

    Args:
        notebook: which one writes them, for example "01_data".
        files: relative to the working directory.

    Raises:
        InputError: one of them does not exist.
    """
    missing = next((str(file) for file in files if not Path(file).is_file()), None)
    if missing is None:
        return
    sentence = f"The file {missing} does not exist: run the notebook {notebook} first, which writes it"
    demo = run_folder(DEMO["run"])
    if Path(missing).parts[:1] == demo.parts[:1] and demo.is_dir():
        sentence += f', or set run = "{DEMO["run"]}" for the run of `scenetext demo`'
    elif Path(DEMO["prepared"]).is_dir() and Path(missing).parts[:2] != Path(DEMO["prepared"]).parts[:2]:
        sentence += f', or set prepared = "{DEMO["prepared"]}" for the sample that `scenetext demo` has drawn'
    raise InputError(f"{sentence}.")
