"""A small slice of the campaign that kills trainings; `tests/campaigns/kill_training.py` runs the whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_killed_trainings_end_like_an_undisturbed_one(root: Path, tmp_path: Path):
    command = [sys.executable, root / "tests" / "campaigns" / "kill_training.py"]
    options = ["--kills", "3", "--minutes", "2", "--seed", "0", "--out", tmp_path]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "train.out").read_text(encoding="utf-8")
    assert done.stdout.startswith("3 kills, ")
