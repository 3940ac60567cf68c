"""One HTTP answer, within bounds: of time, of redirections, and of what a server may say.

Neither urllib nor requests nor urllib3 bounds the time of an answer: their timeout is for one receive, so that a byte
now and then keeps a connection open for ever, in the headers, too. `Pace` ends such connections from a thread of its
own. What else a server does wrong is an exception of one of the two kinds below, never one of http.client or socket.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import select
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from scenetext.errors import InputError

MINIMUM_BYTES_PER_S = 2_000  # the slowest download in a report of users that still made its way: 7,500
WINDOW_S = 15.0  # the rate is measured over it; no receive takes longer
_CHUNK_BYTES = 1 << 18
_MOST_REDIRECTIONS = 10
_REDIRECTIONS = {301, 302, 303, 307, 308}
_LATER = {408, 416, 425, 429, 500, 502, 503, 504}  # other statuses are final answers
_MOST_DIGITS = 15  # of a length in bytes
_EXCESS_WAIT_S = 0.2
_KEPT_IN_ADDRESSES = "%/:=&?~#+!$,;'@()*[]"  # has a meaning there, or is quoted already


class Refused(Exception):
    """The server's answer is final and is not the file; asking again would not help."""


class Interrupted(Exception):
    """This try failed, and the next one may succeed.

    Attributes:
        restart: what has come so far does not fit the server's file, so that the next try has to begin anew.
        slow: the server was too slow, which costs as much time as several other failures.
        pause_s: how long the server asks to wait, in seconds; None if it does not say.
    """

    def __init__(self, cause: str, *, restart: bool = False, slow: bool = False, pause_s: float | None = None):
        super().__init__(cause)
        self.restart, self.slow, self.pause_s = restart, slow, pause_s


class Pace:
    """Ends a connection that is slower than `MINIMUM_BYTES_PER_S` over `WINDOW_S`, or that lives past a deadline.

    Everything counts from the first connection on: the greeting of TLS, headers and redirections bring no bytes of the
    file, so that together they may take `WINDOW_S`.

    Args:
        deadline: the value of time.monotonic() at which the connection ends.

    Attributes:
        fault: why the connection was ended, None while it was not.
    """

    def __init__(self, deadline: float):
        self.fault: str | None = None
        self._deadline = deadline
        self._bytes = 0
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._watch, name="scenetext-pace", daemon=True)

    def follow(self, connected: socket.socket) -> None:
        """Watches this connection from now on. A copy of its handle serves, since TLS takes the handle away."""
        with self._lock:
            self._close()
            if self.fault is not None:
                raise TimeoutError(self.fault)
            self._socket = connected.dup()
        if not self._thread.is_alive():
            self._thread.start()

    def moved(self, count: int) -> None:
        """Tells that `count` bytes of the file have come."""
        self._bytes += count

    def is_readable(self, wait_s: float) -> bool:
        """Whether the connection has something to read, be it its end, within `wait_s` seconds."""
        return self._socket is not None and bool(select.select([self._socket], [], [], wait_s)[0])

    def _watch(self) -> None:
        seen, window_end = 0, time.monotonic() + WINDOW_S
        while not self._done.wait(max(0.0, min(window_end, self._deadline) - time.monotonic())):
            if time.monotonic() >= self._deadline:
                fault = "the time for the download is over"
            elif self._bytes - seen < MINIMUM_BYTES_PER_S * WINDOW_S:
                fault = f"the server sent {self._bytes - seen} bytes in {WINDOW_S:.0f} s, which is too slow"
            else:
                seen, window_end = self._bytes, window_end + WINDOW_S
                continue
            with self._lock:
                self.fault = fault
                if self._socket is not None:
                    with contextlib.suppress(OSError):  # it has ended by itself
                        self._socket.shutdown(socket.SHUT_RDWR)
            return

    def __enter__(self) -> Pace:
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        self._close()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Answer:
    """A server's answer of status 200 or 206.

    Attributes:
        status: 200 or 206.
        headers: by name.
        length: the body's length in bytes, None if the server does not state it.
    """

    def __init__(self, response: http.client.HTTPResponse, pace: Pace):
        self.status, self.headers = response.status, response.headers
        self._response, self._pace = response, pace
        self.length = None if response.chunked else self._stated_length()

    def _stated_length(self) -> int | None:
        stated = set(self.headers.get_all("Content-Length", []))
        if not stated:
            return None
        length = stated.pop().strip()
        if stated or not (length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS):
            raise Refused(f"the server states a length that is not a number of bytes ({shortened(length)!r})")
        return int(length)

    def body(self) -> Iterator[bytes]:
        """The bytes, piece by piece; fewer than `length` if the connection ends early.

        Raises:
            Interrupted: the connection broke, or was too slow.
            Refused: more bytes come than the server states.
        """
        left = self.length
        while left != 0:
            with _net(self._pace):
                if left is None:
                    chunk = self._response.read1(_CHUNK_BYTES)
                else:  # past http.client, which closes the connection after the stated length
                    chunk = self._response.fp.read1(min(_CHUNK_BYTES, left))
            if not chunk:
                break
            left = None if left is None else left - len(chunk)
            self._pace.moved(len(chunk))
            yield chunk
        if left == 0 and self._has_more():
            raise Refused(f"the server sends more than the {self.length} bytes that it states")

    def _has_more(self) -> bool:
        """Whether bytes come after the stated length; a server that keeps the connection open is not waited for."""
        with _net(self._pace):
            return self._pace.is_readable(_EXCESS_WAIT_S) and bool(self._response.fp.peek(1))


