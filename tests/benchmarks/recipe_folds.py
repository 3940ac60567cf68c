"""Is a recipe better than the pretrained network? Folds of real crops, each read by a network that has not seen them.

    nice -n 15 python tests/benchmarks/recipe_folds.py RAW WORK [--recipe FILE] [--name NAME] [-o KEY=VALUE ...]

RAW holds the competition's files; WORK keeps everything, so that the same command resumes after --minutes are over.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

RECIPE = "configs/recipes/ppocrv6_small_few.yml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--recipe", default=RECIPE)
    parser.add_argument("--name", default="recipe", help="of the folds' folder, another one for each variant")
    parser.add_argument("--folds", default="5")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("-o", "--override", nargs="+", action="extend", default=[])
    chosen = parser.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    prepared = chosen.work / "prepared"
    if not (prepared / "train.txt").is_file():
        scenetext("prepare", "--raw", chosen.raw, "--out", prepared, "--val", "0", "--extra-characters", "ppocrv6")
    settings = {
        "Global.seed": chosen.seed,
        "Global.save_model_dir": chosen.work / chosen.name,
        "Global.character_dict_path": prepared / "charset.txt",
        "Global.use_visualdl": "false",
        "Train.dataset.data_dir": prepared / "images",
        "Train.dataset.label_file_list": f"[{prepared / 'train.txt'}]",
    }
    overrides = [f"{key}={value}" for key, value in settings.items()]
    command = ["train", "-c", chosen.recipe, "--folds", chosen.folds, "-o", *overrides, *chosen.override]
    stopped = scenetext(*command, end=end)
    print(f"{chosen.minutes:g} minutes are over: the same command resumes" if stopped else "done")


def scenetext(*arguments: object, end: float | None = None) -> bool:
    """Runs a verb; returns whether it was interrupted because the time was over. A failure ends this program."""
    process = subprocess.Popen([sys.executable, "-m", "scenetext", *map(str, arguments)])
    try:
        code = process.wait(None if end is None else max(1.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.terminate()  # the checkpoint of the last epoch is resumed
        process.wait()
        return True
    if code:
        raise SystemExit(code)
    return False


if __name__ == "__main__":
    main()
