"""Training: it learns, repeats itself exactly, survives interruption, and refuses what cannot work."""

from __future__ import annotations

import json
import os
import pickle
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
from scenetext.data import evaluation_lines, training_lines
from scenetext.errors import InputError, RunError
from scenetext.models import build_model
from scenetext.predict import load_reader
from scenetext.predict.images import read_records
from scenetext.train.checkpoint import load_checkpoint, save_checkpoint, save_weights
from scenetext.train.log import TrainingLog
from scenetext.train.optimiser import build_optimiser
from scenetext.train.state import TrainingState
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams, unpickle_arrays


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return draw_digits(tmp_path_factory.mktemp("digits"), 24)


def run(config, folder):
    return train(load_config(config), folder, progress=False)


def interrupt_after(patch, steps):
    """Presses Ctrl-C while the training takes so many steps."""
    kept, seen = TrainingLog.step, []

    def step(self, *arguments, **metrics):
        kept(self, *arguments, **metrics)
        seen.append(metrics)
        if len(seen) == steps:
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(TrainingLog, "step", step)


def same_weights(a, b):
    a, b = read_pdparams(a), read_pdparams(b)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_a_small_network_memorises_a_few_lines(tmp_path):
    draw_digits(tmp_path, 8, shortest=3, longest=3)
    config = tiny_config(tmp_path, epoch_num=60, eval_batch_epoch=10, early_stop_evals=1)
    config["Architecture"] = PP_OCRV6_TINY
    config["Optimizer"]["lr"] = {"name": "Cosine", "learning_rate": 3e-3, "warmup_epoch": 3}
    config["Train"]["loader"]["batch_size_per_card"] = 8
    assert run(config, tmp_path / "run").best_score == 1.0


