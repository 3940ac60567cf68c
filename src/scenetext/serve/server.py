"""`scenetext serve`: the application behind uvicorn, on one address, until the process is ended."""

from __future__ import annotations

import importlib.util
import signal
import socket
from typing import TYPE_CHECKING

from scenetext.errors import InputError
from scenetext.serve.choices import HOST, PORT

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from scenetext.serve.limits import Limits
    from scenetext.serve.served_model import ModelChoice

NEEDED = ("fastapi", "uvicorn", "fastapi_offline", "prometheus_client")
KEEP_ALIVE_S = 75  # longer than nginx keeps its idle connections, so that it never uses one that is being closed
HEAD_BYTES = 32_768  # of a request, before its body
BACKLOG = 512
LAST_PORT = 65_535


def serve_command(
    model: str,
    detector: str | None,
    host: str,
    port: int,
    engine: str,
    batch_size: int,
    min_confidence: float,
    max_side: int,
    max_body_mb: float,
    max_pixels: int,
    max_pictures: int,
    max_waiting: int,
    max_photos: int,
    read_timeout: float,
    timeout: float,
    turned: float | None,
    decoding: str | None,
) -> None:
    """Serves an exported folder until the process is ended; the arguments are those of the command.

    Raises:
        InputError: the address is taken or none of this machine's, a folder cannot be served, a number is out of its
            range, or the packages for serving are not installed.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"Serving needs {', '.join(missing)}: `make install` brings it, and so does scenetext's extra `serve`."
        )
    from scenetext.serve.limits import BYTES_PER_MB, Limits
    from scenetext.serve.served_model import ModelChoice

    choice = ModelChoice(model, detector, engine, batch_size, min_confidence, max_side, turned, decoding)
    limits = Limits(
        body_bytes=int(max_body_mb * BYTES_PER_MB),
        pixels=max_pixels,
        pictures=max_pictures,
        lines_waiting=max_waiting,
        photos_waiting=max_photos,
        read_s=read_timeout,
        answer_s=timeout,
    )
    with listening(host, port) as listener:
        run(choice, limits, listener)


def run(choice: ModelChoice, limits: Limits, listener: socket.socket) -> None:
    """Serves on a socket that listens; SIGHUP opens the model folder again.

    Raises:
        InputError, RunError: see ServedModel.
    """
    from scenetext.serve.http_application import application
    from scenetext.system.process import share_one_heap

    share_one_heap()
    app = application(choice, limits)
    service = app.state.service
    service.open()  # before anything is answered, so that a wrong folder ends the command
    if hasattr(signal, "SIGHUP"):  # not on Windows, where a new model needs a new start
        signal.signal(signal.SIGHUP, lambda _, __: service.reload_soon())
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"{choice.model} is served at {address}: / takes a photo, /docs lists what is answered.", flush=True)
    uvicorn_server(app, limits).run(sockets=[listener])


def uvicorn_server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """uvicorn with limits on connections, heads of requests and times."""
    import uvicorn

    from scenetext.serve.connections import patient_for

    config = uvicorn.Config(
        app,
        http=patient_for(limits.read_s),
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(limits.answer_s) + 1,
        h11_max_incomplete_event_size=HEAD_BYTES,
        backlog=BACKLOG,
    )
    return uvicorn.Server(config)


def listening(host: str = HOST, port: int = PORT) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        InputError: the address is taken, none of this machine's, or not allowed.
    """
    if not 0 <= port <= LAST_PORT:
        raise InputError(f"The port {port} does not exist: give one from 1 to {LAST_PORT}, or 0 for any free one.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{host}, port {port} cannot be listened at ({reason}): end the program that has it, or choose another by "
            "--host and --port."
        ) from None
