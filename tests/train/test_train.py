"""Training: it learns, repeats itself exactly, survives interruption, and refuses what cannot work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import paddle
import pytest
import yaml
from drawn import PP_OCRV6_TINY, draw_digits, tiny_config

from scenetext.config import load_config
from scenetext.errors import InputError, RunError
from scenetext.models import build_model
from scenetext.train.checkpoint import Progress, load_checkpoint, save_checkpoint
from scenetext.train.optimiser import build_optimiser
from scenetext.train.trainer import Trainer, train
from scenetext.weights.pdparams import read_pdparams


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return draw_digits(tmp_path_factory.mktemp("digits"), 24)


def run(config, folder):
    return train(load_config(config), folder, progress=False)


def same_weights(a, b):
    a, b = read_pdparams(a), read_pdparams(b)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_a_few_lines_are_learnt_by_heart(tmp_path):
    draw_digits(tmp_path, 8, shortest=3, longest=3)
    config = tiny_config(tmp_path, epoch_num=60, eval_batch_epoch=10, early_stop_evals=1)
    config["Architecture"] = PP_OCRV6_TINY
    config["Optimizer"]["lr"] = {"name": "Cosine", "learning_rate": 3e-3, "warmup_epoch": 3}
    config["Train"]["loader"]["batch_size_per_card"] = 8
    assert run(config, tmp_path / "run").best_score == 1.0


def test_a_run_leaves_weights_config_dictionary_manifest_and_history(digits, tmp_path):
    result = run(tiny_config(digits, use_visualdl=True), tmp_path / "run")
    assert result.stopped == "finished" and result.steps > 0
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {
        "best_accuracy.pdparams", "latest.pdparams", "latest.pdopt", "latest.states",
        "config.yml", "charset.txt", "manifest.json", "history.jsonl", "train.log", "vdl",
    } <= names  # fmt: skip
    assert not [name for name in names if name.startswith(".")], "temporary files are left"
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["seed"] == 7 and manifest["versions"]["paddlepaddle"] == paddle.__version__
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert sum(row["kind"] == "eval" for row in rows) == 2
    assert sum(row["kind"] == "train" for row in rows) == result.steps
    assert list((tmp_path / "run" / "vdl").glob("vdlrecords*"))
    assert load_config(tmp_path / "run" / "config.yml").Global.seed == 7


def test_one_seed_gives_the_same_weights_and_another_gives_others(digits, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        run(tiny_config(digits, seed=seed, epoch_num=1), tmp_path / name)
    assert same_weights(tmp_path / "a" / "latest", tmp_path / "b" / "latest")
    assert not same_weights(tmp_path / "a" / "latest", tmp_path / "c" / "latest")


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(digits, tmp_path):
    whole = tiny_config(digits, epoch_num=3)
    run(whole, tmp_path / "whole")
    trainer = Trainer(load_config(whole), tmp_path / "parts", progress=False)
    saved = trainer._step

    def stop_inside_the_second_epoch(batch, weight):
        value = saved(batch, weight)
        if trainer.progress.global_step == trainer.steps_per_epoch + 1:
            os.kill(os.getpid(), signal.SIGINT)
        return value

    trainer._step = stop_inside_the_second_epoch
    assert trainer.run().stopped == "interrupted"
    resumed = tiny_config(digits, epoch_num=3, checkpoints=str(tmp_path / "parts" / "latest"))
    assert run(resumed, tmp_path / "parts").stopped == "finished"
    assert same_weights(tmp_path / "whole" / "latest", tmp_path / "parts" / "latest")


def test_ctrl_c_in_a_real_process_leaves_a_whole_checkpoint_that_training_goes_on_from(digits, tmp_path, root):
    config = tiny_config(digits, epoch_num=500, save_model_dir=str(tmp_path / "run"))
    (tmp_path / "c.yml").write_text(yaml.safe_dump(config))
    process = subprocess.Popen(
        [sys.executable, "-m", "scenetext", "train", "-c", str(tmp_path / "c.yml")],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "latest.states").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0].decode()
    assert process.returncode != 0 and "Global.checkpoints=" in output, output
    states = load_config(tmp_path / "run" / "config.yml")
    model = build_model(states)
    progress = load_checkpoint(model, build_optimiser(states, model, 500, 6), tmp_path / "run" / "latest")
    assert progress.global_step > 0


def test_a_full_disk_while_saving_leaves_the_former_checkpoint(digits, tmp_path, monkeypatch):
    config = load_config(tiny_config(digits))
    model = build_model(config)
    optimiser = build_optimiser(config, model, 1, 1)
    save_checkpoint(model, optimiser, Progress(global_step=5), tmp_path / "latest")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paddle, "save", full)
    with pytest.raises(RunError, match="No space left on device"):
        save_checkpoint(model, optimiser, Progress(global_step=6), tmp_path / "latest")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_a_checkpoint_of_another_dictionary_is_refused_with_the_way_out(digits, tmp_path):
    config = load_config(tiny_config(digits))
    model = build_model(config)
    optimiser = build_optimiser(config, model, 1, 1)
    save_checkpoint(model, optimiser, Progress(), tmp_path / "latest")
    other = build_model(config, 30)
    with pytest.raises(InputError, match="Global.pretrained_model"):
        load_checkpoint(other, build_optimiser(config, other, 1, 1), tmp_path / "latest")
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(model, optimiser, tmp_path / "nowhere")


def test_labels_that_the_dictionary_cannot_spell_are_an_error_before_the_first_step(digits, tmp_path):
    (tmp_path / "charset.txt").write_text("0\n1\n2\n")
    with pytest.raises(InputError, match=r"lacks 7 characters .*train.txt:\d+"):
        run(tiny_config(digits, character_dict_path=str(tmp_path / "charset.txt")), tmp_path / "run")


def test_max_text_length_leaves_longer_lines_out_of_training_and_says_so_while_all_are_scored(digits, tmp_path):
    config = load_config(tiny_config(digits, max_text_length=3))
    trainer = Trainer(config, tmp_path / "run", progress=False)
    texts = [line.split("\t") for line in (digits / "train.txt").read_text().splitlines()]
    longer = [name for name, text in texts if len(text) > 3]
    assert 0 < len(longer) == 24 - len(trainer.lines) and len(trainer.eval_records) == 24
    told = [note for note in trainer.notes if note.startswith("left out")]
    assert len(told) == 1 and told[0].startswith(
        f"left out: {len(longer)} lines longer than the 3 characters of Global.max_text_length, the first {longer[0]} ("
    )


def test_an_unreadable_picture_is_named_and_not_replaced(tmp_path):
    draw_digits(tmp_path, 6)
    (tmp_path / "images" / "3.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"3\.png"):
        run(tiny_config(tmp_path), tmp_path / "run")


def test_a_learning_rate_that_explodes_is_an_error_that_names_it(digits, tmp_path):
    config = tiny_config(digits, epoch_num=30)
    config["Optimizer"] = {"name": "Momentum", "lr": {"name": "Const", "learning_rate": 1e12}}
    with pytest.raises(RunError, match="learning_rate"):
        run(config, tmp_path / "run")


def test_blended_weights_lie_between_start_and_end_and_training_goes_on_from_the_unblended(tmp_path, digits):
    run(tiny_config(digits, epoch_num=1), tmp_path / "start")
    start = str(tmp_path / "start" / "latest")
    for name, share in (("half", 0.5), ("whole", 1.0)):
        run(tiny_config(digits, epoch_num=1, pretrained_model=start, weight_interpolation=share), tmp_path / name)
    first, half, whole = (
        read_pdparams(p) for p in (start, tmp_path / "half" / "best_accuracy", tmp_path / "whole" / "best_accuracy")
    )
    for key in first:
        np.testing.assert_allclose(half[key], (first[key] + whole[key]) / 2, atol=1e-5, err_msg=key)
    assert same_weights(tmp_path / "half" / "latest", tmp_path / "whole" / "latest")
