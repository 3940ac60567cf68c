"""The table of runs: scores, bytes, speed and what differs, for a terminal and as CSV."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from drawn import draw_digits, tiny_config
from export_reports import export_report

from scenetext.cli import main
from scenetext.config import load_config, write_config
from scenetext.evaluate.evaluation_folder import write_evaluation
from scenetext.evaluate.results import ReadLines, score_lines
from scenetext.report.run_table import csv_text, differing, read_runs, table
from scenetext.system.files import write_json, write_text
from scenetext.text.records import Record

ROWS = [
    {"kind": "train", "step": 3, "epoch": 1, "loss": 2.0, "lines_per_second": 9.0, "reader_share": 0.1},
    {"kind": "eval", "step": 3, "epoch": 1, "lines": 12, "raw": 0.25, "normalised": 0.25, "one_minus_ned": 0.5},
]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs: an evaluated and exported one, one trained otherwise and not evaluated, and one that is broken."""
    folder = tmp_path / "runs"
    data = draw_digits(tmp_path / "data", 2)
    for name, seed, rate in (("whole", 7, 0.002), ("二号", 8, 0.004)):
        config = tiny_config(data, seed=seed)
        config["Optimizer"]["lr"]["learning_rate"] = rate
        write_config(load_config(config), folder / name / "config.yml")
        write_json(folder / name / "manifest.json", {"written": "2026-11-28T20:00:00+00:00"})
        write_text(folder / name / "history.jsonl", "".join(f"{json.dumps(row)}\n" for row in ROWS))
    names, labels, texts = ["0.png", "1.png"], ["12", "3"], ["12", "8"]
    write_evaluation(score_lines(ReadLines(names, labels, texts, [0.9, 0.4])), folder / "whole" / "evaluate")
    report = export_report([Record("0.png", "12", "val.txt:1")], ["12"])
    write_json(folder / "whole" / "export/report.json", report.as_dict())
    write_text(folder / "broken" / "config.yml", "Global: {epoch_nmu: 1}")
    (folder / "notes").mkdir()
    return folder


def test_the_command_lists_every_run_and_names_one_that_cannot_be_read(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", str(runs), "--out", str(tmp_path / "runs.csv")]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert [line.split()[0] for line in lines if line[:1] not in (" ", "B")][1:3] == ["whole", "二号"]
    assert "Global.seed=8" in told.out and "Optimizer.lr.learning_rate=0.004" in told.out
    assert told.err.count("\n") == 1 and "left out" in told.err and "epoch_nmu" in told.err
    with open(tmp_path / "runs.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["name"], first["Global.seed"], second["Global.seed"]) == ("whole", "7", "8")
    assert float(first["low"]) <= float(first["normalised"]) <= float(first["high"]) and second["low"] == ""
    assert int(first["exported_bytes"]) == 1_000_000 and second["exported_bytes"] == ""
    assert (first["lines"], second["lines"], second["normalised"], second["lines_per_second"]) == (
        "2",
        "12",
        "0.25",
        "9.0",
    )


def test_only_settings_that_differ_are_listed(runs: Path) -> None:
    rows = read_runs(runs)
    assert set(differing(rows)) == {"Global.seed", "Optimizer.lr.learning_rate"}
    assert differing(rows[:1]) == [] and "settings" not in table(rows[:1], 100)
    assert "same settings" in table([rows[0], rows[0]], 100)


def test_columns_stand_below_each_other_although_chinese_names_are_twice_as_wide(runs: Path) -> None:
    rows = read_runs(runs)
    header, whole, chinese, *_ = table(rows, 200).splitlines()
    at = header.index("trained")
    assert whole[at : at + 10] == "2026-11-28"
    assert chinese[at - 2 : at + 8] == "2026-11-28", "two characters of the name take four columns"


def test_of_another_network_its_name_is_told_and_not_every_setting_that_it_alone_has(runs: Path) -> None:
    first, second = read_runs(runs)
    own = {name: value for name, value in second.settings.items() if not name.startswith("Architecture.Neck")}
    other = replace(second, network="RARE", settings=own | {f"Loss.x{i}": i for i in range(30)})
    told = table([first, first, other], 200)
    assert "network=RARE, Global.seed=8" in told and "Loss.x" not in told and "Neck" not in told
    many = [
        replace(row, settings={f"s{i}": (i + 1) * k for i in range(40)}) for k, row in enumerate([first, first, second])
    ]
    assert "s9=20, and 30 more, which --out FILE.csv lists" in table([many[0], many[0], many[2]], 300)
    assert csv_text([many[0], many[2]]).splitlines()[0].endswith("s39")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_settings_are_wrapped_to_the_width_of_the_terminal(runs: Path, width: int) -> None:
    own = [line for line in table(read_runs(runs), width).splitlines() if line.startswith("    ")]
    assert own and all(len(line) <= width for line in own)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: None, "does not exist"),
        (lambda folder: folder.mkdir(), "holds no run"),
        (lambda folder: broken(folder), "Not one of the 1 runs"),
    ],
)
def test_a_folder_without_runs_is_one_sentence(make, told: str, tmp_path: Path, capsys) -> None:
    make(tmp_path / "runs")
    assert main(["runs", str(tmp_path / "runs")]) == 2
    assert told in capsys.readouterr().err


def broken(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "config.yml").write_text(": : :", encoding="utf-8")
