"""Downloads over connections that break: resumed by HTTP ranges, checked, and put in place only when complete."""

from __future__ import annotations

import errno
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tqdm.auto import tqdm

from scenetext.errors import InputError, RunError
from scenetext.system.files import read_json, sha256_file, write_json
from scenetext.system.locks import one_process

_CHUNK_BYTES = 1 << 18
_TIMEOUT_S = 30
_RETRIED = {408, 416, 425, 429, 500, 502, 503, 504}  # other statuses are final answers
_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class DownloadError(RunError):
    """No address gave the complete file."""


class _Interrupted(Exception):
    """This try ended early; the next one may resume it."""


def download(
    url: str,
    path: str | Path,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
    mirrors: Sequence[str] = (),
    tries: int = 4,
    pause_s: float = 1.0,
    progress: bool = True,
) -> Path:
    """Downloads one file, unless it is there already and passes the checks.

    The bytes are written to `path` + ".part" and stay there when all tries fail, so that the next call resumes the
    download. The server's ETag or date says whether the rest still belongs to these bytes. If the server sends neither,
    the download is resumed only if `sha256` checks the result.

    Args:
        url: an http or https address.
        path: the file to write.
        sha256: the expected checksum in hexadecimal.
        size_bytes: the expected size.
        mirrors: further addresses of the same file, tried in order after `url`.
        tries: how often each address is tried.
        pause_s: the pause before the second try in seconds, doubled each time.
        progress: show a progress bar with rate and time left.

    Returns:
        `path`.

    Raises:
        InputError: an address is neither http nor https.
        DownloadError: no address gave the complete, correct file; the message names each address and its cause.
        RunError: the disk is full.
    """
    path = Path(path)
    addresses = (url, *mirrors)
    for address in addresses:
        if not address.lower().startswith(("http://", "https://")):
            raise InputError(f"{address!r} is no http or https address.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with one_process(path):
        if path.is_file() and not _fault(path, sha256, size_bytes):
            return path
        causes = []
        for address in addresses:
            cause = _fetch(address, part, sha256, size_bytes, tries, pause_s, progress)
            if cause is None:
                part.replace(path)
                _notes(part).unlink(missing_ok=True)
                return path
            causes.append(f"{address}: {cause}")
    raise DownloadError(f"{path.name} could not be fetched. {'; '.join(causes)}.")


def _fetch(
    url: str, part: Path, sha256: str | None, size_bytes: int | None, tries: int, pause_s: float, progress: bool
) -> str | None:
    """Downloads `url` into `part`; None when it is complete and correct, else what went wrong."""
    cause = "not tried"
    for k in range(tries):
        if k:
            time.sleep(pause_s * 2 ** (k - 1))
        try:
            resumed = _fetch_rest(url, part, sha256 is not None, progress)
        except urllib.error.HTTPError as error:
            cause = f"the server answers {error.code} {error.reason}"
            if error.code == 416:  # the part is longer than the file: it is another file's part, so begin anew
                _forget(part)
            elif error.code not in _RETRIED:
                return cause
        except (_Interrupted, *_BROKEN) as error:
            cause = str(getattr(error, "reason", "") or error) or type(error).__name__
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise RunError(f"The disk is full, {part} cannot grow; make room and start again.") from None
            raise RunError(f"{part} cannot be written: {error.strerror}.") from None
        else:
            cause = _fault(part, sha256, size_bytes)
            if cause is None:
                return None
            _forget(part)
            if not resumed:
                return cause  # the server has another file, and would send it again
    return cause


def _fetch_rest(url: str, part: Path, checked_later: bool, progress: bool) -> bool:
    """Appends to `part` the missing bytes of `url`; returns whether it resumed an earlier try.

    Raises:
        _Interrupted: the connection ended early.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "scenetext", "Accept-Encoding": "identity"})
    have = part.stat().st_size if part.is_file() else 0
    notes = read_json(_notes(part)) if have and _notes(part).is_file() else {}
    validator = notes.get("validator") if notes.get("url") == url else None
    if have and (validator or checked_later):
        request.add_header("Range", f"bytes={have}-")
        if validator:
            request.add_header("If-Range", validator)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        resumed = response.status == 206 and _range_start(response) == have
        if response.status == 206 and not resumed:
            _forget(part)
            raise _Interrupted("the server sent another range than the one asked for")
        length = response.headers.get("Content-Length")
        total = (int(length) + (have if resumed else 0)) if length is not None else None
        write_json(_notes(part), {"url": url, "validator": _validator(response)})
        with (
            open(part, "ab" if resumed else "wb") as file,
            tqdm(
                desc=part.name.removesuffix(".part"), total=total, initial=file.tell(), unit="B", unit_scale=True,
                disable=not progress,
            ) as bar,
        ):  # fmt: skip
            _copy(response, file, bar)
            got = file.tell()
    if total is not None and got < total:
        raise _Interrupted(f"the connection ended after {got} of {total} bytes")
    return resumed


def _copy(response: http.client.HTTPResponse, file: IO[bytes], bar: Any) -> None:
    while chunk := response.read1(_CHUNK_BYTES):
        file.write(chunk)
        bar.update(len(chunk))


def _range_start(response: http.client.HTTPResponse) -> int | None:
    """The first byte that a "Content-Range: bytes 100-199/200" announces."""
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else None


def _validator(response: http.client.HTTPResponse) -> str | None:
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _fault(file: Path, sha256: str | None, size_bytes: int | None) -> str | None:
    """What is wrong with a fetched file, None if nothing."""
    size = file.stat().st_size
    if size_bytes is not None and size != size_bytes:
        return f"{size} bytes came, {size_bytes} were expected"
    if sha256 is not None and (found := sha256_file(file)) != sha256.lower():
        return f"its SHA-256 is {found}, {sha256.lower()} was expected"
    return None


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)