@contextmanager
def get(url: str, headers: Mapping[str, str], pace: Pace) -> Iterator[Answer]:
    """Asks for an address and follows its redirections.

    Args:
        url: an http or https address that `checked_address` has returned.
        headers: of the request.
        pace: ends the connection when it is too slow; it has been entered.

    Yields:
        The answer; the connection is closed after the block.

    Raises:
        Interrupted: the server cannot be reached, is too slow, or is busy.
        Refused: the server answers something else than the file.
    """
    opener = _opener(pace)
    for _ in range(_MOST_REDIRECTIONS):
        with _net(pace):
            response = opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=WINDOW_S)
        with response:
            if response.status in _REDIRECTIONS and response.headers.get("Location"):
                url = _redirected(url, response.headers["Location"])
                continue
            _check_status(response)
            yield Answer(response, pace)
            return
    raise Refused(f"the server redirects more than {_MOST_REDIRECTIONS} times")


def checked_address(url: str) -> str:
    """An address in the form in which it is sent: what is not ASCII is quoted.

    Raises:
        InputError: it is no http or https address.
    """
    if not isinstance(url, str):
        raise InputError(f"{url!r} is no http or https address.")
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").encode("ascii" if (parts.hostname or "").isascii() else "idna").decode()
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError as error:
        raise InputError(f"{url!r} is no http or https address ({error}).") from None
    if parts.scheme not in ("http", "https") or not host or not host.isprintable() or " " in host:
        raise InputError(f"{url!r} is no http or https address.")
    if "@" in parts.netloc:
        raise InputError(f"The address at {host} holds a user name, which is not sent: fetch the file by other means.")
    place = f"[{host}]{port}" if ":" in host else f"{host}{port}"
    path, query = quote(parts.path, _KEPT_IN_ADDRESSES), quote(parts.query, _KEPT_IN_ADDRESSES)
    return urlunsplit((parts.scheme, place, path, query, ""))


def shortened(text: object) -> str:
    """What a server says, fit for a message: printable, on one line, not long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= 120 else f"{line[:117]}..."


def _opener(pace: Pace) -> urllib.request.OpenerDirector:
    """Opens addresses, through the environment's proxies if there are any; answers of every status are returned."""

    class Watched(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            pace.follow(self.sock)

    class WatchedTLS(http.client.HTTPSConnection, Watched):  # its connect calls Watched's before the greeting
        pass

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Watched, request)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(WatchedTLS, request, context=ssl.create_default_context())

    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), Plain(), Secure()):
        opener.add_handler(handler)
    return opener


@contextmanager
def _net(pace: Pace) -> Iterator[None]:
    """Turns whatever a connection raises into `Interrupted`, or `Refused` where asking again would not help."""
    try:
        yield
    except Exception as error:
        if pace.fault is not None:
            raise Interrupted(pace.fault, slow=True) from error
        reason = getattr(error, "reason", None)
        cause = reason if isinstance(error, urllib.error.URLError) and isinstance(reason, Exception) else error
        text = shortened(cause) or type(cause).__name__
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise Refused(f"the server's certificate is not valid ({text})") from error
        if isinstance(cause, TimeoutError):
            raise Interrupted(f"no answer within {WINDOW_S:.0f} s", slow=True) from error
        if isinstance(cause, (OSError, http.client.HTTPException)):
            raise Interrupted(text) from error
        raise Refused(f"the answer cannot be read ({type(cause).__name__}: {text})") from error
    if pace.fault is not None:  # the end of a connection that was ended looks like the end of a body
        raise Interrupted(pace.fault, slow=True)


def _redirected(url: str, location: str) -> str:
    try:
        target = checked_address(urljoin(url, location))
    except ValueError:  # InputError is one, too
        raise Refused(f"the server redirects to {shortened(location)!r}, which is no http or https address") from None
    if url.startswith("https:") and not target.startswith("https:"):
        raise Refused(f"the server redirects from https to {shortened(target)!r}, which nothing protects")
    return target


def _check_status(response: http.client.HTTPResponse) -> None:
    status = response.status
    if status in (200, 206):
        packed = response.headers.get("Content-Encoding", "identity").strip().lower()
        # some servers say so of a .tar.gz, whose bytes are meant to stay packed
        if packed not in ("", "identity") and not urlsplit(response.url).path.endswith((".gz", ".tgz")):
            raise Refused(f"the server sends the file packed (Content-Encoding {shortened(packed)!r}), unasked")
        return
    known = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else shortened(response.reason)
    answer = f"the server answers {status} {known}".rstrip()
    if status not in _LATER:
        raise Refused(answer)
    pause_s = _retry_after_s(response.headers.get("Retry-After"))
    raise Interrupted(answer, restart=status == 416, pause_s=pause_s)


def _retry_after_s(stated: str | None) -> float | None:
    """Seconds until the time at which the server wants to be asked again; None if it does not say."""
    if stated is None:
        return None
    if stated.strip().isascii() and stated.strip().isdigit():
        return float(stated[:_MOST_DIGITS])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(stated).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
