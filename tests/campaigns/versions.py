"""What works on this Python and this Paddle, as rows of a table: `python tests/campaigns/versions.py`.

Run it once in each environment, for example after `pip install paddlepaddle==3.3.1`. For a convolutional network with a
recurrent neck, one with attention, and one whose blocks hold GELU and attention, it trains one epoch of a few drawn
lines, exports both formats, and reads the lines with each engine. Every step is a process of its own, because some
versions crash. A cell says "yes", "-" where an earlier step is missing, or what the command's last line was.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = {"CNN, LSTM": "crnn_mobile", "CNN, attention": "ppocrv4_mobile", "CNN, GELU, attention": "ppocrv6_small"}
ENGINES = ("paddle", "onnxruntime")
FORMATS = ("json", "pdmodel")
HEADER = ("Python", "Paddle", "network", "trains", *(f"{f}: {step}" for f in FORMATS for step in ("exports", *ENGINES)))


def command(folder: Path, *arguments: str) -> str:
    """Runs `scenetext` in a folder; "yes", or why it failed."""
    own = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    own["XDG_CACHE_HOME"] = str(folder)  # so that no ONNX file is found that another version has made
    environment = {**os.environ, **own}
    done = subprocess.run(
        [sys.executable, "-m", "scenetext", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    if not done.returncode:
        return "yes"
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"no: {lines[-1].replace('|', '/')[:160]}"


def row(folder: Path, config: str) -> list[str]:
    """The cells of one network: training, then export and reading for each format."""
    data = [
        *(f"Global.character_dict_path={folder / 'charset.txt'}", "Global.use_space_char=false"),
        *(f"{part}.dataset.data_dir={folder / 'images'}" for part in ("Train", "Eval")),
        *(f'{part}.dataset.label_file_list=["{folder / "train.txt"}"]' for part in ("Train", "Eval")),
        *("Global.epoch_num=1", "Train.loader.batch_size_per_card=4", "Global.pretrained_model=", "Global.seed=1"),
        *(f"Global.save_model_dir={folder / config}", "Global.use_visualdl=false"),
    ]
    cells = [command(folder, "train", "-c", f"configs/{config}.yml", "-o", *data)]
    for format in FORMATS:
        out = folder / f"{config}-{format}"
        written = "-"
        if cells[0] == "yes":
            weights = ["--weights", str(folder / config / "latest"), "--out", str(out), "--format", format]
            run_config = str(folder / config / "config.yml")
            written = command(folder, "export", "-c", run_config, *weights, "--max-mb", "100")
        cells.append(written)
        for engine in ENGINES:
            texts = ["predict", "--model", str(out), "--images", str(folder / "images"), "--engine", engine]
            read = command(folder, *texts, "--out", str(out) + f"-{engine}.txt") if written == "yes" else "-"
            cells.append(read)
    return cells


def paddle_version() -> str:
    """The installed Paddle's version, for CPU or GPU."""
    for name in ("paddlepaddle", "paddlepaddle-gpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "none"


def main() -> None:
    """Prints the table's rows for this environment."""
    sys.path.insert(0, str(ROOT / "tests"))
    from drawn import draw_digits

    print("| " + " | ".join(HEADER) + " |", "|---" * len(HEADER) + "|", sep="\n")
    for network, config in NETWORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            cells = row(draw_digits(Path(folder), 8), config)
        print("| " + " | ".join([platform.python_version(), paddle_version(), network, *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
