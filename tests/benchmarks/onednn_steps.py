"""Trains networks with and without oneDNN: are the losses the same, and what does a step cost?

    python tests/benchmarks/onednn_steps.py [NETWORK ...] [--steps 20] [--threads 1]

NETWORK is a configuration's name, by default those of NETWORKS. Each is trained by SGD with momentum on batches of
random pixels, in three processes of its own: without oneDNN (SCENETEXT_ONEDNN=0), with it, and with it once more.
Printed are the largest difference between the losses with and without, relative to the loss (the goal is 1e-4), whether
both processes with oneDNN had bit-identical losses and weights, seconds of processor time a step (the median, without
the first ones), and the processes' peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = {"crnn_mobile": 16, "ppocrv6_small": 2, "repsvtr": 2, "svtrv2": 2}
"""Lines a batch."""
CLASSES, LABEL = 6625, 8
RATE, MOMENTUM = 1e-4, 0.9
WARM_UP = 2
SIDES = {"without": "0", "with": "1", "again": "1"}


def train(network: str, steps: int) -> dict:
    """What one process measured: losses, seconds of processor time of each step, peak memory and the weights' hash."""
    from scenetext.system.process import prepare_process

    prepare_process()
    import paddle

    from scenetext.config import load_config
    from scenetext.data.pipeline import canvas_of
    from scenetext.models import build_model, reading_config
    from scenetext.train.losses.ctc import ctc_loss

    paddle.seed(0)
    path = ROOT / "configs" / f"{network}.yml"
    model = build_model(reading_config(load_config(path)), CLASSES)  # without an auxiliary branch
    canvas, batch = canvas_of(load_config(path), model.input_size, "Train"), NETWORKS[network]
    model.train()
    optimiser = paddle.optimizer.Momentum(RATE, MOMENTUM, parameters=model.parameters())
    losses, seconds = [], []
    for _ in range(steps):
        images = paddle.rand([batch, 3, canvas.height_px, canvas.width_px]) * 2 - 1
        ids = paddle.randint(1, CLASSES, [batch, LABEL]).astype("int32")
        started = time.process_time()
        loss = ctc_loss(model(images), ids, paddle.full([batch], LABEL, "int64"), False)
        loss.backward()
        optimiser.step()
        optimiser.clear_grad()
        losses.append(float(loss))
        seconds.append(time.process_time() - started)
    weights = sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"losses": losses, "seconds": median(seconds[WARM_UP:]), "mb": peak_mb, "weights": weights}


def measured(network: str, side: str, options: argparse.Namespace) -> dict:
    """The report of a process of its own; ends the benchmark if the process fails."""
    command = [sys.executable, __file__, network, "--steps", str(options.steps), "--alone"]
    environment = os.environ | {"SCENETEXT_ONEDNN": SIDES[side], "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def row(network: str, options: argparse.Namespace) -> str:
    """A network's line of the table."""
    without, own, again = (measured(network, side, options) for side in SIDES)
    largest = max(abs(a - b) / b for a, b in zip(own["losses"], without["losses"], strict=True))
    same = all(own[key] == again[key] for key in ("losses", "weights"))
    lines, (first, last) = NETWORKS[network], (own["losses"][i] for i in (0, -1))
    return (
        f"{network:16}{lines:6}{first:9.2f}{last:9.2f}{largest:12.1e}{'yes' if same else 'NO':>11}"
        f"{without['seconds']:11.3f}{own['seconds']:8.3f}{without['mb']:12,.0f}{own['mb']:8,.0f}"
    )


def main() -> None:
    """Parses the command line and compares, or trains as one side's process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), choices=NETWORKS, metavar="NETWORK")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(train(options.networks[0], options.steps)))
        return
    print(
        f"{'network':16}{'lines':>6}{'first':>9}{'last':>9}{'difference':>12}{'identical':>11}"
        f"{'s without':>11}{'with':>8}{'MB without':>12}{'with':>8}"
    )
    for network in options.networks:
        print(row(network, options), flush=True)


if __name__ == "__main__":
    main()