def test_characters_outside_the_dictionary_stop_training_or_are_dropped_and_counted_by_one_key(digits, tmp_path):
    texts = [line.split("\t") for line in (digits / "train.txt").read_text().splitlines()]
    rows = [f"{name}\t{'屏' if i == 0 else text + '屏号' * (i == 1)}\n" for i, (name, text) in enumerate(texts)]
    (tmp_path / "mixed.txt").write_text("".join(rows), encoding="utf-8")
    config = tiny_config(digits, epoch_num=1)
    config["Train"] = {**config["Train"], "dataset": {**config["Train"]["dataset"]}}
    config["Train"]["dataset"]["label_file_list"] = [str(tmp_path / "mixed.txt")]
    with pytest.raises(InputError, match=f"occur in 2 of {len(rows)} labels: .* Global.unknown_characters=drop"):
        run(config, tmp_path / "stopped")
    config["Global"]["unknown_characters"] = "drop"
    run(config, tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert (
        "left out of 2 labels: 2 characters that the dictionary lacks, 3 in all, the most frequent '屏' 2 times" in log
    )


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


def test_one_seed_gives_the_same_bytes_with_0_and_2_workers_and_another_seed_gives_others(digits, tmp_path):
    texts = {}
    for name, seed, workers in (("a", 7, 0), ("b", 7, 0), ("c", 7, 2), ("d", 8, 0)):
        config = tiny_config(digits, seed=seed, epoch_num=2)
        config["Train"]["loader"]["num_workers"] = workers
        config["Train"]["dataset"] = {**config["Train"]["dataset"]}
        config["Train"]["dataset"]["transforms"] = [{"RecAug": {}}, *config["Train"]["dataset"]["transforms"]]
        with paddle.utils.unique_name.guard():  # the names of layers, as in a process of its own
            run(config, tmp_path / name)
            reader = load_reader(load_config(tmp_path / name / "config.yml"), tmp_path / name / "latest")
        records, images = evaluation_lines(load_config(config))
        texts[name] = [(read.text, read.confidence) for read in read_records(reader, records, images, progress=False)]
    for name in ("best_accuracy.pdparams", "latest.pdparams", "latest.pdopt"):
        of_a = (tmp_path / "a" / name).read_bytes()
        assert [of_a == (tmp_path / other / name).read_bytes() for other in "bcd"] == [True, True, False], name
    assert texts["a"] == texts["b"] == texts["c"] != texts["d"]


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(digits, tmp_path, monkeypatch):
    whole = tiny_config(digits, epoch_num=3)
    steps_per_epoch = run(whole, tmp_path / "whole").steps // 3
    with monkeypatch.context() as patch:
        interrupt_after(patch, steps_per_epoch + 2)
        stopped = run(whole, tmp_path / "parts")
    assert (stopped.stopped, stopped.steps) == ("interrupted", steps_per_epoch + 2)
    log = (tmp_path / "parts" / "train.log").read_text(encoding="utf-8")
    assert f"interrupted: resume with -o Global.checkpoints={tmp_path / 'parts' / 'latest'}" in log
    resumed = tiny_config(digits, epoch_num=3, checkpoints=str(tmp_path / "parts" / "latest"))
    assert run(resumed, tmp_path / "parts").stopped == "finished"
    assert same_weights(tmp_path / "whole" / "latest", tmp_path / "parts" / "latest")
    log = (tmp_path / "parts" / "train.log").read_text(encoding="utf-8")
    assert f"resumes from {tmp_path / 'parts' / 'latest'} at step {steps_per_epoch + 2}" in log


def test_a_training_that_began_with_a_fused_network_resumes_exactly(digits, tmp_path):
    whole = tiny_config(digits, epoch_num=2, pretrained_model=str(tmp_path / "fused"))
    whole["Architecture"] = PP_OCRV6_TINY
    model = build_model(load_config(whole))
    model.eval()
    model.fuse()
    save_weights(model, tmp_path / "fused")
    run({**whole, "Global": {**whole["Global"], "save_epoch_step": 1}}, tmp_path / "whole")
    resumed = {**whole, "Global": {**whole["Global"], "checkpoints": str(tmp_path / "whole" / "iter_epoch_1")}}
    run(resumed, tmp_path / "parts")
    assert not any(key.endswith("_mean") for key in read_pdparams(tmp_path / "parts" / "latest"))
    assert same_weights(tmp_path / "whole" / "latest", tmp_path / "parts" / "latest")


def test_ctrl_c_in_a_real_process_leaves_a_whole_checkpoint_to_resume_from(digits, tmp_path, root):
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
    output = process.communicate(timeout=600)[0].decode()
    assert process.returncode != 0 and "Global.checkpoints=" in output, output
    states = load_config(tmp_path / "run" / "config.yml")
    model = build_model(states)
    progress = load_checkpoint(model, build_optimiser(states, model, 500, 6), tmp_path / "run" / "latest")
    assert progress.global_step > 0


def test_a_full_disk_while_saving_leaves_the_former_checkpoint(digits, tmp_path, monkeypatch):
    config = load_config(tiny_config(digits))
    model = build_model(config)
    optimiser = build_optimiser(config, model, 1, 1)
    save_checkpoint(model, optimiser, TrainingState(global_step=5), tmp_path / "latest")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paddle, "save", full)
    with pytest.raises(RunError, match="No space left on device"):
        save_checkpoint(model, optimiser, TrainingState(global_step=6), tmp_path / "latest")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_a_checkpoint_of_another_dictionary_is_refused_and_pretrained_model_named(digits, tmp_path):
    config = load_config(tiny_config(digits))
    model = build_model(config)
    optimiser = build_optimiser(config, model, 1, 1)
    save_checkpoint(model, optimiser, TrainingState(), tmp_path / "latest")
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
    config = load_config(tiny_config(digits, max_text_length=3, epoch_num=1))
    texts = [line.split("\t") for line in (digits / "train.txt").read_text().splitlines()]
    longer = [name for name, text in texts if len(text) > 3]
    assert 0 < len(longer) == 24 - len(training_lines(config, build_model(config), 0))
    assert len(evaluation_lines(config)[0]) == 24
    run(config, tmp_path / "run")
    said = (
        f"left out: {len(longer)} lines longer than the 3 characters of Global.max_text_length, the first {longer[0]} ("
    )
    assert (tmp_path / "run" / "train.log").read_text(encoding="utf-8").count(said) == 1


