"""Is B better than A? Hand-made readings of the same lines, and what users compare by mistake."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from exported import tiny_export, tiny_folder

from scenetext.errors import InputError
from scenetext.evaluate import compare
from scenetext.evaluate.compare_sources import compare_all
from scenetext.evaluate.comparison import ChangedLine
from scenetext.evaluate.evaluation_folder import write_evaluation
from scenetext.evaluate.results import Evaluation, ReadLines, score_lines
from scenetext.text.records import Record

LABELS = [f"{number:03}" for number in range(200)]
NAMES = [f"{label}.png" for label in LABELS]
RECORDS = [Record(name, label, f"val.txt:{label}") for name, label in zip(NAMES, LABELS, strict=True)]


def reading(*wrong: int) -> list[str]:
    """What a reader says that is wrong on these lines."""
    return ["x" if number in wrong else label for number, label in enumerate(LABELS)]


FIRST = reading(*range(40))  # 160 of 200 right
SECOND = reading(*range(25, 40), 199)  # 25 lines won, 1 lost


def evaluation(texts: list[str]) -> Evaluation:
    return score_lines(ReadLines(NAMES, LABELS, texts))


def write(path: Path, texts: list[str], names: list[str] = NAMES) -> Path:
    lines = [f"{name}\t{text}\n" for name, text in zip(names, texts, strict=False)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_the_difference_of_two_hand_made_readings() -> None:
    found = compare(evaluation(FIRST), evaluation(SECOND), names=("base", "new"))
    assert (found.lines, found.first_accuracy.value, found.second_accuracy.value) == (200, 0.8, 0.92)
    assert found.difference.value == pytest.approx(0.12)
    assert found.ned_difference.value == pytest.approx(0.12)
    assert 0.06 < found.difference.low < 0.09 and 0.15 < found.difference.high < 0.18  # 0.12 ± 2 * sqrt(26 / 200²)
    assert found.p_value == pytest.approx(2 * (1 + 26) / 2**26)
    assert [line.name for line in found.won] == NAMES[:25]
    assert found.lost == [ChangedLine("199.png", "199", "199", "x")]
    assert found.shows_difference
    assert str(found).startswith("new is better than base by 12.0 points, 95 % interval ")
    assert "25 won, 1 lost, McNemar p < 0.0001" in str(found)


def test_a_gain_inside_its_interval_is_called_none() -> None:
    found = compare(evaluation(reading(0, 1, 2, 3)), evaluation(reading(0, 1, 2)))
    assert not found.shows_difference and found.p_value == 1.0
    assert str(found).startswith("No difference shown between A and B: B - A is 0.5 points, 95 % interval -")


def test_a_reading_compared_with_itself_shows_no_difference() -> None:
    found = compare(evaluation(FIRST), evaluation(FIRST))
    assert (found.difference.value, found.won, found.lost, found.p_value) == (0.0, [], [], 1.0)
    assert found.difference.low < 0 < found.difference.high


def test_a_protocol_decides_what_is_right() -> None:
    first, second = (ReadLines(["0.png", "1.png"], ["停車", "a"], texts) for texts in (["停車", "A"], ["停车", "A"]))
    by = {
        rules: compare(score_lines(first), score_lines(second), rules=rules).difference.value
        for rules in ("raw", "normalised", "chinese-benchmark")
    }
    assert by == {"raw": -0.5, "normalised": -0.5, "chinese-benchmark": 0.0}


def test_every_kind_of_source_is_compared(tmp_path: Path) -> None:
    write_evaluation(evaluation(FIRST), tmp_path / "evaluated")
    run = tmp_path / "run"
    write_evaluation(evaluation(FIRST), run / "evaluate")
    (run / "config.yml").write_text("Global: {}\n")
    submitted = tmp_path / "submissions" / "first"
    submitted.mkdir(parents=True)
    write(submitted / "predicts.txt", FIRST)
    (submitted / "predicts.txt").write_text("new_name\tvalue\n" + (submitted / "predicts.txt").read_text())
    second = write(tmp_path / "second.txt", SECOND[::-1], NAMES[::-1])  # in another order
    for source in (evaluation(FIRST), tmp_path / "evaluated", run, submitted, write(tmp_path / "first.txt", FIRST)):
        found = compare(source, second, RECORDS)
        assert (found.difference.value, len(found.won), len(found.lost)) == (pytest.approx(0.12), 25, 1), source
    assert compare(run, tmp_path / "evaluated").lines == 200  # the labels are those of the evaluations


def test_runs_are_found_by_their_names(tmp_path: Path, monkeypatch) -> None:
    for name, texts in (("first", FIRST), ("second", SECOND)):
        write_evaluation(evaluation(texts), tmp_path / "runs" / name / "evaluate")
    monkeypatch.chdir(tmp_path)
    found = compare("first", "second")
    assert (found.first, found.second, len(found.won)) == ("first", "second", 25)


def test_several_are_compared_with_the_first_and_called_by_what_differs_in_their_paths(tmp_path: Path) -> None:
    for name, texts in (("one", FIRST), ("two", SECOND), ("three", LABELS)):
        write_evaluation(evaluation(texts), tmp_path / name / "evaluate")
    found = compare_all([tmp_path / name / "evaluate" for name in ("one", "two", "three")])
    assert [(each.first, each.second) for each in found] == [("one", "two"), ("one", "three")]
    assert [each.difference.value for each in found] == pytest.approx([0.12, 0.2])


@pytest.mark.parametrize(
    ("make", "labels", "told"),
    [
        (lambda folder: folder / "none", RECORDS, "none does not exist: give a run"),
        (lambda folder: folder, RECORDS, "is no run, exported folder, evaluation or submission"),
        (lambda folder: write(folder / "config.yml", []).parent, RECORDS, "has no evaluation: run scenetext evaluate"),
        (lambda folder: write(folder / "inference.yml", []).parent, RECORDS, "is a model: give --labels and --images"),
        (lambda folder: write(folder / "p.txt", FIRST), None, "None of .* holds labels: give them by --labels"),
        (lambda folder: write(folder / "p.txt", FIRST[:199]), RECORDS, "1 of 200 labels have no prediction"),
        (lambda folder: write(folder / "p.txt", FIRST), RECORDS[:150], "50 of 200 predictions have no label"),
    ],
)
def test_what_cannot_be_compared_is_told(make, labels, told: str, tmp_path: Path) -> None:
    source = make(tmp_path)
    with pytest.raises(InputError, match=told):
        compare(source, source, labels)


def test_evaluations_against_other_labels_are_refused(tmp_path: Path) -> None:
    relabelled = score_lines(ReadLines(NAMES, [*LABELS[:-1], "200"], FIRST))
    with pytest.raises(InputError, match=r"the label of 199\.png is '200', but another source was .* against '199'"):
        compare(evaluation(FIRST), relabelled)


def test_only_lines_that_all_have_count_on_request(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", FIRST[:150], NAMES[:150])
    second = write(tmp_path / "b.txt", SECOND[50:], NAMES[50:])
    found = compare(first, second, RECORDS, unmatched="leave-out")
    assert (found.lines, len(found.won), len(found.lost)) == (100, 0, 0)


def test_one_source_is_no_comparison() -> None:
    with pytest.raises(InputError, match="1 source given"):
        compare_all([evaluation(FIRST)])


def test_the_command_says_it_and_writes_the_lines_won_and_lost(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", FIRST)
    write(tmp_path / "b.txt", SECOND)
    write(tmp_path / "c.txt", FIRST)
    write(tmp_path / "val.txt", LABELS)
    command = [sys.executable, "-m", "scenetext", "compare", "a.txt", "b.txt", "c.txt", "--labels", "val.txt"]
    done = subprocess.run([*command, "--out", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "b.txt is better than a.txt by 12.0 points" in done.stdout
    assert "No difference shown between a.txt and c.txt" in done.stdout and "(Holm)" in done.stdout
    written = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert [(each["second"], each["won"], each["lost"]) for each in written] == [("b.txt", 25, 1), ("c.txt", 0, 0)]
    with open(tmp_path / "out" / "lost.csv", encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            dict(first="a.txt", second="b.txt", name="199.png", target="199", first_text="199", second_text="x")
        ]
    (tmp_path / "out" / "notes.txt").write_text("mine")
    again = subprocess.run([*command, "--out", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert again.returncode == 2 and "out holds other files" in again.stderr
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_an_exported_folder_and_a_run_read_the_pictures_anew(tmp_path: Path) -> None:
    from drawn import tiny_config

    from scenetext.config import load_config, write_config

    folder, run = tiny_folder(), tmp_path / "run"
    run.mkdir()
    write_config(load_config(tiny_config(folder)), run / "config.yml")
    (run / "best_accuracy.pdparams").write_bytes((folder / "tiny.pdparams").read_bytes())
    exported = tiny_export("json", "float32")
    found = compare(exported, run, folder / "train.txt", folder / "images")
    assert found.lines == 12 and not found.shows_difference
    assert (found.won, found.lost) == ([], [])
