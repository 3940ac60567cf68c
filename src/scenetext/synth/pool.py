"""Draws in several processes and hands out what they drew in order, a few pieces ahead and never all of it.

What `lines` and `scenes` ask of their arguments before anything is drawn is here, too.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import cv2

from scenetext.errors import InputError
from scenetext.system.file_names import shown_path
from scenetext.system.files import may_be_replaced

Piece, Drawn = TypeVar("Piece"), TypeVar("Drawn")
_AHEAD = 3  # pieces for each process


def in_order(draw: Callable[[Piece], Drawn], pieces: Iterable[Piece], workers: int) -> Iterator[Drawn]:
    """Yields `draw(piece)` for each piece.

    Args:
        draw: a function that processes can be sent.
        pieces: what it is called with.
        workers: processes; 1 draws in this one.
    """
    pieces = iter(pieces)
    if workers == 1:
        yield from map(draw, pieces)
        return
    # fresh processes: a font that two processes share after a fork is loaded again all the same
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _one_thread)
    try:
        begun: deque[Future[Drawn]] = deque(pool.submit(draw, piece) for piece in islice(pieces, _AHEAD * workers))
        while begun:
            yield begun.popleft().result()
            begun.extend(pool.submit(draw, piece) for piece in islice(pieces, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def check_numbers(**numbers: tuple[int, int]) -> None:
    """InputError for the first number, by name, that is below its least value."""
    for name, (value, least) in numbers.items():
        if value < least:
            raise InputError(f"{name}={value} is too small: choose {least} or more.")


def check_replaceable(out: Path, own: Collection[str]) -> None:
    """InputError unless `out` is new, or a folder that holds nothing but files of these names."""
    if out.exists() and not (out.is_dir() and may_be_replaced(out, own)):
        raise InputError(f"{shown_path(out)} holds other things; give the name of a new folder to write.")


def _one_thread() -> None:
    cv2.setNumThreads(1)
