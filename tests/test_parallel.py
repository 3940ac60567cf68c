"""Two processes that train together, started as the README says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from drawn import PP_OCRV6_TINY, draw_digits, tiny_config
from scenetext.pdparams import read_pdparams


def test_two_processes_share_the_batches_and_end_with_one_network(tmp_path: Path) -> None:
    config = tiny_config(draw_digits(tmp_path, 24), epoch_num=2, save_model_dir=str(tmp_path / "run"))
    config["Architecture"] = PP_OCRV6_TINY
    (tmp_path / "config.yml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    launch = ["-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--backend", "gloo"]
    command = Path(sys.executable).with_name("scenetext")
    process = subprocess.run(
        [sys.executable, *launch, "--log_dir", str(tmp_path / "log"), command, "train", "-c", tmp_path / "config.yml"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    logs = [(tmp_path / "log" / f"workerlog.{rank}").read_text(encoding="utf-8") for rank in (0, 1)]
    assert process.returncode == 0, process.stderr + "".join(logs)
    rows = [json.loads(row) for row in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if row["kind"] == "train"]
    assert steps == sorted(set(steps)) and len(steps) >= 4, "both processes wrote, or none"
    state = read_pdparams(tmp_path / "run" / "latest")
    assert all(np.isfinite(value).all() for value in state.values() if value.dtype.kind == "f")
    alone = subprocess.run(
        [command, "train", "-c", tmp_path / "config.yml", "-o", f"Global.save_model_dir={tmp_path / 'alone'}"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert alone.returncode == 0, alone.stderr
    single = [json.loads(row) for row in (tmp_path / "alone" / "history.jsonl").read_text().splitlines()]
    assert 2 * len(steps) <= len([row for row in single if row["kind"] == "train"]) < 2 * len(steps) + 2 * 2
