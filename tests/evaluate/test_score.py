"""`scenetext score`: hand-made tables with the right answer worked out by hand, and what users do wrong."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from lmdbs import write_lmdb

from scenetext.errors import InputError
from scenetext.evaluate.calibration import calibration
from scenetext.evaluate.evaluation import evaluate
from scenetext.evaluate.evaluation_folder import read_evaluation, write_evaluation
from scenetext.evaluate.results import ReadLines, score_lines
from scenetext.evaluate.scoring import score_files
from scenetext.text.charset import Charset
from scenetext.text.records import Record

# name, label, what was read, confidence
LINES = [
    ("web/0.png", "烤鱼", "烤鱼", 0.95),
    ("web/1.png", "ＡＢ 1", "ab1", 0.9),  # width, space and case
    ("web/2.png", "停車场", "停车场", 0.85),  # traditional
    ("shop/3.png", "入口", "", 0.0),
    ("shop/4.png", "你好!", "你好", 0.9),  # punctuation
    ("shop/5.png", "中山路", "中山大路", 0.3),  # one character too many
    ("6.png", "烤", "烤", 0.99),
]


def files(folder: Path, lines: list[tuple[str, str, str, float]] = LINES) -> tuple[Path, Path]:
    """A file of predictions and a label file."""
    read, labels = folder / "predicted.txt", folder / "val.txt"
    read.write_text("".join(f"{name}\t{text}\t{sure}\n" for name, _, text, sure in lines), encoding="utf-8")
    labels.write_text("".join(f"{name}\t{label}\n" for name, label, _, _ in lines), encoding="utf-8")
    return read, labels


def test_scores_of_a_hand_made_table(tmp_path: Path) -> None:
    found = score_files(*files(tmp_path))
    assert (found.scores.lines, found.scores.empty) == (7, 1)
    assert found.scores.raw.value == pytest.approx(2 / 7)
    assert found.scores.normalised.value == pytest.approx(3 / 7)
    # ＡＢ 1 → ab1: 4 characters, 3 differ (two replaced, one missing), 停車场: 1 of 3, 入口: 2 of 2, 你好!: 1 of 3,
    # 中山大路: 1 of 4
    assert found.scores.one_minus_ned.value == pytest.approx((1 + 1 / 4 + 2 / 3 + 0 + 2 / 3 + 3 / 4 + 1) / 7)
    # right characters: 2, 1 (the 1), 2, 0, 2, 3, 1 = 11 of 15 that were read and 18 of the labels
    assert found.characters.precision.value == pytest.approx(11 / 15)
    assert found.characters.recall.value == pytest.approx(11 / 18)


def test_each_rule_says_how_many_lines_it_forgives(tmp_path: Path) -> None:
    steps = score_files(*files(tmp_path)).rule_steps
    assert [(step.rule, step.chosen, step.gained) for step in steps] == [
        ("width", True, 0), ("spaces", True, 0), ("case", True, 1),
        ("traditional", False, 1), ("punctuation", False, 1),
    ]  # fmt: skip
    assert steps[-1].accuracy.value == pytest.approx(5 / 7)


@pytest.mark.parametrize(
    ("rules", "right"),
    [
        ((), 2),
        (("width",), 2),
        (("width", "spaces", "case"), 3),
        (("traditional",), 3),
        (("punctuation", "traditional"), 4),
        (("width", "spaces", "case", "punctuation", "traditional"), 5),
    ],
)
def test_every_rule_can_be_switched(rules: tuple[str, ...], right: int, tmp_path: Path) -> None:
    found = score_files(*files(tmp_path), rules=rules)
    assert found.scores.normalised.value == pytest.approx(right / 7)
    assert sum(line.correct_normalised for line in found.lines) == right
    assert found.scores.raw.value == pytest.approx(2 / 7)


def test_scores_by_length_rarity_and_folder(tmp_path: Path) -> None:
    found = score_files(*files(tmp_path))
    assert [(g.group, g.lines, g.normalised) for g in found.by_length] == [
        ("1", 1, 1.0), ("2", 2, 0.5), ("3-4", 4, pytest.approx(1 / 4)),
    ]  # fmt: skip
    assert [(g.group, g.lines) for g in found.by_rarity] == [("1", 6), ("2-4", 1)]  # 烤 alone is in two labels
    assert [(g.group, g.lines) for g in found.by_source] == [("web", 3), ("shop", 3), (".", 1)]
    assert found.by_width == []  # no size is known


def test_rare_characters_are_told_by_the_training_labels(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a.png\t烤鱼\nb.png\t烤肉\n", encoding="utf-8")
    found = score_files(*files(tmp_path), training_labels=tmp_path / "train.txt")
    assert [(g.group, g.lines) for g in found.by_rarity] == [("0", 5), ("1", 1), ("2-4", 1)]  # 烤鱼: 鱼 once, 烤: twice


def test_labels_that_the_dictionary_cannot_write_are_counted_apart(tmp_path: Path) -> None:
    (tmp_path / "charset.txt").write_text("\n".join("烤鱼ＡＢ1入口你好!中山路") + "\n", encoding="utf-8")
    found = score_files(*files(tmp_path), charset=tmp_path / "charset.txt")
    assert (found.lines_with_unknown, found.unknown_characters) == (1, {"停": 1, "車": 1, "场": 1})
    assert (found.writable.lines, found.writable.raw.value) == (6, pytest.approx(2 / 6))
    assert found.scores.lines == 7


def test_calibration_of_a_hand_made_table() -> None:
    #       0.95 right, 0.9 right, 0.85 wrong, 0.8 right, 0.35 wrong
    found = calibration([0.8, 0.95, 0.85, 0.35, 0.9], [True, True, False, False, True], (0.99, 0.75, 0.5, 1.0))
    assert [(b.low, b.lines, b.accuracy.value) for b in found.bins] == [(0.3, 1, 0.0), (0.8, 2, 0.5), (0.9, 2, 1.0)]
    assert found.error == pytest.approx((1 * 0.35 + 2 * abs(0.5 - 0.825) + 2 * abs(1 - 0.925)) / 5)
    assert [(t.confidence, t.lines, t.coverage) for t in found.thresholds] == [
        (0.9, 2, 0.4), (0.8, 4, 0.8), (0.35, 5, 1.0), (0.9, 2, 0.4),
    ]  # fmt: skip
    assert found.thresholds[1].precision.value == 0.75


def test_lines_of_one_confidence_are_taken_together_and_a_precision_may_not_be_reached() -> None:
    (unreached, reached) = calibration([0.5, 0.5, 0.5], [True, True, False], (0.9, 0.6)).thresholds
    assert (unreached.confidence, unreached.precision) == (None, None)
    assert (reached.confidence, reached.lines) == (0.5, 3)


def test_evaluate_and_score_give_the_same(tmp_path: Path) -> None:
    import cv2

    for number, (name, *_) in enumerate(LINES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full((48, 60 * (number + 1), 3), number, np.uint8))
    read, labels = files(tmp_path)
    charset = Charset.from_labels(label for _, label, *_ in LINES[:3])
    evaluate(
        lambda pictures: [LINES[picture[0, 0, 0]][2:] for picture in pictures],
        [Record(name, label, "") for name, label, *_ in LINES],
        tmp_path, tmp_path / "evaluated", charset=charset, progress=False,
    )  # fmt: skip
    charset.write(tmp_path / "charset.txt")
    for number, predictions in enumerate((read, tmp_path / "evaluated" / "predictions.csv")):
        found = score_files(predictions, labels, charset=tmp_path / "charset.txt")
        write_evaluation(found, tmp_path / f"scored-{number}")
        scored, evaluated = (read_evaluation(tmp_path / name) for name in (f"scored-{number}", "evaluated"))
        differ = {key for key in evaluated if scored[key] != evaluated[key]}
        known_space = {"lines_with_unknown_characters", "unknown_characters", "writable", "paddleocr"}
        assert differ <= known_space | ({"by_width", "predictions_sha256"} if number == 0 else set())


def test_the_command_prints_a_table_writes_both_files_and_never_imports_paddle(tmp_path: Path) -> None:
    read, labels = files(tmp_path)
    out = tmp_path / "scored"
    program = (
        "import sys\nfrom scenetext.cli import main\nstatus = main(sys.argv[1:])\n"
        "print([name for name in ('paddle', 'cv2', 'pandas') if name in sys.modules], status)"
    )
    arguments = ["score", "--predictions", str(read), "--labels", str(labels), "--out", str(out)]
    arguments += ["--protocol", "chinese-benchmark", "parseq", "--charset", "ppocr_keys_v1", "--precision", "0.5"]
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] 0"
    rows = {line.split("  ")[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert rows["raw"][0] == "0.2857" and rows["normalised"][0] == "0.4286" and rows["1-NED"][0] == "0.6190"
    assert rows["chinese-benchmark acc"][1] == "0.5714"
    written = read_evaluation(out)
    assert [(t["wanted"], t["confidence"]) for t in written["calibration"]["thresholds"]] == [(0.5, 0.3)]
    assert [(p["protocol"], p["lines"], p["left_out"]) for p in written["protocols"]] == [
        ("chinese-benchmark", 7, 0), ("parseq", 1, 6),
    ]  # fmt: skip
    with open(out / "predictions.csv", encoding="utf-8", newline="") as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == [text for _, _, text, _ in LINES]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--predictions", "none.txt"], "none.txt"),
        (["--labels", "empty.txt"], "empty.txt"),
        (["--labels", "other.txt"], "1 of 1 labels have no prediction (z.png)"),
        (["--protocol", "icdar"], "invalid choice: 'icdar'"),
        (["--rules", "accents"], "invalid choice: 'accents'"),
        (["--charset", "ppocr_keys"], "ppocr_keys"),
        (["--max-text-length", "0"], "--max-text-length"),
        (["--precision", "95"], "95 is not a ratio"),
        (["--out", "val.txt"], "val.txt is a file"),
    ],
)
def test_wrong_input_is_one_sentence_and_writes_nothing(arguments: list[str], told: str, tmp_path: Path) -> None:
    files(tmp_path)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "other.txt").write_text("z.png\tA\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    given = ["--predictions", "predicted.txt", "--labels", "val.txt", "--out", "scored"]
    command = [sys.executable, "-m", "scenetext", "score", *given, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_faulty_labels_are_named_and_their_predictions_are_no_other_lines(tmp_path: Path, capsys) -> None:
    read, labels = files(tmp_path)
    labels.write_text(labels.read_text(encoding="utf-8").replace("入口", ""), encoding="utf-8")
    assert score_files(read, labels).scores.lines == 6
    assert "val.txt:4 is not scored" in capsys.readouterr().err


def test_lmdbs_are_labels_by_the_names_that_a_benchmark_writes(tmp_path: Path, capsys) -> None:
    write_lmdb(tmp_path / "sets/a", [(b"", "烤鱼"), (b"", "")])
    write_lmdb(tmp_path / "sets/b", [(b"", "AB")])
    names = ("a/000000001", "a/000000002", "b/000000001")
    read = tmp_path / "predictions.txt"
    read.write_text("".join(f"{name}\tab\t0.9\n" for name in names), encoding="utf-8")
    found = score_files(read, tmp_path / "sets")
    assert [(line.name, line.target, line.correct_normalised) for line in found.lines] == [
        ("a/000000001", "烤鱼", False), ("b/000000001", "AB", True),
    ]  # fmt: skip
    assert "sets/a:image-000000002 is not scored: the label is empty" in capsys.readouterr().err
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="nothing is no LMDB"):
        score_files(read, tmp_path / "nothing")


def test_lines_left_out_on_request_are_counted(tmp_path: Path, capsys) -> None:
    read, labels = files(tmp_path)
    lines = labels.read_text(encoding="utf-8").splitlines(keepends=True)
    labels.write_text("".join(lines[:3]) + "y.png\tA\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"1 of 4 labels .* 4 of 7 predictions"):
        score_files(read, labels)
    assert score_files(read, labels, unmatched="leave-out").scores.lines == 3
    assert "1 labels without a prediction are left out, 4 predictions" in capsys.readouterr().err
    assert score_files(read, labels, unmatched="as-empty").scores.empty == 1


def test_scores_never_stand_beside_other_predictions(tmp_path: Path) -> None:
    first, second = (score_lines(ReadLines(["0.png"], ["A"], [text])) for text in "AB")
    write_evaluation(first, tmp_path / "out")
    (tmp_path / "out" / "pretrained").mkdir()  # another evaluation in the folder, as notebook 04 writes it
    write_evaluation(second, tmp_path / "out")
    assert read_evaluation(tmp_path / "out")["raw"]["value"] == 0.0
    assert (tmp_path / "out" / "pretrained").is_dir()
    former = (tmp_path / "out" / "predictions.csv").read_bytes()
    write_evaluation(first, tmp_path / "out")
    (tmp_path / "out" / "predictions.csv").write_bytes(former)  # as if killed between the two files
    with pytest.raises(InputError, match="holds the scores of other predictions than predictions.csv: score again"):
        read_evaluation(tmp_path / "out")
    (tmp_path / "out" / "predictions.csv").unlink()
    with pytest.raises(InputError, match="does not exist: score again"):
        read_evaluation(tmp_path / "out")


def test_a_folder_of_nothing_else_is_exchanged_whole(tmp_path: Path, monkeypatch) -> None:
    first, second = (score_lines(ReadLines(["0.png"], ["A"], [text])) for text in "AB")
    write_evaluation(first, tmp_path / "out")
    before = (tmp_path / "out").stat().st_ino
    write_evaluation(second, tmp_path / "out")
    assert (tmp_path / "out").stat().st_ino != before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["predictions.csv", "scores.json"]
    json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))


def plain_python_s(labels: list[str]) -> float:
    """Processor seconds of a fixed loop: 0.2 where a hundred thousand lines may take 5 s."""
    started = time.process_time()
    for _ in range(66):
        for label in labels:
            "".join(sorted(Counter(label)))
    return time.process_time() - started


def test_a_hundred_thousand_lines_take_seconds_and_little_memory(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    letters = list("烤鱼停车场入口中山路出租火锅超市便利店abcdefg0123456789 ＡＢＣ")
    labels = ["".join(random.choice(letters, random.integers(1, 12))).strip() or "烤" for _ in range(2000)]
    lines = []
    for number in range(100_000):
        label = labels[number % 2000]
        lines.append((f"{number}.png", label, label if number % 3 else label[:-1] + "馬", (number * 7 % 1000) / 1000))
    read, file = files(tmp_path, lines)
    command = [sys.executable, "-m", "scenetext", "score", "--predictions", str(read), "--labels", str(file)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    peak += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", peak, *command], capture_output=True, text=True, timeout=600)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    slowness = plain_python_s(labels)  # of the machine at this moment
    assert seconds < 25 * slowness, (seconds, slowness, time.perf_counter() - started)
    assert int(done.stdout) / 1024 < 300  # MB
