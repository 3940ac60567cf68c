"""Which prediction belongs to which label; predictions for other lines are told, never passed over in silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

from scenetext.errors import InputError
from scenetext.evaluate.prediction_files import PredictionFile
from scenetext.evaluate.results import ReadLines
from scenetext.system.file_names import shown_path
from scenetext.text.natural_order import natural_order
from scenetext.text.records import Record

Unmatched = Literal["refuse", "leave-out", "as-empty"]
"""See `choices.UNMATCHED`."""

NAMES_SHOWN = 5


def matched(
    records: Sequence[Record], read: PredictionFile, unmatched: Unmatched = "refuse", labels_are: str = "the labels"
) -> ReadLines:
    """The predictions in the order of the labels.

    Names are compared whole. Where no name is common, the bare names of the files are compared, because `predicts.txt`
    has no folders.

    Args:
        records: the labels, each name once.
        read: the predictions.
        unmatched: see Unmatched.
        labels_are: where the labels come from, for messages.

    Raises:
        InputError: there is no label; a name is missing on one side and `unmatched` refuses it; or no name is common.
    """
    if not records:
        raise InputError(f"There is no label in {labels_are}: give lines of a name, a tab and a text.")
    at = _positions(records, read)
    missing = [record.name for record, position in zip(records, at, strict=True) if position is None]
    used = {position for position in at if position is not None}
    extra = [name for position, name in enumerate(read.names) if position not in used]
    if not used or (unmatched == "refuse" and (missing or extra)):
        raise InputError(_told(records, read, missing, extra, labels_are))
    kept = (
        range(len(records)) if unmatched == "as-empty" else [i for i, position in enumerate(at) if position is not None]
    )
    return ReadLines(
        [records[i].name for i in kept],
        [records[i].text for i in kept],
        [_at(read.texts, at[i], "") for i in kept],
        [_at(read.confidences, at[i], 0.0) for i in kept] if read.confidences else None,
        [_at(read.widths_px, at[i], 0) for i in kept] if read.widths_px else None,
        [_at(read.heights_px, at[i], 0) for i in kept] if read.heights_px else None,
    )


def left_out(records: Sequence[Record], read: PredictionFile) -> tuple[int, int]:
    """How many labels have no prediction, and how many predictions no label."""
    found = [position for position in _positions(records, read) if position is not None]
    return len(records) - len(found), len(read.names) - len(found)


def _positions(records: Sequence[Record], read: PredictionFile) -> list[int | None]:
    """The index of each label's prediction."""
    positions = {name: position for position, name in enumerate(read.names)}
    found = [positions.get(record.name) for record in records]
    if any(position is not None for position in found):
        return found
    bare = {PurePosixPath(name).name: position for name, position in positions.items()}
    labelled = [PurePosixPath(record.name).name for record in records]
    if len(bare) < len(positions) or len(set(labelled)) < len(labelled):
        return found  # two pictures of one bare name: which is meant cannot be known
    return [bare.get(name) for name in labelled]


def _at(values: Sequence, position: int | None, default: object) -> object:
    return default if position is None else values[position]


def _told(
    records: Sequence[Record], read: PredictionFile, missing: list[str], extra: list[str], labels_are: str
) -> str:
    parts = [f"{shown_path(read.path)} and {labels_are} are of other lines"]
    if missing:
        parts.append(f"{len(missing):,} of {len(records):,} labels have no prediction ({shown_names(missing)})")
    if extra:
        parts.append(f"{len(extra):,} of {len(read.names):,} predictions have no label ({shown_names(extra)})")
    told = f"{parts[0]}: {' and '.join(parts[1:])}"
    if len(missing) == len(records):
        return f"{told}; no name is common: give the labels of the pictures that were read."
    return (
        f"{told}. --unmatched leave-out scores the common lines alone, --unmatched as-empty counts labels without a "
        "prediction as read empty."
    )


def shown_names(names: Sequence[str]) -> str:
    """The first of some names, for a message."""
    listed = ", ".join(natural_order(names)[:NAMES_SHOWN])
    return f"{listed}, …" if len(names) > NAMES_SHOWN else listed
