"""The whole way by the command alone, each step reading what the one before it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = """
base: {base}
Global: {{epoch_num: 1, use_visualdl: false}}
Train: {{loader: {{batch_size_per_card: 8}}}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A folder with a drawn competition of 24 and 6 lines, and a configuration."""
    from scenetext.synth import draw_competition

    place = tmp_path_factory.mktemp("chain")
    draw_competition(place / "raw", train=24, test=6)
    (place / "tiny.yml").write_text(TINY.format(base=root / "configs/crnn_mobile.yml"))
    return place


def scenetext(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "scenetext", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_from_zips_to_a_submission_by_the_command(place: Path) -> None:
    scenetext("prepare", "--raw", "raw", "--out", "data/prepared", "--val", "6", cwd=place)
    scenetext("train", "-c", "tiny.yml", "-o", "Global.seed=3", "-o", "Global.save_model_dir=runs/tiny", cwd=place)
    resolved = ("-c", "runs/tiny/config.yml", "--weights", "runs/tiny/best_accuracy")
    lines = ("--labels", "data/prepared/val.txt", "--images", "data/prepared/images")
    scenetext("evaluate", *resolved, *lines, "--out", "runs/tiny/evaluate", cwd=place)
    scenetext("export", *resolved, "--out", "runs/tiny/export", "--max-mb", "8", cwd=place)
    scenetext("evaluate", "--model", "runs/tiny/export", *lines, "--out", "runs/tiny/exported", cwd=place)
    scenetext(
        "predict", "--model", "runs/tiny/export", "--images", "raw/test_images.zip", "--out", "read.txt", cwd=place
    )
    images = ("--images", "raw/test_images.zip")
    scenetext("submit", "--model", "runs/tiny/export", *images, "--out", "submissions/tiny", cwd=place)

    assert json.loads((place / "runs/tiny/manifest.json").read_text())["seed"] == 3
    scores = [json.loads((place / f"runs/tiny/{part}/scores.json").read_text()) for part in ("evaluate", "exported")]
    assert scores[0]["lines"] == 6 and scores[0]["raw"] == scores[1]["raw"]
    read = dict(line.split("\t")[:2] for line in (place / "read.txt").read_text(encoding="utf-8").splitlines())
    header, *rows = (place / "submissions/tiny/predicts.txt").read_text(encoding="utf-8").splitlines()
    assert header == "new_name\tvalue"
    assert dict(row.split("\t") for row in rows) == {Path(name).name: text for name, text in read.items()}
    assert len(rows) == 6


@pytest.mark.long
def test_a_network_is_fitted_to_a_small_budget_by_the_command(place: Path) -> None:
    if not (place / "runs/tiny").exists():
        test_from_zips_to_a_submission_by_the_command(place)
    told = scenetext(
        "export", "-c", "runs/tiny/config.yml", "--weights", "runs/tiny/best_accuracy", "--out", "runs/tiny/small",
        "--labels", "data/prepared/val.txt", "--images", "data/prepared/images", "--max-mb", "0.6",
        "--characters", "data/prepared/charset.txt", "--budgets", "0.5", "--finetune-steps", "2",
        cwd=place,
    )  # fmt: skip
    report = json.loads((place / "runs/tiny/small/report.json").read_text(encoding="utf-8"))
    assert report["storage"].startswith("fitted") and report["size_bytes"] <= 600_000
    assert report["finetune_steps"] == 2
    assert [row["max_mb"] for row in report["curve"]] == [0.5, None] and "at 0.5 MB:" in told
    assert list(report["accuracy"]) == ["trained", "sliced", "exported"]
