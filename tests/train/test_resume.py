"""A training is resumed only from files that are whole, belong together, and are of the same training."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import pytest
from drawn import DIGITS, draw_digits, tiny_config

from scenetext.cli import main
from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.train.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint
from scenetext.train.optimiser import build_optimiser
from scenetext.train.state import TrainingState, state_from
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams, unpickle_arrays


def resume(run: Path, tmp_path: Path, config: dict, allow_changed: bool = False):
    shutil.copytree(run, tmp_path / "run")
    config["Global"] |= {"checkpoints": str(tmp_path / "run" / "latest"), "epoch_num": 2}
    return train(load_config(config), tmp_path / "run", progress=False, allow_changed=allow_changed)


def change_labels(config: dict, tmp_path: Path) -> None:
    file = tmp_path / "other.txt"
    rows = Path(config["Train"]["dataset"]["label_file_list"][0]).read_text(encoding="utf-8").splitlines(True)
    file.write_text("".join(rows[1:]), encoding="utf-8")
    config["Train"]["dataset"] = {**config["Train"]["dataset"], "label_file_list": [str(file)]}


def change_pictures(config: dict, tmp_path: Path) -> None:
    """Other pictures under the same names."""
    other = draw_digits(tmp_path / "other", 12, seed=1)
    for section in ("Train", "Eval"):
        config[section]["dataset"] = {**config[section]["dataset"], "data_dir": str(other / "images")}


def change_dictionary(config: dict, tmp_path: Path, characters: str = DIGITS[::-1]) -> None:
    (tmp_path / "other_charset.txt").write_text("".join(c + "\n" for c in characters), encoding="utf-8")
    config["Global"]["character_dict_path"] = str(tmp_path / "other_charset.txt")


CHANGES: dict[str, tuple[Callable[[dict, Path], object], str]] = {
    "a dictionary in another order": (
        change_dictionary,
        r"the dictionary \(10 of 10 classes, the first is class 1: '0', now '9'\)",
    ),
    "one other character": (
        lambda c, t: change_dictionary(c, t, DIGITS[:9] + "x"),
        r"the dictionary \(1 of 10 classes, the first is class 10: '9', now 'x'\)",
    ),
    "the learning rate": (
        lambda c, _: c["Optimizer"]["lr"].update(learning_rate=0.1),
        r"Optimizer\.lr\.learning_rate \(0\.002, now 0\.1\)",
    ),
    "the optimiser": (
        lambda c, _: c.update(Optimizer={"name": "Momentum", "lr": c["Optimizer"]["lr"]}),
        r"Optimizer\.name \('Adam', now 'Momentum'\)",
    ),
    "the seed": (lambda c, _: c["Global"].update(seed=8), r"Global\.seed \(7, now 8\)"),
    "the batch": (
        lambda c, _: c["Train"]["loader"].update(batch_size_per_card=8),
        r"Train\.loader\.batch_size_per_card \(4, now 8\)",
    ),
    "an augmentation": (
        lambda c, _: c["Train"].update(
            dataset={**c["Train"]["dataset"], "transforms": [{"RecAug": {}}, *c["Train"]["dataset"]["transforms"]]}
        ),
        r"Train\.dataset\.transforms\.0\.RecAug\.\w+ \('nothing', now ",
    ),
    "the network": (
        lambda c, _: c["Architecture"]["Neck"].update(hidden_size=24),
        r"Architecture\.Neck\.hidden_size \(16, now 24\)",
    ),
    "the labels": (change_labels, "the lines of Train"),
    "the pictures": (change_pictures, "the widths of their pictures"),
}


@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES)
def test_what_differs_from_the_checkpoint_is_named_and_refused(change, told: str, run: Path, data, tmp_path: Path):
    config = tiny_config(data)
    change(config, tmp_path)
    if change is CHANGES["one other character"][0]:  # the labels need every digit
        config["Global"]["unknown_characters"] = "drop"
    with pytest.raises(InputError, match=told) as caught:
        resume(run, tmp_path, config)
    assert "--allow-changed" in str(caught.value) and "Global.pretrained_model" in str(caught.value)
    assert (tmp_path / "run" / "config.yml").read_bytes() == (run / "config.yml").read_bytes()


def test_length_rhythm_and_place_may_change(run: Path, data: Path, tmp_path: Path):
    shutil.copytree(data, tmp_path / "moved")
    config = tiny_config(tmp_path / "moved", print_batch_step=3, eval_batch_epoch=2, save_epoch_step=1)
    config["Train"]["loader"]["num_workers"] = 1
    assert resume(run, tmp_path, config).steps == 6


def test_a_resolved_configuration_is_the_same_training_as_the_file_that_it_comes_from(run: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    again = [f"Global.checkpoints={tmp_path / 'run' / 'latest'}", "Global.epoch_num=2"]
    config = load_config(tmp_path / "run" / "config.yml", again)
    assert train(config, tmp_path / "run", progress=False).steps == 6


def test_allowed_changes_are_said_and_a_reordered_dictionary_keeps_what_was_learnt(run, data, tmp_path: Path):
    config = tiny_config(data)
    change_dictionary(config, tmp_path)
    config["Optimizer"]["lr"]["learning_rate"] = 1e-9
    resume(run, tmp_path, config, allow_changed=True)
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "is of another training, which is allowed: Optimizer.lr.learning_rate" in log
    before, after = (read_pdparams(folder / "latest") for folder in (run, tmp_path / "run"))
    rows = [0, *range(10, 0, -1)]
    np.testing.assert_allclose(after["head.fc.weight"], before["head.fc.weight"][:, rows], atol=1e-5)
    moments = [unpickle_arrays(folder / "latest.pdopt") for folder in (run, tmp_path / "run")]
    (old,), (new,) = ([v for k, v in m.items() if "linear" in k and "b_0_moment2" in k] for m in moments)
    np.testing.assert_allclose(np.argsort(new)[-1], rows.index(int(np.argsort(old)[-1])))
    # the weights of the former order are kept beside their dictionary
    former = tmp_path / "run" / "former_1"
    assert (former / "charset.txt").read_text() == (run / "charset.txt").read_text()
    assert (former / "best_accuracy.pdparams").read_bytes() == (run / "best_accuracy.pdparams").read_bytes()


def test_other_characters_are_refused_even_where_changes_are_allowed(run: Path, data: Path, tmp_path: Path):
    config = tiny_config(data, unknown_characters="drop")
    change_dictionary(config, tmp_path, DIGITS[:9] + "x")
    with pytest.raises(InputError, match=r"classes for other characters.*Global\.pretrained_model"):
        resume(run, tmp_path, config, allow_changed=True)


def test_the_command_refuses_another_dictionary_and_has_the_option(run: Path, data: Path, tmp_path: Path, capsys):
    change_dictionary(config := {"Global": {}}, tmp_path)
    shutil.copytree(run, tmp_path / "run")
    options = [f"Global.checkpoints={tmp_path / 'run' / 'latest'}", "Global.epoch_num=99", "Global.use_gpu=false"]
    options += [f"Global.character_dict_path={config['Global']['character_dict_path']}"]
    command = ["train", "-c", str(tmp_path / "run" / "config.yml"), "-o", *options]
    assert main([*command, f"Global.save_model_dir={tmp_path / 'Y'}"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "the dictionary (10 of 10 classes" in told and "--allow-changed" in told


# what an attacker, a full disk or a careless copy makes of an optimiser's file
def emptied(content: dict) -> dict:
    return {}


def only_schedule(content: dict) -> dict:
    return {"LR_Scheduler": content["LR_Scheduler"]}


def half_of_the_moments(content: dict) -> dict:
    return {key: value for i, (key, value) in enumerate(content.items()) if i % 2 or key == "LR_Scheduler"}


def no_second_moments(content: dict) -> dict:
    return {key: value for key, value in content.items() if "moment2" not in key}


def one_parameter_less(content: dict) -> dict:
    first = next(iter(content)).rpartition("_moment1")[0]
    return {key: value for key, value in content.items() if not key.startswith(f"{first}_")}


def another_networks_names(content: dict) -> dict:
    return {key.replace("conv2d", "conv3d"): value for key, value in content.items()}


def no_schedule(content: dict) -> dict:
    return {key: value for key, value in content.items() if key != "LR_Scheduler"}


def with_moment(value: object) -> Callable[[dict], dict]:
    def change(content: dict) -> dict:
        first = next(iter(content))
        return {**content, first: value(content[first]) if callable(value) else value}

    return change


def with_schedule(**values: object) -> Callable[[dict], dict]:
    return lambda content: {**content, "LR_Scheduler": {**content["LR_Scheduler"], **values}}


SPOILT = {
    "empty": (emptied, "has no state of the learning rate's schedule"),
    "only the schedule": (only_schedule, r"lacks (\d+) of the \1 arrays"),
    "half of the moments": (half_of_the_moments, "lacks"),
    "no second moments": (no_second_moments, "moment2 of "),
    "one parameter less": (one_parameter_less, "lacks 4 of"),
    "another network's": (another_networks_names, "does not keep for any parameter"),
    "no schedule": (no_schedule, "has no state of the learning rate's schedule"),
    "a text": (with_moment("weights"), "is no array of numbers"),
    "whole numbers": (with_moment(lambda a: a.astype(np.int64)), "is no array of numbers"),
    "another shape": (with_moment(lambda a: a[..., :1]), "has the shape"),
    "transposed": (with_moment(lambda a: a.T), "has the shape"),
    "not finite": (with_moment(lambda a: a * np.float32("nan")), "not finite"),
    "a schedule before its begin": (with_schedule(last_epoch=-1), "last_epoch of LR_Scheduler is -1"),
    "a schedule of text": (with_schedule(last_epoch="3"), "last_epoch of LR_Scheduler is '3'"),
    "no learning rate": (with_schedule(last_lr=float("nan")), "last_lr of LR_Scheduler is nan"),
    "a list": (lambda content: [1, 2], "holds a list"),
}


@pytest.fixture(scope="module")
def parts(run: Path, data: Path):
    config = load_config(tiny_config(data))
    model = build_model(config)
    return model, build_optimiser(config, model, 1, 3)


@pytest.mark.parametrize("hashed", [True, False], ids=["saved here", "PaddleOCR's"])
@pytest.mark.parametrize(("change", "told"), SPOILT.values(), ids=SPOILT)
def test_an_optimiser_that_does_not_belong_is_refused(change, told: str, hashed: bool, run, parts, tmp_path: Path):
    for suffix in (".pdparams", ".pdopt", ".states"):
        shutil.copy(run / f"latest{suffix}", tmp_path)
    with open(tmp_path / "latest.pdopt", "wb") as file:
        pickle.dump(change(unpickle_arrays(run / "latest.pdopt")), file, protocol=2)
    if not hashed:
        states = unpickle_arrays(run / "latest.states")
        del states["files"]
        (tmp_path / "latest.states").write_bytes(pickle.dumps(states))
    with pytest.raises(InputError, match=r"is not the file that was saved" if hashed else told):
        load_checkpoint(*parts, tmp_path / "latest")


def test_moments_of_half_precisions_master_weights_are_read(run: Path, parts, tmp_path: Path):
    """PaddleOCR's level O2 keeps float32 copies of the weights and names moments after them."""
    for suffix in (".pdparams", ".pdopt"):
        shutil.copy(run / f"latest{suffix}", tmp_path)
    (tmp_path / "latest.states").write_bytes(pickle.dumps({"epoch": 4, "global_step": 12, "best_model_dict": {}}))
    content = unpickle_arrays(run / "latest.pdopt")
    del content["StructuredToParameterName@@"]
    renamed = {key.replace(".w_0_", ".w_0_fp32_master_0_"): value for key, value in content.items()}
    with open(tmp_path / "latest.pdopt", "wb") as file:
        pickle.dump({**renamed, "master_weights": {}}, file, protocol=2)
    assert load_checkpoint(*parts, tmp_path / "latest") == TrainingState(epoch=5, global_step=12)
    assert read_checkpoint(tmp_path / "latest").identity is None


