"""Measures the size and speed of every network: `python tests/benchmarks/networks.py [CONFIG ...]` prints a table.

It measures one configuration after the other: parameters, training speed (batches of 8 lines on the training canvas),
speed of the exported folder (32 lines of that canvas, Paddle Inference), its bytes with float32 and with 8-bit weights,
and the largest difference between a probability of the network in memory and of the folder in each format. The weights
and the running statistics are random, so the table does not say how accurate a network is.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
import time
from pathlib import Path

from scenetext.system.process import prepare_process

prepare_process()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
from tqdm import tqdm  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from exported import trace  # noqa: E402

from scenetext.config import Config, load_config  # noqa: E402
from scenetext.data.pipeline import canvas_of  # noqa: E402
from scenetext.data.transforms import Canvas  # noqa: E402
from scenetext.export import exporter  # noqa: E402
from scenetext.export.choices import FORMATS  # noqa: E402
from scenetext.export.compress import MIN_ELEMENTS, quantise_weights  # noqa: E402
from scenetext.export.compress.codings import UINT8  # noqa: E402
from scenetext.export.compress.quantisation import QuantScheme  # noqa: E402
from scenetext.models import build_model, reading_config  # noqa: E402
from scenetext.models.recognition_model import RecognitionModel  # noqa: E402
from scenetext.models.targets import Targets  # noqa: E402
from scenetext.predict.recognizer import Recognizer  # noqa: E402
from scenetext.train.checkpoint import save_weights  # noqa: E402
from scenetext.train.losses import build_loss  # noqa: E402
from scenetext.train.optimiser import build_optimiser  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BATCH, STEPS, LINES, LABEL = 8, 2, 32, 8
SPREAD = 3.0  # standard deviation of the random networks' logits
HEADER = ("configuration", "classes", "M parameters, training", "reading", "trains, lines/s", "reads, lines/s")
SIZES = ("MB, float32", "MB, 8 bits", "largest difference: json", "pdmodel", "onnx")


def configurations() -> list[Path]:
    """The configurations that train one network: without bases, the demo's variant and distillations."""
    found = sorted((ROOT / "configs").glob("*.yml"))
    names = re.compile("base_|.*_demo$|.*_distill_")
    return [path for path in found if not names.match(path.stem)]


def settings(path: Path) -> Config:
    """The configuration with random weights and a bundled dictionary instead of the one in data/."""
    changes = ["Global.pretrained_model=null"]
    if "data/" in (load_config(path).Global.character_dict_path or ""):
        changes.append("Global.character_dict_path=ppocr_keys_v1")
    return load_config(path, changes)


def draw(model: RecognitionModel, canvas: Canvas) -> None:
    """Draws running statistics for a network in evaluation mode, and scales its classifier to logits of SPREAD."""
    rng = np.random.default_rng(0)
    for key, value in model.state_dict().items():
        if key.endswith("_mean"):
            value.set_value(rng.normal(0, 0.1, value.shape).astype(np.float32))
        elif key.endswith("_variance"):
            value.set_value(rng.uniform(0.5, 1.5, value.shape).astype(np.float32))
    with paddle.no_grad():
        spread = float(model(paddle.randn([2, 3, canvas.height_px, canvas.width_px])).std())
    for tensor in model.head.classifier.parameters():
        tensor.set_value(tensor.numpy() * (SPREAD / spread))


def training_speed(config: Config, model: paddle.nn.Layer) -> float:
    """Lines per second of complete training steps, without the first one."""
    canvas = canvas_of(config, model.input_size, "Train")
    loss, optimiser = build_loss(config), build_optimiser(config, model, 1, STEPS + 1)
    images = paddle.randn([BATCH, 3, canvas.height_px, canvas.width_px])
    ids = paddle.randint(1, model.charset.num_classes, [BATCH, LABEL]).astype("int32")
    targets = Targets(ids, paddle.full([BATCH], LABEL, "int64"))
    model.train()
    for step in range(STEPS + 1):
        if step == 1:
            started = time.perf_counter()
        loss(model(images, targets), targets)["loss"].backward()
        optimiser.step()
        optimiser.clear_grad()
    return STEPS * BATCH / (time.perf_counter() - started)


def reading_speed(folder: Path, width_px: int, height_px: int) -> float:
    """Lines per second of an exported folder, measured on the second pass over the lines."""
    lines = list(np.random.default_rng(0).integers(0, 255, (LINES, height_px, width_px, 3), np.uint8))
    reader = Recognizer(folder, "paddle")
    reader(lines)
    started = time.perf_counter()
    reader(lines)
    return LINES / (time.perf_counter() - started)


def bytes_in_8_bits(model: RecognitionModel, config: Config, scratch: Path) -> int:
    """Of program and parameters, every convolution and linear layer in 8 bits."""
    quantised = quantise_weights(
        model, lambda w: QuantScheme(UINT8) if w.size >= MIN_ELEMENTS and not w.recurrent else None
    )
    job = Path(tempfile.mkdtemp(dir=scratch))
    files = trace("json", model, config, canvas_of(config, model.input_size), job, quantised)
    return sum(path.stat().st_size for path in files)


def row(path: Path, scratch: Path) -> list[str]:
    """One line of the table."""
    config = settings(path)
    paddle.seed(0)
    model = build_model(config)
    trained = sum(int(np.prod(p.shape)) for p in model.parameters())
    canvas = canvas_of(config, model.input_size, "Train")
    trains = training_speed(config, model)

    config = reading_config(config)
    model = build_model(config)
    model.eval()
    draw(model, canvas)
    weights = scratch / path.stem
    save_weights(model, weights)
    model.fuse()
    reading = sum(int(np.prod(p.shape)) for p in model.parameters())
    out, options = scratch / f"{path.stem}-export", dict(max_mb=1000, progress=False)
    eight = bytes_in_8_bits(model, config, scratch)
    reports = {}
    for format in FORMATS[::-1]:
        reports[format] = exporter.export_model(config, weights, out, format=format, storage="float32", **options)
    speed = reading_speed(out, canvas.width_px, canvas.height_px)  # the last format written is json
    differences = [f"{max(reports[f].max_difference.values()):.0e}" for f in FORMATS]
    classes = str(model.head.classifier.weight.shape[1])
    speeds = [f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in (trains, speed)]
    millions = [f"{trained / 1e6:.1f}", f"{reading / 1e6:.1f}"]
    megabytes = [f"{size / 1e6:.1f}" for size in (reports["json"].size_bytes, eight)]
    return [path.name, classes, *millions, *speeds, *megabytes, *differences]


def main(names: list[str]) -> None:
    """Measures and prints a Markdown table."""
    exporter.TOLERANCE = math.inf  # how much the folders differ is what is measured here
    paths = [Path(name) for name in names] or configurations()
    print(f"| {' | '.join(HEADER + SIZES)} |\n|{'---|' * len(HEADER + SIZES)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="scenetext-networks-") as scratch:
        for path in tqdm(paths, unit="network"):
            print(f"| {' | '.join(row(path, Path(scratch)))} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
