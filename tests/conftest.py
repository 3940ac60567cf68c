"""Fixtures every test module may use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = (
    "test_notebooks", "test_export", "test_models", "test_parallel", "test_evaluate", "test_crash", "test_chain",
    "test_notebook_runner", "test_wheel", "test_train",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first, so that two workers are done at about the same time."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def own_draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives every test the same draws of its module's RNG, whatever tests ran before it."""
    if hasattr(request.module, "RNG"):
        monkeypatch.setattr(request.module, "RNG", np.random.default_rng(0))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real crops and reference outputs; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SCENETEXT_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("the folder of real crops and reference outputs (SCENETEXT_SHARED) is not here")
    return folder