WRONG_STATES = {
    "a number": (3, "holds a int"),
    "a list": ([1], "holds a list"),
    "nothing": ({}, "epoch is None"),
    "no step": ({"epoch": 1}, "global_step is None"),
    "a text": ({"epoch": "x", "global_step": 1}, "epoch is 'x'"),
    "below 0": ({"epoch": -1, "global_step": 1}, "epoch is -1"),
    "not a number": ({"epoch": float("nan"), "global_step": 1}, "epoch is nan"),
    "no whole step": ({"epoch": 1, "global_step": 1.5}, "global_step is 1.5"),
    "a truth": ({"epoch": True, "global_step": 1}, "epoch is True"),
    "a huge number": ({"epoch": 10**400, "global_step": 1}, "epoch is 1000"),
    "progress is none": ({"progress": None}, "progress is None"),
    "progress is a number": ({"progress": 5}, "progress is 5"),
    "progress is a list": ({"progress": [1]}, "progress is"),
    "progress is empty": ({"progress": {}}, "epoch is None"),
    "an unknown key": ({"progress": {"epochs": 1}}, "'epochs', which no training writes"),
    "a key of another kind": ({"progress": {5: 1}}, "5, which no training writes"),
    "a step below 0": ({"progress": {"epoch": 0, "step_in_epoch": -3, "global_step": 1}}, "step_in_epoch is -3"),
    "a score above 1": ({"progress": {"best": 1.5}}, "epoch is None|best is 1.5"),
    "a score of text": ({"progress": {"best": "high"}}, "best is|epoch is None"),
    "scaling": ({"progress": {"loss_scaling": [1]}}, "loss_scaling is|epoch is None"),
}