def test_an_unreadable_picture_is_named_and_not_replaced(tmp_path):
    draw_digits(tmp_path, 6)
    (tmp_path / "images" / "3.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"3\.png"):
        run(tiny_config(tmp_path), tmp_path / "run")


def test_a_learning_rate_that_explodes_is_an_error_that_names_it_and_only_weights_that_are_whole(digits, tmp_path):
    config = tiny_config(digits, epoch_num=30)
    config["Optimizer"] = {"name": "Momentum", "lr": {"name": "Const", "learning_rate": 1e12}}
    told = r"at step 2: lower Optimizer.lr.learning_rate \(now 1.0e\+12\), .*; no checkpoint had been saved before\.$"
    with pytest.raises(RunError, match=told):
        run(config, tmp_path / "run")
    (tmp_path / "run" / "latest.pdparams").touch()  # not what a save leaves
    with pytest.raises(RunError, match=told):
        run(config, tmp_path / "run")


def test_early_stopping_waits_for_as_many_evaluations_as_it_should(digits, tmp_path):
    """A rate of 1e-12 changes no text: every evaluation is as good as the best, until the best cannot be reached."""
    config = tiny_config(digits, epoch_num=9, eval_batch_epoch=None, eval_batch_step=[1, 2], early_stop_evals=2)
    config["Optimizer"]["lr"]["learning_rate"] = 1e-12
    assert run(config, tmp_path / "a").stopped == "finished"
    config["Global"]["epoch_num"] = 1
    steps = run(config, tmp_path / "b").steps
    states = unpickle_arrays(str(tmp_path / "b" / "latest.states"))
    states["progress"]["best"] = 1.0
    (tmp_path / "b" / "latest.states").write_bytes(pickle.dumps(states))
    config["Global"] |= {"epoch_num": 9, "checkpoints": str(tmp_path / "b" / "latest")}
    resumed = run(config, tmp_path / "b")
    assert resumed.stopped == "early stop"
    rows = [json.loads(row) for row in (tmp_path / "b" / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "eval"] == list(range(3, resumed.steps + 1, 2))
    assert resumed.steps in (steps + 3, steps + 4)  # the second evaluation after the resumption


def test_lines_that_contribute_no_gradient_are_counted_and_the_first_is_named(tmp_path):
    draw_digits(tmp_path, 10, longest=9)
    config = tiny_config(tmp_path, epoch_num=1)
    config["Train"]["sampler"] = None  # a canvas of 32 pixels has 8 time steps
    config["Train"]["dataset"] |= {"transforms": [{"RecResizeImg": {"image_shape": [3, 32, 32]}}]}
    config["Eval"]["dataset"] = {
        **config["Eval"]["dataset"],
        "transforms": [{"RecResizeImg": {"image_shape": [3, 32, 32]}}],
    }
    run(config, tmp_path / "run")
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "lines need more than the 8 time steps of a canvas of 32 pixels and contribute no gradient, the first" in log
    assert "(train.txt:1): widen image_shape" in log


def test_interpolated_weights_lie_between_start_and_end_and_training_continues_from_the_others(tmp_path, digits):
    run(tiny_config(digits, epoch_num=1), tmp_path / "start")
    start = str(tmp_path / "start" / "latest")
    for name, alpha in (("half", 0.5), ("whole", 1.0)):
        run(tiny_config(digits, epoch_num=1, pretrained_model=start, weight_interpolation=alpha), tmp_path / name)
    first, half, whole = (
        read_pdparams(p) for p in (start, tmp_path / "half" / "best_accuracy", tmp_path / "whole" / "best_accuracy")
    )
    for key in first:
        np.testing.assert_allclose(half[key], (first[key] + whole[key]) / 2, atol=1e-5, err_msg=key)
    assert same_weights(tmp_path / "half" / "latest", tmp_path / "whole" / "latest")
