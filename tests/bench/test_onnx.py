"""The ONNX variants of a network: that each computes what it should, and the table of accuracy and speed."""

from __future__ import annotations

import csv
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from exported import skip_without_converter, tiny_export, tiny_folder
from lmdbs import write_lmdb

from scenetext.bench import onnx_variants
from scenetext.bench.onnx_report import bench_onnx
from scenetext.bench.onnx_variants import FP16, FP32, INT8, SIMPLIFIED, write_variants
from scenetext.errors import InputError
from scenetext.predict.recognizer import Recognizer


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("onnxslim")
    skip_without_converter()
    return write_variants(tiny_export("json", "uint8"), tmp_path_factory.mktemp("variants"))


@pytest.fixture(scope="module")
def lmdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn lines with what the network reads on them as labels, two of them wrong."""
    images = tiny_folder() / "images"
    names = [line.split("\t")[0] for line in (tiny_folder() / "train.txt").read_text(encoding="utf-8").splitlines()]
    import cv2

    texts = [text for text, _ in Recognizer(tiny_export("json", "uint8"))([cv2.imread(str(images / n)) for n in names])]
    labels = ["wrong", "wrong", *texts[2:]]
    pairs = [((images / name).read_bytes(), label) for name, label in zip(names, labels, strict=True)]
    return write_lmdb(tmp_path_factory.mktemp("lines") / "lmdb", pairs)


def graph(folder: Path) -> onnx.GraphProto:
    return onnx.load(str(folder / "inference.onnx")).graph


def test_every_variant_is_a_folder_that_reads_and_keeps_its_named_axes(variants: dict[str, Path]) -> None:
    batch = np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 200)).astype(np.float32)
    expected = Recognizer(tiny_export("json", "uint8"), "onnxruntime").engine.run(batch)
    for name, folder in variants.items():
        found = Recognizer(folder, "onnxruntime").engine.run(batch)
        assert found.dtype == np.float32 and found.shape == expected.shape
        np.testing.assert_allclose(found.sum(axis=2), 1, atol=0.01)
        if name in (FP32, SIMPLIFIED):  # random weights enlarge what the others round
            np.testing.assert_allclose(found, expected, atol=1e-5)
        axes = [axis.dim_param or axis.dim_value for axis in graph(folder).input[0].type.tensor_type.shape.dim]
        assert axes == ["batch", 3, 32, "width"]


def small_network(path: Path) -> None:
    """A product, an LSTM that begins from one tensor twice, transpositions and a softmax: 4 steps, 2 lines."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("MatMul", ["x", "in"], ["a"]),
        helper.make_node("Transpose", ["a"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("Mul", ["start", "start"], ["state"]),
        helper.make_node("LSTM", ["steps", "w", "r", "b", "", "state", "state"], ["y"], hidden_size=8),
        helper.make_node("Squeeze", ["y", "one"], ["h"]),
        helper.make_node("Transpose", ["h"], ["lines"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["lines", "out"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["p"], axis=2),
    ]
    constants = [
        constant("in", 6, 6), constant("start", 1, 2, 8), constant("w", 1, 32, 6), constant("r", 1, 32, 8),
        constant("b", 1, 64), constant("out", 8, 5), numpy_helper.from_array(np.array([1]), "one"),
    ]  # fmt: skip
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4, size]) for name, size in (("x", 6), ("p", 5))
    ]
    network = helper.make_graph(nodes, "small", values[:1], values[1:], constants)
    onnx.save(helper.make_model(network, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), str(path))


def test_half_precision_changes_the_third_digit_and_recurrent_layers_do_not_end_the_process(tmp_path: Path) -> None:
    small_network(tmp_path / "full.onnx")
    onnx_variants._to_half(tmp_path / "full.onnx", tmp_path / "half.onnx")
    onnx.checker.check_model(str(tmp_path / "half.onnx"))
    x = np.random.default_rng(2).normal(size=(2, 4, 6)).astype(np.float32)
    full, half = (
        onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for name in ("full.onnx", "half.onnx")
    )
    assert 0 < np.abs(full - half).max() < 2e-3