@pytest.mark.parametrize(("states", "told"), WRONG_STATES.values(), ids=WRONG_STATES)
def test_states_of_any_other_content_are_named(states, told: str, run: Path, tmp_path: Path):
    for suffix in (".pdparams", ".pdopt"):
        shutil.copy(run / f"latest{suffix}", tmp_path)
    (tmp_path / "latest.states").write_bytes(pickle.dumps(states))
    with pytest.raises(InputError, match=told) as caught:
        read_checkpoint(tmp_path / "latest")
    assert "latest.states" in str(caught.value)


def test_each_value_of_our_own_states_is_checked():
    good = {"epoch": 1, "step_in_epoch": 2, "global_step": 8, "evaluations_since_best": 0}
    assert state_from({"progress": good}, "x.states") == TrainingState(epoch=1, step_in_epoch=2, global_step=8)
    for key, value in (
        ("epoch", None), ("step_in_epoch", 1.0), ("global_step", "8"), ("evaluations_since_best", -1), ("best", 1.5),
        ("best", float("inf")), ("best", "0.5"), ("evaluation_pending", 1), ("best_sha256", b"x"),
        ("loss_scaling", [1]), ("loss_scaling", {"scale": "a"}), ("loss_scaling", {1: 1.0}),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"^x\.states: "):
            state_from({"progress": {**good, key: value}}, "x.states")


