"""The server over HTTP: answers equal the offline readers', and what is wrong or too much is refused in a sentence."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import LINES, tiny_export, tiny_folder
from photos import drawn_detector, drawn_photo

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("fastapi_offline")

from served import Served, serving

from scenetext.errors import InputError
from scenetext.predict.photo_reader import PhotoReader
from scenetext.predict.recognizer import Recognizer
from scenetext.serve.limits import Limits
from scenetext.serve.served_model import ModelChoice
from scenetext.serve.server import listening, serve_command

LIMITS = Limits(body_bytes=100_000, pixels=400_000, pictures=LINES, lines_waiting=2 * LINES, read_s=0.5, answer_s=5)
CONFIDENCE = 2e-5  # the last digits depend on the batch, as offline


@pytest.fixture(scope="module")
def model() -> Path:
    return tiny_export("json", "float32")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [(tiny_folder() / "images" / f"{number}.png").read_bytes() for number in range(LINES)]


@pytest.fixture(scope="module")
def read_offline(model: Path, pictures: list[bytes]) -> list[tuple[str, float]]:
    return Recognizer(model)([cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in pictures])


@pytest.fixture(scope="module")
def served(model: Path) -> Iterator[Served]:
    with serving(ModelChoice(model, drawn_detector(), min_confidence=0.0), LIMITS) as running:
        yield running


@pytest.fixture
def held(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Holds the reader of lines until the event is set."""
    released = threading.Event()
    reader = served.service.model.queue.reader
    read = reader.read

    def read_later(lines: list) -> list[tuple[str, float]]:
        assert released.wait(60)
        return read(lines)

    monkeypatch.setattr(reader, "read", read_later)
    yield released
    released.set()


def photo_file() -> bytes:
    return cv2.imencode(".png", drawn_photo())[1].tobytes()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + end


def test_lines_of_concurrent_requests_are_read_as_the_offline_reader_reads_them(
    served: Served, pictures: list[bytes], read_offline: list[tuple[str, float]]
) -> None:
    with ThreadPoolExecutor(LINES) as clients:
        answers = list(clients.map(lambda data: served.ask("/line", data), pictures))
    status, together, headers = served.ask("/lines", json.dumps({"images": [*map(in_base64, pictures)]}).encode())
    assert status == 200 and {status for status, _, _ in answers} == {200}
    for lines in ([line for _, line, _ in answers], together["lines"]):
        assert [line["text"] for line in lines] == [text for text, _ in read_offline]
        np.testing.assert_allclose(
            [line["confidence"] for line in lines], [sure for _, sure in read_offline], atol=CONFIDENCE
        )
    assert len({text for text, _ in read_offline}) > 3 and served.model_of(headers) == served.service.model.name


@pytest.mark.parametrize(
    "encode",
    {
        "a data URI, as browsers make it": lambda data: f"data:image/png;base64,{in_base64(data)}",
        "one with parameters": lambda data: f"data:image/x-png;charset=utf-8;base64,{in_base64(data)}",
        "lines, as in mail": lambda data: base64.encodebytes(data).decode(),
        "the alphabet of addresses": lambda data: base64.urlsafe_b64encode(data).decode(),
    }.values(),
)
def test_base64_is_taken_as_clients_send_it(
    served: Served, pictures: list[bytes], read_offline: list[tuple[str, float]], encode: Callable[[bytes], str]
) -> None:
    for path, body in (("/lines", {"images": [encode(pictures[0])]}), ("/ocr", {"file": encode(photo_file())})):
        status, answer, _ = served.ask(path, json.dumps(body).encode())
        assert status == 200, answer
        assert path == "/ocr" or answer["lines"][0]["text"] == read_offline[0][0]