def test_variants_are_what_their_names_say(variants: dict[str, Path], tmp_path: Path) -> None:
    onnx_variants._simplify(variants[FP32] / "inference.onnx", tmp_path / "unpacked.onnx")
    unpacked = (tmp_path / "unpacked.onnx").stat().st_size
    sizes = {name: (folder / "inference.onnx").stat().st_size for name, folder in variants.items()}
    assert len(graph(variants[SIMPLIFIED]).node) < len(graph(variants[FP32]).node)
    kinds = {tensor.data_type for tensor in graph(variants[FP16]).initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    assert sizes[FP16] < 0.8 * unpacked and sizes[INT8] < 0.6 * unpacked
    assert onnx.TensorProto.UINT8 in {tensor.data_type for tensor in graph(variants[INT8]).initializer}


def test_simplifying_leaves_quantised_weights_packed(variants: dict[str, Path]) -> None:
    full, simplified = ((variants[name] / "inference.onnx").stat().st_size for name in (FP32, SIMPLIFIED))
    assert simplified < 1.05 * full
    assert not {path.name for path in variants[FP32].parent.iterdir()} - set(onnx_variants.FOLDERS.values())


def test_the_command_lays_accuracy_and_speed_side_by_side(variants, lmdb: Path, tmp_path: Path) -> None:
    command = ["bench", "onnx", "--model", tiny_export("json", "uint8"), "--images", lmdb, "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "scenetext", *map(str, command), "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "onnx.csv", encoding="utf-8", newline="") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    assert list(rows) == [FP32, SIMPLIFIED, FP16, INT8]
    for row in (rows[FP32], rows[SIMPLIFIED]):
        assert (row["lines"], row["lost"], row["won"], row["changed"]) == ("12", "0", "0", "0")
        assert float(row["raw"]) == pytest.approx(10 / 12)
    assert all(float(row["lines_per_second"]) > 0 and row["timed_lines"] == "12" for row in rows.values())
    assert "accuracy on 12 lines" in done.stdout and "batches of 32, 12 lines in 1 rounds" in done.stdout
    assert "Please consider" not in done.stderr
    assert (tmp_path / "fp16/inference.onnx").is_file()


@pytest.mark.parametrize(
    ("only", "missing", "lines", "timed"),
    [("accuracy", "lines_per_second", "12", ""), ("performance", "raw", "", "5")],
)
def test_accuracy_and_performance_can_be_measured_alone(
    variants, lmdb: Path, tmp_path: Path, only: str, missing: str, lines: str, timed: str
) -> None:
    bench_onnx(tiny_export("json", "uint8"), lmdb, out=tmp_path, rounds=1, limit=5, only=only, progress=False)
    with open(tmp_path / "onnx.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert (row[missing], row["lines"], row["timed_lines"]) == ("", lines, timed)


def test_one_variant_is_open_for_accuracy_and_none_keeps_memory_of_batches_for_time(
    variants, lmdb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[weakref.ref] = []
    arenas: list[bool] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: str, options: onnxruntime.SessionOptions, **others):
            if options.enable_cpu_mem_arena:
                assert not any(session() for session in opened)
            opened.append(weakref.ref(self))
            arenas.append(options.enable_cpu_mem_arena)
            super().__init__(path, options, **others)

    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    monkeypatch.setattr("scenetext.bench.onnx_report.write_variants", lambda model, out: variants)
    bench_onnx(tiny_export("json", "uint8"), lmdb, rounds=1, progress=False)
    assert arenas == [True] * 4 + [False] * 4


def test_lines_without_labels_and_a_missing_package_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variants
) -> None:
    with pytest.raises(InputError, match="brings no labels: give them by --labels, or measure --only performance"):
        bench_onnx(tiny_export("json", "uint8"), tiny_folder() / "images", progress=False)
    monkeypatch.setattr(onnx_variants.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package onnxslim: pip install 'scenetext\[onnx\]'"):
        write_variants(tiny_export("json", "uint8"), tmp_path)
