"""Label files of text detection are read as PaddleOCR writes them, and every fault names its line."""

from __future__ import annotations

import json

import pytest

from scenetext.errors import InputError
from scenetext.text.photo_labels import MOST_POINTS, PhotoTable, read_photo_labels

SQUARE = [[1, 2], [30, 2], [30, 12], [1, 12]]


def written(tmp_path, *lines: str):
    path = tmp_path / "label.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def box(points=SQUARE, text="出口", **more):
    return {"transcription": text, "points": points, **more}


def test_boxes_texts_and_what_is_ignored(tmp_path):
    boxes = [box(), box(text="###"), box(text="*"), box(text=""), box(SQUARE[:3], "difficult", difficult=True)]
    path = written(tmp_path, f"a/1.jpg\t{json.dumps(boxes)}", "", "2.jpg\t[]")
    table = read_photo_labels(path)
    assert [label.name for label in table] == ["a/1.jpg", "2.jpg"]
    assert [label.location for label in table] == ["label.txt:1", "label.txt:3"]
    assert table[0].ignored == [False, True, True, False, False]
    assert table[0].outlines[4].shape == (3, 2) and table[1].outlines == []
    assert read_photo_labels(written(tmp_path, f"a/1.jpg\t{table[0].text}", "2.jpg\t[]")).digest() == table.digest()
    assert PhotoTable.joined([table, table.take([1])])[2].name == "2.jpg" and len(table[:1]) == 1


FAULTS = {
    "a label of recognition": ("1.jpg\t出口", r"label\.txt:1.*a text, as in a label file of text recognition"),
    "no JSON": ("1.jpg\t[{'transcription': 1}]", "is no list; a detector needs the boxes as JSON"),
    "cut off": ('1.jpg\t[{"transcription": "a", "points": [[1,', "needs the boxes as JSON"),
    "an object": ("1.jpg\t{}", "needs the boxes as JSON"),
    "no tab": ("1.jpg", "give a photo's name, a tab"),
    "no points": ('1.jpg\t[{"transcription": "a"}]', r"box 1 of 1\.jpg .*give transcription and points"),
    "no transcription": (f'1.jpg\t[{{"points": {SQUARE}}}]', "give transcription and points"),
    "two points": (f"1.jpg\t{json.dumps([box(SQUARE[:2])])}", "has 2 points"),
    "too many points": (f"1.jpg\t{json.dumps([box([[0, 0]] * (MOST_POINTS + 1))])}", "points; an outline has 3 to"),
    "a point of three": (f"1.jpg\t{json.dumps([box(), box([[1, 2, 3]] * 4)])}", r"box 2 of 1\.jpg has the point"),
    "not a number": ('1.jpg\t[{"transcription": "a", "points": [[NaN, 1], [2, 1], [2, 2]]}]', "has the point"),
    "far away": (f"1.jpg\t{json.dumps([box([[0, 0], [1e9, 0], [0, 5]])])}", "at most 1e"),
    "true": (f"1.jpg\t{json.dumps([box([[True, 0], [9, 0], [0, 5]])])}", "has the point"),
    "deep": ("1.jpg\t" + "[" * 100_000, "needs the boxes as JSON"),
}


@pytest.mark.parametrize(("line", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_its_line(tmp_path, line, told):
    with pytest.raises(InputError, match=told) as caught:
        read_photo_labels(written(tmp_path, line))
    assert len(str(caught.value)) < 400