def test_a_photo_is_read_as_the_offline_reader_reads_it_also_in_paddlexs_form(served: Served, model: Path) -> None:
    (offline,) = PhotoReader(drawn_detector(), model, min_confidence=0.0)([drawn_photo()])
    status, answer, _ = served.ask("/photo", photo_file())
    assert status == 200 and (answer["width"], answer["height"]) == (640, 480)
    assert [(line["text"], line["points"]) for line in answer["lines"]] == [
        (line.text, line.points.tolist()) for line in offline.lines
    ]
    assert len(answer["lines"]) == 3
    asked = {"file": in_base64(photo_file()), "fileType": 1, "useDocUnwarping": False, "logId": "mine"}
    status, answer, _ = served.ask("/ocr", json.dumps(asked).encode(), **{"Content-Type": "application/json"})
    (result,) = answer["result"]["ocrResults"]
    assert status == 200 and (answer["errorCode"], answer["errorMsg"], answer["logId"]) == (0, "Success", "mine")
    assert result["prunedResult"]["rec_texts"] == [line.text for line in offline.lines]
    assert result["prunedResult"]["rec_boxes"][0] == [*offline.lines[0].points[0], *offline.lines[0].points[2]]
    for name, width in (("ocrImage", 1280), ("inputImage", 640)):  # its clients write both to files
        drawn = cv2.imdecode(np.frombuffer(base64.b64decode(result[name]), np.uint8), cv2.IMREAD_COLOR)
        assert drawn.shape == (480, width, 3)
    assert set(result["prunedResult"]) == PADDLEX_KEYS and answer["result"]["dataInfo"]["type"] == "image"


def test_lines_are_turned_and_decoded_as_offline(
    model: Path, pictures: list[bytes], read_offline: list[tuple[str, float]], served: Served, tmp_path: Path
) -> None:
    settings = {"format": "scenetext decoding", "beam_width": 3, "lm_weight": 0.3, "length_bonus": 1.0}
    (tmp_path / "decoding.json").write_text(json.dumps({**settings, "language_models": []}))
    images = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in pictures]
    offline = Recognizer(model, turned=0.0, beam_width=3)(images)
    with serving(ModelChoice(model, turned=0.0, decoding=tmp_path)) as turning:
        _, answer, headers = turning.ask("/lines", json.dumps({"images": [*map(in_base64, pictures)]}).encode())
    assert [line["text"] for line in answer["lines"]] == [text for text, _ in offline]
    assert offline != read_offline and turning.model_of(headers) != served.service.model.name


PADDLEX_KEYS = set(
    "model_settings dt_polys text_det_params text_type textline_orientation_angles text_rec_score_thresh "
    "return_word_box rec_texts rec_scores rec_polys rec_boxes".split()
)  # of what `paddlex --serve --pipeline OCR` of PaddleX 3.7 answers

