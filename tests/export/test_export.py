"""Exports: what a folder holds, that it computes as the network does, and that the budget is kept."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from drawn import tiny_config
from exported import LINES, skip_without_converter, tiny_export, tiny_folder

from scenetext.config import load_config
from scenetext.data.sources.images import open_images
from scenetext.data.transforms import Canvas, decode_image
from scenetext.errors import InputError, RunError
from scenetext.export import exporter, sample_lines
from scenetext.export.exporter import export_model, report_path
from scenetext.export.options import ExportOptions
from scenetext.export.recogniser import RecogniserExport
from scenetext.export.trace import Tracer
from scenetext.export.verify import Verification
from scenetext.models import build_model
from scenetext.predict.model_folder import InferenceSettings, model_name, read_inference_yml
from scenetext.predict.model_reader import EagerEngine
from scenetext.predict.onnx_conversion import characters_metadata, convert_to_onnx
from scenetext.predict.recognizer import Recognizer
from scenetext.system.files import read_json
from scenetext.text.charset import Charset

NOTHING_MORE = {"finetune_steps": 0, "budgets_mb": (), "progress": False}
FITTED_MB = 0.27  # the tiny network with all weights in 8 bits takes 0.33
FILES = {
    "json": ["inference.json", "inference.pdiparams", "inference.yml"],
    "pdmodel": ["inference.pdiparams", "inference.pdmodel", "inference.yml"],
    "onnx": ["inference.onnx", "inference.yml"],
}


@pytest.mark.parametrize(("format", "storage"), [("json", "float32"), ("pdmodel", "uint8"), ("onnx", "uint8")])
def test_export_holds_the_program_its_settings_its_card_and_its_report(format: str, storage: str) -> None:
    out = tiny_export(format, storage)
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES[format], "README.md", "report.json"])
    report = read_json(report_path(out))
    assert report["files"] == {name: (out / name).stat().st_size for name in FILES[format]}
    assert report["size_bytes"] == sum(size for name, size in report["files"].items() if name != "inference.yml")
    assert report["storage"].startswith(storage) and report["lines_checked"] == LINES + 8
    assert len(report["max_difference"]) == (1 if format == "onnx" else 2)
    assert all(difference <= 1e-4 for difference in report["max_difference"].values())
    assert report["accuracy"]["trained"]["lines"] == LINES
    if storage == "float32":
        assert report["differences"] == [] and report["accuracy"]["trained"] == report["accuracy"]["exported"]
    text = b"".join(path.read_bytes() for path in out.iterdir())
    for location in (Path(__file__).parents[2], Path(sys.prefix)):  # a program must not tell where it was made
        assert str(location).encode() not in text


def test_settings_are_those_that_paddlex_reads() -> None:
    settings = read_inference_yml(tiny_export("json", "float32"))
    assert settings.canvas == Canvas(32, 128)
    assert settings.model_name == "PP-OCRv4_mobile_rec"  # a name that PaddleX knows stands for any network
    assert settings.charset.characters == (*"0123456789", " ")


@pytest.mark.parametrize(
    "characters",
    [
        tuple("~-yn'\":#\\|0%@&*!{}[]"),
        ("\u3000", "null", "1e3", "é", "𠮷", "\ufeff", "\u2028", "\x85", "·"),
        (" ", "a"),
    ],
)
@pytest.mark.parametrize("space", [False, True])
def test_any_dictionary_survives_the_settings_file(tmp_path: Path, characters: tuple[str, ...], space: bool) -> None:
    charset = Charset((*characters, " ") if space else characters, use_space_char=space)
    InferenceSettings("PP-OCRv4_mobile_rec", Canvas(32, 320), charset).write(tmp_path)
    assert read_inference_yml(tmp_path).charset.characters == (*characters, " ")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ([], "PP-OCRv6_small_rec"),
        (["Global.model_name="], "PP-OCRv6_small_rec"),
        (["Global.model_name=PP-OCRv5_mobile_rec"], "PP-OCRv5_mobile_rec"),
        (["Global.model_name=", "Architecture.Backbone={name: RepSVTR}"], "ch_RepSVTR_rec"),
        (["Global.model_name=", "Architecture.Backbone={name: ResNet, layers: 34}"], "PP-OCRv4_mobile_rec"),
    ],
)
def test_model_name_is_the_configs_or_one_that_paddlex_knows(root: Path, changes: list[str], name: str) -> None:
    assert model_name(load_config(root / "configs" / "ppocrv6_small.yml", changes)) == name


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"format": "tflite"}, "tflite"),
        ({"storage": "int4"}, "int4"),
        ({"max_mb": 0}, "budget"),
        ({"labels": "train.txt"}, "images"),
        ({"weights": "none"}, "none"),
        ({"characters": "串"}, "characters to keep"),
        ({"finetune_steps": -1}, "-1 steps"),
        ({"budgets_mb": [2]}, "labels"),
        ({"budgets_mb": [-1], "labels": "train.txt", "images": "."}, "budget"),
    ],
)
def test_wrong_input_is_told_before_anything_is_written(tmp_path: Path, settings: dict, told: str) -> None:
    folder = tiny_folder()
    settings = {"weights": folder / "tiny", "progress": False, **settings}
    with pytest.raises(InputError, match=told):
        export_model(tiny_config(folder), out=tmp_path / "out", **settings)
    assert list(tmp_path.iterdir()) == []


def test_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "inference.json").write_text("{}")
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(InputError, match="thesis.docx"):
        export_model(tiny_config(tiny_folder()), tiny_folder() / "tiny", tmp_path)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_weights_of_a_part_of_the_network_are_refused(tmp_path: Path) -> None:
    import paddle

    state = paddle.load(str(tiny_folder() / "tiny.pdparams"))
    paddle.save({k: v for k, v in state.items() if not k.startswith("neck")}, str(tmp_path / "part.pdparams"))
    with pytest.raises(InputError, match="lacks .* neck"):
        export_model(tiny_config(tiny_folder()), tmp_path / "part", tmp_path / "out", progress=False)


def test_budget_that_cannot_be_met_names_the_smallest_size_and_the_largest_tensors(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "inference.json").write_text("the last good export")
    with pytest.raises(InputError) as refusal:
        export_model(tiny_config(tiny_folder()), tiny_folder() / "tiny", tmp_path / "out", max_mb=0.1, progress=False)
    message = str(refusal.value)
    smallest = int(message.split("reaches is ")[1].split(" bytes")[0].replace(",", ""))
    assert 150_000 < smallest < 400_000  # a few bits each, with the program
    assert "raise --max-mb to 0." in message and "Largest tensors: " in message
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "inference.json").read_text() == "the last good export"


@pytest.mark.parametrize("format", ["json", pytest.param("onnx", marks=pytest.mark.long)])  # pdmodel is like json
def test_a_budget_below_8_bits_is_met_by_bit_allocation(format: str) -> None:
    out = tiny_export(format, "auto", FITTED_MB)
    report = read_json(report_path(out))
    assert report["storage"].startswith("fitted") and report["size_bytes"] <= FITTED_MB * 1e6
    on_disk = sum(path.stat().st_size for path in out.glob("inference.*") if path.name != "inference.yml")
    assert on_disk == report["size_bytes"]
    assert report["calibration"] == f"{LINES} lines of the training set"
    few = {"1.6 bits", "2 bits", "2.7 bits", "3 bits", "4 bits"}
    assert few & {row["coding"].split(",")[0] for row in report["plan"]}
    assert all(row["expected_loss"] >= 0 for row in report["plan"] if row["expected_loss"] is not None)
    assert all(row["bits"] == 32 for row in report["plan"] if row["coding"] == "float32")
    assert all(difference <= 1e-4 for difference in report["max_difference"].values())


def test_curve_reads_better_or_as_well_with_more_bytes_and_ends_with_the_float32_network(tmp_path: Path) -> None:
    folder = tiny_folder()
    report = export_model(
        tiny_config(folder),
        folder / "tiny",
        tmp_path / "out",
        labels=folder / "train.txt",
        images=folder / "images",
        budgets_mb=[0.5, 0.2, 0.35],
        progress=False,
    )
    assert [row["max_mb"] for row in report.curve] == [0.2, 0.35, 0.5, None]
    sizes, losses = ([row[name] for row in report.curve] for name in ("size_bytes", "expected_loss"))
    assert sizes == sorted(sizes) and losses == sorted(losses, reverse=True) and losses[-1] == 0
    assert [row["fits"] for row in report.curve] == [False, True, True, True]
    for row in report.curve:
        bits, numbers = row["bits_by_weight"], {plan["key"]: np.prod(plan["shape"]) for plan in report.plan}
        assert row["bits"] == pytest.approx(np.average([*bits.values()], weights=[numbers[key] for key in bits]))
    assert set(report.curve[-1]["bits_by_weight"].values()) == {32.0}
    trained = report.accuracy["trained"]
    assert {name: report.curve[-1][name] for name in ("raw", "normalised")} == {
        name: trained[name]["value"] for name in ("raw", "normalised")
    }
    assert report.storage == "float32"  # the weights themselves are those of the export, not of the curve


def test_leaving_out_characters_is_told_apart_from_rounding(tmp_path: Path) -> None:
    folder = tiny_folder()
    lines = {"labels": folder / "train.txt", "images": folder / "images"}
    report = export_model(
        tiny_config(folder), folder / "tiny", tmp_path / "out", characters="0123串", **lines, progress=False
    )
    assert report.classes == 5 and report.unknown == ["串"] and 0 < report.unspellable <= LINES
    assert list(report.accuracy) == ["trained", "sliced", "exported"]
    assert report.accuracy["sliced"] == report.accuracy["exported"]  # float32 fits


def test_labelled_pictures_that_cannot_be_read_are_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_folder()
    (tmp_path / "labels.txt").write_text((folder / "train.txt").read_text(encoding="utf-8") + "missing.png\t12\n")
    lines = {"labels": tmp_path / "labels.txt", "images": folder / "images"}
    options = ExportOptions(tmp_path / "out", 10.0, "json", "auto", None, **lines, **NOTHING_MORE)
    export = RecogniserExport(load_config(tiny_config(folder)), folder / "tiny", options)
    assert export.read()[-1] == "" and len(export.read()) == LINES + 1
    (told,) = re.findall("counted as empty: .*", capsys.readouterr().err)
    assert "missing.png" in told


@pytest.mark.long
def test_bits_are_allocated_on_drawn_lines_without_a_training_set_and_float32_stays_if_all_of_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_lines, "LINES_TAKEN", 16)
    folder = tiny_folder()
    config = tiny_config(folder)
    config["Train"] = {**config["Train"], "dataset": {**config["Train"]["dataset"], "label_file_list": ["gone.txt"]}}
    report = export_model(config, folder / "tiny", tmp_path / "out", storage="fitted", finetune_steps=1, progress=False)
    assert "drawn lines" in report.calibration and "gone.txt" in report.calibration
    assert report.storage == "float32" and {row["bits"] for row in report.plan} == {32}


def test_files_that_compute_something_else_are_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EagerEngine, "run", lambda self, batch: np.full((len(batch), batch.shape[3] // 4, 11), 1 / 11))
    with pytest.raises(RunError, match="Paddle Inference differs by"):
        export_model(tiny_config(tiny_folder()), tiny_folder() / "tiny", tmp_path / "out", progress=False)
    assert list(tmp_path.iterdir()) == []


def export_tiny(out: Path, **options) -> None:
    settings = {"storage": "float32", "progress": False, **options}
    export_model(tiny_config(tiny_folder()), tiny_folder() / "tiny", out, **settings)


class CopyingTracer:
    """Stands for a Tracer: its programs are those of an earlier export."""

    jobs: ClassVar[list[Path]] = []

    def __init__(self, format: str):
        self.jobs.clear()

    def __enter__(self) -> CopyingTracer:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def trace(self, network, quantised, job: Path) -> list[Path]:
        self.jobs.append(job)
        names = ("inference.json", "inference.pdiparams")
        return [Path(shutil.copy(tiny_export("json", "float32") / name, job)) for name in names]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports without their helper processes."""
    tiny_export("json", "float32")
    monkeypatch.setattr(exporter, "Tracer", CopyingTracer)
    monkeypatch.setattr(exporter, "_verify", lambda *arguments: Verification({}, [], 0, 1.0))


