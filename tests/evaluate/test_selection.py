"""Whether the lines that are scored chose the weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenetext.config import Config, load_config
from scenetext.evaluate.evaluation import evaluate
from scenetext.evaluate.evaluation_folder import read_evaluation
from scenetext.evaluate.selection import selection_of
from scenetext.text.label_files import read_label_table
from scenetext.text.records import Record


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration whose Eval section names three lines."""
    from drawn import draw_digits, tiny_config

    return load_config(tiny_config(draw_digits(tmp_path, 3)))


def test_the_report_says_on_which_part_the_epoch_was_chosen(config: Config, tmp_path: Path) -> None:
    labels = tmp_path / "train.txt"
    chosen = read_label_table(labels).records
    others = [Record("x/7.png", "7", "")]
    told = {
        "all": str(selection_of(config, "run/best_accuracy", chosen)),
        "some": str(selection_of(config, "run/best_accuracy.pdparams", chosen[:2] + others)),
        "none": str(selection_of(config, "run/best_accuracy", others)),
        "last": str(selection_of(config, "run/latest", chosen)),
    }
    assert told == {
        "all": f"the epoch was chosen on these lines ({labels}), so the scores are a little too high",
        "some": f"the epoch was chosen on 2 of these 3 lines ({labels}), so the scores are a little too high",
        "none": f"the epoch was chosen on other lines ({labels}) than these",
        "last": "no score chose the epoch of these weights",
    }
    labels.write_bytes(b"\0")
    assert selection_of(config, "run/best_accuracy", chosen) is None  # it cannot be known any more
    labels.unlink()
    assert selection_of(config, "run/best_accuracy", chosen) is None


def test_the_scores_hold_what_chose_the_epoch(config: Config, tmp_path: Path) -> None:
    records = read_label_table(tmp_path / "train.txt").records
    selection = selection_of(config, "best_accuracy", records)
    found = evaluate(
        lambda pictures: [("1", 0.5)] * len(pictures), records, tmp_path / "images", tmp_path / "out",
        selection=selection, progress=False,
    )  # fmt: skip
    assert found.selection == selection
    written = read_evaluation(tmp_path / "out")["selection"]
    assert (written["lines"], written["shared"], written["told"]) == (3, 3, str(selection))
