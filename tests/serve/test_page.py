"""The page to drop a photo on, in a real browser, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from browser import DESKTOP, PHONE, browser
from exported import tiny_export
from photos import drawn_detector, drawn_photo

pytest.importorskip("fastapi_offline")

from served import serving

from scenetext.predict.photo_reader import PhotoReader
from scenetext.serve.served_model import ModelChoice


def test_a_photo_chosen_in_a_browser_is_read_and_shown_without_anything_from_elsewhere(tmp_path: Path) -> None:
    with browser() as opened:  # skips the test where there is none
        model, photo, no_photo = tiny_export("json", "float32"), tmp_path / "photo.png", tmp_path / "no_photo.png"
        cv2.imwrite(str(photo), drawn_photo())
        no_photo.write_bytes(b"no photo")
        (offline,) = PhotoReader(drawn_detector(), model, min_confidence=0.0)([drawn_photo()])
        with serving(ModelChoice(model, drawn_detector(), min_confidence=0.0)) as served:
            address = f"http://127.0.0.1:{served.port}/"
            for size in (DESKTOP, PHONE):
                opened.open(address, size)
                opened.choose("#file", photo)
                opened.wait_for("document.querySelector('canvas').width > 0")
                texts = opened.ask("[...document.querySelectorAll('li')].map(item => item.firstChild.data)")
                assert texts == [line.text for line in offline.lines]
                assert opened.ask("document.documentElement.scrollWidth") <= size[0]
                assert (
                    opened.ask("document.querySelector('label').getBoundingClientRect().height") >= 44
                )  # for a finger
                assert set(opened.requests) - {"data:,"} == {address, f"{address}photo"} and opened.problems == []
            opened.choose("#file", no_photo)
            opened.wait_for("document.querySelector('#state').className == 'bad'")
            assert "no image" in opened.ask("document.querySelector('#state').textContent")
            opened.open(f"{address}docs", DESKTOP)
            opened.wait_for("document.querySelectorAll('.opblock').length >= 7")
            assert all(request.startswith((address, "data:")) for request in opened.requests)
