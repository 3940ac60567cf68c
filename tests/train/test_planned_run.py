"""What writing the next training's configuration does to the weights that are in the run's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from drawn import DIGITS, tiny_config

from scenetext.config import load_config
from scenetext.errors import RunError
from scenetext.system.locks import only_writer
from scenetext.train import plan_run

WEIGHTS = ("best_accuracy.pdparams", "latest.pdparams", "latest.pdopt", "latest.states", "charset.txt", "history.jsonl")


def planned(data: Path, tmp_path: Path, settings: dict) -> dict:
    if settings.pop("reversed", False):
        (tmp_path / "reversed.txt").write_text("".join(c + "\n" for c in DIGITS[::-1]), encoding="utf-8")
        settings["character_dict_path"] = str(tmp_path / "reversed.txt")
    hidden = settings.pop("hidden", None)
    config = tiny_config(data, **settings)
    if hidden:
        config["Architecture"]["Neck"]["hidden_size"] = hidden
    return config


@pytest.mark.parametrize(
    ("settings", "moves"),
    [
        ({"epoch_num": 20, "seed": 7}, False),  # goes on for longer
        ({"reversed": True}, True),
        ({"hidden": 12}, True),
    ],
)
def test_weights_move_aside_with_their_configuration_if_the_new_one_gives_them_another_meaning(
    settings: dict, moves: bool, run: Path, data: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    config = load_config(planned(data, tmp_path, settings))
    told = plan_run(config, folder)
    assert load_config(folder / "config.yml") == config
    place = folder / "former_1" if moves else folder
    assert (str(place) in told) is moves
    assert {path.name for path in folder.glob("*.pd*")} == (set() if moves else {n for n in WEIGHTS if ".pd" in n})
    for name in (*WEIGHTS, *(["config.yml"] if moves else [])):
        assert (place / name).read_bytes() == (run / name).read_bytes(), name
    assert plan_run(config, folder) == "", "once they have moved, nothing is in the way"


def test_the_configuration_of_a_training_that_runs_is_left_alone(run: Path, data: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    with only_writer(folder), pytest.raises(RunError, match="run"):
        plan_run(load_config(tiny_config(data)), folder)
    assert (folder / "config.yml").read_bytes() == (run / "config.yml").read_bytes()


def test_a_fresh_run_gets_its_folder(data: Path, tmp_path: Path) -> None:
    config = load_config(tiny_config(data))
    assert plan_run(config, tmp_path / "runs" / "new") == ""
    assert load_config(tmp_path / "runs" / "new" / "config.yml") == config
