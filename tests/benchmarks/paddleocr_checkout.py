"""Compares training and reading with a checkout of PaddleOCR on this machine, each side in turn.

    python tests/benchmarks/paddleocr_checkout.py CHECKOUT train LABELS IMAGES [--python PYTHON] [--rounds 3]
    python tests/benchmarks/paddleocr_checkout.py CHECKOUT predict FOLDER IMAGES [--python PYTHON] [--rounds 3]

CHECKOUT is the folder of a PaddleOCR repository; nothing of it is copied. PYTHON runs PaddleOCR's scripts and must have
their dependencies; the default is the interpreter that runs this file. LABELS is a file of name<TAB>text, IMAGES the
folder of its pictures. FOLDER is an exported CRNN.

train: compares `tools/train.py` with rec_chinese_lite_train_v2.0.yml (CRNN on MobileNetV3, 6,625 classes, 32x320,
RecAug, batches of 32, 2 workers) with the same training in this package, and with this package's own configuration
(characters of the labels, width buckets). Measures samples per second, the median of an epoch's steps.

predict: compares `tools/infer/predict_rec.py` with oneDNN, batches of 16, with `scenetext predict` and each engine.
Measures images per second of whole processes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

from scenetext.bench.throughput import in_turn, table
from scenetext.predict.engines import ENGINES
from scenetext.system.process import prepare_process
from scenetext.text.charset import Charset, charset_path
from scenetext.text.label_files import read_label_file, write_label_file

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/rec/ch_ppocr_v2.0/rec_chinese_lite_train_v2.0.yml"
BATCH = 32
FIRST_STEPS = 3  # not counted: kernels are chosen and compiled in these steps


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Runs a command and returns its output; ends the benchmark if the command fails."""
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    done = subprocess.run(command, cwd=folder, env=environment, **pipes)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def plain_environment() -> dict[str, str]:
    """The environment without the variables that this package sets for its own processes."""
    return {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE")}


def paddleocr_speed(checkout: Path, python: str, labels: Path, images: Path) -> float:
    """Samples per second of PaddleOCR's trainer."""
    with tempfile.TemporaryDirectory() as out:
        options = [
            "Global.use_gpu=False", "Global.epoch_num=1", "Global.print_batch_step=1", f"Global.save_model_dir={out}",
            "Global.log_smooth_window=1", "Global.eval_batch_step=[0, 1000000]", "Optimizer.lr.warmup_epoch=0",
            f"Train.dataset.data_dir={images}", f"Train.dataset.label_file_list=['{labels}']",
            f"Train.loader.batch_size_per_card={BATCH}", "Train.loader.num_workers=2",
            f"Eval.dataset.data_dir={images}", f"Eval.dataset.label_file_list=['{labels}']",
        ]  # fmt: skip
        log = run([python, "tools/train.py", "-c", CONFIG, "-o", *options], checkout, plain_environment())
    return median([float(ips) for ips in re.findall(r"ips: ([\d.]+)", log)][FIRST_STEPS:])


def our_speed(labels: Path, images: Path, *options: str) -> float:
    """Samples per second of this package's trainer."""
    with tempfile.TemporaryDirectory() as out:
        common = [
            "Global.use_gpu=False", "Global.epoch_num=1", "Global.print_batch_step=1", "Global.log_smooth_window=1",
            "Global.eval_batch_epoch=", "Global.eval_batch_step=[0, 1000000]", "Global.use_visualdl=false",
            f"Global.save_model_dir={out}", "Optimizer.lr.warmup_epoch=0",
            f"Train.dataset.data_dir={images}", f"Train.dataset.label_file_list=[{labels}]",
            f"Eval.dataset.data_dir={images}", f"Eval.dataset.label_file_list=[{labels}]",
            f"Train.loader.batch_size_per_card={BATCH}",
        ]  # fmt: skip
        command = [sys.executable, "-m", "scenetext", "train", "-c", "configs/crnn_mobile.yml", "-o", *common, *options]
        run(command, ROOT, plain_environment())
        rows = [json.loads(line) for line in Path(out, "history.jsonl").read_text(encoding="utf-8").splitlines()]
    return median([row["lines_per_second"] for row in rows if "lines_per_second" in row][FIRST_STEPS:])


def compare_training(options: argparse.Namespace) -> dict[str, list[float]]:
    """Samples per second of each side, by round."""
    images = Path(options.images).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        labels, charset = Path(scratch, "train.txt"), Path(scratch, "charset.txt")
        known = Charset.from_file(charset_path("ppocr_keys_v1"), use_space_char=True)
        records = [r for r in read_label_file(options.first) if not known.unknown(r.text)]  # as PaddleOCR does
        write_label_file(labels, records)
        Charset.from_labels(record.text for record in records).write(charset)
        ours = partial(our_speed, labels, images)
        sides = {
            "PaddleOCR": lambda: paddleocr_speed(options.checkout, options.python, labels, images),
            "scenetext, same configuration": lambda: ours("Global.character_dict_path=ppocr_keys_v1", "Train.sampler="),
            "scenetext, own configuration": lambda: ours(f"Global.character_dict_path={charset}"),
        }
        return in_turn(sides, options.rounds)


def compare_reading(options: argparse.Namespace) -> dict[str, list[float]]:
    """Images per second of whole processes, by side and round."""
    folder, images = Path(options.first).resolve(), Path(options.images).resolve()
    count = sum(path.is_file() for path in images.iterdir())
    theirs = [
        options.python, "tools/infer/predict_rec.py", f"--rec_model_dir={folder}", f"--image_dir={images}",
        "--rec_image_shape=3,32,320", "--rec_batch_num=16", "--use_gpu=False", "--enable_mkldnn=True",
        f"--cpu_threads={os.cpu_count()}", "--rec_algorithm=CRNN", "--use_space_char=True",
    ]  # fmt: skip

    def speed(command: list[str], folder: Path) -> float:
        started = time.perf_counter()
        run(command, folder, plain_environment())
        return count / (time.perf_counter() - started)

    with tempfile.TemporaryDirectory() as scratch:
        ours = [sys.executable, "-m", "scenetext", "predict", "--model", str(folder), "--images", str(images)]
        ours += ["--out", str(Path(scratch, "read.txt"))]
        sides = {"PaddleOCR": lambda: speed(theirs, options.checkout), "scenetext": lambda: speed(ours, ROOT)}
        for engine in ENGINES:
            sides[f"scenetext, {engine}"] = lambda engine=engine: speed([*ours, "--engine", engine], ROOT)
        return in_turn(sides, options.rounds)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("what", choices=("train", "predict"))
    parser.add_argument("first", metavar="LABELS|FOLDER")
    parser.add_argument("images")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare_process()
    print(table({"train": compare_training, "predict": compare_reading}[options.what](options)))


if __name__ == "__main__":
    main()
