"""Whole photos: boxes, their order, the texts of the crops, and the folder that a job writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import tiny_export
from photos import INK, PAPER, TEXTS, drawn_detector, drawn_photo
from PIL import Image

from scenetext.data.detection.crops import crop_text
from scenetext.data.detection.resize import LONGEST_SIDE_PX, DetectionSize
from scenetext.errors import InputError
from scenetext.plots.photos import DRAWN_SIDE_PX, draw_photo
from scenetext.predict.engines import OnnxRuntime
from scenetext.predict.photo_files import PICTURES, PhotoSummary, picture_path, read_photo_texts, read_photos
from scenetext.predict.photo_files import TEXTS as FILE
from scenetext.predict.photo_reader import LEAST_CONFIDENCE, PHOTOS_PER_PIECE, PhotoReader
from scenetext.predict.reading_order import reading_order
from scenetext.predict.recognizer import Recognizer
from scenetext.predict.text_detector import TextDetector
from scenetext.predict.wheel_detectors import WHEEL_DETECTORS, WHEEL_SETTINGS, wheel_detector
from scenetext.system.launched import Process


@pytest.fixture(scope="module")
def model() -> Path:
    return tiny_export("json", "float32")


@pytest.fixture(scope="module")
def reader(model: Path) -> PhotoReader:
    return PhotoReader(drawn_detector(), model, min_confidence=0.0)


def test_texts_are_found_in_reading_order_and_read_as_their_crops_are(reader: PhotoReader, model: Path) -> None:
    photo = drawn_photo()
    (texts,) = reader([photo])
    lines = texts.lines + texts.rejected
    assert len(lines) == len(TEXTS)
    for line, (_, left, top) in zip(lines, TEXTS, strict=True):
        assert line.points[0, 0] < left < line.points[1, 0] and line.points[0, 1] < top + 22 < line.points[3, 1]
        assert line.box_score > 0.9
    read = Recognizer(model)([crop_text(photo, line.points) for line in lines])
    assert [line.text for line in lines] == [text for text, _ in read] and len({text for text, _ in read}) > 1
    np.testing.assert_allclose([line.confidence for line in lines], [sure for _, sure in read], atol=1e-5)


def test_photos_of_one_call_do_not_change_each_other(reader: PhotoReader) -> None:
    photos = [drawn_photo(TEXTS[:count]) for count in (1, 0, 3, 2)] * (PHOTOS_PER_PIECE // 2)
    together = reader(photos)
    assert [len(texts.lines + texts.rejected) for texts in together[:4]] == [1, 0, 3, 2]
    for texts, photo in list(zip(together, photos, strict=True))[-4:]:
        (alone,) = reader([photo])
        assert [line.text for line in texts.lines] == [line.text for line in alone.lines]


def test_uncertain_texts_are_rejected_with_their_boxes(model: Path) -> None:
    (texts,) = PhotoReader(drawn_detector(), model, min_confidence=1.0)([drawn_photo()])
    assert texts.lines == [] and len(texts.rejected) == len(TEXTS)


def test_a_tall_text_is_turned_before_it_is_read(reader: PhotoReader, model: Path) -> None:
    photo = np.ascontiguousarray(np.rot90(drawn_photo([("86315", 60, 80)]), -1))
    (texts,) = reader([photo])
    (line,) = texts.lines + texts.rejected
    width, height = np.ptp(line.points, axis=0)
    assert height > 1.5 * width
    crop = photo[line.points[0, 1] : line.points[2, 1], line.points[0, 0] : line.points[2, 0]]
    assert (line.text,) == tuple(text for text, _ in Recognizer(model)([np.ascontiguousarray(np.rot90(crop))]))


@pytest.mark.parametrize(
    "array", [np.zeros((9, 50), np.uint8), np.zeros((9, 50, 3)), np.zeros((0, 5, 3), np.uint8)], ids=str
)
def test_an_array_that_is_no_photo_is_refused(reader: PhotoReader, array: np.ndarray) -> None:
    with pytest.raises(InputError, match="Photo 1 is"):
        reader([drawn_photo(), array])


def rectangle(left: float, top: float, width: float, height: float) -> np.ndarray:
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])


@pytest.mark.parametrize("scale", [0.5, 1, 10])
@pytest.mark.parametrize("degrees", [0, 4, 15, -15])
@pytest.mark.parametrize("width", [50, 200])
def test_rows_are_read_from_left_to_right_at_any_size_and_tilt(scale: float, degrees: float, width: int) -> None:
    words = [
        rectangle((width + 10) * column, 30 * row + column % 2, width, 20 + column % 3)
        for row in range(3)
        for column in range(5)
    ]
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shuffled = np.random.default_rng(0).permutation(len(words))
    order = reading_order([words[index] @ turn for index in shuffled])
    assert [shuffled[index] for index in order] == list(range(len(words)))


def test_texts_of_several_tilts_are_read_from_the_top_down() -> None:
    diagonal = np.array([[10, 150], [110, 50], [125, 65], [25, 165]])  # a tilt that is not that of most
    assert reading_order([rectangle(200, 300, 90, 20), diagonal, rectangle(10, 302, 90, 20)]) == [1, 2, 0]


def test_the_row_of_a_public_report_is_read_from_left_to_right() -> None:
    """PaddleOCR's issue 4817: four texts of one row of a form."""
    corners = [(610, 245, 699, 270), (879, 247, 973, 277), (721, 248, 853, 271), (995, 241, 1113, 266)]
    assert reading_order([rectangle(x, y, right - x, bottom - y) for x, y, right, bottom in corners]) == [0, 2, 1, 3]


