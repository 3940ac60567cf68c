"""A run that was really trained, resumed, evaluated and exported, for the tests of its report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from drawn import draw_digits, tiny_config
from export_reports import export_report

from scenetext.config import load_config
from scenetext.system.files import write_json


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """runs/whole in a project of its own."""
    from scenetext.data import evaluation_lines
    from scenetext.evaluate import evaluate
    from scenetext.predict import load_reader
    from scenetext.train import train

    project = tmp_path_factory.mktemp("project")
    data, run = draw_digits(project / "data", 12), project / "runs" / "whole"
    config = load_config(tiny_config(data, epoch_num=1))
    train(config, run, progress=False)
    again = tiny_config(data, epoch_num=2, checkpoints=str(run / "latest"))
    train(load_config(again), run, progress=False)
    reader = load_reader(config, run / "best_accuracy")
    records, images = evaluation_lines(config)
    evaluate(reader, records, images, run / "evaluate", charset=reader.model.charset, progress=False)
    write_json(run / "export/report.json", export_report(records, [record.text for record in records]).as_dict())
    return run


@pytest.fixture
def own_run(whole_run: Path, tmp_path: Path) -> Path:
    """A copy of the run, for tests that write into it; the pictures stay where they are."""
    return shutil.copytree(whole_run, tmp_path / "runs" / "own")
