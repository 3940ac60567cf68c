"""The reader in C++ against Python's: equal texts on real crops and on odd pictures, and what it says of bad input."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import LINES, tiny_export, tiny_folder
from PIL import Image

from scenetext.cli import _parser
from scenetext.data.transforms import Canvas
from scenetext.export.exporter import export_model
from scenetext.predict.model_folder import InferenceSettings
from scenetext.predict.recognizer import predict_to_file
from scenetext.text.charset import Charset, charset_path
from scenetext.weights.onnx import wheel_model

CROPS = 300
TOLERANCE = 1e-3  # of a confidence


@pytest.fixture(scope="module")
def program(root: Path) -> Path:
    """The program as `make cpp` builds it, which takes some 20 s the first time and nothing later."""
    missing = [tool for tool in ("make", "cmake", "g++") if shutil.which(tool) is None]
    headers = ("opencv4/opencv2/imgcodecs.hpp", "yaml.h", "openssl/evp.h", "zlib.h")
    missing += [name for name in headers if not Path("/usr/include", name).exists()]
    if missing:
        pytest.skip(f"the reader in C++ needs {', '.join(missing)}: src/cpp/README.md says what to install")
    if not (root / "build/openvino/.fetched").exists():
        pytest.skip("OpenVINO is not here: `make cpp` fetches it")
    done = subprocess.run(["make", "cpp"], cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "build/cpp/scenetext-predict"


def run(program: Path, model: Path, images: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [program, "--model", model, "--images", images, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def assert_reads_as_python(
    program: Path, model: Path, images: Path, out: Path, engine: str = "auto"
) -> list[list[str]]:
    """Python's rows, after comparing them with the program's."""
    done = run(program, model, images)
    assert done.returncode == 0, done.stderr
    predict_to_file(model, images, out, engine, progress=False)
    ours, expected = rows(done.stdout), rows(out.read_text(encoding="utf-8"))
    assert [row[:2] for row in ours] == [row[:2] for row in expected]
    differences = [abs(float(a[2]) - float(b[2])) for a, b in zip(ours, expected, strict=True)]
    assert max(differences) < TOLERANCE
    return expected


@pytest.fixture(scope="module")
def crops(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 300 real crops."""
    folder = tmp_path_factory.mktemp("crops")
    with zipfile.ZipFile(shared / "competition/test_images.zip") as archive:
        pictures = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for name in pictures[:: len(pictures) // CROPS][:CROPS]:
            (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


def test_300_real_crops_have_the_same_texts(program: Path, crops: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    shutil.copy(wheel_model("rapidocr:PP-OCRv6_rec_small"), model / "inference.onnx")
    characters = Charset.from_file(charset_path("ppocrv6"), use_space_char=True)
    InferenceSettings("PP-OCRv6_small_rec", Canvas(48, 320), characters).write(model)
    read = assert_reads_as_python(program, model, crops, tmp_path / "out.txt")
    assert len(read) == CROPS and sum(bool(text) for _, text, _ in read) > 0.9 * CROPS


def test_rare_reads_real_crops_as_python(program: Path, crops: Path, root: Path, tmp_path: Path) -> None:
    import paddle

    from scenetext.models import build_model

    config = root / "configs" / "rare_mv3.yml"
    paddle.seed(5)
    state = build_model(config).state_dict()
    rng = np.random.default_rng(3)
    for key, tensor in state.items():  # so that the pictures decide what is read
        if key.startswith("backbone.") and key.endswith("_mean"):
            tensor.set_value(rng.normal(0, 0.1, tensor.shape).astype(np.float32))
        elif key.startswith("backbone.") and key.endswith("_variance"):
            tensor.set_value(rng.uniform(0.2, 0.3, tensor.shape).astype(np.float32))
    paddle.save(state, str(tmp_path / "rare.pdparams"))
    export_model(config, tmp_path / "rare", tmp_path / "out", format="pdmodel", storage="float32", progress=False)
    read = assert_reads_as_python(program, tmp_path / "out", crops, tmp_path / "out.txt", "paddle")
    assert len(read) == CROPS and len({text for _, text, _ in read}) > 50


def draw_odd_pictures(folder: Path) -> None:
    """Digits in every kind of file that the program reads, under names that sort and print in unusual ways."""
    (folder / "sub" / "deeper").mkdir(parents=True)
    picture = cv2.imread(str(tiny_folder() / "images" / "0.png"))
    height, width = picture.shape[:2]
    ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    red = np.dstack([picture, ramp])  # transparency from left to right
    faint = np.dstack([np.full_like(picture, 255), 255 - picture[:, :, 0]])  # white text, which white would hide
    for name, image in {
        "10.png": picture,
        "9.png": picture[:, :, 0],
        "a2.png": picture.astype(np.uint16) * 200,
        "a10.png": red,
        "a010.png": np.dstack([picture.astype(np.uint16) * 257, ramp.astype(np.uint16) * 257]),
        "faint.png": faint,
        "sub/1.bmp": picture,
        "sub/grey.bmp": picture[:, :, 0],
        "sub/lossless.webp": picture,
        "sub/deeper/alpha.webp": red,
        "wide.jpg": np.tile(picture, (1, 4000 // width * height // 20, 1)),
        "thin.png": picture[:, :1],
        "flat.png": picture[:1],
        "tab\there.png": picture,
    }.items():
        assert cv2.imwrite(str(folder / name), image)
    assert cv2.imwrite(str(folder / "lossy.webp"), picture, [cv2.IMWRITE_WEBP_QUALITY, 60])
    shutil.copy(folder / "10.png", os.fsencode(folder) + b"/" + "数字.png".encode("gb18030"))
    shutil.copy(folder / "10.png", os.fsencode(folder) + b"/no\xff.png")
    opened = Image.fromarray(picture[:, :, ::-1])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        opened.save(folder / f"turned{orientation}.jpg", exif=exif, quality=90)
        opened.save(folder / f"turned{orientation}.png", exif=exif)
    opened.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.png", transparency=b"\xff\x80\x00")
    opened.convert("CMYK").save(folder / "cmyk.jpg")
    opened.convert("L").save(folder / "grey.jpeg", progressive=True)
    opened.save(folder / "a png.jpg", format="png")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "loop").symlink_to(folder)


@pytest.mark.parametrize(("format", "storage"), [("pdmodel", "float32"), ("onnx", "uint8")])
def test_odd_pictures_have_the_same_names_order_and_texts(
    program: Path, tmp_path: Path, format: str, storage: str
) -> None:
    draw_odd_pictures(tmp_path / "odd")
    read = assert_reads_as_python(program, tiny_export(format, storage), tmp_path / "odd", tmp_path / "out.txt")
    assert len(read) == 37 and len({text for _, text, _ in read}) > 20


def test_one_picture_and_other_batches_and_threads_give_the_same(program: Path, tmp_path: Path) -> None:
    model, images = tiny_export("onnx", "uint8"), tiny_folder() / "images"
    all_at_once = rows(run(program, model, images).stdout)
    one_by_one = rows(run(program, model, images, "--batch-size", "1", "--threads", "1").stdout)
    alone = rows(run(program, model, images / "3.png").stdout)
    assert [row[:2] for row in one_by_one] == [row[:2] for row in all_at_once]
    assert alone[0][:2] == all_at_once[3][:2] and len(all_at_once) == LINES


def png_of_size(width: int, height: int) -> bytes:
    """A sound PNG of some bytes that says it has this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.open(tiny_folder() / "images" / "0.png").convert("RGB").save(stream, kind)
    return stream.getvalue()


def broken_pictures() -> dict[str, tuple[bytes, str]]:
    """Bytes and what the program has to say of them, by the file's name."""
    jpeg, png, webp, bmp = map(encoded, ("JPEG", "PNG", "WEBP", "BMP"))
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 255
    return {
        "bomb.png": (png_of_size(60_000, 60_000), "60000 x 60000 pixels; a picture may have 50000000 at most"),
        "overflow.png": (png_of_size(2**31 - 1, 2**31 - 1), "2147483647 x 2147483647 pixels"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "cut.png": (png[: len(png) // 2], "truncated"),
        "cut.webp": (webp[: len(webp) // 2], "truncated"),
        "cut.bmp": (bmp[: len(bmp) // 2], "truncated"),
        "flipped.png": (bytes(flipped), "damaged"),
        "empty.png": (b"", "empty (0 bytes)"),
        "text.png": (b"this is no picture", "no image that can be read"),
        "header.bmp": (b"BM", "truncated"),
        "header.png": (png[:8], "no image that can be read"),
        "header.webp": (webp[:12], "truncated"),
        "little.webp": (b"RIFF\x04\0\0\0WEBP", "no image that can be read"),
        "moving.gif": (encoded("GIF"), "is a GIF, which this program does not read"),
        "scan.tif": (encoded("TIFF"), "is a TIFF, which this program does not read"),
    }


def test_broken_pictures_are_named_and_the_others_are_read(program: Path, tmp_path: Path) -> None:
    broken = broken_pictures()
    for name, (data, _) in broken.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    shutil.copy(tiny_folder() / "images" / "3.png", tmp_path / "good.png")
    model = tiny_export("onnx", "uint8")
    done = run(program, model, tmp_path)
    assert done.returncode == 0
    read = {name: (text, confidence) for name, text, confidence in rows(done.stdout)}
    assert {name for name in read if read[name] == ("", "0.000000")} == {*broken, "gone.png"}
    assert read["good.png"][0] == rows(run(program, model, tiny_folder() / "images").stdout)[3][1]
    assert f"{len(broken) + 1} of {len(broken) + 2} images could not be read" in done.stderr
    for name, (_, told) in {**broken, "gone.png": (b"", "does not exist")}.items():
        (line,) = [line for line in done.stderr.splitlines() if f"/{name} " in line]
        assert told in line


def edited(folder: Path, old: str, new: str) -> None:
    """Replaces what a pattern finds in the folder's settings."""
    path = folder / "inference.yml"
    text, count = re.subn(old, new, path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert count == 1
    path.write_text(text, encoding="utf-8")


def as_detector(folder: Path) -> None:
    """Another network whose result has 4 axes, under a recogniser's settings."""
    import onnx

    value = {way: onnx.helper.make_tensor_value_info(way, 1, ["b", 3, "h", "w"]) for way in ("x", "y")}
    graph = onnx.helper.make_graph([onnx.helper.make_node("Abs", ["x"], ["y"])], "map", [value["x"]], [value["y"]])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, folder / "inference.onnx")
    edited(folder, r"Checksums:.*", "")


BAD_FOLDERS = {
    "no settings": (lambda folder: (folder / "inference.yml").unlink(), "holds no inference.yml"),
    "no program": (
        lambda folder: (folder / "inference.onnx").unlink(),
        "holds no inference.onnx and no inference.pdmodel",
    ),
    "json alone": (
        lambda folder: (folder / "inference.onnx").rename(folder / "inference.json"),
        "only Paddle reads: export with --format onnx",
    ),
    "dictionary": (
        lambda folder: edited(folder, r"character_dict:\n", "character_dict:\n  - x\n  - y\n"),
        "The network has 11 classes and its dictionary 14 with blank and space",
    ),
    "another file": (
        lambda folder: (folder / "inference.onnx").write_bytes((folder / "inference.onnx").read_bytes() + b"\0"),
        "is not the file that was exported",
    ),
    "damaged": (
        lambda folder: (edited(folder, r"Checksums:.*", ""), (folder / "inference.onnx").write_bytes(b"damaged")),
        "OpenVINO cannot read",
    ),
    "detector's settings": (
        lambda folder: edited(folder, r"name: CTCLabelDecode", "name: DBPostProcess"),
        "It is a detector's; give a recogniser's folder",
    ),
    "detector's network": (as_detector, "gives a result of 4 axes, but a recogniser gives 3"),
    "shape": (lambda folder: edited(folder, r"image_shape:\n(\s+)- 3", r"image_shape:\n\1- 1"), "3 channels, a height"),
    "no YAML": (lambda folder: (folder / "inference.yml").write_text("a: [1\nb: }"), "inference.yml:2: this is not"),
    "twice": (
        lambda folder: edited(folder, r"PostProcess:", "PostProcess: {}\nPostProcess:"),
        "holds the key PostProcess twice",
    ),
    "two documents": (
        lambda folder: (folder / "inference.yml").write_text("a: 1\n---\nb: 2\n"),
        "inference.yml:2: a second",
    ),
    "nothing": (lambda folder: (folder / "inference.yml").write_text(""), "inference.yml is empty"),
    "deep": (lambda folder: (folder / "inference.yml").write_text("[" * 100_000), "nested too deeply"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders_are_wrong_inputs(program: Path, tmp_path: Path, case: str) -> None:
    change, told = BAD_FOLDERS[case]
    folder = tmp_path / "model"
    shutil.copytree(tiny_export("onnx", "uint8"), folder)
    change(folder)
    done = run(program, folder, tiny_folder() / "images")
    assert done.returncode == 2 and done.stdout == ""
    assert told in done.stderr.splitlines()[-1]  # on a damaged file protobuf speaks, too


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Give --model DIR and --images DIR|FILE"),
        (["--model", "none", "--images", "."], "There are no images in ."),
        (["--model", "m", "--images", "none"], "none does not exist"),
        (["--model", "m", "--images", "archive.zip"], "unpack archives before"),
        (["--model", "m", "--images", ".", "--batch-size", "0"], "--batch-size 0 must be a whole number from 1"),
        (["--model", "m", "--images", ".", "--threads", "2x"], "--threads 2x must be a whole number"),
        (["--modle", "m"], "See scenetext-predict --help"),
        (["m"], "The argument m is unknown"),
    ],
)
def test_wrong_usage_ends_with_one_sentence_and_2(
    program: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "archive.zip").write_bytes(b"PK")
    done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2 and told in done.stderr and done.stdout == ""


def test_answers_that_cannot_be_written_are_a_failure(program: Path) -> None:
    command = [program, "--model", tiny_export("onnx", "uint8"), "--images", tiny_folder() / "images"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_a_dictionary_keeps_entries_that_yaml_would_take_for_other_values(program: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_export("onnx", "uint8"), model)
    odd = ["~", "null", "'#'", '"\\t"', "1.0", "yes", "&a 8", "*a", "é", "𠀀"]
    listed = "".join(f"  - {entry}\n" for entry in odd)
    edited(model, r"character_dict:\n.*?(?=Checksums)", f"character_dict:\n{listed}")
    read = assert_reads_as_python(program, model, tiny_folder() / "images", tmp_path / "out.txt")
    assert any("null" in text or "~" in text or "yes" in text for _, text, _ in read)


def test_the_commands_of_its_readme_are_understood(root: Path, program: Path) -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", (root / "src/cpp/README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    (export,) = [shlex.split(line)[1:] for line in lines if line.startswith("scenetext ")]
    assert (root / _parser().parse_args(export).config).is_file()
    assert "make cpp" in lines  # which the fixture runs
    (read,) = [line.split() for line in lines if line.startswith("build/cpp/scenetext-predict ")]
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert [option for option in read if option.startswith("--") and option not in told] == []


def test_its_map_names_every_file(root: Path) -> None:
    folder = root / "src" / "cpp"
    table = (folder / "README.md").read_text(encoding="utf-8").partition("## The map")[2]
    named = set(re.findall(r"`([\w.]+)`", table))
    files = [path for path in folder.iterdir() if path.suffix in (".h", ".cpp")]
    assert len(files) > 20 and [path.name for path in files if not {path.name, path.stem} & named] == []
