"""The benchmark: every layout of LMDBs to one table, with scores worked out by hand, and sets that are broken."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import tiny_export, tiny_folder
from lmdbs import write_lmdb

from scenetext.errors import InputError
from scenetext.evaluate import benchmarking
from scenetext.evaluate.benchmark_table import ScoredSet, csv_text, table
from scenetext.evaluate.benchmarking import benchmark
from scenetext.evaluate.protocols import PROTOCOLS, protocol
from scenetext.evaluate.suite_scores import averages, ratio_groups, score_set
from scenetext.evaluate.suites import OTHERS, SUITES, find_sets
from scenetext.predict.recognizer import Recognizer

LAYOUTS = [  # the folder, the published name, its suite
    ("test/IIIT5k", "IIIT5k", "Common benchmarks"),  # PARSeq
    ("evaluation/IIIT5k_3000", "IIIT5k", "Common benchmarks"),  # deep-text-recognition-benchmark
    ("evaluation/SVT", "SVT", "Common benchmarks"),
    ("test/IC13_857", "IC13_857", "Common benchmarks"),
    ("IC13", "IC13_857", "Common benchmarks"),
    ("test/IC15_1811", "IC15_1811", "Common benchmarks"),
    ("test/SVTP", "SVTP", "Common benchmarks"),
    ("test/CUTE80", "CUTE80", "Common benchmarks"),
    ("test/IC15_2077", "IC15_2077", "Common benchmarks, other editions"),
    ("u14m/curve", "Curve", "Union14M-Benchmark"),  # OpenOCR
    ("u14m/multi_oriented", "Multi-Oriented", "Union14M-Benchmark"),
    ("u14m/artistic", "Artistic", "Union14M-Benchmark"),
    ("u14m/contextless", "Contextless", "Union14M-Benchmark"),
    ("u14m/salient", "Salient", "Union14M-Benchmark"),
    ("u14m/multi_words", "Multi-Words", "Union14M-Benchmark"),
    ("u14m/general", "General", "Union14M-Benchmark"),
    ("OST/weak", "OST weak", "OST"),
    ("OST/heavy", "OST heavy", "OST"),
    ("ltb/long_lmdb", "LTB", "LTB"),
    ("benchmark_bctr_test/scene_test", "Scene", "Chinese benchmark"),
    ("benchmark_bctr_test/web_test", "Web", "Chinese benchmark"),
    ("benchmark_bctr_test/document_test", "Document", "Chinese benchmark"),
    ("benchmark_bctr_test/handwriting_test", "Handwriting", "Chinese benchmark"),
    ("shops/weak", "shops/weak", "Other sets"),  # a folder of its own name is nobody's OST
    ("my_lines", "my_lines", "Other sets"),
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return tiny_export("json", "float32")


@pytest.fixture(scope="module")
def drawn() -> list[tuple[bytes, str, str]]:
    """A picture file, what the tiny network reads on it, and another text."""
    paths = sorted((tiny_folder() / "images").iterdir())
    texts = [text for text, _ in Recognizer(tiny_export("json", "float32"))([cv2.imread(str(path)) for path in paths])]
    assert all(texts)
    return [(path.read_bytes(), text, f"{text}0") for path, text in zip(paths, texts, strict=True)]


@pytest.fixture
def data(tmp_path: Path, drawn: list[tuple[bytes, str, str]]) -> Path:
    """Three sets: of IIIT5k's 4 lines 3 are right, of SVT's 2 lines 1, of mine 1 of 1."""
    right = [(picture, text) for picture, text, _ in drawn]
    wrong = [(picture, other) for picture, _, other in drawn]
    write_lmdb(tmp_path / "data/test/IIIT5k", [*right[:3], wrong[3]])
    write_lmdb(tmp_path / "data/test/SVT", [right[4], wrong[5]])
    write_lmdb(tmp_path / "data/mine", right[6:7])
    return tmp_path / "data"


def test_the_protocols_of_the_suites_exist() -> None:
    assert {suite.protocol for suite in (*SUITES, OTHERS)} <= set(PROTOCOLS)


@pytest.mark.parametrize(("below", "name", "suite"), LAYOUTS)
def test_sets_are_recognised_by_their_folders_and_others_welcome(
    below: str, name: str, suite: str, tmp_path: Path
) -> None:
    write_lmdb(tmp_path / below, [(b"", "a")])
    ((found,), broken) = find_sets(tmp_path)
    assert (found.name, found.suite.name, broken) == (name, suite, {})
    alone, _ = find_sets(tmp_path / below)  # the LMDB itself
    assert [each.suite.name for each in alone] == [suite]


def test_a_second_edition_of_a_set_keeps_its_path_as_its_name(tmp_path: Path) -> None:
    for below in ("evaluation/IIIT5k_3000", "test/IIIT5k"):
        write_lmdb(tmp_path / below, [(b"", "a")])
    assert [found.name for found in find_sets(tmp_path)[0]] == ["IIIT5k", "test/IIIT5k"]


def test_scores_of_a_set_are_those_worked_out_by_hand() -> None:
    predictions, targets = ["Ab c", "ab-d", "abd", ""], ["Ab c", "AB d", "abc", "ab"]
    sizes = np.array([[100, 32], [100, 32], [500, 32], [0, 0]])  # ratios 3, 3, 16 → 12 and more, unknown → 1
    scores = score_set(predictions, targets, sizes, protocol("deep-text-recognition"))
    assert (scores.lines, scores.acc) == (4, 50.0)  # the case and the symbols of the second line do not count
    assert scores.norm_edit_dis == pytest.approx((1 + 1 + 2 / 3 + 0) / 4)
    assert scores.others == {
        "acc_real": 25.0, "acc_lower": 25.0, "acc_ignore_space": 25.0, "acc_ignore_space_lower": 25.0,
        "acc_ignore_space_symbol": 25.0, "acc_ignore_space_lower_symbol": 50.0,
    }  # fmt: skip
    assert scores.ratio_lines.tolist() == [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert scores.ratio_acc[[0, 2, 11]].tolist() == [0.0, 100.0, 0.0] and np.isnan(scores.ratio_acc[1])
    assert 0 < scores.low < 50 < scores.high < 100


def test_proportions_are_rounded_as_openocr_does() -> None:
    sizes = np.array([[16, 32], [80, 32], [112, 32], [384, 32], [3200, 32], [0, 0]])  # 0.5, 2.5, 3.5, 12, 100
    assert (ratio_groups(sizes) + 1).tolist() == [1, 2, 4, 12, 12, 1]


def test_averages_count_sets_once_or_by_their_lines() -> None:
    sizes = np.full((4, 2), 32)
    large = score_set(["a", "a", "a", "b"], ["a"] * 4, sizes, protocol("raw"))
    small = score_set(["b"], ["a"], sizes[:1], protocol("raw"))
    found = averages([large, small])
    assert found["arithmetic_avg"].acc == pytest.approx((75 + 0) / 2)
    assert found["weighted_avg"].acc == pytest.approx(100 * 3 / 5)
    assert found["arithmetic_avg"].ratio_acc[0] == found["weighted_avg"].ratio_acc[0] == pytest.approx(60)
    assert found["weighted_avg"].lines == 5 and found["weighted_avg"].low is None


def test_the_csv_is_a_table_and_unknown_numbers_are_empty() -> None:
    scores = score_set(["a"], ["a"], np.array([[64, 32]]), protocol("raw"))
    text = csv_text([ScoredSet("mine", OTHERS, "raw", scores)])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["set"] for row in rows] == ["mine", "arithmetic_avg", "weighted_avg"]
    assert rows[0]["acc"] == "100.0000" and rows[0]["ratio_2_acc"] == "100.0000" and rows[0]["ratio_1_acc"] == ""
    assert rows[1]["acc_low"] == "" and all(None not in row for row in rows)
    assert "Other sets, protocol raw" in table([ScoredSet("mine", OTHERS, "raw", scores)])


def test_the_command_writes_one_table_of_all_sets(folder: Path, data: Path, tmp_path: Path) -> None:
    command = ["benchmark", "--model", folder, "--data", data, "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "scenetext", *map(str, command)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "out/benchmark.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["suite"], row["set"], row["lines"], row["acc"]) for row in rows] == [
        ("Common benchmarks", "IIIT5k", "4", "75.0000"),
        ("Common benchmarks", "SVT", "2", "50.0000"),
        ("Common benchmarks", "arithmetic_avg", "6", "62.5000"),
        ("Common benchmarks", "weighted_avg", "6", "66.6667"),
        ("Other sets", "mine", "1", "100.0000"),
        ("Other sets", "arithmetic_avg", "1", "100.0000"),
        ("Other sets", "weighted_avg", "1", "100.0000"),
    ]
    assert "Common benchmarks, 2 of its 6 sets, protocol parseq" in done.stdout
    assert "IIIT5k has 4 lines and the published set 3,000" in done.stderr
    names = [line.split("\t")[0] for line in (tmp_path / "out/predictions.txt").read_text().splitlines()]
    assert names[0] == "test/IIIT5k/000000001" and len(names) == 7


def test_a_stopped_benchmark_resumes_and_a_finished_one_is_not_read_again(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def scores(**options) -> list[float]:
        found = benchmark(folder, data, tmp_path / "out", progress=False, **options)
        return [each.scores.acc for each in found.sets]

    read: list[str] = []
    predict = benchmarking.write_predictions.__globals__["predict_images"]

    def stopping(reader, source, names, progress):
        for prediction in predict(reader, source, names, progress):
            if len(read) == 3:
                raise KeyboardInterrupt
            read.append(prediction.name)
            yield prediction

    with monkeypatch.context() as patch:
        patch.setattr("scenetext.predict.prediction_file.predict_images", stopping)
        with pytest.raises(KeyboardInterrupt):
            scores()
    assert not (tmp_path / "out/benchmark.csv").exists()
    assert scores() == [75.0, 50.0, 100.0]
    assert "holds the first 3 of 7 lines: resuming there" in capsys.readouterr().err

    def never(*arguments):
        raise AssertionError("read again")

    monkeypatch.setattr("scenetext.predict.prediction_file.predict_images", never)
    assert scores(protocol="raw") == [75.0, 50.0, 100.0]
    assert "it is not read again" in capsys.readouterr().err
    (tmp_path / "out/predictions.txt").write_text("changed by hand")
    with pytest.raises(AssertionError, match="read again"):
        scores()


def test_a_run_is_scored_like_its_export(data: Path, folder: Path, tmp_path: Path) -> None:
    from drawn import tiny_config

    from scenetext.config import load_config
    from scenetext.config.yaml_text import dump

    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yml").write_text(dump(load_config(tiny_config(tiny_folder())).model_dump()), encoding="utf-8")
    shutil.copy(tiny_folder() / "tiny.pdparams", run / "best_accuracy.pdparams")
    found = benchmark(run, data, tmp_path / "out", progress=False)
    assert [each.scores.acc for each in found.sets] == [75.0, 50.0, 100.0]


BROKEN = [  # what is wrong with a second set, and what is told
    (dict(num_samples=None), "without the key num-samples"),
    (dict(num_samples=b"many"), "num-samples holds no number"),
    (dict(num_samples=b"0"), "holds no line"),
    ({"label_000000001": None}, "holds no label-000000001"),
    ({"label_000000001": b"\xff"}, "label-000000001 is not UTF-8"),
]


@pytest.mark.parametrize(("changes", "told"), BROKEN)
def test_a_broken_set_is_named_and_skipped_only_on_request(
    folder: Path, data: Path, tmp_path: Path, drawn, changes: dict, told: str
) -> None:
    write_lmdb(data / "test/CUTE80", [(drawn[0][0], "a")], **changes)
    with pytest.raises(InputError, match=f"1 of 4 test sets cannot be read: CUTE80: .*{told}.*--skip-broken"):
        benchmark(folder, data, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    found = benchmark(folder, data, tmp_path / "out", skip_broken=True, progress=False)
    assert [each.name for each in found.sets] == ["IIIT5k", "SVT", "mine"]
    assert list(found.skipped) == ["CUTE80"] and told in found.skipped["CUTE80"]


def test_an_empty_data_file_is_a_broken_set(folder: Path, data: Path, tmp_path: Path) -> None:
    (data / "test/SVTP").mkdir()
    (data / "test/SVTP/data.mdb").write_bytes(b"")
    with pytest.raises(InputError, match="SVTP: .*is no LMDB file that can be read"):
        benchmark(folder, data, tmp_path / "out", progress=False)


def test_a_picture_that_cannot_be_read_counts_as_wrong_and_is_named(
    folder: Path, tmp_path: Path, drawn, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lmdb(tmp_path / "mine", [(drawn[0][0], drawn[0][1]), (b"no picture", "a"), (b"", "b")])
    found = benchmark(folder, tmp_path / "mine", tmp_path / "out", progress=False)
    assert found.sets[0].scores.acc == pytest.approx(100 / 3)
    told = capsys.readouterr().err
    assert "2 of 3 images could not be read" in told and "image-000000002" in told


def test_a_protocol_that_leaves_out_a_whole_set_leaves_the_others_their_scores(
    folder: Path, data: Path, tmp_path: Path, drawn
) -> None:
    write_lmdb(data / "scene_test", [(drawn[0][0], "文字")])  # nothing of it is alphanumeric
    found = benchmark(folder, data, tmp_path / "out", protocol="parseq", progress=False)
    assert [each.name for each in found.sets] == ["IIIT5k", "SVT", "mine"]
    assert "leaves out all 1 labels" in found.skipped["Scene"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (dict(protocol="parsec"), "The protocol 'parsec' does not exist.*parseq"),
        (dict(sets=["IIIT"]), "has no test set 'IIIT': the nearest is IIIT5k"),
    ],
)
def test_what_does_not_exist_is_told_before_anything_is_read(
    data: Path, tmp_path: Path, options: dict, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        benchmark(tmp_path / "no model", data, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_lmdbs_and_a_model_that_is_none_are_told(data: Path, tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="is no LMDB"):
        benchmark(folder, tiny_folder() / "images", tmp_path / "out")
    with pytest.raises(InputError, match="holds neither inference.yml, as an exported folder does, nor config.yml"):
        benchmark(data, data, tmp_path / "out")


def test_only_the_wanted_sets_are_opened(data: Path, folder: Path, tmp_path: Path) -> None:
    write_lmdb(data / "broken", [(b"", "a")], num_samples=None)
    found = benchmark(folder, data, tmp_path / "out", sets=["SVT"], progress=False)
    assert [each.name for each in found.sets] == ["SVT"] and found.skipped == {}
