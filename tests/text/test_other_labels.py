"""Label files that look like those of text recognition: other tasks', pandas', and labels of absurd size."""

from __future__ import annotations

import json
import time
import warnings

import pandas
import pytest

from scenetext.errors import InputError
from scenetext.text.label_files import read_csv, read_label_file, read_label_table
from scenetext.text.other_labels import are_angles, is_list_of_boxes, names_in, unquoted

BOX = {"transcription": "A", "points": [[0, 0], [9, 0], [9, 9], [0, 9]], "difficult": False}


def written(folder, text, name="t.txt"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def pairs(records):
    return [(record.name, record.text) for record in records]


BOXES = [
    json.dumps([BOX]),
    json.dumps([BOX], indent=None, separators=(",", ":")),
    json.dumps([BOX] * 1000),
    json.dumps([{"label": "name", **BOX}]),  # key information extraction
    json.dumps([{"points": BOX["points"], "transcription": "诚景"}], ensure_ascii=False),
    str([BOX]),  # Python's own writing
    json.dumps({"text": "A", "bbox": [0, 0, 9, 9]}),
    json.dumps([BOX])[:200],  # cut short
    " " + json.dumps([BOX]),
]
NO_BOXES = ["[A]", "[{A}]", "{}", "[]", '"A"', '[{"A": 1}]', 'A [{"points": 1}]', "[transcription: A]"]


@pytest.mark.parametrize("label", BOXES)
def test_a_label_of_text_detection_is_named_with_the_file_that_is_meant(label, tmp_path):
    path = written(tmp_path, f"0.jpg\ta\n1.jpg\t{label}\n")
    with pytest.raises(InputError, match=r"^t.txt:2: the label of 1.jpg is a list of boxes.*rec_gt\.txt"):
        read_label_file(path)
    table = read_label_table(path)
    assert pairs(table.records) == [("0.jpg", "a")]
    assert [(problem.location, problem.kind) for problem in table.problems] == [("t.txt:2", "label of another task")]


@pytest.mark.parametrize("label", NO_BOXES)
def test_a_text_with_brackets_is_a_text(label, tmp_path):
    path = written(tmp_path, f"0.jpg\ta\n1.jpg\t{label}\n")
    assert not is_list_of_boxes(label)
    assert pairs(read_label_file(path)) == pairs(read_label_table(path).records) == [("0.jpg", "a"), ("1.jpg", label)]


def test_a_file_of_detection_labels_that_pandas_quoted_is_named(tmp_path):
    pandas.DataFrame([["0.jpg", BOXES[0]]]).to_csv(tmp_path / "t.txt", sep="\t", header=False, index=False)
    with pytest.warns(UserWarning, match="stand in quotes"), pytest.raises(InputError, match="a list of boxes"):
        read_label_file(tmp_path / "t.txt")


ANGLES = [
    (["0", "180"], True),
    (["180", "0", "0"], True),
    (["0", "0"], False),
    (["180"], False),
    (["0", "180", "9"], False),
]


@pytest.mark.parametrize(("texts", "expected"), [*ANGLES, ([], False)])
def test_labels_of_the_angle_classifier_are_told_from_numbers(texts, expected, tmp_path):
    assert are_angles(texts) == expected
    path = written(tmp_path, "".join(f"{number}.jpg\t{text}\n" for number, text in enumerate(texts)))
    for read in (read_label_file, read_label_table):
        if expected:
            with pytest.raises(InputError, match="every label is 0 or 180"):
                read(path)
        else:
            read(path)


LISTS = [
    ('["0.jpg", "1.jpg"]', ["0.jpg", "1.jpg"]),
    ('["图 0.jpg"]', ["图 0.jpg"]),
    ('["a\\"b.jpg","c.jpg"]', ['a"b.jpg', "c.jpg"]),
    ("[]", ["[]"]),
    ("[1, 2]", ["[1, 2]"]),
    ("[0.jpg]", ["[0.jpg]"]),
    ("0.jpg", ["0.jpg"]),
    ("[1].jpg", ["[1].jpg"]),
    ("[" * 50_000 + "]", ["[" * 50_000 + "]"]),
]


@pytest.mark.parametrize(("name", "expected"), LISTS)
def test_names_in_paddleocrs_list_of_pictures(name, expected):
    assert names_in(name) == expected


def test_several_pictures_of_one_text_become_a_line_each_in_preparation_and_are_named_in_training(tmp_path):
    path = written(tmp_path, '0.jpg\ta\n["1.jpg", "2.jpg"]\tb\n')
    table = read_label_table(path)
    assert pairs(table.records) == [("0.jpg", "a"), ("1.jpg", "b"), ("2.jpg", "b")] and not table.problems
    assert table.records[2].location == "t.txt:2"
    told = r"""^t\.txt:2: '\["1\.jpg", "2\.jpg"\]' names several pictures of one text; write a line for each"""
    with pytest.raises(InputError, match=told):
        read_label_file(path)


QUOTED = [  # what pandas writes of these labels with to_csv(sep="\t")
    ['5"屏'],
    ['5"屏', "a", 'b"'],
    ['"'],
    ['""', 'say "hi"'],
    ["a, b", "c"],  # a comma is no reason to quote
    ["a", "b"],
    ["'a'"],
]


@pytest.mark.parametrize("labels", QUOTED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_that_pandas_quoted_are_read_as_they_were(labels, end, tmp_path):
    table = pandas.DataFrame({"name": [f"{number}.jpg" for number in range(len(labels))], "label": labels})
    table.to_csv(tmp_path / "t.txt", sep="\t", header=False, index=False, lineterminator=end)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(read_label_file(tmp_path / "t.txt").texts()) == labels
        assert [record.text for record in read_label_table(tmp_path / "t.txt").records] == labels
    count = sum('"' in label for label in labels)
    assert [str(each.message).partition(" stand")[0] for each in caught] == [f"t.txt: {count} labels"] * 2 * bool(count)


LITERAL = ['"a"', '""', '5"', '"', 'a "b" c', '"a""', '"a"b"', '""a""']


@pytest.mark.parametrize("label", LITERAL)
def test_quotes_that_pandas_would_not_write_so_belong_to_the_label(label, tmp_path, recwarn):
    path = written(tmp_path, f'0.jpg\t{label}\n1.jpg\t"5""屏"\n')  # one label decides for the whole file
    assert list(read_label_file(path).texts()) == [label, '"5""屏"'] and not recwarn.list
    assert unquoted(path.read_bytes()) == (path.read_bytes(), 0)


def test_a_label_or_name_of_absurd_length_is_left_out_or_named_at_once(tmp_path):
    begun = time.perf_counter()
    long = "长" * 10_000_000
    path = written(tmp_path, f"0.jpg\ta\n1.jpg\t{long}\n")
    with pytest.raises(InputError, match="^t.txt:2: the label of 1.jpg has 10,000,000 characters, more than a line"):
        read_label_file(path)
    assert [problem.kind for problem in read_label_table(path).problems] == ["label too long"]
    table = read_csv(written(tmp_path, f"name,value\n0.jpg,a\n1.jpg,{long}\n{long}.jpg,b\n", "t.csv"))
    assert [problem.kind for problem in table.problems] == ["label too long", "no name"]
    with pytest.raises(InputError, match="the name .* has 10,000,000 characters") as error:
        read_label_file(written(tmp_path, f"{long}\ta\n"))
    assert len(str(error.value)) < 300
    with pytest.raises(InputError, match="has no tab") as error:
        read_label_file(written(tmp_path, f"0.jpg\ta\n{long}\n"))
    assert len(str(error.value)) < 300
    assert time.perf_counter() - begun < 20


def test_a_name_with_very_many_labels_gives_short_messages(tmp_path):
    table = read_csv(written(tmp_path, "name,value\n" + "".join(f"0.jpg,{n}\n" for n in range(3000)), "t.csv"))
    assert len(table.problems) == 3000 and max(len(problem.detail) for problem in table.problems) < 200
