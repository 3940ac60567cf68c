"""VisualDL's charts: the scores, the lines as they are read, the confidence, the hyper-parameters, and no constants."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import tiny_config

from scenetext.config import load_config
from scenetext.train.curves import threshold_counts

SPARE = {"train/epoch", "eval/epoch", "eval/best", "eval/seconds", "eval/lines"}


@pytest.fixture(scope="module")
def charted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose charts are written, and which reads some lines right and some wrong."""
    from scenetext.train.trainer import train

    folder = tmp_path_factory.mktemp("charted") / "run"
    config = tiny_config(data, epoch_num=2, use_visualdl=True)
    train(load_config(config), folder, progress=False)
    return folder


def tags_of(folder: Path) -> dict[str, set[str]]:
    """What VisualDL's own reader finds, by kind."""
    from visualdl import LogReader

    found: dict[str, set[str]] = {}
    for file in (folder / "vdl").glob("vdlrecords*"):
        for kind, tags in LogReader(file_path=str(file)).get_tags().items():
            found.setdefault(kind, set()).update(tags)
    return found


def test_scores_lines_and_settings_are_charted_and_counters_are_not(charted: Path):
    tags = tags_of(charted)
    scores = {f"eval/{name}" for name in ("raw", "normalised", "one_minus_ned")}
    assert tags["scalar"] == {"train/loss", "train/lr", "train/lines_per_second", "train/reader_share", *scores}
    assert tags["image"] == {"train/pictures", "eval/lines"}
    assert "hyper_parameters" in tags and not SPARE & tags["scalar"]
    rows = [json.loads(row) for row in (charted / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"epoch", "best", "seconds", "lines"} <= {key for row in rows for key in row}  # the log keeps them


def test_a_rate_that_never_changes_has_no_chart(data: Path, tmp_path: Path):
    from scenetext.train.trainer import train

    config = tiny_config(data, epoch_num=1, use_visualdl=True)
    config["Optimizer"]["lr"] = {"name": "Const", "learning_rate": 1e-3}
    train(load_config(config), tmp_path / "run", progress=False)
    assert "train/lr" not in tags_of(tmp_path / "run")["scalar"]


def test_the_charts_of_a_resumed_training_begin_at_its_first_step(data: Path, tmp_path: Path):
    """Of several files in a folder VisualDL shows the newest alone: earlier steps would be gone."""
    from visualdl import LogReader

    from scenetext.train.curves import Curves

    rows = [
        {"kind": "train", "step": 2, "epoch": 1, "loss": 3.0},
        {"kind": "eval", "step": 3, "epoch": 1, "normalised": 0.25, "best": True},
        {"kind": "ended", "step": 3, "reason": "interrupted"},
    ]
    curves = Curves(tmp_path / "vdl", load_config(tiny_config(data)))
    curves.repeat(rows)
    curves.scalars("train", {"loss": 2.0}, 4)
    curves.close()
    (file,) = (tmp_path / "vdl").iterdir()
    reader = LogReader(file_path=str(file))
    tags = ("train/loss", "eval/normalised")
    points = {tag: [(point.id, point.value) for point in reader.get_data("scalar", tag)] for tag in tags}
    assert points == {"train/loss": [(2, 3.0), (4, 2.0)], "eval/normalised": [(3, 0.25)]}
    assert set(reader.get_tags()["scalar"]) == set(tags)  # no counters, and nothing of how it ended


def test_the_table_of_hyper_parameters_shows_the_last_scores(charted: Path):
    from visualdl.reader.reader import LogReader
    from visualdl.server import lib

    reader = LogReader(str(charted / "vdl"))
    (row,) = lib.get_hparam_list(reader)
    rows = [json.loads(line) for line in (charted / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    last = [r for r in rows if r["kind"] == "eval"][-1]
    assert row["hparams"]["epochs"] == 2 and row["hparams"]["learning rate"] == pytest.approx(2e-3)
    assert row["metrics"]["eval/one_minus_ned"] == pytest.approx(last["one_minus_ned"])


def test_the_confidence_of_lines_read_right_and_wrong_is_a_precision_recall_curve(data: Path, tmp_path: Path):
    from scenetext.train.curves import Curves

    right, confidences = np.array([True, True, False, True]), np.array([0.9, 0.5, 0.5, 0.2])
    curves = Curves(tmp_path / "vdl", load_config(tiny_config(data)))
    curves.confidence(right, confidences, step=3)
    curves.confidence(np.array([True, True]), confidences[:2], step=4)  # nothing to tell apart
    curves.close()
    from visualdl import LogReader

    (file,) = (tmp_path / "vdl").glob("vdlrecords*")
    (curve,) = LogReader(file_path=str(file)).get_data("pr_curve", "eval/confidence")
    assert curve.id == 3 and len(curve.pr_curve.TP) == 101 and list(curve.pr_curve.TP)[50] == 2
    counts = threshold_counts(right, confidences)
    assert [counts[name][50] for name in ("tp", "fp", "tn", "fn")] == [2, 1, 0, 1]
    assert counts["precision"][50] == pytest.approx(2 / 3) and counts["recall"][50] == pytest.approx(2 / 3)
    assert (counts["precision"][100], counts["recall"][100]) == (1.0, 0.0)  # no line is that sure
    assert (counts["precision"][0], counts["recall"][0]) == (0.75, 1.0)


def test_an_empty_text_has_the_confidence_0_and_counts_as_wrong():
    counts = threshold_counts(np.array([False, True]), np.array([0.0, 1.0]))
    assert (counts["fp"][0], counts["fp"][1], counts["tp"][100]) == (1, 0, 1)
