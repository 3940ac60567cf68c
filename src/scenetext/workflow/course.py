"""Copies notebooks and configurations into a folder of the user's own, for a course or beside an installed wheel."""

from __future__ import annotations

from pathlib import Path

from scenetext.errors import InputError
from scenetext.system.files import write_text
from scenetext.system.shipped import FOLDERS, shipped
from scenetext.workflow.notebook_cleaner import cleaned


def copy_notebooks(out: str | Path) -> list[Path]:
    """Copies the notebooks, without outputs, to `out`/notebooks and the configurations to `out`/configs.

    Files that are there already with the same content are left alone.

    Args:
        out: the project folder; the notebooks find it from where they lie.

    Returns:
        The files, whether copied now or before.

    Raises:
        InputError: a file is there with another content; nothing is written then.
    """
    texts = {
        Path(out) / folder / file.relative_to(shipped(folder)): _text(file)
        for folder in FOLDERS
        for file in sorted(shipped(folder).rglob("*"))
        if file.suffix in {".ipynb", ".yml", ".md"} and ".ipynb_checkpoints" not in file.parts
    }
    changed = [path for path, text in texts.items() if path.exists() and path.read_bytes() != text.encode()]
    if changed:
        raise InputError(
            f"{changed[0]} is there already with another content ({len(changed)} such files): give another folder, or "
            "remove them first."
        )
    for path, text in texts.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
    return list(texts)


def _text(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    return cleaned(text) if file.suffix == ".ipynb" else text
