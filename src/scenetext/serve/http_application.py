"""The HTTP application: one ASGI callable, whether one machine serves it or many behind a load balancer.

It keeps nothing between requests but the model in memory, so any number of processes and machines can run it side by
side. `scenetext serve` runs it with uvicorn; any ASGI server runs `application(...)`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scenetext import __version__
from scenetext.errors import InputError
from scenetext.serve import paddlex_form
from scenetext.serve.bodies import Bodies
from scenetext.serve.forms import Line, Lines, Photo, Pictures, Problem, State
from scenetext.serve.limits import Limits, Refused
from scenetext.serve.metrics import Metrics
from scenetext.serve.paddlex_form import OcrAnswer, OcrProblem, OcrRequest, new_log_id, ocr_answer
from scenetext.serve.page import PAGE, PAGE_POLICY
from scenetext.serve.served_model import ModelChoice
from scenetext.serve.service import Service

MODEL_HEADER = "X-Scenetext-Model"
PROBLEMS = (400, 408, 413, 422, 503)  # statuses of refusals
PICTURE_BODY = {
    "required": True,
    "content": {"image/*": {"schema": {"type": "string", "format": "binary", "description": "a picture file"}}},
}

Form = TypeVar("Form", bound=BaseModel)


def application(choice: ModelChoice, limits: Limits | None = None) -> FastAPI:
    """The application that reads with an exported folder; the folder is opened when the application starts.

    Args:
        choice: what to serve.
        limits: what it takes at most.

    Returns:
        The ASGI application; `app.state.service` is its Service.
    """
    limits = limits or Limits()
    metrics = Metrics()
    service = Service(choice, limits, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        service.close()

    app = FastAPIOffline(
        redoc_url=None,
        title="scenetext",
        version=__version__,
        summary="Reads lines of text, and whole photos where there is a detector.",
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(Counted, metrics=metrics)
    _add_errors(app, metrics)
    _add_state(app, service)
    _add_reading(app, service, Bodies(limits))
    return app


def _add_reading(app: FastAPI, service: Service, bodies: Bodies) -> None:
    def answers(path: str, answer: type[BaseModel], summary: str, body: dict[str, Any]) -> Callable:
        problem = OcrProblem if path == paddlex_form.PATH else Problem
        told = {status: {"model": problem} for status in PROBLEMS}
        return app.post(
            path, response_model=answer, summary=summary, openapi_extra={"requestBody": body}, responses=told
        )

    @answers("/line", Line, "the picture of one line", PICTURE_BODY)
    async def line(request: Request) -> Response:
        async with bodies.read(request) as body:
            ((reading,), model) = await service.read_lines(request, [body])
        return _answer(Line.of(reading), model)

    @answers("/lines", Lines, "pictures of one line each", _json_body(Pictures))
    async def lines(request: Request) -> Response:
        async with bodies.read(request) as body:
            readings, model = await service.read_lines(request, _parsed(Pictures, body).decoded())
        return _answer(Lines(lines=[Line.of(reading) for reading in readings]), model)

    @answers("/photo", Photo, "a photo; without a detector, a line that fills its picture", PICTURE_BODY)
    async def photo(request: Request) -> Response:
        async with bodies.read(request) as body:
            read = await service.read_photo(request, body)
        return _answer(Photo.of(read), read.model.name)

    summary = "a photo, in the form of PaddleX's OCR pipeline"

    @answers(paddlex_form.PATH, OcrAnswer, summary, _json_body(OcrRequest))
    async def ocr(request: Request) -> Response:
        async with bodies.read(request) as body:
            asked = _parsed(OcrRequest, body)
            picture = asked.picture()
            read = await service.read_photo(request, picture, asked.textRecScoreThresh)
            answer = await asyncio.to_thread(ocr_answer, asked, picture, read)
        return _answer(answer, read.model.name)


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": PAGE_POLICY})

    @app.get("/health", summary="whether the process answers")
    async def health() -> dict[str, Any]:
        return {"logId": new_log_id(), "errorCode": 0, "errorMsg": "Healthy"}  # as PaddleX's serving says it

    @app.get("/ready", response_model=State, summary="whether pictures are read; 503 where not")
    async def ready() -> Response:
        model = service.model
        photos = model is not None and model.detection is not None
        state = State(ready=model is not None, model=None if model is None else model.name, photos=photos)
        return JSONResponse(state.model_dump(), status_code=200 if state.ready else 503)

    @app.get("/metrics", summary="figures for Prometheus")
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)


def _add_errors(app: FastAPI, metrics: Metrics) -> None:
    def problem(request: Request, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
        if request.url.path == paddlex_form.PATH:
            told: BaseModel = OcrProblem(logId=new_log_id(), errorCode=status, errorMsg=sentence)
        else:
            told = Problem(error=sentence)
        return JSONResponse(told.model_dump(), status, headers)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        metrics.refusals.labels(error.reason).inc()
        return problem(request, error.status, str(error), error.headers)

    @app.exception_handler(InputError)
    async def unreadable(request: Request, error: InputError) -> Response:
        metrics.refusals.labels("picture").inc()
        return problem(request, 400, str(error))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        metrics.refusals.labels("gone").inc()
        return problem(request, 499, "The client has gone.")

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        return problem(request, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        return problem(request, 500, f"{type(error).__name__}: a fault of the server, whose log holds the traceback.")


class Counted:
    """Counts requests and measures their time; a plain ASGI wrapper, so that bodies pass through it unread."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = asyncio.get_running_loop().time(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")  # not what the client wrote: that would be any number of paths
            self.metrics.requests.labels(path, status).inc()
            self.metrics.seconds.labels(path).observe(asyncio.get_running_loop().time() - began)


def _json_body(form: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": form.model_json_schema()}}}


def _parsed(form: type[Form], body: bytes) -> Form:
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        remedy = " Send JSON as /docs shows it, not a form." if first["type"] == "json_invalid" else ""
        raise Refused(422, f"{where}: {first['msg']}.{remedy}", "form") from None


def _answer(answer: BaseModel, model: str) -> Response:
    return Response(
        answer.model_dump_json(exclude_none=True), media_type="application/json", headers={MODEL_HEADER: model}
    )