REFUSED = {  # path, body, status, words of the sentence
    "no picture": ("/line", b"<html>", 400, "no image"),
    "nothing": ("/line", b"", 400, "empty"),
    "a photo that is none": ("/photo", b"%PDF-1.7", 400, "no image"),
    "a bomb": ("/line", bomb(60_000, 60_000), 400, "400,000 at most"),
    "a picture over the server's limit": ("/photo", bomb(700, 700), 400, "700 x 700"),
    "too large": ("/line", b"x" * 100_001, 413, "0.1 MB"),
    "no JSON": ("/lines", b"{", 422, "Invalid JSON"),
    "a form": ("/lines", b"images=YQ%3D%3D", 422, "Send JSON as /docs shows it, not a form"),
    "deep JSON": ("/lines", b"[" * 90_000, 422, "JSON"),
    "another form": ("/lines", b'{"image": "x"}', 422, "images"),
    "no pictures": ("/lines", b'{"images": []}', 422, "at least 1"),
    "too many pictures": ("/lines", json.dumps({"images": ["YQ=="] * (LINES + 1)}).encode(), 413, "12 are allowed"),
    "no base64": ("/lines", b'{"images": ["YQ==", "*"]}', 422, "images\\[1\\] is no base64"),
    "a prefix of no picture": ("/lines", b'{"images": ["picture,YQ=="]}', 422, "images\\[0\\] is no base64"),
    "one bad picture of several": ("/lines", b'{"images": ["YQ==", "YQ=="]}', 400, "Picture 0 is no image"),
    "an address": ("/ocr", b'{"file": "http://10.0.0.1/a.jpg", "fileType": 1}', 422, "does not fetch"),
    "a PDF": ("/ocr", b'{"file": "YQ==", "fileType": 0}', 422, "PDF"),
    "a network that is not here": ("/ocr", b'{"file": "YQ==", "useDocUnwarping": true}', 422, "useDocUnwarping"),
    "a threshold of the detector": ("/ocr", b'{"file": "YQ==", "textDetThresh": 0.1}', 422, "textDetThresh"),
    "an unknown path": ("/nothing", b"{}", 404, "Not Found"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_sentence(served: Served, case: str) -> None:
    path, body, status, words = REFUSED[case]
    answered, answer, _ = served.ask(path, body)
    told = answer["errorMsg"] if path == "/ocr" else answer["error"]
    assert answered == status and answer.get("errorCode", status) == status
    assert re.search(words, told), told


def test_more_than_may_wait_is_refused_with_503_and_what_waits_is_answered(
    served: Served, held: threading.Event, pictures: list[bytes], read_offline: list[tuple[str, float]]
) -> None:
    with ThreadPoolExecutor(LIMITS.lines_waiting) as clients:
        waiting = [clients.submit(served.ask, "/line", pictures[0]) for _ in range(LIMITS.lines_waiting)]
        while f'waiting{{kind="lines"}} {LIMITS.lines_waiting}.0' not in served.ask("/metrics")[1]:
            assert not any(future.done() for future in waiting)
        status, answer, headers = served.ask("/line", pictures[0])
        assert (status, headers["retry-after"]) == (503, "1") and "24 lines are waiting" in answer["error"]
        assert served.ask("/health")[0] == 200  # it is busy, not dead
        held.set()
        assert {future.result()[1]["text"] for future in waiting} == {read_offline[0][0]}
    assert 'refusals_total{reason="busy"} 1.0' in served.ask("/metrics")[1]


def test_an_answer_that_is_not_ready_in_time_is_a_503(
    served: Served, held: threading.Event, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.service, "limits", Limits(answer_s=0.1))
    status, answer, headers = served.ask("/line", pictures[0])
    assert status == 503 and "0.1 seconds" in answer["error"] and headers["retry-after"] == "1"


HEAD = b"POST /line HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n"
SLOW = {  # what a client sends before it falls silent, and what the answer begins with
    "nothing": (b"", b""),
    "half a head": (HEAD[:30], b""),
    "half a body": (HEAD + b"x" * 25, b"HTTP/1.1 408 "),
    "a second head's half": (b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /he", b"HTTP/1.1 200 "),
    "a body longer than it says": (HEAD + b"x" * 51, b"HTTP/1.1 400 "),
    "no number as length": (HEAD.replace(b"50", b"-1"), b"HTTP/1.1 400 "),
    "an endless head": (b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000, b"HTTP/1.1 400 "),
    "100 MB": (HEAD.replace(b"50", b"100000000"), b"HTTP/1.1 413 "),
}


@pytest.mark.parametrize("case", SLOW)
def test_a_connection_that_falls_silent_is_ended(served: Served, case: str) -> None:
    sent, begins = SLOW[case]
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        client.sendall(sent)
        received = b""
        while part := client.recv(65_536):
            received += part
    assert received.startswith(begins) and (begins or not received)


def test_a_replaced_folder_is_taken_up_whole_by_a_reload_and_no_answer_is_mixed(
    model: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    settings = (model / "inference.yml").read_text()
    old_digits, new_digits = (f"character_dict:\n{digit_rows(digits)}" for digits in ("0123456789", "9876543210"))
    assert old_digits in settings
    for file in model.glob("inference.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    images = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in pictures]
    old = [text for text, _ in Recognizer(folder, "paddle")(images)]
    with serving(ModelChoice(folder, engine="paddle")) as served:
        name, body = served.service.model.name, json.dumps({"images": [*map(in_base64, pictures)]}).encode()
        (folder / "inference.pdiparams").write_bytes(b"half a copy")  # the files are being replaced
        assert reload(served) is False and served.service.model.name == name
        (folder / "inference.pdiparams").write_bytes((model / "inference.pdiparams").read_bytes())
        (folder / "inference.yml").write_text(settings.replace(old_digits, new_digits))
        new = [text for text, _ in Recognizer(folder, "paddle")(images)]
        assert new != old
        stop, seen = threading.Event(), []

        def ask_again_and_again() -> None:
            while not stop.is_set():
                _, answer, headers = served.ask("/lines", body)
                seen.append((served.model_of(headers), [line["text"] for line in answer["lines"]]))

        clients = [threading.Thread(target=ask_again_and_again) for _ in range(4)]
        for client in clients:
            client.start()
        assert reload(served) is True
        while served.service.model.name not in [named for named, _ in seen]:
            pass
        stop.set()
        for client in clients:
            client.join()
        assert {named for named, _ in seen} == {name, served.service.model.name}
        assert all(texts == (old if named == name else new) for named, texts in seen)


def digit_rows(digits: str) -> str:
    return "".join(f"  - '{digit}'\n" for digit in digits)


def reload(served: Served) -> bool:
    """What a SIGHUP does; whether the new model was taken up."""
    import asyncio

    return asyncio.run_coroutine_threadsafe(served.service.reload(), served.service.loop).result(60)


def test_the_state_and_the_interface_are_told(served: Served, model: Path) -> None:
    assert served.ask("/health")[1]["errorMsg"] == "Healthy"
    status, state, _ = served.ask("/ready")
    assert (status, state) == (200, {"ready": True, "model": served.service.model.name, "photos": True})
    _, interface, _ = served.ask("/openapi.json")
    assert {"/line", "/lines", "/photo", "/ocr", "/health", "/ready", "/metrics"} == set(interface["paths"])
    page = served.ask("/docs")[1]
    assert "http://" not in page and "https://" not in page  # the interface's page loads nothing from elsewhere
    assert f'model_info{{name="{served.service.model.name}"}} 1.0' in served.ask("/metrics")[1]


WRONG: dict[str, tuple[Callable[[Path, Path], dict], str]] = {  # what the command is given, and what it says
    "no inference.yml": (lambda net, empty: {"model": empty}, "holds no inference.yml"),
    "a detector as recogniser": (lambda net, empty: {"model": drawn_detector()}, "holds a text detector"),
    "a recogniser as detector": (lambda net, empty: {"model": net, "detector": net}, "recogniser"),
    "an unknown detector": (lambda net, empty: {"model": net, "detector": "wheel:x"}, "wheel:x is unknown"),
    "another host": (lambda net, empty: {"model": net, "host": "192.0.2.1"}, "cannot be listened at"),
    "no such port": (lambda net, empty: {"model": net, "port": 70_000}, "70000 does not exist"),
    "no limit": (lambda net, empty: {"model": net, "max_pixels": 0}, "pixels is 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_served_ends_the_command_with_a_sentence(model: Path, tmp_path: Path, case: str) -> None:
    given, words = WRONG[case]
    with pytest.raises(InputError, match=words):
        serve_command(**{**command_options(), **given(model, tmp_path)})


def test_a_port_in_use_ends_the_command_with_a_sentence(model: Path) -> None:
    with listening(port=0) as taken, pytest.raises(InputError, match=r"Address already in use.*--port"):
        serve_command(**{**command_options(), "model": str(model), "port": taken.getsockname()[1]})


def test_a_dictionary_of_another_length_ends_the_command_with_a_sentence(model: Path, tmp_path: Path) -> None:
    for file in model.glob("inference.*"):
        text = file.read_bytes()
        rows = (digit_rows("0123456789").encode(), digit_rows("01234567").encode())
        (tmp_path / file.name).write_bytes(text.replace(*rows) if file.suffix == ".yml" else text)
    with pytest.raises(InputError, match="another network's"):
        serve_command(**{**command_options(), "model": str(tmp_path), "engine": "paddle"})


def command_options() -> dict:
    """The arguments of `scenetext serve` by their names, with their defaults and a free port."""
    import argparse

    from scenetext.serve.arguments import serve_arguments

    parser = argparse.ArgumentParser()
    serve_arguments(parser)
    return vars(parser.parse_args(["--model", "", "--port", "0"]))


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_the_command_serves_reloads_on_sighup_and_ends_on_sigterm(model: Path, pictures: list[bytes]) -> None:
    command = [sys.executable, "-m", "scenetext", "serve", "--model", str(model), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        started = process.stdout.readline()
        assert f"{model} is served at http://127.0.0.1:" in started
        port = int(re.search(r":(\d+):", started)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(HEAD.replace(b"50", str(len(pictures[0])).encode()) + pictures[0])
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        process.send_signal(signal.SIGHUP)
        assert re.fullmatch(r"The model \w{12} is in use\.\n", process.stderr.readline())
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM and process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
