"""Compares what is read with what both of PaddleOCR's tools read, with one trained network on the same pictures.

    python tests/benchmarks/paddleocr_texts.py CHECKOUT CONFIG WEIGHTS IMAGES [--python PYTHON] [--labels LABELS]

CHECKOUT is the folder of a PaddleOCR repository; nothing of it is copied. PYTHON runs PaddleOCR's scripts and must have
their dependencies; the default is the interpreter that runs this file. CONFIG is one of PaddleOCR's YAMLs for
recognition, with dictionaries by paths from CHECKOUT. WEIGHTS is a .pdparams file of its network that both sides load.

`tools/infer_rec.py` is compared with `scenetext predict --form infer_rec`, and `tools/infer/predict_rec.py`, in batches
of 6 and of 1, with `--form predict_rec`, both on the folder that `scenetext export` writes in float32. Prints how many
texts are equal, the largest difference of the scores of these, and the others; with LABELS also how many are right.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from paddleocr_checkout import ROOT, plain_environment, run

from scenetext.config import load_config
from scenetext.evaluate.prediction_files import read_predictions
from scenetext.text.label_files import read_label_table

Read = Mapping[str, tuple[str, float]]  # text and score by path


def ours(*arguments: object) -> None:
    """Runs a command of this package."""
    run([sys.executable, "-m", "scenetext", *map(str, arguments)], ROOT, plain_environment())


def read_file(path: Path) -> Read:
    """A file that either side wrote."""
    read = read_predictions(path)
    return dict(zip(read.names, zip(read.texts, read.confidences, strict=True), strict=True))


def theirs_infer(options: argparse.Namespace, out: Path) -> Read:
    """What infer_rec.py reads."""
    settings = [
        "Global.use_gpu=False", f"Global.pretrained_model={options.weights.with_suffix('')}",
        f"Global.infer_img={options.images}", f"Global.save_res_path={out}",
    ]  # fmt: skip
    command = [options.python, "tools/infer_rec.py", "-c", str(options.config), "-o", *settings]
    run(command, options.checkout, plain_environment())
    return read_file(out)


def theirs_predict(options: argparse.Namespace, folder: Path, out: Path, batch: int) -> Read:
    """What predict_rec.py logs; it writes a dictionary into the folder of the network."""
    config = load_config(options.config)
    shape = ",".join(map(str, config.resize("Eval").image_shape))
    arguments = [
        f"--rec_model_dir={folder}", f"--image_dir={options.images}", f"--rec_image_shape={shape}", "--use_gpu=False",
        f"--rec_batch_num={batch}", f"--use_space_char={config.Global.use_space_char}",
    ]  # fmt: skip
    command = [options.python, "tools/infer/predict_rec.py", *arguments]
    done = subprocess.run(command, cwd=options.checkout, env=plain_environment(), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed.")
    out.write_text(done.stdout, encoding="utf-8")
    return read_file(out)


def compare(title: str, other: Read, own: Read, labels: Mapping[str, str]) -> None:
    """Prints how the two sides differ."""
    if list(other) != list(own):
        sys.exit(f"{title}: the two sides name other pictures, or in another order.")
    differ = [path for path in own if own[path][0] != other[path][0]]
    gaps = [abs(own[path][1] - other[path][1]) for path in own if path not in differ]
    print(f"{title}: {len(own) - len(differ)} of {len(own)} texts equal, their scores to {max(gaps, default=0):.1e}")
    if labels:
        right = [sum(side[path][0] == labels[Path(path).name] for path in side) for side in (other, own)]
        print(f"  right: PaddleOCR {right[0]}, scenetext {right[1]}")
    for path in differ:
        print(f"  {Path(path).name}: PaddleOCR {other[path]}, scenetext {own[path]}")


def main() -> None:
    """Reads with both sides and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkout", "config", "weights", "images"):
        parser.add_argument(name, type=lambda text: Path(text).resolve())
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--labels")
    options = parser.parse_args()
    records = read_label_table(options.labels).records if options.labels else []
    labels = {Path(record.name).name: record.text for record in records}
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch, "exported"), Path(scratch, "read.txt")
        sized = ["--max-mb", 1000, "--storage", "float32"]
        ours("export", "-c", options.config, "--weights", options.weights, "--out", folder, *sized)
        ours("predict", "--model", folder, "--images", options.images, "--out", out, "--form", "infer_rec")
        compare("infer_rec", theirs_infer(options, Path(scratch, "theirs.txt")), read_file(out), labels)
        shutil.copytree(folder, theirs := Path(scratch, "copy"))
        ours("predict", "--model", folder, "--images", options.images, "--out", out, "--form", "predict_rec")
        for batch in (6, 1):
            other = theirs_predict(options, theirs, Path(scratch, "theirs.log"), batch)
            compare(f"predict_rec, batches of {batch}", other, read_file(out), labels)


if __name__ == "__main__":
    main()
