"""The edit script: it spells both texts, is as short as the distance, and finds the lines of a confusion."""

from __future__ import annotations

import random

import pytest
from rapidfuzz.distance import Levenshtein

from scenetext.evaluate.breakdown import confusions
from scenetext.evaluate.edits import EQUAL, edit_script, lines_with_pairs


@pytest.mark.parametrize(
    ("target", "prediction", "kinds"),
    [
        ("烤鱼店", "烤鱼店", "equal equal equal"),
        ("烤鱼店", "烤渔店", "equal replace equal"),
        ("烤鱼店", "烤店", "equal delete equal"),
        ("烤店", "烤鱼店", "equal insert equal"),
        ("", "店", "insert"),
        ("店", "", "delete"),
        ("", "", ""),
    ],
)
def test_each_character_has_its_edit(target, prediction, kinds):
    assert " ".join(edit.kind for edit in edit_script(target, prediction)) == kinds


def test_a_script_spells_both_texts_and_is_as_short_as_the_distance():
    draw = random.Random(0)
    for _ in range(300):
        target, prediction = ("".join(draw.choices("ab𠮷 店", k=draw.randrange(9))) for _ in range(2))
        script = edit_script(target, prediction)
        assert "".join(edit.expected for edit in script) == target
        assert "".join(edit.read for edit in script) == prediction
        assert sum(edit.kind != EQUAL for edit in script) == Levenshtein.distance(target, prediction)
        assert all((edit.kind == EQUAL) == (edit.expected == edit.read) for edit in script)


def test_the_lines_of_a_confusion_are_found_once_each_and_up_to_a_number():
    targets, predictions = ["鱼鱼", "店", "鱼", "鱼店", "鱼"], ["渔渔", "店", "渔", "鱼", "渔"]
    (first, *_) = confusions(predictions, targets)
    assert (first.expected, first.read, first.count) == ("鱼", "渔", 4)
    found = lines_with_pairs(targets, predictions, [("鱼", "渔"), ("店", ""), ("x", "y")], most=2)
    assert found == {("鱼", "渔"): [0, 2], ("店", ""): [3], ("x", "y"): []}
