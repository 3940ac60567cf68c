"""Reading with exported folders: canvases, order, engines, and what cannot be read."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import LINES, skip_without_converter, tiny_export, tiny_folder
from paddleocr_resize import resize_norm_img

from scenetext.data.transforms import Canvas, to_canvas
from scenetext.errors import InputError, RunError
from scenetext.predict import onnx_conversion
from scenetext.predict.engines import OnnxRuntime, open_engine
from scenetext.predict.images import PredictionSummary, predict_images
from scenetext.predict.line_reader import MAX_WIDTH_PX, LineReader, fit_line
from scenetext.predict.ngram import NGramModel
from scenetext.predict.recognizer import Recognizer, predict_to_file
from scenetext.system.launched import Process
from scenetext.system.resumable import ResumableLines
from scenetext.text.charset import Charset
from scenetext.text.natural_order import natural_order

RNG = np.random.default_rng(0)
CHARSET = Charset(("a", "b"))


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder() -> Path:
    return tiny_export("json", "float32")


@pytest.fixture(scope="module")
def lines() -> list[np.ndarray]:
    folder = tiny_folder() / "images"
    return [cv2.imread(str(folder / name)) for name in natural_order(os.listdir(folder))]


@pytest.mark.parametrize(
    "shape",
    [(48, 320), (48, 321), (24, 94), (1, 1), (1, 60), (900, 1), (47, 1000), (31, 333), (17, 401), (60, 3999)],
)
def test_canvas_is_paddlex_rule_to_the_pixel(shape: tuple[int, int]) -> None:
    image = picture(*shape)
    line = fit_line(image, Canvas(48, 320))
    expected, _ = resize_norm_img(image, (3, 48, 320), infer=True)
    np.testing.assert_array_equal(to_canvas([line.image], line.canvas_px)[0], expected)


def test_line_beyond_the_widest_canvas_is_squeezed() -> None:
    line = fit_line(picture(10, 5000), Canvas(48, 320))
    assert line.canvas_px == MAX_WIDTH_PX and line.image.shape == (48, MAX_WIDTH_PX, 3)


def test_what_is_read_depends_neither_on_batch_mates_nor_on_their_number(folder: Path, lines: list[np.ndarray]) -> None:
    wide = [np.hstack([line, line]) for line in lines[:4]]
    mixed = [*wide[:2], *lines, *wide[2:]]
    together = Recognizer(folder, batch_size=5)(mixed)
    alone = Recognizer(folder, batch_size=1)
    apart = [alone([line])[0] for line in mixed]
    assert [text for text, _ in together] == [text for text, _ in apart]
    np.testing.assert_allclose([c for _, c in together], [c for _, c in apart], atol=1e-5)
    assert len({text for text, _ in together}) > 5  # the network does tell them apart


def test_wide_lines_come_in_smaller_batches() -> None:
    sizes = []

    class Engine:
        workers = 1

        def run(self, batch: np.ndarray) -> np.ndarray:
            sizes.append((len(batch), batch.shape[3]))
            return np.zeros((len(batch), 4, 3), np.float32)

    done = []
    lines = [picture(32, width) for width in [50] * 9 + [150] * 8 + [3000] * 3]
    LineReader(Engine(), CHARSET, Canvas(32, 100), batch_size=8)(lines, done.append)
    assert sizes == [(1, 3000), (1, 3000), (1, 3000), (8, 150), (8, 100), (1, 100)]
    assert done == [size for size, _ in sizes]


@pytest.mark.parametrize(("classes", "fits"), [(2, False), (3, True), (4, True), (5, False)])
def test_dictionary_of_another_network_is_refused(classes: int, fits: bool) -> None:
    class Engine:
        workers = 1

        def run(self, batch: np.ndarray) -> np.ndarray:
            return np.zeros((len(batch), 4, classes), np.float32)

    reader = LineReader(Engine(), Charset(("a", "b", " "), use_space_char=True), Canvas(32, 100))
    if fits:
        assert reader([picture(32, 50)]) == [("", 0.0)]
    else:
        with pytest.raises(InputError, match=f"{classes} classes"):
            reader([picture(32, 50)])


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 50), np.uint8), np.zeros((9, 50, 4), np.uint8), np.zeros((9, 50, 3)), np.zeros((0, 5, 3), np.uint8)],
)
def test_array_that_is_no_picture_is_refused(folder: Path, image: np.ndarray) -> None:
    with pytest.raises(InputError, match="Image 1 is"):
        Recognizer(folder)([picture(32, 50), image])


def test_folder_zip_and_single_file_are_read_alike(folder: Path, tmp_path: Path, lines: list[np.ndarray]) -> None:
    images = tiny_folder() / "images"
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for path in images.iterdir():
            archive.write(path, f"images/{path.name}")
    reader = Recognizer(folder)
    read = list(predict_images(reader, images, progress=False))
    assert [p.name for p in read] == natural_order(os.listdir(images))
    assert [(p.text, p.confidence) for p in read] == reader(lines)
    assert list(predict_images(reader, tmp_path / "images.zip", progress=False)) == read
    (single,) = predict_images(reader, images / read[3].name, progress=False)
    assert (single.name, single.text) == (read[3].name, read[3].text)
    wanted = [read[5].name, read[0].name]
    assert [p.name for p in predict_images(reader, images, wanted, progress=False)] == wanted


def test_a_beam_with_a_language_model_reads_what_the_model_likes_better(
    folder: Path, lines: list[np.ndarray], tmp_path: Path
) -> None:
    model = NGramModel.train([text for text, _ in Recognizer(folder)(lines)][:3])
    plain = [text for text, _ in Recognizer(folder, beam_width=8)(lines)]
    reader = Recognizer(folder, beam_width=8, language_model=model)
    weighed = [text for text, _ in reader(lines)]
    reader.decode = partial(reader.decode, lm_weight=0.5, length_bonus=0.0)
    assert sum(map(model.score, [text for text, _ in reader(lines)])) > sum(map(model.score, plain))

    model.save(tmp_path / "model.txt")
    out = tmp_path / "read.txt"
    arguments = ["--beam-width", "8", "--language-model", tmp_path / "model.txt"]
    command = [sys.executable, "-m", "scenetext", "predict", "--model", folder, "--images", tiny_folder() / "images"]
    subprocess.run([*command, "--out", out, *arguments], check=True, capture_output=True)
    assert [line.split("\t")[1] for line in out.read_text(encoding="utf-8").splitlines()] == weighed


def test_a_language_model_without_a_beam_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="beam width"):
        Recognizer(folder, language_model=NGramModel.train(["a"]))


@pytest.mark.parametrize("chunk", [1, 5])
def test_many_images_pass_in_chunks_and_in_order(folder: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Recognizer(folder)
    expected = [p.text for p in predict_images(reader, tiny_folder() / "images", progress=False)]
    monkeypatch.setattr("scenetext.predict.images.LINES_PER_PIECE", chunk)
    assert [p.text for p in predict_images(reader, tiny_folder() / "images", progress=False)] == expected


def test_command_writes_every_image_and_names_those_it_cannot_read(folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(tiny_folder() / "images", images)
    (images / "5a.png").write_bytes(b"")
    (images / "5b.jpg").write_bytes(b"no picture")
    command = ["predict", "--model", str(folder), "--images", str(images), "--out", str(tmp_path / "p.txt")]
    done = subprocess.run([sys.executable, "-m", "scenetext", *command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in (tmp_path / "p.txt").read_text(encoding="utf-8").splitlines()]
    assert [name for name, _, _ in rows] == natural_order(os.listdir(images))
    assert [row for row in rows if row[0].startswith("5a") or row[0].startswith("5b")] == [
        ["5a.png", "", "0.000000"],
        ["5b.jpg", "", "0.000000"],
    ]
    assert all(0 < float(confidence) <= 1 for name, text, confidence in rows if text)
    assert f"2 of {LINES + 2} images could not be read" in done.stderr
    assert "5a.png is empty" in done.stderr and "5b.jpg is no image" in done.stderr
    assert len(done.stdout.splitlines()) <= 1  # native libraries print nothing between


def test_failed_run_leaves_the_earlier_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("earlier")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no images"):
        predict_to_file(folder, tmp_path / "none", tmp_path / "p.txt", progress=False)
    assert [path.name for path in tmp_path.glob("p.txt*")] == ["p.txt"]
    assert (tmp_path / "p.txt").read_text() == "earlier"


def test_a_dictionary_that_onnx_metadata_cannot_hold_is_converted_for_this_projects_engine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(module: str, arguments: list[str]) -> None:
        asked.append(arguments)
        Path(arguments[1]).write_bytes(b"onnx")

    monkeypatch.setattr(onnx_conversion, "run_module", run)
    monkeypatch.setattr(onnx_conversion, "can_convert", lambda: True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    onnx_conversion.cached_onnx(folder)
    onnx_conversion.convert_to_onnx(folder, tmp_path / "a.onnx")
    assert [arguments[2:] for arguments in asked] == [[], ["characters"]]


@pytest.mark.parametrize(("format", "storage"), [("json", "float32"), ("pdmodel", "uint8"), ("onnx", "uint8")])
def test_onnxruntime_reads_every_folder_as_paddle_does(
    format: str, storage: str, lines: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without_converter()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    exported = tiny_export(format, storage)
    same = tiny_export("pdmodel", "uint8") if format == "onnx" else exported
    texts = [text for text, _ in Recognizer(same, "paddle")(lines)]
    assert [text for text, _ in Recognizer(exported, "onnxruntime")(lines)] == texts
    cached = list((tmp_path / "scenetext" / "onnx").glob("*.onnx")) if format != "onnx" else []
    assert len(cached) == (format != "onnx")  # converted once, outside the model folder
    if cached:
        written = cached[0].stat().st_mtime_ns
        Recognizer(exported, "onnxruntime")
        assert cached[0].stat().st_mtime_ns == written


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove_checksums(folder: Path) -> None:
    """Makes a folder as PaddleOCR writes it."""
    path = folder / "inference.yml"
    path.write_text(path.read_text(encoding="utf-8").partition("Checksums:")[0], encoding="utf-8")


@pytest.mark.parametrize("kept", ["first half", "no output"])
def test_a_program_whose_operators_are_missing_is_named(folder: Path, tmp_path: Path, kept: str) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    program = json.loads((copy / "inference.json").read_text(encoding="utf-8"))
    block = program["program"]["regions"][0]["blocks"][0]
    operators = block["ops"]
    half = operators[: len(operators) // 2]
    block["ops"] = half if kept == "first half" else [one for one in operators if "fetch" not in json.dumps(one)[:200]]
    assert len(block["ops"]) < len(operators)
    (copy / "inference.json").write_text(json.dumps(program), encoding="utf-8")
    with pytest.raises(InputError, match="inference.json holds a network without an input or without an output"):
        open_engine("paddle", copy, 1)


@pytest.mark.parametrize(
    ("broken", "engine", "told"),
    [
        (lambda f: shutil.rmtree(f), "paddle", "does not exist"),
        (lambda f: (f / "inference.yml").unlink(), "paddle", "holds no inference.yml"),
        (lambda f: (f / "inference.yml").write_text("a: [1"), "paddle", "not valid YAML"),
        (lambda f: (f / "inference.yml").write_text("PreProcess: {}"), "paddle", "transform_ops"),
        (
            lambda f: (f / "inference.yml").write_text("!!python/object/apply:os.getcwd []"),
            "paddle",
            "the tag .* is not allowed",
        ),
        (lambda f: (f / "inference.json").unlink(), "paddle", "neither inference.json nor inference.pdmodel"),
        (lambda f: (f / "inference.pdiparams").unlink(), "paddle", "without inference.pdiparams"),
        (lambda f: cut(f / "inference.json"), "paddle", "damaged"),
        (lambda f: cut(f / "inference.pdiparams"), "paddle", "damaged"),
        (lambda f: (f / "inference.onnx").write_bytes(b"no graph"), "onnxruntime", "cannot read"),
        (lambda f: None, "tensorflow", "known are auto, paddle, onnxruntime"),
    ],
)
def test_incomplete_folder_is_told(folder: Path, tmp_path: Path, broken, engine: str, told: str) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    remove_checksums(copy)
    broken(copy)
    with pytest.raises(InputError, match=told):
        Recognizer(copy, engine)


def test_onnx_folder_tells_which_engine_reads_it() -> None:
    onnx_folder = tiny_export("onnx", "uint8")
    with pytest.raises(InputError, match="--engine onnxruntime"):
        Recognizer(onnx_folder, "paddle")


def test_a_stopped_job_goes_on_where_it_stopped(folder: Path, tmp_path: Path, lines, capsys, monkeypatch) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "read.txt"
    pictures.mkdir()
    for index, line in enumerate(lines):
        cv2.imwrite(str(pictures / f"{index:03d}.png"), line)
    (pictures / "000.png").write_bytes(b"no picture")
    predict_to_file(folder, pictures, tmp_path / "whole.txt", progress=False)
    whole = (tmp_path / "whole.txt").read_text(encoding="utf-8")

    def stopping(*arguments):
        for index, prediction in enumerate(predict_images(*arguments)):
            if index == 5:
                raise KeyboardInterrupt
            yield prediction

    monkeypatch.setattr("scenetext.predict.images.LINES_PER_PIECE", 2)
    monkeypatch.setattr("scenetext.predict.prediction_file.predict_images", stopping)
    with pytest.raises(KeyboardInterrupt):
        predict_to_file(folder, pictures, out, progress=False)
    part = out.with_name("read.txt.part")
    assert not out.exists() and part.read_text(encoding="utf-8") == "".join(whole.splitlines(keepends=True)[:5])
    part.write_bytes(part.read_bytes()[:-3])  # a line that was cut off by a kill

    read = []

    def noting(reader, source, names, progress):
        read.extend(names)
        return predict_images(reader, source, names, progress)

    monkeypatch.setattr("scenetext.predict.prediction_file.predict_images", noting)
    capsys.readouterr()
    summary = predict_to_file(folder, pictures, out, progress=False)
    assert read == [f"{index:03d}.png" for index in range(4, len(lines))]
    assert out.read_text(encoding="utf-8") == whole
    assert summary.lines == len(lines) and [p.name for p in summary.unreadable] == ["000.png"]
    assert "first 4 of" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pictures", "read.txt", "whole.txt"]


@pytest.mark.parametrize("stopped_after", [1, 5, 8, 11])
def test_a_resumed_job_reads_the_same_batches_and_writes_the_same_digits(
    stopped_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without_converter()
    onnx_folder, images = tiny_export("onnx", "uint8"), tiny_folder() / "images"
    compute = OnnxRuntime.run
    # the last digits of some libraries depend on the batch; here the second one does, whatever the library
    monkeypatch.setattr(OnnxRuntime, "run", lambda self, batch: compute(self, batch) * (1 - 0.01 * len(batch)))
    monkeypatch.setattr("scenetext.predict.images.LINES_PER_PIECE", 5)
    predict_to_file(onnx_folder, images, tmp_path / "whole.txt", progress=False)

    def stopping(*arguments):
        yield from islice(predict_images(*arguments), stopped_after)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("scenetext.predict.prediction_file.predict_images", stopping)
        with pytest.raises(KeyboardInterrupt):
            predict_to_file(onnx_folder, images, tmp_path / "read.txt", progress=False)
    predict_to_file(onnx_folder, images, tmp_path / "read.txt", progress=False)
    assert (tmp_path / "read.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_two_processes_write_the_bytes_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_converter()
    onnx_folder, images, out = tiny_export("onnx", "uint8"), tiny_folder() / "images", tmp_path / "read.txt"
    compute = OnnxRuntime.run
    # the last digits depend on the batch, as above
    monkeypatch.setattr(OnnxRuntime, "run", lambda self, batch: compute(self, batch) * (1 - 0.01 * len(batch)))
    monkeypatch.setattr("scenetext.predict.images.LINES_PER_PIECE", 3)
    monkeypatch.setattr("scenetext.predict.recognizer.LINES_PER_SHARED_PIECE", 3)
    monkeypatch.setattr("scenetext.predict.engines.usable_cores", lambda: 2)
    monkeypatch.setattr("scenetext.system.launched.usable_cores", lambda: 2)
    alone = predict_to_file(onnx_folder, images, tmp_path / "whole.txt", progress=False)

    def part(rank: int) -> PredictionSummary | None:
        return predict_to_file(onnx_folder, images, out, progress=False, process=Process(rank, 2, 2))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(part, range(2))) == [alone, None]
    assert out.read_bytes() == (tmp_path / "whole.txt").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["read.txt", "whole.txt"]


def test_a_second_job_into_one_file_is_refused_and_the_first_ends_well(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, out, refused = tiny_folder() / "images", tmp_path / "read.txt", []

    def beside(*arguments):
        with pytest.raises(RunError, match=r"Another process is writing .*read\.txt now"):
            patch.undo()
            predict_to_file(folder, images, out, progress=False)
        refused.append(True)
        return predict_images(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("scenetext.predict.prediction_file.predict_images", beside)
        predict_to_file(folder, images, out, progress=False)
    assert refused and len(out.read_text(encoding="utf-8").splitlines()) == LINES
    assert [path.name for path in tmp_path.iterdir()] == ["read.txt"]


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("images", "is a folder; give the name of a file"),
        ("file/read.txt", r"read\.txt cannot be written, because .*file is a file"),
        ("pictures.zip", r"pictures\.zip holds the pictures to read"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(out: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "file").write_text("mine")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.write(tiny_folder() / "images" / "0.png", "0.png")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(InputError, match=told):
        predict_to_file("no model", tmp_path / "pictures.zip", tmp_path / out)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_or_broken_disk_is_a_sentence_with_the_given_path(
    failing: str, number: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    out = tmp_path / "read.txt"
    out.write_text("earlier")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(RunError) as told:
        predict_to_file(folder, tiny_folder() / "images", out, progress=False)
    assert f"{out}" in str(told.value) and f"could not be written ({os.strerror(number)}): " in str(told.value)
    assert out.read_text() == "earlier"


@pytest.mark.parametrize("changed", ["model", "images", "engine", "batch size", "picture"])
def test_lines_of_another_job_are_not_gone_on_with(folder, tmp_path: Path, lines, changed: str, monkeypatch) -> None:
    pictures, others, out = tmp_path / "pictures", tmp_path / "others", tmp_path / "read.txt"
    for location in (pictures, others):
        location.mkdir()
        for index, line in enumerate(lines[:4]):
            cv2.imwrite(str(location / f"{index}.png"), line)
    model = shutil.copytree(folder, tmp_path / "model")
    monkeypatch.setattr(ResumableLines, "finish", lambda self: None)  # as if killed just before
    predict_to_file(model, pictures, out, engine="onnxruntime", progress=False)
    monkeypatch.undo()
    part = out.with_name("read.txt.part")
    part.write_text(part.read_text(encoding="utf-8").replace("0.png\t", "0.png\tof the other job", 1), encoding="utf-8")
    if changed == "model":
        path = model / "inference.yml"
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    if changed == "picture":
        cv2.imwrite(str(pictures / "0.png"), lines[5])
    engine = "paddle" if changed == "engine" else "onnxruntime"
    batch_size = 8 if changed == "batch size" else 16
    predict_to_file(
        model, others if changed == "images" else pictures, out, engine=engine, batch_size=batch_size, progress=False
    )
    assert "of the other job" not in out.read_text(encoding="utf-8")


def test_without_the_converter_paddle_reads_and_onnx_runtime_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from scenetext.predict import engines, onnx_conversion

    monkeypatch.setattr(onnx_conversion.importlib.util, "find_spec", lambda name: None)  # as on Python 3.13
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert engines.fastest_engine(folder) == "paddle"
    with pytest.raises(InputError, match="paddle2onnx is not installed"):
        engines.open_engine("onnxruntime", folder)


def test_the_first_reading_says_that_the_folder_is_converted_and_the_second_does_not(
    tmp_path, monkeypatch, capsys
) -> None:
    folder = tiny_export("json", "auto")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnx_conversion, "convert_to_onnx", lambda folder, out, **_: Path(out).write_bytes(b"onnx"))
    path = onnx_conversion.cached_onnx(folder)
    assert f"{folder} is converted to ONNX once, which takes some seconds; {path.parent}" in capsys.readouterr().err
    assert onnx_conversion.cached_onnx(folder) == path and capsys.readouterr().err == ""
    path.write_bytes(b"onny")  # damaged: it is made again
    assert onnx_conversion.cached_onnx(folder) == path and path.read_bytes() == b"onnx"
    assert "converted" in capsys.readouterr().err and list(path.parent.iterdir()) == [path]


def test_a_dictionary_with_an_empty_or_breaking_entry_is_read_by_both_engines(tmp_path: Path, capsys) -> None:
    skip_without_converter()
    copy = shutil.copytree(tiny_export("json", "float32"), tmp_path / "model")
    path = copy / "inference.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("- '0'", '- ""').replace("- '7'", '- "\\n"').replace("- '9'", '- "\\t"'), "utf-8")
    images = tiny_folder() / "images"
    read = {
        engine: [p.text for p in predict_images(Recognizer(copy, engine), images, progress=False)]
        for engine in ("onnxruntime", "paddle")
    }
    assert read["onnxruntime"] == read["paddle"] and {"\n", "\t"} < set("".join(read["paddle"]))
    predict_to_file(copy, images, tmp_path / "read.txt", progress=False)
    rows = [line.split("\t") for line in (tmp_path / "read.txt").read_text(encoding="utf-8").splitlines()]
    assert [row[1] for row in rows] == [t.replace("\n", "\\x0a").replace("\t", "\\x09") for t in read["paddle"]]
    assert {len(row) for row in rows} == {3} and "holds 2 tabs, line ends" in capsys.readouterr().err
