"""A run's folder belongs to one training at a time, and a second one never spoils what a first one left there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import DIGITS, tiny_config

from scenetext.cli import main
from scenetext.config import load_config
from scenetext.errors import InputError, RunError
from scenetext.predict import images as loop
from scenetext.system.locks import only_writer
from scenetext.train import run_folder
from scenetext.train.run_folder import RunFolder
from scenetext.train.state import TrainingState
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams

KEPT = ("best_accuracy.pdparams", "latest.pdparams", "latest.pdopt", "latest.states", "charset.txt", "config.yml")


@pytest.fixture
def used(run: Path, tmp_path: Path) -> Path:
    """A copy of a folder into which something was trained."""
    return shutil.copytree(run, tmp_path / "run")


def second(data: Path, tmp_path: Path, **settings: object) -> dict:
    """The configuration of another training: other order of the dictionary, another seed."""
    (tmp_path / "reversed.txt").write_text("".join(c + "\n" for c in DIGITS[::-1]), encoding="utf-8")
    own = {"epoch_num": 1, "seed": 9, "character_dict_path": str(tmp_path / "reversed.txt"), **settings}
    return tiny_config(data, **own)


def test_a_second_training_moves_the_first_ones_files_aside_and_says_so(run, used, data, tmp_path):
    (used / "vdl" / "sub").mkdir(parents=True)
    (used / "vdl" / "vdlrecords.1.log").write_bytes(b"curves")
    train(load_config(second(data, tmp_path)), used, progress=False)
    former = used / "former_1"
    assert (former / "vdl" / "vdlrecords.1.log").is_file() and not (used / "vdl" / "vdlrecords.1.log").exists()
    for name in (*KEPT, "history.jsonl", "manifest.json"):
        assert (former / name).read_bytes() == (run / name).read_bytes(), name
    assert (used / "charset.txt").read_text() == (tmp_path / "reversed.txt").read_text()
    assert load_config(used / "config.yml").Global.seed == 9
    rows = [json.loads(row) for row in (used / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == [1, 2, 3]
    log = (used / "train.log").read_text(encoding="utf-8")
    assert f"holds the weights of a former training (best score 0.0000): they move to {former}" in log
    assert not [path.name for path in used.iterdir() if path.name.startswith(".")]
    train(load_config(second(data, tmp_path, seed=10)), used, progress=False)
    assert load_config(used / "former_2" / "config.yml").Global.seed == 9


def test_a_second_training_that_fails_before_it_has_weights_leaves_the_folder_as_it_was(run, used, data, tmp_path):
    """Its dictionary once stood beside the first one's weights, which then read nothing."""
    broken = shutil.copytree(data, tmp_path / "data")
    picture = broken / "images" / "7.png"
    content = bytearray(picture.read_bytes())
    at = content.find(b"IDAT") + 12  # in the middle: its header and its end are right
    content[at : at + 40] = bytes(40)
    picture.write_bytes(content)
    config = second(broken, tmp_path)
    config["Train"]["loader"] = {"batch_size_per_card": 64}
    with pytest.raises(InputError, match=r"7\.png"):
        train(load_config(config), used, progress=False)
    for name in (*KEPT, "history.jsonl", "manifest.json"):
        assert (used / name).read_bytes() == (run / name).read_bytes(), name


def test_a_picture_that_fails_after_some_epochs_leaves_the_latest_checkpoint(data, tmp_path, monkeypatch):
    """`latest` is saved before each evaluation, and on every stop by an error."""
    config = load_config(tiny_config(data, epoch_num=1))

    def broken(*_arguments: object, **_options: object):
        raise InputError("7.png is broken inside")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "decode_image", broken)
        with pytest.raises(InputError, match=r"7\.png is broken inside"):
            train(config, tmp_path / "run", progress=False)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"latest.pdparams", "latest.pdopt", "latest.states", "charset.txt", "config.yml"} <= names
    assert "best_accuracy.pdparams" not in names
    assert "stopped by an error: resume with -o Global.checkpoints=" in (tmp_path / "run" / "train.log").read_text()
    resumed = load_config(config, [f"Global.checkpoints={tmp_path / 'run' / 'latest'}"])
    train(resumed, tmp_path / "run", progress=False)
    train(config, tmp_path / "whole", progress=False)
    for name in ("latest", "best_accuracy"):
        ours, theirs = (read_pdparams(tmp_path / folder / name) for folder in ("run", "whole"))
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs), name


