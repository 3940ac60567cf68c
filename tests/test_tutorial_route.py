"""The route of the competition's tutorials, which use PaddleOCR: its YAML, label files by pandas, the 10 MB rule.

PaddleOCR's `rec_chinese_lite_train_v2.0.yml` runs with the paths changed. What differs is said: a character outside the
dictionary stops training until one key says otherwise, and labels that pandas quoted are counted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from drawn import draw_digits
from paddleocr_files import CRNN

from scenetext.cli import main
from scenetext.text.label_files import read_label_file

SMALL = ("Global.epoch_num=1", "Global.eval_batch_epoch=1", "Train.loader.batch_size_per_card=4")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, the label files as the tutorials write them, and the YAML with absolute paths."""
    folder = draw_digits(tmp_path_factory.mktemp("aistudio"), 14)
    labels = [row.split("\t")[1] for row in (folder / "train.txt").read_text(encoding="utf-8").splitlines()]
    labels[0] = '5"屏'  # pandas writes "5""屏"
    labels[1] += "氾"  # not in ppocr_keys_v1
    table = pd.DataFrame({"name": [f"{i}.png" for i in range(14)], "value": labels})
    table[:10].to_csv(folder / "train.txt", sep="\t", header=None, index=False)
    table[10:].to_csv(folder / "val.txt", sep="\t", header=None, index=False)
    text = CRNN.replace("./train_data/train_list.txt", f"{folder}/train.txt")
    text = text.replace("./train_data/val_list.txt", f"{folder}/val.txt").replace("./train_data", f"{folder}/images")
    text = text.replace("./output/rec", f"{folder}/output/rec_chinese_lite_v2.0")
    (folder / "rec.yml").write_text(text, encoding="utf-8")
    return folder


def train(data: Path, *settings: str) -> int:
    return main(["train", "-c", str(data / "rec.yml"), "-o", *SMALL, *settings])


def test_a_character_outside_the_dictionary_names_the_key_that_drops_it(data: Path, capsys) -> None:
    assert train(data) == 2
    told = capsys.readouterr().err
    assert "'氾' (train.txt:2)" in told and "1 of 10 labels" in told and "Global.unknown_characters=drop" in told


def test_the_tutorial_s_yaml_trains_exports_within_10_mb_and_submits(data: Path, capsys) -> None:
    assert train(data, "Global.unknown_characters=drop") == 0
    run = data / "output" / "rec_chinese_lite_v2.0"
    log = (run / "train.log").read_text(encoding="utf-8")
    assert (
        "left out of 1 labels: 1 characters that the dictionary lacks, 1 in all, the most frequent '氾' 1 times" in log
    )
    assert "known to PaddleOCR, without meaning here: Global.infer_img" in log
    export = data / "export"
    assert (
        main(["export", "-c", str(run / "config.yml"), "--weights", str(run / "best_accuracy"), "--out", str(export)])
        == 0
    )
    assert sum(path.stat().st_size for path in export.iterdir()) <= 10_000_000  # the tutorials' `du`
    shutil.copytree(data / "images", data / "test_images")
    capsys.readouterr()
    assert (
        main(["submit", "--model", str(export), "--images", str(data / "test_images"), "--out", str(data / "out")]) == 0
    )
    rows = (data / "out" / "predicts.txt").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "new_name\tvalue" and [row.split("\t")[0] for row in rows[1:]] == [f"{i}.png" for i in range(14)]


def test_labels_that_pandas_quoted_are_read_without_its_quotes(data: Path) -> None:
    with pytest.warns(UserWarning, match="1 labels stand in quotes"):
        records = read_label_file(data / "train.txt")
    assert records.text(0) == '5"屏' and len(records) == 10
