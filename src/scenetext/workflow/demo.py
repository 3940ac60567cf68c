"""The whole way on a drawn sample competition: draw, run the six notebooks, score the submission, say where to look."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from pathlib import Path

from scenetext.errors import RunError
from scenetext.runs.folders import enter_project_root
from scenetext.system.files import read_json
from scenetext.system.process import usable_cores
from scenetext.workflow.notebook_runner import run_notebooks

RAW = Path("data/demo/raw")
ANSWERS = RAW / "answers" / "test_label.csv"
PARAMETERS = {
    "run": "demo",
    "raw": str(RAW),
    "prepared": "data/demo/prepared",
    "config": "configs/ppocrv6_small_demo.yml",
    "submission": "runs/demo/submission",
    "answers": str(ANSWERS),
    "budgets_mb": "[2, 4]",
}


def demo(given: Mapping[str, str]) -> None:
    """Draws the competition, runs the notebooks on it, and prints a summary.

    Args:
        given: notebook parameters as written on the command line; they override the demo's own.

    Raises:
        InputError: an unknown parameter.
        RunError: a notebook failed, or the notebooks wrote no submission.
    """
    from scenetext.synth import draw_competition

    started = time.monotonic()
    root = enter_project_root()
    draw_competition(RAW, workers=usable_cores())
    parameters = {**PARAMETERS, **given}
    folder = run_notebooks(parameters, root=root)
    submission = Path(parameters["submission"]) / "predicts.txt"
    accuracy = submission_accuracy(submission, ANSWERS)
    scores = read_json(folder / "evaluate" / "scores.json")
    size_bytes = read_json(folder / "export" / "report.json")["size_bytes"]
    print(
        f"demo: normalised accuracy {scores['normalised']['value']:.4f} on the validation lines and {accuracy:.4f} on "
        f"the withheld test lines, {folder / 'export'} {size_bytes:,} bytes, {submission}, "
        f"{time.monotonic() - started:.0f} s\n"
        f"Look at {folder / 'notebooks'} (the executed notebooks), {folder} (weights, scores, plots), "
        f"and `visualdl --logdir {folder / 'vdl'} --language en` (curves in a browser)."
    )


def submission_accuracy(submission: Path, answers: Path) -> float:
    """Normalised line accuracy of a submission against a label file, in [0, 1].

    Raises:
        RunError: the submission is missing, or lacks a row that the label file has.
    """
    from scenetext.evaluate.metrics import score
    from scenetext.text.label_files import read_label_table

    if not submission.is_file():
        raise RunError(f"The notebooks ran, but {submission} is missing.")
    with open(submission, encoding="utf-8", newline="") as file:
        read = {row["new_name"]: row["value"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    records = read_label_table(answers).records
    missing = [record.name for record in records if record.name not in read]
    if missing:
        raise RunError(f"{submission} has no row for {missing[0]} ({len(missing)} rows are missing).")
    return score([read[record.name] for record in records], [record.text for record in records]).normalised.value
