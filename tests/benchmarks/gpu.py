"""What a GPU makes of training: speed and memory with and without mixed precision, and whether losses are the CPU's.

    python tests/benchmarks/gpu.py [NETWORK ...] [--batch 64] [--steps 20] [--out gpu.json]

It takes about ten minutes on a GPU; send the file that it writes, or its table. NETWORK is a configuration's name, by
default those of NETWORKS. Every network is trained on random pixels (CTC, SGD with momentum) in processes of their own:
in float32, and in mixed precision as `Global.use_amp` trains it, float16 with levels O1 and O2 and bfloat16 with O2.
Printed are lines per second of whole steps (the median, without the first ones), the most memory that Paddle took on
the GPU, and the largest difference between the losses of the first PARITY_STEPS steps and those of a CPU in float32,
relative to the loss. Images, labels and initial weights are the same on both; dropout is off, because the two draw
other masks. On a machine without a GPU only float32 is measured, on the CPU.

`paddleocr_checkout.py CHECKOUT train LABELS IMAGES --gpu` measures PaddleOCR's own training beside this package's.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = ("crnn_mobile", "ppocrv6_small", "repsvtr", "svtrv2")
PRECISIONS = {  # settings of Global
    "float32": {},
    "float16 O1": {"amp_dtype": "float16", "amp_level": "O1"},
    "float16 O2": {"amp_dtype": "float16", "amp_level": "O2"},
    "bfloat16 O2": {"amp_dtype": "bfloat16", "amp_level": "O2"},
}
SCALED = {"scale_loss": 1024, "use_dynamic_loss_scaling": True}  # the loss of float16
CLASSES, LABEL = 6625, 8
RATE, MOMENTUM = 1e-4, 0.9
WARM_UP, PARITY_STEPS, PARITY_LINES = 3, 3, 4
MEGABYTE = 1 << 20


def settings_of(network: str, precision: str) -> list[str]:
    """The `-o` settings of a precision."""
    chosen = PRECISIONS[precision]
    if chosen:
        chosen = {"use_amp": True, **chosen, **(SCALED if chosen["amp_dtype"] == "float16" else {})}
    return [f"Global.{key}={json.dumps(value)}" for key, value in chosen.items()]


def train(network: str, precision: str, on_gpu: bool, batch: int, steps: int) -> dict:
    """What one process measured: losses, lines per second, memory on the GPU, notes on the precision."""
    from scenetext.system.process import prepare_process

    prepare_process()
    import numpy as np
    import paddle

    from scenetext.config import load_config
    from scenetext.data.pipeline import canvas_of
    from scenetext.models import build_model, reading_config
    from scenetext.models.blocks.svtr_block import DropPath
    from scenetext.train.losses.ctc import ctc_loss
    from scenetext.train.precision import Precision

    config = reading_config(load_config(ROOT / "configs" / f"{network}.yml", settings_of(network, precision)))
    paddle.set_device("cpu")  # whose random numbers both sides start from
    paddle.seed(0)
    weights = {key: value.numpy() for key, value in build_model(config, CLASSES).state_dict().items()}
    paddle.set_device("gpu" if on_gpu else "cpu")
    model = build_model(config, CLASSES)
    for key, value in model.state_dict().items():
        value.set_value(weights[key])
    for layer in model.sublayers():
        if isinstance(layer, paddle.nn.Dropout):
            layer.p = 0.0
        elif isinstance(layer, DropPath):
            layer.rate = 0.0
    model.train()
    canvas, mixed = canvas_of(config, model.input_size, "Train"), Precision(config)
    optimiser = paddle.optimizer.Momentum(RATE, MOMENTUM, parameters=model.parameters())
    rng, losses, seconds = np.random.default_rng(0), [], []
    for _ in range(steps):
        images = rng.uniform(-1, 1, (batch, 3, canvas.height_px, canvas.width_px)).astype(np.float32)
        ids = paddle.to_tensor(rng.integers(1, CLASSES, (batch, LABEL)).astype(np.int32))
        images = paddle.to_tensor(images)
        if on_gpu:
            paddle.device.synchronize()
        started = time.perf_counter()
        loss = ctc_loss(mixed.forward(model, images), ids, paddle.full([batch], LABEL, "int64"), False)
        mixed.backward_and_step(loss, optimiser)
        losses.append(float(loss))  # waits for the GPU
        seconds.append(time.perf_counter() - started)
    memory_mb = paddle.device.cuda.max_memory_allocated() / MEGABYTE if on_gpu else 0.0
    speed = batch / median(seconds[WARM_UP:] or seconds)
    return {"losses": losses, "speed": speed, "memory_mb": memory_mb, "notes": mixed.notes, "dtype": mixed.dtype}


@cache
def measured(network: str, precision: str, on_gpu: bool, batch: int, steps: int) -> dict:
    """The report of a process of its own; {"failed": the end of its errors} if it fails, such as for lack of memory."""
    job = json.dumps([network, precision, on_gpu, batch, steps])
    done = subprocess.run([sys.executable, __file__, "--job", job], capture_output=True, text=True)
    if done.returncode:
        return {"failed": done.stderr.strip()[-2000:]}
    return json.loads(done.stdout.splitlines()[-1])


def compare(network: str, precision: str, on_gpu: bool, options: argparse.Namespace) -> dict:
    """A precision's speed and memory, and its losses beside those of the CPU."""
    found = measured(network, precision, on_gpu, options.batch, options.steps)
    if "failed" in found:
        return found
    own = measured(network, precision, on_gpu, PARITY_LINES, PARITY_STEPS)
    cpu = measured(network, "float32", False, PARITY_LINES, PARITY_STEPS)
    failed = [each for each in (own, cpu) if "failed" in each]
    if failed:
        return failed[0]
    pairs = zip(own["losses"], cpu["losses"], strict=True)
    return {**found, "difference": max(abs(a - b) / b for a, b in pairs)}


def shown(found: dict) -> str:
    """The numbers of a row of the table."""
    if "failed" in found:
        return f"failed: {found['failed'].splitlines()[-1]}"
    return f"{found['speed']:9.1f}{found['memory_mb']:9,.0f}{found['difference']:12.1e}"


def main() -> None:
    """Parses the command line and compares, or trains as one process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--batch", type=int, default=64, help="lines")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(train(*options.job)))
        return
    import paddle

    on_gpu = paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    device = paddle.device.cuda.get_device_name() if on_gpu else f"no GPU, {platform.machine()}"
    print(f"{device}, Paddle {paddle.__version__}, batches of {options.batch}")
    print(f"{'network':16}{'precision':14}{'lines/s':>9}{'GPU MB':>9}{'difference':>12}", flush=True)
    rows = []
    for network in options.networks:
        for precision in PRECISIONS if on_gpu else ["float32"]:
            found = compare(network, precision, on_gpu, options)
            rows.append({"network": network, "precision": precision, **found})
            print(f"{network:16}{precision:14}{shown(found)}", flush=True)
    report = {"device": device, "paddle": paddle.__version__, "batch": options.batch, "rows": rows}
    partial = options.out.with_name(options.out.name + ".partial")
    partial.write_text(json.dumps(report, indent=1), encoding="utf-8")
    partial.replace(options.out)


if __name__ == "__main__":
    main()