@pytest.mark.parametrize("identity", [5, {}, {"settings": {}}, {"settings": 1, "characters": [], "data": {}},
                                      {"settings": {}, "characters": [1], "data": {}}])  # fmt: skip
def test_an_identity_of_any_other_content_is_named(identity, run: Path, tmp_path: Path):
    for suffix in (".pdparams", ".pdopt"):
        shutil.copy(run / f"latest{suffix}", tmp_path)
    states = {**unpickle_arrays(run / "latest.states"), "identity": identity}
    (tmp_path / "latest.states").write_bytes(pickle.dumps(states))
    with pytest.raises(InputError, match=r"latest\.states"):
        read_checkpoint(tmp_path / "latest")


def test_a_torn_checkpoint_is_refused_by_the_command(run: Path, data: Path, tmp_path: Path, capsys):
    """A kill once left weights of a later step beside older states, and training went on from both."""
    shutil.copytree(run, tmp_path / "run")
    config = load_config(tiny_config(data))
    model = build_model(config)
    save_checkpoint(model, build_optimiser(config, model, 1, 3), TrainingState(global_step=9), tmp_path / "later")
    for suffix in (".pdparams", ".pdopt"):
        shutil.copy(tmp_path / f"later{suffix}", tmp_path / "run" / f"latest{suffix}")
    options = [f"Global.checkpoints={tmp_path / 'run' / 'latest'}", "Global.epoch_num=2"]
    assert main(["train", "-c", str(tmp_path / "run" / "config.yml"), "-o", *options]) == 2
    assert "latest.pdparams is not the file that was saved with" in capsys.readouterr().err


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(row) for row in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_resumed_trainings_history_repeats_no_step(run: Path, data: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    later = {"kind": "train", "step": 99, "epoch": 9, "loss": 1.0}  # logged after the checkpoint was saved
    with open(tmp_path / "run" / "history.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(later) + '\n{"kind": "tra')  # and a row that a kill has cut
    config = tiny_config(data, epoch_num=2, checkpoints=str(tmp_path / "run" / "latest"))
    train(load_config(config), tmp_path / "run", progress=False)
    steps = [row["step"] for row in rows_of(tmp_path / "run") if row["kind"] == "train"]
    assert steps == [1, 2, 3, 4, 5, 6]
    others = [(row["kind"], row["step"], row.get("reason")) for row in rows_of(tmp_path / "run") if "loss" not in row]
    assert [row for row in others if row[0] != "eval"] == [
        *(("ended", 3, "finished"), ("resumed", 3, None), ("ended", 6, "finished")),
    ]


def test_a_pending_evaluation_is_made_when_training_resumes(data: Path, tmp_path: Path):
    """A kill between a step and its evaluation: the best weights and the history are those of a whole run."""
    whole = tiny_config(data, epoch_num=2, save_epoch_step=1)
    train(load_config(whole), tmp_path / "whole", progress=False)
    (tmp_path / "run").mkdir()
    for suffix in (".pdparams", ".pdopt", ".states"):
        shutil.copy(tmp_path / "whole" / f"iter_epoch_1{suffix}", tmp_path / "run" / f"latest{suffix}")
    for name in ("charset.txt", "config.yml", "history.jsonl"):
        shutil.copy(tmp_path / "whole" / name, tmp_path / "run")
    states = unpickle_arrays(tmp_path / "run" / "latest.states")
    progress = {"epoch": 0, "step_in_epoch": 3, "evaluation_pending": True, "best": -1.0, "best_sha256": ""}
    states["progress"] |= progress
    (tmp_path / "run" / "latest.states").write_bytes(pickle.dumps(states))
    resumed = {**whole, "Global": {**whole["Global"], "checkpoints": str(tmp_path / "run" / "latest")}}
    result = train(load_config(resumed), tmp_path / "run", progress=False)
    for name in ("best_accuracy", "latest"):
        ours, theirs = (read_pdparams(folder / name) for folder in (tmp_path / "run", tmp_path / "whole"))
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs), name
    logged = [
        [row for row in rows_of(tmp_path / name) if row["kind"] in ("train", "eval")] for name in ("run", "whole")
    ]
    kinds = [[(row["kind"], row["step"]) for row in rows] for rows in logged]
    assert kinds[0] == kinds[1] and result.best_score >= 0


def test_best_weights_that_are_not_the_checkpoints_are_not_taken_for_them(run: Path, data: Path, tmp_path: Path):
    shutil.copytree(run, tmp_path / "run")
    model = build_model(load_config(tiny_config(data)))
    paddle.save(model.state_dict(), str(tmp_path / "run" / "best_accuracy.pdparams"))
    config = tiny_config(data, epoch_num=2, checkpoints=str(tmp_path / "run" / "latest"))
    train(load_config(config), tmp_path / "run", progress=False)
    assert "the best score is counted anew" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
