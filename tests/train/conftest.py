"""A few drawn lines and a run of one epoch on them, for the tests of checkpoints and run folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn import draw_digits, tiny_config

from scenetext.config import load_config


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_digits(tmp_path_factory.mktemp("data"), 12)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch, three steps."""
    from scenetext.train.trainer import train

    folder = tmp_path_factory.mktemp("runs") / "first"
    train(load_config(tiny_config(data, epoch_num=1)), folder, progress=False)
    return folder
