"""Compares training and reading with a checkout of PaddleOCR on this machine, each side in turn.

    python tests/benchmarks/paddleocr_checkout.py CHECKOUT train LABELS IMAGES [--config FILE...] [--batch 32] [--gpu]
    python tests/benchmarks/paddleocr_checkout.py CHECKOUT predict FOLDER IMAGES [--python PYTHON] [--rounds 3]

CHECKOUT is the folder of a PaddleOCR repository; nothing of it is copied. PYTHON runs PaddleOCR's scripts and must have
their dependencies; the default is the interpreter that runs this file. LABELS is a file of name<TAB>text, IMAGES the
folder of its pictures. FOLDER is an exported CRNN.

train: compares `tools/train.py` with `scenetext train` on the same configuration files of the checkout, unchanged but
for paths, batches and the dataset's kind (a list of pictures); both sides draw the same canvases. By default that is
rec_chinese_lite_train_v2.0.yml (CRNN on MobileNetV3, 6,625 classes, 32x320, RecAug), which is also compared with this
package's own configuration (characters of the labels, width buckets). Measures samples per second, the median of an
epoch's steps, with 2 workers there.

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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from string import ascii_lowercase, digits

import yaml

from scenetext.bench.throughput import in_turn, table
from scenetext.predict.engines import ENGINES
from scenetext.system.process import prepare_process
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file, write_label_file
from scenetext.text.records import Record

ROOT = Path(__file__).resolve().parents[2]
CONFIG, OWN_CONFIG = "configs/rec/ch_ppocr_v2.0/rec_chinese_lite_train_v2.0.yml", "configs/crnn_mobile.yml"
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


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What both sides train on: a label file, the folder of its pictures, the lines of a batch, and the device."""

    labels: Path
    images: Path
    batch: int
    on_gpu: bool

    def settings(self, config: Path) -> list[str]:
        """Overrides that both programs read, for one of their configurations."""
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        sampler = content["Train"].get("sampler") or {}
        kind = content["Train"]["dataset"]["name"]
        kind = "SimpleDataSet" if kind == "LMDBDataSet" else kind  # both sides read the same list of pictures
        files = f"['{self.labels}']"
        return [
            f"Global.use_gpu={self.on_gpu}", "Global.epoch_num=1", "Global.print_batch_step=1",
            "Global.log_smooth_window=1", "Global.eval_batch_step=[0, 1000000]", "Optimizer.lr.warmup_epoch=0",
            f"Train.dataset.name={kind}", f"Train.dataset.data_dir={self.images}",
            f"Train.dataset.label_file_list={files}", f"Train.loader.batch_size_per_card={self.batch}",
            "Eval.dataset.name=SimpleDataSet", f"Eval.dataset.data_dir={self.images}",
            f"Eval.dataset.label_file_list={files}",
            *([f"Train.sampler.first_bs={self.batch}"] if "first_bs" in sampler else []),
        ]  # fmt: skip


def paddleocr_speed(checkout: Path, config: str, python: str, data: TrainingData) -> float:
    """Samples per second of PaddleOCR's trainer."""
    with tempfile.TemporaryDirectory() as out:
        options = [*data.settings(checkout / config), f"Global.save_model_dir={out}", "Train.loader.num_workers=2"]
        log = run([python, "tools/train.py", "-c", config, "-o", *options], checkout, plain_environment())
    return median([float(ips) for ips in re.findall(r"ips: ([\d.]+)", log)][FIRST_STEPS:])


def our_speed(config: Path, data: TrainingData, *options: str) -> float:
    """Samples per second of this package's trainer."""
    with tempfile.TemporaryDirectory() as out:
        own = ["Global.eval_batch_epoch=", "Global.use_visualdl=false", f"Global.save_model_dir={out}"]
        settings = [*data.settings(config), *own, *options]
        run([sys.executable, "-m", "scenetext", "train", "-c", str(config), "-o", *settings], ROOT, plain_environment())
        rows = [json.loads(line) for line in Path(out, "history.jsonl").read_text(encoding="utf-8").splitlines()]
    return median([row["lines_per_second"] for row in rows if "lines_per_second" in row][FIRST_STEPS:])


def compare_training(options: argparse.Namespace) -> dict[str, list[float]]:
    """Samples per second of each side, by round."""
    checkout, images, sides = options.checkout.resolve(), Path(options.images).resolve(), {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, config in enumerate(options.config or [CONFIG]):
            name = Path(config).stem
            labels = Path(scratch, f"train_{number}.txt")
            records = writable_records(checkout, config, options.first)
            write_label_file(labels, records)
            data = TrainingData(labels, images, options.batch, options.gpu)
            theirs = checkout / config
            sides[f"{name}, PaddleOCR"] = partial(paddleocr_speed, checkout, config, options.python, data)
            sides[f"{name}, scenetext"] = partial(our_speed, theirs, data, *dictionary_setting(checkout, config))
            if config == CONFIG:
                charset = Path(scratch, "charset.txt")
                Charset.from_labels(record.text for record in records).write(charset)
                own = (ROOT / OWN_CONFIG, data, f"Global.character_dict_path={charset}")
                sides[f"{name}, scenetext's own configuration"] = partial(our_speed, *own)
        return in_turn(sides, options.rounds)


def dictionary_setting(checkout: Path, config: str) -> list[str]:
    """The override that names the dictionary of a configuration of the checkout by its whole path."""
    path = yaml.safe_load((checkout / config).read_text(encoding="utf-8"))["Global"].get("character_dict_path")
    return [f"Global.character_dict_path={checkout / path}"] if path else []


def writable_records(checkout: Path, config: str, labels: str) -> list[Record]:
    """The lines that the configuration's dictionary can write: PaddleOCR's trainer draws another one for each other."""
    settings = yaml.safe_load((checkout / config).read_text(encoding="utf-8"))["Global"]
    path = settings.get("character_dict_path")
    known = set((checkout / path).read_text(encoding="utf-8").splitlines() if path else digits + ascii_lowercase)
    known |= {" "} if settings.get("use_space_char") else set()
    length = settings.get("max_text_length", 25)
    read = read_label_file(labels)
    texts = {r.name: r.text if path else r.text.lower() for r in read}
    return [r for r in read if texts[r.name] and set(texts[r.name]) <= known and len(texts[r.name]) < length]


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
    parser.add_argument("--config", nargs="+", help="of the checkout, for train")
    parser.add_argument("--batch", type=int, default=32, help="lines, for train")
    parser.add_argument("--gpu", action="store_true", help="train on the GPU")
    options = parser.parse_args()
    prepare_process()
    print(table({"train": compare_training, "predict": compare_reading}[options.what](options)))


if __name__ == "__main__":
    main()
