"""Labels in the quotes of a CSV writer are told apart from labels that hold quotes of their own."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from scenetext.text import read_label_file
from scenetext.text.quoted_labels import quoted_labels, without_quotes
from scenetext.text.records import Record, RecordTable

TEXTS = ['5"屏', "普通", '"', '""', '"整行"', 'a"b"c', "it's", '"开头']


def test_what_pandas_quoted_is_found_and_becomes_what_it_was(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": [f"{i}.jpg" for i in range(len(TEXTS))], "value": TEXTS})
    table.to_csv(tmp_path / "train.txt", sep="\t", header=None, index=False)
    records = read_label_file(tmp_path / "train.txt")
    assert quoted_labels(records) == [i for i, text in enumerate(TEXTS) if '"' in text]
    mended = without_quotes(records)
    assert list(mended.texts()) == TEXTS
    assert [(r.name, r.location) for r in mended] == [(r.name, r.location) for r in records]
    table.to_csv(tmp_path / "plain.txt", sep="\t", header=None, index=False, quoting=csv.QUOTE_NONE)  # README's advice
    assert list(read_label_file(tmp_path / "plain.txt").texts()) == TEXTS


@pytest.mark.parametrize("text", ['"整行"', '5"屏', '"', '""', 'a""b', '"a"b"', '"a""b', "'a'"])
def test_a_label_with_quotes_of_its_own_is_left_alone(text: str) -> None:
    records = RecordTable.of([Record("0.jpg", text, "train.txt:1")])
    assert quoted_labels(records) == [] and without_quotes(records) is records