def test_rows_are_those_of_paddleocr(shared: Path) -> None:
    expected = np.load(shared / "parity" / "expected" / "det_crops.npz")
    np.testing.assert_array_equal(expected["sorted_in"][reading_order(expected["sorted_in"])], expected["sorted_out"])
    assert reading_order([]) == []


def test_a_recogniser_under_the_settings_of_a_detector_is_refused(tmp_path: Path, model: Path) -> None:
    shutil.copytree(model, tmp_path / "mixed")
    shutil.copy(drawn_detector() / "inference.yml", tmp_path / "mixed")
    with pytest.raises(InputError, match="another network's"):
        PhotoReader(tmp_path / "mixed", model, engine="paddle")([drawn_photo(height=32, width=320)])


@pytest.mark.parametrize(("name", "key"), [("ch_PP-OCRv4_det", "v4"), ("PP-OCRv6_det_small", "v6small")])
def test_detectors_in_wheels_find_what_paddleocr_finds(shared: Path, name: str, key: str) -> None:
    if name == "ch_PP-OCRv4_det":
        pytest.importorskip("rapidocr_onnxruntime", reason="has no wheel for Python 3.13")
    expected = np.load(shared / "parity" / "expected" / "det_onnx_outputs.npz")
    settings = replace(WHEEL_SETTINGS, size=DetectionSize(limit_side_len=960, limit_type="max"))
    detector = TextDetector(OnnxRuntime(wheel_detector(f"wheel:{name}"), 1), settings)
    photo = expected["image_u8_bgr"]
    np.testing.assert_allclose(detector.map(photo)[::2, ::2], expected[f"{key}_text_map_every2"][0, 0], atol=1e-4)
    np.testing.assert_array_equal([box.points for box in detector(photo)], expected[f"{key}_boxes"])


def save(folder: Path) -> None:
    """Photos of many kinds, and files that are none."""
    photo = drawn_photo()
    cv2.imwrite(str(folder / "colour.png"), photo)
    cv2.imwrite(str(folder / "grey.png"), photo[:, :, 0])
    cv2.imwrite(str(folder / "empty.png"), drawn_photo([]))
    cv2.imwrite(str(folder / "pixel.png"), photo[:1, :1])
    cv2.imwrite(str(folder / "strip.png"), cv2.resize(drawn_photo([("435", 60, 0)], 60, 4500), (3000, 40)))
    cv2.imwrite(str(folder / "large.jpg"), drawn_photo([("435", 60, 80)], 300, 12_000))
    picture = Image.fromarray(photo)
    picture.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    turned = Image.Exif()
    turned[0x0112] = 6  # to be shown turned clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=turned, quality=95)
    (folder / "paper.jpg").write_bytes(b"%PDF-1.7\n" + bytes(200))
    (folder / "cut.png").write_bytes((folder / "colour.png").read_bytes()[:400])
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))


