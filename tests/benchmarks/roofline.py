"""How near a network comes to what one core can do: `python tests/benchmarks/roofline.py [NETWORK ...] [--batch 8]`.

NETWORK is a configuration's name, by default svtrv2, ppocrv6_small and crnn_mobile. Model: Williams, Waterman and
Patterson, Roofline, Communications of the ACM 52 (4), 2009. The machine's two limits are measured first, on one thread:
floating-point operations a second of its best matrix product, and bytes a second that a memory copy reads and writes.

Each layer (convolution, linear layer, recurrent layer, attention, normalisation, activation) needs at least the time of
its operations at the first limit, and at least the time of its inputs, outputs and weights at the second; the limit of
the network is the sum of the larger ones. A training step counts every layer three times (forward, and the gradients to
its inputs and to its weights), and for every weight the seven numbers that AdamW reads and writes. Additions between
layers are not counted, so the limit is a little too fast.

Printed are, for training steps (CTC, AdamW) and for reading by ONNX Runtime: operations, bytes, the limit, seconds of
processor time (the least of several runs), the share of the limit that is reached, and the share that the operations
alone would take at the first limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # the processor time of threads that wait would count, too
from scenetext.system.process import prepare_process

prepare_process()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
from paddle import Tensor, nn  # noqa: E402

from scenetext.config import load_config  # noqa: E402
from scenetext.data.pipeline import canvas_of  # noqa: E402
from scenetext.models import build_model, reading_config  # noqa: E402
from scenetext.models.blocks.layers import GELU, Linear, Swish  # noqa: E402
from scenetext.models.blocks.svtr_block import Attention  # noqa: E402
from scenetext.train.losses.ctc import ctc_loss  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLASSES, LABEL = 6625, 8
RUNS = 4
SIDES = (512, 1024, 2048)  # of the square matrices
COPIED_BYTES = 1 << 28
FLOAT = 4  # bytes
OPTIMISER_NUMBERS = 7  # a weight, its gradient and two moments are read, and all but the gradient written
LAYERS = (nn.Conv2D, nn.Linear, nn.LSTM, Attention, nn.LayerNorm, nn.BatchNorm2D, GELU, Swish, nn.ReLU, nn.Hardswish)


@dataclass(frozen=True, slots=True)
class Machine:
    """What one thread reaches.

    Attributes:
        operations: floating-point operations a second of the best matrix product.
        bytes: that a copy reads and writes in a second.
    """

    operations: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Work:
    """One layer's forward pass: floating-point operations, and bytes of its inputs, outputs and weights."""

    operations: int
    bytes: int

    def seconds(self, machine: Machine) -> float:
        """The least time that it takes."""
        return max(self.operations / machine.operations, self.bytes / machine.bytes)


def least_seconds(function: Callable[[], object], runs: int = RUNS) -> float:
    """Processor time of the fastest of several calls, after one that is not counted."""
    function()
    times = []
    for _ in range(runs):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return min(times)


def measure_machine() -> Machine:
    """The two limits of this machine."""
    speeds = []
    for side in SIDES:
        a, b = paddle.rand([side, side]), paddle.rand([side, side])
        layer = Linear(side, side)  # oneDNN's product
        for product in (lambda a=a, b=b: paddle.matmul(a, b), lambda a=a, layer=layer: layer(a)):
            speeds.append(2 * side**3 / least_seconds(product, 3 * RUNS))
    source, target = np.ones(COPIED_BYTES, np.uint8), np.empty(COPIED_BYTES, np.uint8)
    return Machine(max(speeds), 2 * COPIED_BYTES / least_seconds(lambda: np.copyto(target, source), 3 * RUNS))


def layers_work(model: nn.Layer, images: Tensor) -> list[Work]:
    """What every layer of LAYERS computes in one forward pass; each call of a layer counts for itself.

    Args:
        model: the network.
        images: (B, 3, H, W) float32.
    """
    found: list[Work] = []

    def note(layer: nn.Layer, inputs: tuple, outputs: Tensor | tuple) -> None:
        found.append(_work(layer, inputs[0], outputs[0] if isinstance(outputs, tuple) else outputs))

    hooks = [layer.register_forward_post_hook(note) for layer in model.sublayers() if isinstance(layer, LAYERS)]
    with paddle.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return found