@pytest.mark.usefixtures("quick")
def test_all_files_of_an_export_lie_beside_it_until_they_take_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the disk that has to hold the export is the only one that can be full, and leftovers are found there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    export_tiny(tmp_path / "out")
    assert CopyingTracer.jobs and all(job.parents[2] == tmp_path for job in CopyingTracer.jobs)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").glob("inference.*")) == FILES["json"]


@pytest.mark.usefixtures("quick")
def test_a_second_export_into_one_folder_is_refused_and_the_first_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, refused = tmp_path / "out", []

    def beside(*arguments):
        with pytest.raises(RunError, match="Another process is writing .*out now"):
            export_tiny(out)
        refused.append(True)
        return Verification({}, [], 0, 1.0)

    monkeypatch.setattr(exporter, "_verify", beside)
    export_tiny(out)
    assert len(refused) == 1
    Recognizer(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("place", "failing"),
    [("scenetext.export.exporter.Tracer.trace", OSError(28, "No space left on device")),
     ("scenetext.export.exporter._verify", RunError("python -m scenetext.export.verify ended with status 1: full")),
     ("scenetext.system.files.exchange", OSError(5, "Input/output error")),
     ("scenetext.export.exporter.write_json", OSError(28, "No space left on device"))],
)  # fmt: skip
def test_a_failed_export_names_its_folder_and_leaves_the_former_one(
    place: str, failing: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments, **options):
        raise failing

    out = tmp_path / "out"
    shutil.copytree(tiny_export("json", "float32"), out)
    (out / "inference.yml").write_text("of the former export")
    report_path(out).write_text("{}")
    monkeypatch.setattr(place, fail)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(RunError, match=re.escape(str(out))):
        export_tiny(out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_current_folder_is_not_exported_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is the current folder"):
        export_tiny(Path("."))


def test_an_onnx_file_has_named_axes_and_nothing_that_is_not_used() -> None:
    import onnx

    graph = onnx.load(str(tiny_export("onnx", "uint8") / "inference.onnx")).graph
    axes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert list(axes.values()) == [["batch", 3, 32, "width"], ["batch", "time", 11]]
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    assert all(used.intersection(node.output) for node in graph.node)
    assert {constant.name for constant in graph.initializer} <= used


@pytest.mark.parametrize("character", ["\u2028", "\x0b", "\x85"])
def test_line_break_in_the_dictionary_is_refused_for_onnx(character: str) -> None:
    with pytest.raises(InputError, match="dictionary"):
        characters_metadata(Charset(("a", character, "b")))


def test_paddleocr_reads_a_folder_of_packed_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    out, source = tiny_export("json", "auto", FITTED_MB), open_images(tiny_folder() / "images")
    lines = [decode_image(source.read(name), name) for name in source.names()]
    texts = [text for text, _ in Recognizer(out, "paddle")(lines)]

    from paddleocr import TextRecognition

    official = TextRecognition(model_name="PP-OCRv4_mobile_rec", model_dir=str(out), device="cpu")
    assert [result["rec_text"] for result in official.predict(lines, batch_size=1)] == texts
    assert any(texts)


@pytest.fixture(scope="module")
def lines(root: Path) -> list[np.ndarray]:
    """Real crops where they are here, else drawn ones."""
    shared = Path(os.environ.get("SCENETEXT_SHARED", root.parent / "shared"))
    if (shared / "competition" / "train_images.zip").is_file():
        source = open_images(shared / "competition" / "train_images.zip")
        return [decode_image(source.read(name), name) for name in source.names()[:40]]
    from scenetext.synth import draw_part

    return [image for _, image in draw_part("test", 40, 0)]


@pytest.mark.long
def test_ppocrv6_fits_in_8_bits_and_official_readers_read_the_same(
    tmp_path: Path, root: Path, lines: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    config = load_config(root / "configs" / "ppocrv6_small.yml", ["Global.character_dict_path=ppocrv6"])
    out = tmp_path / "v6"
    report = export_model(config, "rapidocr:PP-OCRv6_rec_small", out, storage="uint8", progress=False)
    assert report.storage == "uint8" and report.size_bytes < 6_000_000 and report.classes == 18_710
    texts = [text for text, _ in Recognizer(out, "paddle")(lines)]
    assert sum(map(bool, texts)) > 0.9 * len(lines)

    from paddleocr import TextRecognition

    official = TextRecognition(model_name="PP-OCRv6_small_rec", model_dir=str(out), device="cpu")
    assert [result["rec_text"] for result in official.predict(lines, batch_size=1)] == texts

    from rapidocr import RapidOCR
    from rapidocr.ch_ppocr_rec import TextRecInput

    skip_without_converter()  # what was asserted above holds there, too
    convert_to_onnx(out, tmp_path / "v6.onnx")
    canvas = read_inference_yml(out).canvas
    shape = [3, canvas.height_px, canvas.width_px]
    settings = {"Rec.model_path": str(tmp_path / "v6.onnx"), "Rec.rec_img_shape": shape, "Global.log_level": "error"}
    rapid = RapidOCR(params=settings)
    recognizer = rapid._load_rec_model()
    assert [recognizer(TextRecInput(img=[line], return_word_box=False)).txts[0] for line in lines] == texts


@pytest.mark.parametrize(("format", "version", "told"), [
    ("pdmodel", "3.3.1", "Paddle 3.3.1 cannot write every network as pdmodel: export as json"),
    ("pdmodel", "3.1.1", ""),
    ("json", "3.3.1", ""),
])  # fmt: skip
def test_a_pdmodel_that_a_newer_paddle_cannot_trace_tells_what_can_be_done(
    format: str, version: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import paddle

    def fails(*_: object) -> None:
        raise RunError("TypeError: matmul()")

    monkeypatch.setattr(paddle, "__version__", version)
    config = load_config(tiny_config(tiny_folder()))
    with Tracer(format) as tracer, pytest.raises(RunError, match=re.escape(told) + ".*TypeError"):
        monkeypatch.setattr(tracer._process, "run", fails)
        network = SimpleNamespace(model=build_model(config), config=config, input_px=(32, None))
        tracer.trace(network, {}, tmp_path)
