"""Loads the scripts in .ci, which are no package, for the tests of what they decide and say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def load_script(root: Path, name: str) -> ModuleType:
    """`.ci/NAME.py` as a module."""
    spec = importlib.util.spec_from_file_location(name, root / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
