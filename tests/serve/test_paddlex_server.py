"""PaddleX's own server, started as the README says, reads the exported folders as `PhotoReader` does."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from photos import drawn_photo

from scenetext.config import load_config
from scenetext.export.exporter import export_model
from scenetext.predict.photo_reader import PhotoReader
from scenetext.predict.recognizer import Recognizer

pytest.importorskip("filetype")
START_S = 300
TEXTS = (("435 SALE", 60, 80), ("86315", 120, 300))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, root: Path) -> dict[str, Path]:
    """Both networks of PP-OCRv6 small in 8 bits; the recogniser writes digits and letters."""
    out = tmp_path_factory.mktemp("paddlex")
    (out / "characters.txt").write_text("\n".join("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") + "\n")
    characters = [f"Global.character_dict_path={out / 'characters.txt'}"]
    for kind, overrides in (("det", []), ("rec", characters)):
        config = load_config(root / "configs" / f"{'det_' if kind == 'det' else ''}ppocrv6_small.yml", overrides)
        weights = f"rapidocr:PP-OCRv6_{kind}_small"
        export_model(config, weights, out / kind, format="json", storage="uint8", progress=False)
    return {"det": out / "det", "rec": out / "rec"}


@pytest.mark.long
def test_it_reads_a_photo_as_the_photo_reader_does(folders: dict[str, Path], tmp_path: Path) -> None:
    paddlex = str(Path(sys.executable).with_name("paddlex"))
    environment = {**os.environ, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    subprocess.run(
        [paddlex, "--get_pipeline_config", "OCR", "--save_path", "."], cwd=tmp_path, check=True, env=environment
    )
    settings = yaml.safe_load((tmp_path / "OCR.yaml").read_text(encoding="utf-8"))
    settings |= {"use_doc_preprocessor": False, "use_textline_orientation": False}
    for module, kind in (("TextDetection", "det"), ("TextRecognition", "rec")):
        name = yaml.safe_load((folders[kind] / "inference.yml").read_text(encoding="utf-8"))["Global"]["model_name"]
        settings["SubModules"][module] |= {"model_dir": str(folders[kind]), "model_name": name}
    (tmp_path / "OCR.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        paddlex,
        "--serve",
        "--pipeline",
        "OCR.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    photo = drawn_photo(TEXTS)
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, env=environment)
        try:
            answer = ask(port, photo, server, tmp_path / "log")
        finally:
            server.terminate()
            server.wait(60)
    (theirs,) = answer["result"]["ocrResults"]
    (ours,) = PhotoReader(folders["det"], Recognizer(folders["rec"], "paddle"), "paddle", min_confidence=0.0)([photo])
    assert theirs["prunedResult"]["rec_texts"] == [line.text for line in ours.lines]
    assert [line.text.replace(" ", "") for line in ours.lines] == ["435SALE", "86315"]


def ask(port: int, photo: np.ndarray, server: subprocess.Popen, log: Path) -> dict:
    """What the server answers when it has started."""
    body = json.dumps({"file": base64.b64encode(cv2.imencode(".png", photo)[1]).decode(), "fileType": 1})
    until = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
        try:
            connection.request("POST", "/ocr", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return json.loads(answer.read())
        except ConnectionRefusedError:
            time.sleep(0.5)
        finally:
            connection.close()
    raise AssertionError(f"the server did not answer: {log.read_text(errors='replace')[-3000:]}")
