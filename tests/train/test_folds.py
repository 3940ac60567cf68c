"""Cross-validation by `train --folds`: each line is read once, and a stopped cross-validation resumes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from drawn import draw_digits, tiny_config

from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.evaluate.compare_sources import compare
from scenetext.text.label_files import read_label_file
from scenetext.train.folds import train_folds
from scenetext.train.trainer import train


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_digits(tmp_path_factory.mktemp("digits"), 8)


def test_each_line_is_read_once_by_a_network_that_has_not_seen_it(digits: Path, tmp_path: Path) -> None:
    pretrained = tmp_path / "pretrained"
    train(load_config(tiny_config(digits, epoch_num=1)), pretrained, progress=False)
    weights = str(pretrained / "best_accuracy")
    config = load_config(tiny_config(digits, epoch_num=1, pretrained_model=weights, weight_interpolation=0.5))
    scores = train_folds(config, tmp_path / "run", 2, progress=False)
    root = tmp_path / "run" / "folds"
    everything = {record.name for record in read_label_file(digits / "train.txt")}
    held_out = [{r.name for r in read_label_file(root / f"fold_{n}" / "held_out.txt")} for n in (1, 2)]
    trained = [{r.name for r in read_label_file(root / f"fold_{n}" / "train.txt")} for n in (1, 2)]
    assert held_out[0] | held_out[1] == everything and held_out == trained[::-1] and len(held_out[0]) == 4
    assert {line.name for line in scores.evaluation.lines} == everything
    assert scores.comparison.lines == 8 and "No difference shown" in str(scores)
    assert compare(root / "pretrained", root).difference == scores.comparison.difference

    # stopped after the first fold's training: the second fold is not trained again, and all scores are the same
    (root / "fold_1" / "readings.json").unlink()
    shutil.rmtree(root / "evaluate")
    (root / "fold_2" / "latest.pdparams").write_bytes(b"")
    report = json.loads((root / "report.json").read_text())
    assert train_folds(config, tmp_path / "run", 2, progress=False).accuracies == scores.accuracies
    assert json.loads((root / "report.json").read_text()) == report

    with pytest.raises(InputError, match="folds of another training .folds, Optimizer.lr.learning_rate differ"):
        train_folds(load_config(config, ["Optimizer.lr.learning_rate=0.5"]), tmp_path / "run", 3, progress=False)


@pytest.mark.parametrize(("count", "message"), [(1, "1 folds are too few"), (9, "9 folds are more than the 8 usable")])
def test_too_few_or_too_many_folds_are_refused(digits: Path, tmp_path: Path, count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_folds(load_config(tiny_config(digits)), tmp_path, count)
    assert not list(tmp_path.iterdir())