def _work(layer: nn.Layer, x: Tensor, y: Tensor) -> Work:
    products, moved = 0, x.size + y.size
    if isinstance(layer, Attention):  # its linear layers are counted for themselves; the weights stay in the cache
        batch, steps, dim = x.shape
        products, moved = 2 * batch * steps * steps * dim, 4 * x.size
    else:
        moved += sum(p.size for p in layer.parameters(include_sublayers=False))
    if isinstance(layer, nn.Conv2D):
        products = y.size * int(np.prod(layer.weight.shape[1:]))
    elif isinstance(layer, nn.Linear):
        products = y.size * layer.weight.shape[0]
    elif isinstance(layer, nn.LSTM):
        weights = [p for name, p in layer.named_parameters() if "weight" in name]
        products = x.shape[0] * x.shape[1] * sum(p.size for p in weights)
    return Work(2 * products, FLOAT * moved)


def training(network: str, batch: int) -> tuple[list[Work], float]:
    """The layers of a training step, the optimiser as the last one, and the seconds of the step."""
    path = ROOT / "configs" / f"{network}.yml"
    config = reading_config(load_config(path))
    paddle.seed(0)
    model = build_model(config, CLASSES)
    canvas = canvas_of(config, model.input_size, "Train")
    images = paddle.rand([batch, 3, canvas.height_px, canvas.width_px]) * 2 - 1
    ids = paddle.randint(1, CLASSES, [batch, LABEL]).astype("int32")
    optimiser = paddle.optimizer.AdamW(1e-4, parameters=model.parameters())
    model.train()

    def step() -> None:
        ctc_loss(model(images), ids, paddle.full([batch], LABEL, "int64"), False).backward()
        optimiser.step()
        optimiser.clear_grad()

    seconds = least_seconds(step)
    weights = sum(p.size for p in model.parameters())
    layers = [Work(3 * work.operations, 3 * work.bytes) for work in layers_work(model, images)]
    return [*layers, Work(0, OPTIMISER_NUMBERS * FLOAT * weights)], seconds


def reading(network: str, batch: int, scratch: Path) -> tuple[list[Work], float]:
    """The layers of a fused network that reads, and the seconds that ONNX Runtime takes for a batch."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from networks import draw, settings

    from scenetext.export import exporter
    from scenetext.predict.recognizer import Recognizer
    from scenetext.train.checkpoint import save_weights

    config = reading_config(settings(ROOT / "configs" / f"{network}.yml"))
    paddle.seed(0)
    model = build_model(config)
    canvas = canvas_of(config, model.input_size, "Train")
    model.eval()
    draw(model, canvas)
    save_weights(model, scratch / network)
    out = scratch / f"{network}-export"
    exporter.TOLERANCE = float("inf")  # the weights are random
    exporter.export_model(config, scratch / network, out, max_mb=1000, storage="float32", progress=False)
    model.fuse()
    images = paddle.rand([batch, 3, canvas.height_px, canvas.width_px]) * 2 - 1
    engine = Recognizer(out, "onnxruntime", threads=1).engine
    return layers_work(model, images), least_seconds(lambda: engine.run(images.numpy()))


def row(name: str, layers: list[Work], seconds: float, machine: Machine) -> str:
    """A line of the table."""
    operations, moved = sum(work.operations for work in layers), sum(work.bytes for work in layers)
    limit = sum(work.seconds(machine) for work in layers)
    shares = limit / seconds, operations / machine.operations / seconds
    return (
        f"{name:28}{operations / 1e9:9.1f}{moved / 1e9:8.2f}{limit:10.3f}{seconds:10.3f}"
        f"{shares[0]:8.0%}{shares[1]:10.0%}"
    )


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["svtrv2", "ppocrv6_small", "crnn_mobile"], metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=8, help="lines")
    options = parser.parse_args()
    machine = measure_machine()
    print(f"one thread: {machine.operations / 1e9:.1f} GFLOP/s, {machine.bytes / 1e9:.1f} GB/s")
    print(f"{'':28}{'GFLOP':>9}{'GB':>8}{'limit s':>10}{'CPU s':>10}{'share':>8}{'products':>10}", flush=True)
    with tempfile.TemporaryDirectory(prefix="scenetext-roofline-") as scratch:
        for network in options.networks:
            print(row(f"{network}, training", *training(network, options.batch), machine), flush=True)
            print(row(f"{network}, reading", *reading(network, options.batch, Path(scratch)), machine), flush=True)


if __name__ == "__main__":
    main()
