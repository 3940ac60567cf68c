"""How lines of concurrent requests come together in batches, without a network."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from scenetext.errors import InputError
from scenetext.predict.line_reader import FittedLine
from scenetext.serve.line_queue import LineQueue


class Reader:
    """Reads a line as its canvas and its first pixel, when it is let."""

    batch_size = 4

    def __init__(self):
        self.batches: list[list[int]] = []
        self.may_read = threading.Semaphore(0)

    def read(self, lines: list[FittedLine]) -> list[tuple[str, float]]:
        self.may_read.acquire()
        self.batches.append([line.canvas_px for line in lines])
        if any(line.canvas_px == 666 for line in lines):
            raise InputError("no such canvas")
        return [(f"{line.canvas_px}/{line.image[0, 0, 0]}", 1.0) for line in lines]


def line(canvas_px: int, number: int = 0) -> FittedLine:
    return FittedLine(np.full((1, 1, 3), number, np.uint8), canvas_px)


def test_what_waits_is_read_in_full_batches_of_one_canvas_and_every_request_gets_its_own() -> None:
    reader = Reader()
    queue = LineQueue(lambda: reader, threads=1)
    first = queue.submit([line(320)])  # the thread takes it, and is held
    while queue.length:
        pass
    wide, mixed = queue.submit([line(500, 7)]), queue.submit([line(320, 1), line(500, 8), line(320, 2)])
    rest = [queue.submit([line(320, number)]) for number in range(3, 6)]
    given_up = queue.submit([line(320, 99)])
    assert given_up.cancel() and queue.submit([]).result() == []
    reader.may_read.release(9)
    assert first.result(9) == [("320/0", 1.0)] and wide.result(9) == [("500/7", 1.0)]
    assert mixed.result(9) == [("320/1", 1.0), ("500/8", 1.0), ("320/2", 1.0)]
    assert [future.result(9)[0][0] for future in rest] == ["320/3", "320/4", "320/5"]
    assert reader.batches == [[320], [500, 500], [320] * 4, [320]]
    queue.close()


def test_an_error_reaches_the_request_whose_line_it_was_and_the_queue_reads_on() -> None:
    reader = Reader()
    reader.may_read.release(9)
    queue = LineQueue(lambda: reader, threads=2)
    with pytest.raises(InputError, match="no such canvas"):
        queue.submit([line(320), line(666)]).result(9)
    assert queue.submit([line(320)]).result(9) == [("320/0", 1.0)]
    queue.close()


def test_a_reader_that_cannot_be_opened_raises_where_the_queue_is_made() -> None:
    def refuse() -> Reader:
        raise InputError("no such folder")

    with pytest.raises(InputError, match="no such folder"):
        LineQueue(refuse, threads=2)


def test_a_closed_queue_reads_what_waits() -> None:
    reader = Reader()
    queue = LineQueue(lambda: reader, threads=1)
    futures = [queue.submit([line(320, number)]) for number in range(9)]
    queue.close()
    reader.may_read.release(9)
    assert [future.result(9)[0][0] for future in futures] == [f"320/{number}" for number in range(9)]
