"""Pictures in, texts out: the queues of the model in use, with refusals, times and the change to a new model."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from scenetext.predict.photo_reader import PhotoTexts, photo_texts
from scenetext.serve.limits import Gate, Limits, Refused
from scenetext.serve.line_queue import Reading
from scenetext.serve.metrics import Metrics
from scenetext.serve.served_model import ModelChoice, ServedModel
from scenetext.system.last_net import outcome

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """A photo that was read.

    Attributes:
        texts: what was read.
        width_px, height_px: of the photo.
        min_confidence: of the texts that are not rejected.
        model: what read it.
    """

    texts: PhotoTexts
    width_px: int
    height_px: int
    min_confidence: float
    model: ServedModel


class _InUse:
    """A model, and how many requests use it; the last one that leaves a retired model closes it."""

    def __init__(self, model: ServedModel):
        self.model = model
        self.users = 0
        self.retired = False

    def close_if_unused(self) -> None:
        if self.retired and not self.users:
            self.model.close()


class Service:
    """Reads pictures for requests; to be used in one event loop.

    Args:
        choice: what to serve.
        limits: of the server.
        metrics: where it is counted.

    Attributes:
        loop: the event loop, from `start` on.
    """

    def __init__(self, choice: ModelChoice, limits: Limits, metrics: Metrics):
        self.limits = limits
        self.metrics = metrics
        self._choice = choice
        self._in_use: _InUse | None = None
        self._lines = Gate(limits.lines_waiting, "lines")
        self._photos = Gate(limits.photos_waiting, "photos")
        self._reload: asyncio.Task[bool] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        metrics.waiting.labels("lines").set_function(lambda: self._lines.inside)
        metrics.waiting.labels("photos").set_function(lambda: self._photos.inside)

    @property
    def model(self) -> ServedModel | None:
        """The model in use; None before `open` and after `close`."""
        return None if self._in_use is None else self._in_use.model

    def open(self) -> None:
        """Opens the model folder, unless it is open.

        Raises:
            InputError, RunError: see ServedModel.
        """
        if self._in_use is None:
            self._take(self._opened())

    def close(self) -> None:
        """Ends the threads of the model."""
        if self._in_use is not None:
            self._in_use.model.close()
            self._in_use = None

    async def start(self) -> None:
        """Opens the model folder, unless it is open, and takes the running event loop for its own."""
        self.loop = asyncio.get_running_loop()
        await asyncio.to_thread(self.open)

    def reload_soon(self) -> None:
        """Lets the event loop `reload`, unless it does already; may be called from a signal handler."""

        def begin() -> None:
            if self._reload is None or self._reload.done():
                self._reload = asyncio.ensure_future(self.reload())

        if self.loop is not None:
            self.loop.call_soon_threadsafe(begin)

    async def reload(self) -> bool:
        """Opens the model folder again and reads with it from then on; requests under way keep the former model.

        A folder that cannot be opened, or one that is being replaced at the moment, changes nothing; stderr says why.
        """
        try:
            opened = await asyncio.to_thread(self._opened)
        except Exception as error:  # whatever it is, the former model goes on reading
            self.metrics.reloads.labels("failed").inc()
            print(f"The model was not replaced: {outcome(error)[1]}", file=sys.stderr, flush=True)
            return False
        former = self._in_use
        self._take(opened)
        if former is not None:
            if former.model.name != opened.name:
                self.metrics.model.remove(former.model.name)
            former.retired = True
            former.close_if_unused()
        self.metrics.reloads.labels("done").inc()
        print(f"The model {opened.name} is in use.", file=sys.stderr, flush=True)
        return True

    async def read_lines(self, request: Request, pictures: Sequence[bytes]) -> tuple[list[Reading], str]:
        """Reads pictures of one line each, all with the same model.

        Args:
            request: whose client is told; if it goes away, its lines are not read.
            pictures: the bytes of picture files.

        Returns:
            Text and confidence of each in order, and the name of the model.

        Raises:
            Refused: too many lines wait, or they were not read in time.
            InputError: one of the pictures cannot be read.
        """
        count = len(pictures)
        if count > self.limits.pictures:
            sentence = f"The request holds {count} pictures; {self.limits.pictures} are allowed: send several requests."
            raise Refused(413, sentence, "size")
        self._lines.enter(count)
        try:
            async with self._leased() as model, self._answering(request) as waits_for:
                # one after the other, so that a request of many large pictures takes the place of one
                lines = [await waits_for(model.fit(data, _location(at, count))) for at, data in enumerate(pictures)]
                return await waits_for(model.queue.submit(lines)), model.name
        finally:
            self._lines.leave(count)

    async def read_photo(self, request: Request, data: bytes, min_confidence: float | None = None) -> ReadPhoto:
        """Finds and reads the texts of a photo; without a detector the whole picture is taken as one line.

        Args:
            request: see `read_lines`.
            data: the bytes of a picture file.
            min_confidence: texts below are rejected; by default the server's.

        Raises:
            Refused, InputError: see `read_lines`.
        """
        gate = self._lines if self._choice.detector is None else self._photos
        gate.enter(1)
        try:
            async with self._leased() as model, self._answering(request) as waits_for:
                found = await waits_for(model.find(data, _location(0, 1)))
                readings = await waits_for(model.queue.submit(found.lines))
                least = model.min_confidence if min_confidence is None else min_confidence
                texts = photo_texts(found.boxes, readings, least)
                return ReadPhoto(texts, found.width_px, found.height_px, least, model)
        finally:
            gate.leave(1)

    def _opened(self) -> ServedModel:
        return ServedModel(self._choice, self.limits.pixels, self.metrics.batch_lines.observe)

    def _take(self, model: ServedModel) -> None:
        self._in_use = _InUse(model)
        self.metrics.model.labels(model.name).set(1)

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[ServedModel]:
        """The model in use, which stays open within the block though another one takes its place."""
        in_use = self._in_use
        if in_use is None:
            raise Refused(503, "The server is starting or ending: try again in a moment.", "closed")
        in_use.users += 1
        try:
            yield in_use.model
        finally:
            in_use.users -= 1
            in_use.close_if_unused()

    @asynccontextmanager
    async def _answering(self, request: Request) -> AsyncIterator[Callable[[Future[Result]], Result]]:
        """Gives a function that waits for a future, for the time that is left, and while the client is there."""
        gone = asyncio.ensure_future(_disconnected(request))
        until = asyncio.get_running_loop().time() + self.limits.answer_s

        async def waits_for(future: Future[Result]) -> Result:
            wrapped = asyncio.wrap_future(future)
            left = until - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait({wrapped, gone}, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
            if wrapped in done:
                return wrapped.result()
            wrapped.cancel()
            if gone in done:
                raise Refused(499, "The client has gone.", "gone", closes=True)
            sentence = f"The answer was not ready within {self.limits.answer_s:g} seconds: try again in a moment."
            raise Refused(503, sentence, "time")

        try:
            yield waits_for
        finally:
            gone.cancel()


async def _disconnected(request: Request) -> None:
    """Returns when the client has gone; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _location(index: int, count: int) -> str:
    return "The picture" if count == 1 else f"Picture {index}"
