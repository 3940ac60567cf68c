"""Adds the configurations and notebooks to a wheel. All else about the package is in pyproject.toml."""

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithShippedFiles(build_py):
    """Copies configs/ and notebooks/ to scenetext/shipped, the notebooks without outputs; see system/shipped.py."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # the package finds the checkout's folders
        target = Path(self.build_lib, "scenetext", "shipped")
        shutil.rmtree(target, ignore_errors=True)  # of an earlier build
        shutil.copytree(ROOT / "configs", target / "configs", ignore=shutil.ignore_patterns(".*"))
        cleaned = runpy.run_path(str(ROOT / "src/scenetext/workflow/notebook_cleaner.py"))["cleaned"]
        (target / "notebooks").mkdir()
        for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
            text = cleaned(notebook.read_text(encoding="utf-8"))
            (target / "notebooks" / notebook.name).write_text(text, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithShippedFiles})
