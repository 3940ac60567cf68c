"""Checks every picture of labelled lines before they are used, so that a bad one does not end a training of days.

A picture is checked by its header and its end, which takes some microseconds beyond reading the file. Formats whose
header does not tell their length (TIFF, GIF) are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.decoding import checked_size, is_known_by_its_end
from scenetext.data.prefetch import ahead
from scenetext.data.sources.images import ImageSource
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.system.process import usable_cores
from scenetext.text.records import Record

BAR_AFTER_S = 2  # shorter waits need no bar
_PER_TASK = 256  # pictures that a thread checks at once: a task for each would take longer than the check
_TASKS_AHEAD = 4  # for each thread
_NAMED = 5  # faulty pictures that a message names


class _Checked(NamedTuple):
    """Some pictures: (n, 2) int32 sizes, how many are faulty, and what is wrong with the first ones."""

    sizes_px: np.ndarray
    faulty: int
    faults: list[str]


def check_pictures(
    images: ImageSource, records: Sequence[Record], what: str = "the set", progress: bool = True
) -> np.ndarray:
    """Checks the pictures of labelled lines.

    Args:
        images: where the records' names are found.
        records: the lines; names may repeat.
        what: what messages call all of them, such as "the validation set".
        progress: show a bar if it takes more than some seconds.

    Returns:
        (N, 2) int32: the width and height in pixels that every picture has once it is decoded.

    Raises:
        InputError: pictures are missing, truncated, too large or no pictures; the message counts them and names the
            first ones with their labels' locations.
    """
    parts, faulty, faults = [np.empty((0, 2), np.int32)], 0, []
    starts = range(0, len(records), _PER_TASK)
    threads = usable_cores()

    def check(start: int) -> _Checked:
        return _check(images, records[start : start + _PER_TASK])

    with tqdm(
        total=len(records), desc="checking pictures", unit="line", disable=not progress, delay=BAR_AFTER_S
    ) as bar:
        for part in ahead(check, starts, threads, threads * _TASKS_AHEAD):
            parts.append(part.sizes_px)
            faulty += part.faulty
            faults += part.faults[: _NAMED - len(faults)]
            bar.update(len(part.sizes_px))
    if faulty:
        more = "; …" if faulty > len(faults) else ""
        raise InputError(
            f"{faulty} of the {len(records)} pictures of {what} cannot be used: {'; '.join(faults)}{more}: put whole "
            "pictures there, or remove these lines from the label file."
        )
    return np.concatenate(parts)


def _check(images: ImageSource, records: Sequence[Record]) -> _Checked:
    sizes = np.zeros((len(records), 2), np.int32)
    faulty, faults = 0, []
    for index, record in enumerate(records):
        try:
            sizes[index] = _size(images, record.name)
        except InputError as error:
            faulty += 1
            if len(faults) < _NAMED:
                faults.append(f"{str(error).rstrip('.')} (its label: {record.location})")
    return _Checked(sizes, faulty, faults)


def _size(images: ImageSource, name: str) -> tuple[int, int]:
    """Width and height in pixels; InputError with the picture's location."""
    data = images.read(name)
    if is_known_by_its_end(data):
        try:
            return checked_size(data, name)
        except InputError:  # asking every picture for its location would take longer than the check
            return checked_size(data, images.location(name))
    return decode_image(data, images.location(name)).shape[1::-1]
