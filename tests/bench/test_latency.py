"""Latency: what is timed, how often and in which turns; what a network costs, worked out by hand."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import LINES, skip_without_converter, tiny_export, tiny_folder
from lmdbs import write_lmdb

from scenetext.bench.labelled_lines import open_lines
from scenetext.bench.latency import latency_table, measure_latency
from scenetext.bench.latency_report import bench_latency
from scenetext.bench.network_cost import multiply_adds, network_cost
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_folder import model_bytes
from scenetext.text.charset import Charset


class Clock:
    """A clock that an engine sets forward, and the batches that engines computed, in their order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.batches: list[tuple[str, tuple[int, ...]]] = []


class TimedEngine:
    """Takes `seconds` for each line, of which the first run of a shape takes ten times as long."""

    workers = 1

    def __init__(self, name: str, clock: Clock, seconds: float):
        self.name, self.clock, self.seconds = name, clock, seconds
        self.known: set[tuple[int, ...]] = set()

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.clock.batches.append((self.name, batch.shape))
        self.clock.now += self.seconds * len(batch) * (1 if batch.shape in self.known else 10)
        self.known.add(batch.shape)
        return np.zeros((len(batch), 4, 3), np.float32)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("scenetext.bench.latency.time.perf_counter", lambda: clock.now)
    return clock


def reader(name: str, clock: Clock, seconds: float) -> LineReader:
    return LineReader(TimedEngine(name, clock, seconds), Charset(("a", "b")), Canvas(32, 100))


PICTURES = [np.zeros((32, width, 3), np.uint8) for width in (50, 90, 100, 400, 400)]  # canvases 100, 100, 100, 400, 400


def test_networks_take_turns_and_preparing_for_a_shape_is_not_timed(clock: Clock) -> None:
    readers = {"fast": reader("fast", clock, 0.001), "slow": reader("slow", clock, 0.003)}
    rows = measure_latency(readers, PICTURES, [1, 2], rounds=2, progress=False)
    names = [name for name, _ in clock.batches]
    once = len(PICTURES) + 3  # batches of one, and of two, of which the second is as wide as its wider line
    assert names == (["fast"] * once + ["slow"] * once) * 3  # the warm-up and two rounds
    found = {(row.model, row.batch_size, row.width_px): row for row in rows}
    assert sorted(found) == sorted(
        (name, size, width) for name in readers for size in (1, 2) for width in ("all", "1-160", "321-480")
    )
    alone = found["slow", 1, "all"]
    assert (alone.lines, alone.mean_ms, alone.p50_ms, alone.p95_ms) == pytest.approx((5, 3.0, 3.0, 3.0))
    assert alone.lines_per_second == pytest.approx(1 / 0.003)
    pairs = found["fast", 2, "1-160"]
    assert pairs.lines == 2 and pairs.mean_ms == pytest.approx(2)
    assert found["fast", 2, "321-480"].mean_ms == pytest.approx(1.5)  # of 2 ms and 1 ms
    assert found["fast", 2, "all"].lines_per_second == pytest.approx(1000)
    assert len(latency_table(rows).splitlines()) == 1 + len(rows)


