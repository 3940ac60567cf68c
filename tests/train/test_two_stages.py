"""SVTRv2's training in two stages, by the commands of configs/README.md: plain, then with semantic guidance."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from drawn import draw_digits

from scenetext.cli import main
from scenetext.weights.pdparams import read_pdparams

SMALL = (  # a narrow network on a few drawn digits
    "Architecture.Backbone.dims=[32, 32, 64]",
    "Architecture.Backbone.depths=[1, 1, 1]",
    "Architecture.Backbone.num_heads=[1, 1, 2]",
    "Architecture.Backbone.mixer=[[Conv], [Global], [Global]]",
    "Global.epoch_num=1",
    "Global.use_visualdl=false",
    "Global.character_dict_path=charset.txt",
    *(
        f"{section}.dataset.{setting}"
        for section in ("Train", "Eval")
        for setting in ("data_dir=images", "label_file_list=[train.txt]")
    ),
)


def test_the_second_stage_begins_with_the_first_ones_weights(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    text = (root / "configs" / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [
        shlex.split(line)[1:] for line in re.findall(r"^scenetext train -c configs/svtrv2_paper_base.yml.*", text, re.M)
    ]
    assert len(commands) == 2
    draw_digits(tmp_path, 6)
    monkeypatch.chdir(tmp_path)
    for command in commands:
        command[2] = str(root / command[2])
        assert main([*command, *SMALL]) == 0
    plain, guided = (read_pdparams(f"runs/{name}/latest.pdparams") for name in ("plain", "guided"))
    added = guided.keys() - plain.keys()
    assert plain.keys() <= guided.keys() and added and all(key.startswith("head.sgm.") for key in added)
    told = capsys.readouterr().out
    assert f"{len(plain)} matched, 0 sliced, 0 skipped, {len(added)} missing" in told
    moved = max(float(np.abs(guided[key] - plain[key]).max()) for key in plain if key.endswith("weight"))
    assert 0 < moved < 0.1  # a few steps of a small rate away