def test_a_folder_of_all_kinds_of_photos(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    save(folder)
    summary = read_photos(folder, drawn_detector(), model, out, min_confidence=0.0, progress=False)
    told = capsys.readouterr().err
    assert (summary.photos, set(summary.unreadable)) == (10, {"cut.png", "paper.jpg"})
    assert "clip.mp4" in told and "paper.jpg" in told and "cut.png" in told
    found = {record["photo"]: record for record in read_photo_texts(out / FILE)}
    count = {name: len(record["lines"] + record["rejected"]) for name, record in found.items()}
    assert count == {
        **dict.fromkeys(["colour.png", "grey.png", "cmyk.jpg", "turned.jpg"], 3),
        **dict.fromkeys(["strip.png", "large.jpg"], 1),
        **dict.fromkeys(["empty.png", "pixel.png", "cut.png", "paper.jpg"], 0),
    }
    assert list(found) == sorted(found) and found["turned.jpg"]["width"] == 640
    assert found["grey.png"]["lines"] == found["colour.png"]["lines"]
    assert "problem" in found["cut.png"] and "problem" not in found["empty.png"]
    drawn = {path.name for path in (out / PICTURES).iterdir()}
    assert drawn == {name if name.endswith(".jpg") else f"{name}.jpg" for name in set(found) - {"cut.png", "paper.jpg"}}
    assert max(cv2.imread(str(out / PICTURES / "large.jpg")).shape) == 2 * DRAWN_SIDE_PX


def test_a_photo_of_108_megapixels_is_decoded_at_half_its_size_and_its_boxes_are_its_own(
    tmp_path: Path, model: Path
) -> None:
    photo = np.full((9_000, 12_000), PAPER, np.uint8)
    cv2.putText(photo, "435", (1500, 4000), cv2.FONT_HERSHEY_SIMPLEX, 60, INK, 150)
    exif = Image.Exif()
    exif[0x0112] = 3  # to be shown turned by 180 degrees
    Image.fromarray(photo[::-1, ::-1]).save(tmp_path / "large.jpg", exif=exif)
    out = tmp_path / "out"
    read_photos(tmp_path / "large.jpg", drawn_detector(), model, out, min_confidence=0.0, progress=False)
    (record,) = read_photo_texts(out / FILE)
    assert (record["width"], record["height"]) == (12_000, 9_000)
    left, top, width, height = cv2.boundingRect((photo == INK).astype(np.uint8))
    middle = np.mean(record["lines"][0]["points"], axis=0)
    np.testing.assert_allclose(middle, (left + width / 2, top + height / 2), atol=60)


def test_photos_that_stand_upside_down_are_read_turned(tmp_path: Path, model: Path) -> None:
    photo = np.ascontiguousarray(drawn_photo()[::-1, ::-1])
    cv2.imwrite(str(tmp_path / "down.png"), photo)
    read = {}
    for turned in (None, 0.0):
        out = tmp_path / f"out-{turned}"
        read_photos(
            tmp_path / "down.png", drawn_detector(), model, out, min_confidence=0, turned=turned, progress=False
        )
        (record,) = read_photo_texts(out / FILE)
        crops = [crop_text(photo, np.array(line["points"])) for line in record["lines"]]
        read[turned] = [line["text"] for line in record["lines"]]
        assert read[turned] == [text for text, _ in Recognizer(model, turned=turned)(crops)]
    assert read[None] != read[0.0] and len(read[None]) == len(TEXTS)


def test_two_processes_read_photos_as_one(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        cv2.imwrite(str(folder / f"{number}.png"), drawn_photo(TEXTS[: number % 3 + 1]))
    (folder / "cut.png").write_bytes(b"no photo")
    for module, name in (("photo_reader", "PHOTOS_PER_PIECE"), ("photo_files", "PHOTOS_PER_SHARED_PIECE")):
        monkeypatch.setattr(f"scenetext.predict.{module}.{name}", 2)
    how = dict(engine="auto", min_confidence=0.1, pictures=False, progress=False)
    alone = read_photos(folder, drawn_detector(), model, tmp_path / "one", **how)

    def part(rank: int) -> PhotoSummary | None:
        return read_photos(folder, drawn_detector(), model, tmp_path / "two", process=Process(rank, 2, 2), **how)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(part, range(2))) == [alone, None]
    assert (tmp_path / "two" / FILE).read_bytes() == (tmp_path / "one" / FILE).read_bytes()
    assert [path.name for path in (tmp_path / "two").iterdir()] == [FILE]


def test_a_stopped_job_resumes_and_writes_the_same(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PHOTOS_PER_PIECE + 3):
        texts = [("".join(map(str, rng.integers(0, 10, 3))), 60, 80)]
        cv2.imwrite(str(folder / f"{number:02}.png"), drawn_photo(texts))
    whole = tmp_path / "whole" / FILE
    read_photos(folder, drawn_detector(), model, whole.parent, pictures=False, progress=False)
    calls = []

    def stop(*arguments: object) -> np.ndarray:
        calls.append(arguments)
        if len(calls) == PHOTOS_PER_PIECE + 2:
            raise KeyboardInterrupt
        return draw_photo(*arguments)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("scenetext.predict.photo_files.draw_photo", stop)
        with pytest.raises(KeyboardInterrupt):
            read_photos(folder, drawn_detector(), model, out, progress=False)
    assert not (out / FILE).exists() and (out / f"{FILE}.part").exists()
    summary = read_photos(folder, drawn_detector(), model, out, progress=False)
    assert (out / FILE).read_bytes() == whole.read_bytes() and len(list((out / PICTURES).iterdir())) == summary.photos
    assert {path.name for path in out.iterdir()} == {FILE, PICTURES}


def test_pictures_lie_in_their_folder_whatever_the_photo_is_called() -> None:
    names = {
        "a.jpg": "a.jpg",
        "a.PNG": "a.PNG.jpg",
        "b/c.jpeg": "b/c.jpeg",
        "../../d.gif": "d.gif.jpg",
        "/e.jpg": "e.jpg",
    }
    assert {name: picture_path(Path("out"), name) for name in names} == {n: Path("out", p) for n, p in names.items()}


def test_texts_are_drawn_beside_their_boxes() -> None:
    photo = np.full((100, 200, 3), 90, np.uint8)
    quad = rectangle(20, 30, 120, 40)
    drawn = draw_photo(photo, [quad, rectangle(150, 10, 20, 80), rectangle(-50, -50, 9, 9)], ["出口 A", "上下", "x"])
    assert drawn.shape == (100, 400, 3)
    assert (drawn[30, 40:120] != 90).any(axis=1).all() and (drawn[45:55, 40:120] == 90).all()
    page = drawn[:, 200:]
    assert page[35:66, 25:136].min() < 60 and page[80:, 20:140].min() == 255
    assert page[15:85, 153:168].min() < 60


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"detector": "RECOGNISER"}, "--model"),
        ({"model": "DETECTOR"}, "--detector"),
        ({"detector": "EMPTY"}, "inference.yml"),
        ({"model": "EMPTY"}, "inference.yml"),
        ({"detector": "none"}, "none"),
        ({"detector": "wheel:PP-OCRv6_rec_small"}, "PP-OCRv6_det_small"),
        ({"photos": "clip.mp4"}, "clip.mp4"),
        ({"photos": "paper.pdf"}, "paper.pdf"),
        ({"photos": "paper.jpg"}, "paper.jpg is no image"),
        ({"photos": "EMPTY"}, "no images"),
        ({"photos": "none"}, "none does not exist"),
        ({"out": "paper.pdf"}, "is a file"),
        ({"photos": ".", "out": "sub/out"}, "elsewhere"),
        ({"min_confidence": 2.0}, "between 0 and 1"),
        ({"max_side_px": 31}, "31 pixels"),
    ],
)
def test_wrong_input_is_named(tmp_path: Path, model: Path, given: dict, told: str) -> None:
    for name in ("clip.mp4", "paper.pdf", "paper.jpg"):
        (tmp_path / name).write_bytes(b"%PDF-1.7\n" + bytes(200))
    cv2.imwrite(str(tmp_path / "photo.png"), drawn_photo())
    (tmp_path / "empty").mkdir()
    places = {"RECOGNISER": model, "DETECTOR": drawn_detector(), "EMPTY": tmp_path / "empty"}
    arguments = {"photos": "photo.png", "detector": "DETECTOR", "model": "RECOGNISER", "out": "out", **given}
    for key, value in arguments.items():
        if isinstance(value, str) and not value.startswith("wheel:"):
            arguments[key] = places.get(value, tmp_path / value)
    with pytest.raises(InputError, match=told):
        read_photos(**arguments, progress=False)
    assert not (tmp_path / "out" / FILE).exists()


def test_the_command_reads_a_photo_without_text(tmp_path: Path, model: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), drawn_photo([]))
    (tmp_path / "labels.txt").write_text('photo.png\t[{"transcription": "435", "points": [[0, 0], [9, 0], [9, 9]]}]\n')
    command = [sys.executable, "-m", "scenetext", "read", "photo.png", "--detector", str(drawn_detector())]
    command += ["--model", str(model), "--out", "out", "--labels", "labels.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "0 texts on 1 photos" in done.stdout and "1 photos with 1 texts" in done.stdout
    (record,) = read_photo_texts(tmp_path / "out" / FILE)
    assert (record["lines"], record["rejected"]) == ([], [])
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["exact"]["texts"] == 1


def test_the_help_names_the_detectors_in_wheels() -> None:
    done = subprocess.run([sys.executable, "-m", "scenetext", "read", "--help"], capture_output=True, text=True)
    told = "".join(done.stdout.split())
    assert [name for name in WHEEL_DETECTORS if f"wheel:{name}" not in told] == [] and len(WHEEL_DETECTORS) == 2
    assert f"(default{LONGEST_SIDE_PX})" in told and f"(default{LEAST_CONFIDENCE})" in told