@pytest.mark.parametrize(
    ("pictures", "sizes", "rounds", "told"),
    [
        ([], [1], 1, "at least one picture"),
        (PICTURES, [0], 1, "batches of at least 1"),
        (PICTURES, [1], 0, "--rounds 0"),
    ],
)
def test_nothing_to_time_is_refused(clock: Clock, pictures: list, sizes: list, rounds: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        measure_latency({"a": reader("a", clock, 1.0)}, pictures, sizes, rounds, progress=False)


def node(kind: str, inputs: list[list[int]], outputs: list[list[int]]) -> dict:
    return {
        "op_name": kind,
        "input_type_shape": [{"float": shape} for shape in inputs],
        "output_type_shape": [{"float": shape} for shape in outputs],
    }


@pytest.mark.parametrize(("operator", "count"), [
    (node("Conv", [[2, 3, 32, 100], [8, 3, 3, 3], [8]], [[2, 8, 16, 50]]), 2 * 8 * 16 * 50 * 27),
    (node("Conv", [[1, 8, 16, 50], [8, 1, 5, 5]], [[1, 8, 16, 50]]), 8 * 16 * 50 * 25),  # depthwise
    (node("ConvTranspose", [[1, 8, 4, 5], [8, 6, 2, 2]], [[1, 6, 8, 10]]), 8 * 4 * 5 * 6 * 4),
    (node("MatMul", [[2, 25, 48], [48, 11]], [[2, 25, 11]]), 2 * 25 * 48 * 11),
    (node("MatMul", [[2, 4, 25, 16], [2, 4, 16, 25]], [[2, 4, 25, 25]]), 2 * 4 * 25 * 25 * 16),
    (node("Gemm", [[7, 48], [11, 48], [11]], [[7, 11]]), 7 * 48 * 11),  # the second one transposed
    (node("Gemm", [[48, 7], [48, 11], [11]], [[7, 11]]), 7 * 48 * 11),  # the first one
    (node("MatMul", [[48], [48, 11]], [[11]]), 48 * 11),
    # two directions of 16 units with 40 inputs: four gates
    (node("LSTM", [[25, 2, 40], [2, 64, 40], [2, 64, 16]], [[25, 2, 2, 16]]), 25 * 2 * 2 * 4 * 16 * (40 + 16)),
    (node("Relu", [[2, 8]], [[2, 8]]), 0),
    (node("Add", [[2, 8], [8]], [[2, 8]]), 0),
])  # fmt: skip
def test_multiplications_of_an_operator_are_those_worked_out_by_hand(operator: dict, count: int) -> None:
    assert multiply_adds(operator) == count


def multiply_adds_of(model, shape: list[int]) -> int:
    """Counted layer by layer while a network in memory runs."""
    import paddle

    counts: list[int] = []

    def count(layer, inputs, outputs) -> None:
        if isinstance(layer, paddle.nn.Conv2D):
            counts.append(outputs.size * int(np.prod(layer.weight.shape[1:])))
        elif isinstance(layer, paddle.nn.Linear):
            counts.append(outputs.size * layer.weight.shape[0])
        else:
            steps = inputs[0].shape[0] * inputs[0].shape[1]
            counts.append(steps * sum(p.size for name, p in layer.named_parameters() if "weight" in name))

    kinds = (paddle.nn.Conv2D, paddle.nn.Linear, paddle.nn.LSTM)
    hooks = [layer.register_forward_post_hook(count) for layer in model.sublayers() if isinstance(layer, kinds)]
    model(paddle.zeros(shape))
    for hook in hooks:
        hook.remove()
    return sum(counts)


def test_a_network_costs_what_its_layers_cost_however_its_weights_are_stored() -> None:
    skip_without_converter()
    from drawn import tiny_config

    from scenetext.models import build_model

    model = build_model(tiny_config(tiny_folder()))
    model.eval()
    model.fuse()
    cost, quantised = (network_cost(tiny_export("json", storage)) for storage in ("float32", "uint8"))
    assert cost.multiply_adds == quantised.multiply_adds == multiply_adds_of(model, [1, 3, 32, 320])
    assert cost.size_bytes == model_bytes(tiny_export("json", "float32")) > quantised.size_bytes
    weights = sum(parameter.size for parameter in model.parameters())
    assert cost.parameters == pytest.approx(weights, rel=0.05)  # folding joins some constants and adds others
    assert quantised.parameters == pytest.approx(cost.parameters, rel=0.01)


def test_the_command_compares_folders_in_tables_and_a_figure(tmp_path: Path) -> None:
    folders = [tiny_export("json", "float32"), tiny_export("json", "uint8")]
    lines = ["--images", tiny_folder() / "images", "--labels", tiny_folder() / "train.txt"]
    command = ["bench", "latency", "--model", *folders, *lines, "--rounds", "1", "--batch-size", "1", "4"]
    done = subprocess.run(
        [sys.executable, "-m", "scenetext", *map(str, command), "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{LINES} lines, 1 rounds after a warm-up of one, one CPU thread" in done.stdout
    tables = {}
    for name in ("latency.csv", "networks.csv"):
        with open(tmp_path / name, encoding="utf-8", newline="") as file:
            tables[name] = list(csv.DictReader(file))
    assert {row["batch_size"] for row in tables["latency.csv"]} == {"1", "4"}
    assert [row["model"] for row in tables["networks.csv"]] == [str(folder) for folder in folders]
    assert all(float(row["latency_ms"]) > 0 and float(row["low"]) >= 0 for row in tables["networks.csv"])
    assert (tmp_path / "accuracy_by_latency.png").read_bytes().startswith(b"\x89PNG")


def test_without_labels_there_is_no_accuracy_and_an_lmdb_brings_its_own(tmp_path: Path) -> None:
    folder, images = tiny_export("json", "float32"), tiny_folder() / "images"
    told = bench_latency([folder], images, out=tmp_path / "a", batch_sizes=[1], rounds=1, limit=2, progress=False)
    assert "2 lines" in told and "–" in told and not (tmp_path / "a/accuracy_by_latency.png").exists()
    write_lmdb(tmp_path / "lmdb", [((images / f"{number}.png").read_bytes(), "x") for number in range(2)])
    told = bench_latency([folder], tmp_path / "lmdb", out=tmp_path / "b", batch_sizes=[1], rounds=1, progress=False)
    assert "0.0000 [" in told and (tmp_path / "b/accuracy_by_latency.png").exists()


def test_with_labels_only_labelled_lines_are_timed(tmp_path: Path) -> None:
    for number, width in enumerate((20, 40, 60)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((32, width, 3), np.uint8))
    (tmp_path / "val.txt").write_text("2.png\tA\n0.png\tB\n", encoding="utf-8")
    lines = open_lines(tmp_path, tmp_path / "val.txt")
    assert [picture.shape[1] for picture in lines.pictures()] == [60, 20]
    assert [picture.shape[1] for picture in open_lines(tmp_path).pictures(2)] == [20, 40]


def test_one_folder_twice_is_refused() -> None:
    folder = tiny_export("json", "float32")
    with pytest.raises(InputError, match="can be measured once"):
        bench_latency([folder, folder], tiny_folder() / "images")
