"""Splits records into a training and a validation part, or into folds of which each is held out once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

from scenetext.errors import InputError
from scenetext.text.records import Record


def split(
    records: Sequence[Record], val: float | int, seed: int, images: Mapping[str, str] | None = None
) -> tuple[list[Record], list[Record]]:
    """Draws a validation part with the same distribution of lengths and texts as the training part.

    The lines are ordered by length, with equal texts side by side and everything else at random, and every n-th line is
    taken from a random start (systematic sampling). So each range of lengths contributes in proportion, to within one
    line, and so does each frequent text: it neither stays on one side, which would bias the classes, nor depends on
    chance. `prepare` reports how many texts of the validation part also occur in the training part, which a network can
    memorise.

    Args:
        records: the lines.
        val: below 1 the fraction that is drawn, from 1 on the number of lines; 0 draws none.
        seed: of the drawing.
        images: a key of the image for each name; lines with equal keys stay on one side and count as one.

    Returns:
        The training and the validation records, each in the order of `records`.

    Raises:
        InputError: `val` is negative, a fraction above 1, or leaves no line to train on.
    """
    if val < 0 or (val >= 1 and val != int(val)):
        raise InputError(f"val={val} is neither a fraction from 0 to below 1 nor a whole number of lines.")
    groups = _groups(records, images)
    if val >= len(groups) and val > 0:
        raise InputError(f"val={val} leaves none of the {len(groups)} usable lines to train on; choose fewer.")
    count = int(val) if val >= 1 else min(max(1, round(val * len(groups))), len(groups) - 1) if val > 0 else 0
    chance = random.Random(seed)
    ordered = _ordered(records, groups, chance)
    start = chance.random()
    positions = [min(int((k + start) * len(ordered) / count), len(ordered) - 1) for k in range(count)]
    drawn = {number for position in positions for number in ordered[position]}
    train = [record for number, record in enumerate(records) if number not in drawn]
    return train, [record for number, record in enumerate(records) if number in drawn]


def fold_numbers(
    records: Sequence[Record], count: int, seed: int, images: Mapping[str, str] | None = None
) -> np.ndarray:
    """Deals lines into folds that resemble each other in lengths and texts, for cross-validation.

    The lines are ordered as `split` orders them; of each `count` neighbours, every fold gets one.

    Args:
        records: the lines.
        count: the number of folds.
        seed: of the dealing.
        images: see `split`.

    Returns:
        (N,) int64, the fold of each record, from 0.

    Raises:
        InputError: there are fewer than 2 folds, or more folds than different pictures.
    """
    groups = _groups(records, images)
    if count < 2:
        raise InputError(f"{count} folds are too few: of 2 or more, each is held out once.")
    if count > len(groups):
        raise InputError(f"{count} folds are more than the {len(groups)} usable lines: choose fewer.")
    chance = random.Random(seed)
    folds = np.empty(len(records), np.int64)
    dealt: list[int] = []
    for group in _ordered(records, groups, chance):
        dealt = dealt or chance.sample(range(count), count)
        folds[group] = dealt.pop()
    return folds


def _groups(records: Sequence[Record], images: Mapping[str, str] | None) -> list[list[int]]:
    """The numbers of the records that have to stay on one side."""
    groups: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        key = images[record.name] if images else f"{record.name}\n{record.location}"
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def _ordered(records: Sequence[Record], groups: list[list[int]], chance: random.Random) -> list[list[int]]:
    """The groups by the length of their first text, with equal texts side by side and everything else at random."""
    text_keys = {text: chance.random() for text in dict.fromkeys(record.text for record in records)}
    texts = [records[group[0]].text for group in groups]
    keys = [(len(text), text_keys[text], chance.random()) for text in texts]
    return [groups[at] for at in sorted(range(len(groups)), key=keys.__getitem__)]
