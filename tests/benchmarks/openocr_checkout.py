"""Compares whole training steps with a checkout of OpenOCR on PyTorch on this machine, each side in turn.

    python tests/benchmarks/openocr_checkout.py CHECKOUT [NETWORK ...] [--python PYTHON] [--threads 1 2] [--rounds 3]

CHECKOUT is the folder of an OpenOCR repository; nothing of it is copied. PYTHON runs it and must have torch and pyyaml,
which this project does not depend on. NETWORK is one of repsvtr, svtrv2 and svtrv2_paper_tiny, by default all of them.

Both sides train the same network on the same kind of batch: 16 lines of 48x320 random pixels, 8 characters each, 6,625
classes, CTC alone, AdamW, float32. A step is forward, loss, backward and the optimiser's step. OpenOCR's two Chinese
configurations cut the gradient between backbone and neck (`use_guide: True`, meant for training with a second branch).
Here this is switched off, because a network that is trained by CTC alone would not learn without it.

Each measurement is a process of its own, and the two sides alternate, so that other work on the machine slows both
down. Printed are the lines per second of whole steps, without the first ones, also per second of CPU time, which other
work on the machine changes less (with one thread only: waiting threads count, too), and the processes' peak memory.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = {
    "repsvtr": ("repsvtr.yml", "repsvtr_ch.yml"),
    "svtrv2": ("svtrv2.yml", "svtrv2_ch.yml"),
    "svtrv2_paper_tiny": ("svtrv2_paper_tiny.yml", "svtrv2_tiny_rctc.yml"),
}
"""Our configuration and OpenOCR's in configs/rec/svtrv2."""
CLASSES, HEIGHT_PX, WIDTH_PX, LABEL = 6625, 48, 320, 8
RATE, DECAY = 1e-4, 0.05
WARM_UP = 2


def openocr_step(checkout: Path, config: str, batch: int, threads: int) -> Callable[[], None]:
    """One training step of OpenOCR's network; runs in an interpreter that has PyTorch."""
    sys.path.insert(0, str(checkout))
    import torch
    import yaml
    from openrec.losses.ctc_loss import CTCLoss
    from openrec.modeling import build_model

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    path = checkout / "configs/rec/svtrv2" / config
    architecture = yaml.safe_load(path.read_text(encoding="utf-8"))["Architecture"]
    architecture["Decoder"]["out_channels"] = CLASSES
    if "svtr_encoder" in architecture["Decoder"]:
        architecture["Decoder"]["svtr_encoder"]["use_guide"] = False
    model, loss = build_model(architecture).train(), CTCLoss(zero_infinity=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    images = torch.randn(batch, 3, HEIGHT_PX, WIDTH_PX)
    targets = [None, torch.randint(1, CLASSES, (batch, LABEL)), torch.full((batch,), LABEL)]

    def step() -> None:
        loss(model(images), targets)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def our_step(config: str, batch: int) -> Callable[[], None]:
    """One training step of this package's network."""
    from scenetext.system.process import prepare_process

    prepare_process()
    import paddle

    from scenetext.models import build_model
    from scenetext.train.losses.ctc import ctc_loss

    paddle.seed(0)
    model = build_model(ROOT / "configs" / config, CLASSES)
    model.train()
    optimiser = paddle.optimizer.AdamW(RATE, parameters=model.parameters(), weight_decay=DECAY)
    images = paddle.randn([batch, 3, HEIGHT_PX, WIDTH_PX])
    ids = paddle.randint(1, CLASSES, [batch, LABEL]).astype("int32")
    lengths = paddle.full([batch], LABEL, "int64")

    def step() -> None:
        ctc_loss(model(images), ids, lengths, False).backward()
        optimiser.step()
        optimiser.clear_grad()

    return step


def report(step: Callable[[], None], batch: int, steps: int) -> None:
    """Prints lines per second and the process's peak memory in MB as JSON."""
    for _ in range(WARM_UP):
        step()
    started, busy = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    count = steps * batch
    speed, by_cpu = count / (time.perf_counter() - started), count / (time.process_time() - busy)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"speed": speed, "by_cpu": by_cpu, "mb": peak_mb}))


def measured(python: str, side: str, threads: int, options: argparse.Namespace, network: str) -> dict[str, float]:
    """The report of one side, from a process of its own; ends the benchmark if the process fails."""
    command = [python, __file__, str(options.checkout.resolve()), network, "--side", side, "--threads", str(threads)]
    command += ["--batch", str(options.batch), "--steps", str(options.steps)]
    environment = {k: v for k, v in os.environ.items() if k != "MKL_DEBUG_CPU_TYPE"} | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(options: argparse.Namespace) -> None:
    """Measures both sides in turn and prints a table."""
    print(
        f"{'network':20}{'threads':>8}  {'side':10}{'lines/s':>9}{'least':>8}{'most':>8}{'per CPU s':>10}{'peak MB':>9}"
    )
    sides = {"OpenOCR": options.python, "scenetext": sys.executable}
    for network, threads in itertools.product(options.networks, options.threads):
        rounds = [
            {side: measured(python, side, threads, options, network) for side, python in sides.items()}
            for _ in range(options.rounds)
        ]
        for side in sides:
            speeds = [one[side]["speed"] for one in rounds]
            by_cpu = median(one[side]["by_cpu"] for one in rounds)
            numbers = f"{median(speeds):9.2f}{min(speeds):8.2f}{max(speeds):8.2f}{by_cpu:10.2f}"
            print(f"{network:20}{threads:8}  {side:10}{numbers}{max(one[side]['mb'] for one in rounds):9.0f}")
        for key, name in (("speed", "ratio"), ("by_cpu", "per CPU s")):
            ratios = [one["scenetext"][key] / one["OpenOCR"][key] for one in rounds]
            print(f"{name:>40}{median(ratios):9.2f}{min(ratios):8.2f}{max(ratios):8.2f}", flush=True)


def main() -> None:
    """Measures, or is one side of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("networks", nargs="*", choices=[[], *NETWORKS], metavar="NETWORK")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--side", choices=("OpenOCR", "scenetext"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.networks = options.networks or list(NETWORKS)
    if options.side is None:
        compare(options)
        return
    ours, theirs = NETWORKS[options.networks[0]]
    if options.side == "OpenOCR":
        step = openocr_step(options.checkout, theirs, options.batch, options.threads[0])
    else:
        step = our_step(ours, options.batch)
    report(step, options.batch, options.steps)


if __name__ == "__main__":
    main()
