"""Two processes that train together, started as the README says, on one host or two, train like one process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml
from drawn import DIGITS, detector_config, draw_digits, draw_photos, tiny_config

from scenetext.config import load_config
from scenetext.data.batches import BatchPlan, WidthBucketSampler
from scenetext.data.dataset import Lines
from scenetext.errors import InputError
from scenetext.evaluate.detection import evaluate_detector
from scenetext.models import build_model
from scenetext.models.targets import Targets
from scenetext.predict.boxes import Box
from scenetext.predict.trained_model import load_detector
from scenetext.text.charset import Charset
from scenetext.text.photo_labels import read_photo_labels
from scenetext.text.records import RecordTable
from scenetext.train import parallel
from scenetext.train.detection import DetectionTask
from scenetext.train.losses import build_loss, sums_over_lines
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams

STEPS = 20


def steps_of(run: Path) -> list[dict]:
    """The rows of the steps that a training logged."""
    rows = [json.loads(row) for row in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["kind"] == "train"]


LAUNCH = [sys.executable, "-m", "paddle.distributed.launch"]


@pytest.fixture(scope="module")
def config_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel")
    data = draw_digits(folder, 23)  # the last batch of an epoch is short and odd
    config = tiny_config(data, epoch_num=7, log_smooth_window=1, eval_batch_epoch=7)
    config["Train"]["sampler"] = None
    # a plain step: Adam divides by the size of a gradient and makes rounding errors of small ones as large as the rest
    config["Optimizer"] = {"name": "Momentum", "momentum": 0.9, "lr": {"name": "Const", "learning_rate": 1e-4}}
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


def alone(config_path: Path, onednn: bool, rate: float) -> Path:
    """The run of one process."""
    run = config_path.with_name(f"one-{onednn}-{rate}")
    if not run.exists():
        with pytest.MonkeyPatch.context() as patch:
            if not onednn:
                patch.setattr("scenetext.models.kernels.onednn.is_usable", lambda *_: False)
            options = ["Train.loader.batch_size_per_card=8", f"Optimizer.lr.learning_rate={rate}"]
            train(load_config(config_path, options), run, progress=False)
    return run


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


# oneDNN adds up in another order than Paddle's kernels, and twenty steps at a rate of 1e-4 amplify rounding errors a
# thousand times; whether both stay within 1e-4 then depends on the seed. With it the steps are smaller.
@pytest.mark.parametrize(
    ("hosts", "onednn", "rate"),
    [(1, False, 1e-4), (1, True, 2e-5), pytest.param(2, False, 1e-4, marks=pytest.mark.long)],
)
def test_two_processes_train_like_one(hosts: int, onednn: bool, rate: float, config_path: Path, tmp_path: Path) -> None:
    launch = [[*LAUNCH, "--nproc_per_node", "2", "--backend", "gloo"]]
    if hosts == 2:
        master = f"127.0.0.1:{free_port()}"
        launch = [[*LAUNCH, "--nnodes", "2", "--master", master, "--rank", str(host)] for host in (0, 1)]
    scenetext = [Path(sys.executable).with_name("scenetext"), "train", "-c", config_path]
    options = ["-o", f"Global.save_model_dir={tmp_path / 'two'}", "Train.loader.batch_size_per_card=4"]
    options.append(f"Optimizer.lr.learning_rate={rate}")
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PADDLE_DISTRI_BACKEND": "gloo", "SCENETEXT_ONEDNN": str(int(onednn))}
    launched = [
        subprocess.Popen(
            [*command, "--log_dir", tmp_path / f"log{host}", *scenetext, *options],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for host, command in enumerate(launch)
    ]
    try:
        told = [process.communicate(timeout=300)[0] for process in launched]
    finally:
        for process in launched:
            process.kill()
    assert [process.returncode for process in launched] == [0] * hosts, "\n".join(told)
    single = alone(config_path, onednn, rate)
    two, one = steps_of(tmp_path / "two"), steps_of(single)
    assert [row["step"] for row in two] == [row["step"] for row in one] and len(one) >= STEPS
    np.testing.assert_allclose([row["loss"] for row in two[:STEPS]], [row["loss"] for row in one[:STEPS]], rtol=1e-4)
    together, apart = (read_pdparams(run / "latest") for run in (tmp_path / "two", single))
    for key in (key for key in apart if key.endswith(("_mean", "_variance"))):
        np.testing.assert_allclose(together[key], apart[key], rtol=1e-3, atol=1e-3, err_msg=key)


@pytest.mark.long
def test_two_processes_train_a_detector_and_share_its_evaluation(tmp_path: Path) -> None:
    photos = draw_photos(tmp_path / "photos", 7)
    (tmp_path / "config.yml").write_text(yaml.safe_dump(detector_config(photos)), encoding="utf-8")
    command = [*LAUNCH, "--nproc_per_node", "2", "--backend", "gloo", "--log_dir", tmp_path / "log"]
    command += [Path(sys.executable).with_name("scenetext"), "train", "-c", tmp_path / "config.yml"]
    command += ["-o", f"Global.save_model_dir={tmp_path / 'two'}", "Train.loader.batch_size_per_card=2"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, timeout=600, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    one = train(load_config(tmp_path / "config.yml"), tmp_path / "one", progress=False)
    two, single = steps_of(tmp_path / "two"), steps_of(one.folder)
    assert [row["step"] for row in two] == [row["step"] for row in single] == [1, 2, 3, 4]
    assert two[0]["loss"] == pytest.approx(single[0]["loss"], rel=0.05)  # each process has a Dice of its own
    scored = load_config(tmp_path / "two" / "config.yml"), tmp_path / "two" / "latest"
    whole = evaluate_detector(load_detector(*scored), read_photo_labels(photos / "label.txt"), photos, progress=False)
    rows = [json.loads(row) for row in (tmp_path / "two" / "history.jsonl").read_text().splitlines()]
    assert [row["hmean"] for row in rows if row["kind"] == "eval"][-1] == whole.counts.hmean


def test_a_detectors_evaluation_adds_up_what_the_processes_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = draw_photos(tmp_path / "photos", 3)
    config = load_config(detector_config(photos))
    task = DetectionTask(config, build_model(config), False)
    monkeypatch.setattr(task, "detector", lambda image: [Box(np.array([[0, 0], [90, 0], [90, 90], [0, 90]]), 1.0)])
    whole, sent = task.evaluate(), []
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    for rank in (0, 1):
        monkeypatch.setenv("PADDLE_TRAINER_ID", str(rank))
        monkeypatch.setattr(paddle.distributed, "all_reduce", lambda tensor: sent.append(tensor.clone()))
        task.evaluate()
    assert [tensor[1] for tensor in sent] == [2, 1]  # boxes, one on each photo
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda tensor: paddle.assign(sent[0] + sent[1], tensor))
    assert task.evaluate() == whole
    broken = paddle.to_tensor([0, 0, 0, 1])
    monkeypatch.setattr(paddle.distributed, "all_reduce", lambda tensor: paddle.assign(broken, tensor))
    with pytest.raises(InputError, match="Another process cannot read a photo"):
        task.evaluate()


@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize(("lines", "size"), [(8, 2), (7, 2), (7, 3), (2, 3), (1, 4)])
def test_parts_of_a_batch_make_up_the_batch(
    lines: int, size: int, summed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = BatchPlan(np.arange(lines) + 5, 32, 100)
    values = np.random.default_rng(0).random(lines + 5)
    loss = np.sum if summed else np.mean
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", str(size))
    seen, total = [], 0.0
    for rank in range(size):
        monkeypatch.setenv("PADDLE_TRAINER_ID", str(rank))
        part, weight = parallel.own_part(plan, summed)
        assert (part.height_px, part.width_px) == (32, 100) and len(part.indices)
        seen += list(part.indices) if weight else []
        total += weight * loss(values[part.indices]) / size
    assert sorted(seen) == list(plan.indices)
    assert total == pytest.approx(loss(values[plan.indices]))


@pytest.mark.parametrize(("config", "summed"), [("rare_mv3", True), ("crnn_mobile", False), ("svtrv2_gtc", False)])
def test_sums_over_lines_says_whether_a_loss_is_a_sum_or_a_mean(config: str, summed: bool, root: Path) -> None:
    config = load_config(root / "configs" / f"{config}.yml")
    rng = np.random.default_rng(0)
    heads = {"attention": (12, 9), "ctc": (12, 9), "nrtr": (6, 12)}  # steps and classes
    once = {name: rng.normal(size=(3, *shape)).astype(np.float32) for name, shape in heads.items()}
    values = []
    for times in (1, 2):  # the same lines once and twice
        outputs = {name: paddle.to_tensor(np.tile(array, (times, 1, 1))) for name, array in once.items()}
        ids = paddle.to_tensor(np.tile(np.int32([[1, 3, 2, 4, 1]]), (3 * times, 1)))
        targets = Targets(ids, paddle.full([3 * times], 5, "int64"))
        values.append(float(build_loss(config)(outputs, targets)["loss"]))
    assert sums_over_lines(config) is summed
    assert values[1] == pytest.approx(values[0] * (2 if summed else 1), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: None, None),
        (lambda c: c["config"]["Train"]["dataset"].update(data_dir="/elsewhere"), None),  # another host's paths
        (lambda c: c["config"]["Global"].update(save_model_dir="/elsewhere"), None),
        (lambda c: c["config"]["Optimizer"]["lr"].update(learning_rate=1e-3), "differ in Optimizer:"),
        (lambda c: c["config"]["Train"]["loader"].update(batch_size_per_card=5), "differ in Train:"),
        (lambda c: c.update(texts=["1", "3"]), "differ in the lines of Train, the lines of Eval:"),
        (lambda c: c.update(widths=[40, 41]), "differ in the widths of their pictures:"),
        (lambda c: c.update(characters="0123"), "differ in the dictionary:"),
        (lambda c: c.update(step=8), "differ in the step of the checkpoint:"),
    ],
)
def test_processes_that_would_not_train_the_same_are_refused_and_the_difference_named(
    change, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes, the second one's view: `all_reduce` gives it what the first one has."""
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    of_first: list[paddle.Tensor] = []

    def check(case: dict, all_reduce) -> None:
        monkeypatch.setattr(paddle.distributed, "all_reduce", all_reduce)
        records = RecordTable.of_pairs(zip("ab", case["texts"], strict=True), lambda name, number: name)
        lines = Lines(records, None, Charset(tuple(case["characters"])), 32, 100)
        sampler = WidthBucketSampler(np.array(case["widths"]), 32, 4000, True, 0)
        parallel.check_agreement(load_config(case["config"]), lines, sampler, records, case["step"])

    def case() -> dict:
        config = tiny_config(Path("data"))
        return {"config": config, "texts": ["1", "2"], "widths": [40, 40], "characters": DIGITS, "step": 7}

    def reduced(tensor: paddle.Tensor, op) -> None:
        choose = {paddle.distributed.ReduceOp.MIN: paddle.minimum, paddle.distributed.ReduceOp.MAX: paddle.maximum}
        paddle.assign(choose[op](tensor, of_first[0]), tensor)

    check(case(), lambda tensor, op: of_first.append(tensor.clone()))
    other = case()
    change(other)
    if told is None:
        check(other, reduced)
    else:
        with pytest.raises(InputError, match=told):
            check(other, reduced)