def test_a_second_process_is_refused_while_a_training_runs(data, tmp_path):
    with only_writer(tmp_path / "run"), pytest.raises(RunError, match="Another process is writing .*run now"):
        train(load_config(tiny_config(data)), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def killed_at(number: int, call: str, work) -> bool:
    """Runs `work` in a process that dies at its n-th call of that function of the module os."""
    child = os.fork()
    if child == 0:
        seen, real = 0, getattr(os, call)

        def counted(*arguments: object, **options: object) -> object:
            nonlocal seen
            seen += 1
            if seen == number:
                os._exit(9)
            return real(*arguments, **options)

        setattr(os, call, counted)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_kill_while_the_first_weights_are_saved_never_mixes_weights_and_dictionaries(
    run, data, tmp_path, monkeypatch
):
    """The files change in an order that can be cut anywhere."""
    monkeypatch.setattr(run_folder, "write_manifest", lambda *_: None)  # asks git, which takes long
    former, own = (run / "charset.txt").read_bytes(), DIGITS[::-1]
    config = load_config(second(data, tmp_path))
    charset = type("Charset", (), {"write": lambda self, path: path.write_text("".join(f"{c}\n" for c in own))})()
    stages = set()
    for call in ("link", "unlink", "replace"):
        for number in range(1, 30, 2):
            folder = shutil.copytree(run, tmp_path / f"{call}{number}")

            def take_over(folder: Path = folder) -> None:
                RunFolder(folder, config, charset, None, None, TrainingState())._begin()

            done = not killed_at(number, call, take_over)
            weights = [path for path in folder.iterdir() if path.suffix in (".pdparams", ".pdopt", ".states")]
            if weights:
                assert (folder / "charset.txt").read_bytes() == former and (folder / "config.yml").exists()
            kept = list((folder / "former_1").glob("*")) or weights
            assert {path.name for path in kept} >= {"best_accuracy.pdparams", "latest.states"}
            stages.add((bool(weights), (folder / "former_1").exists()))
            take_over()
            assert not (folder / "former_2").exists(), "what a killed training had kept is not kept again"
            assert (folder / "charset.txt").read_text()[0] == "9"
            if done:
                break
        assert done, "the loop reached the end of the work"
    assert stages == {(True, False), (True, True), (False, True)}


def test_resuming_from_an_earlier_checkpoint_keeps_the_later_ones(data, tmp_path, capsys):
    config = tiny_config(data, epoch_num=2, save_epoch_step=1)
    train(load_config(config), tmp_path / "run", progress=False)
    latest = (tmp_path / "run" / "latest.pdparams").read_bytes()
    config["Global"] |= {"checkpoints": str(tmp_path / "run" / "iter_epoch_1"), "epoch_num": 3}
    train(load_config(config), tmp_path / "run", progress=False)
    former = tmp_path / "run" / "former_1"
    assert (former / "latest.pdparams").read_bytes() == latest and (former / "iter_epoch_2.states").is_file()
    rows = [json.loads(row) for row in (tmp_path / "run" / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == list(range(1, 10))
    options = [f"Global.checkpoints={tmp_path / 'run' / 'iter_epoch_1'}"]
    assert main(["train", "-c", str(tmp_path / "run" / "config.yml"), "-o", *options]) == 2
    assert f"a later training moved it to {former}" in capsys.readouterr().err


def test_another_folder_gets_the_best_weights_of_the_checkpoint_with_it(run, data, tmp_path):
    config = tiny_config(data, epoch_num=2, checkpoints=str(run / "latest"))
    config["Eval"] = {**config["Eval"]}
    before = (run / "best_accuracy.pdparams").read_bytes()
    result = train(load_config(config), tmp_path / "other", progress=False)
    if result.best_score == 0.0:  # nothing was better
        assert (tmp_path / "other" / "best_accuracy.pdparams").read_bytes() == before


def test_a_score_that_is_only_as_good_does_not_replace_the_best_weights(data, tmp_path):
    config = tiny_config(data, epoch_num=2, save_epoch_step=1)
    config["Optimizer"]["lr"]["learning_rate"] = 1e-12  # changes no text
    train(load_config(config), tmp_path / "run", progress=False)
    best, first, second = (
        read_pdparams(tmp_path / "run" / name) for name in ("best_accuracy", "iter_epoch_1", "iter_epoch_2")
    )
    assert all(np.array_equal(best[key], first[key]) for key in first)
    assert not all(np.array_equal(best[key], second[key]) for key in second)
