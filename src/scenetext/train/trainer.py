"""The training loop, readable from top to bottom.

One seed decides everything: the weights that training starts from, and the order, augmentation and dropout of step i,
which are drawn from the seed and i. A training that was stopped and resumed therefore ends with the same weights as one
that ran through.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paddle
from paddle import Tensor

from scenetext.config import Config
from scenetext.data.batches import Batch, BatchPlan, load_ahead
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import training_lines, training_sampler
from scenetext.data.sources.images import passed_over_notes
from scenetext.models import build_model
from scenetext.models.device import choose_device, seed_everything
from scenetext.models.targets import Targets
from scenetext.runs.folders import BEST, LATEST
from scenetext.train import parallel
from scenetext.train.checkpoint import start_or_resume
from scenetext.train.checks import check_step, notes_on_lines, notes_on_settings, pixels_per_step
from scenetext.train.interruption import deferred_interrupt
from scenetext.train.log import TrainingLog
from scenetext.train.losses import build_loss, sums_over_lines
from scenetext.train.precision import Precision
from scenetext.train.pretrained import load_pretrained
from scenetext.train.run_folder import save_latest, write_run_folder
from scenetext.train.state import TrainingState
from scenetext.train.validation import Validation

FINISHED, EARLY_STOP, INTERRUPTED = "finished", "early stop", "interrupted"


@dataclass(frozen=True)
class TrainResult:
    """What a training left.

    Attributes:
        folder: the run's folder.
        best: path prefix of the weights with the best score.
        latest: path prefix of the last checkpoint.
        best_score: the main indicator of `best`, in [0, 1]; -1 when nothing was evaluated.
        steps: batches trained in all, those before a resumption included.
        seconds: wall clock of this call.
        lines_per_second: lines trained per second, over this call's steps except the first, which also chooses and
            compiles kernels; nan when there was no other step.
        stopped: why training ended: "finished", "early stop" or "interrupted".
    """

    folder: Path
    best: Path
    latest: Path
    best_score: float
    steps: int
    seconds: float
    lines_per_second: float
    stopped: str


def train(config: Config, folder: str | Path, *, progress: bool = True) -> TrainResult:
    """Trains the network of a config and leaves weights, curves and a manifest in `folder`.

    Args:
        config: loaded by `load_config`.
        folder: the run's folder; a training that is resumed (Global.checkpoints) may use the same one again.
        progress: show a progress bar.

    Raises:
        InputError: unusable data, dictionary or weights, found before the first step.
        RunError: a file could not be written, or the loss is no longer a number.
    """
    started, folder, seed = time.perf_counter(), Path(folder), config.Global.seed
    choose_device(config.Global.use_gpu)
    seed_everything(seed)

    precision = Precision(config)
    model = build_model(config)
    weight_notes, interpolation = load_pretrained(config, model)
    lines = training_lines(config, model, seed, progress and parallel.is_first())
    sampler = training_sampler(config, lines, seed, parallel.world_size())
    step_px = pixels_per_step(config, model)
    line_notes = notes_on_lines(model, lines, sampler, step_px)

    loss_of = build_loss(config)
    epochs, steps_per_epoch = config.Global.epoch_num, len(sampler.plan(0))
    optimiser, state = start_or_resume(config, model, epochs, steps_per_epoch)
    precision.restore(state.loss_scaling)
    validation = Validation(config, model, interpolation, state)
    network = parallel.join_processes(model)
    parallel.check_agreement(config, lines, sampler, validation.records, state.global_step)

    write_run_folder(folder, config, model.charset)
    with TrainingLog(folder, config, epochs * steps_per_epoch, state, progress) as log, deferred_interrupt() as stop:
        log.say(*notes_on_settings(config, state), *precision.notes, *weight_notes, *line_notes)
        log.say(*passed_over_notes(lines.images, validation.images))
        log.pictures(lines)
        stopped = FINISHED
        while state.epoch < epochs and stopped == FINISHED:
            plans = sampler.plan(state.epoch)[:steps_per_epoch]
            model.train()
            for size, weight, batch in log.timed(own_batches(config, lines, plans, state, step_px)):
                images, targets = to_tensors(batch)
                paddle.seed(step_seed(seed, state.global_step))  # of dropout
                losses = loss_of(precision.forward(network, images, targets), targets)  # () float32 by name
                updated = precision.backward_and_step(losses["loss"] * weight, optimiser)
                values = parallel.mean_over_processes({name: float(loss) * weight for name, loss in losses.items()})
                check_step(values["loss"], updated, precision, optimiser, state, log)
                state.count_step()
                log.step(size, **values, **precision.metrics(), lr=optimiser.get_lr())
                optimiser._learning_rate.step()
                out_of_patience = validation.is_due(len(plans)) and validation.run(folder / BEST, log)
                stopped = INTERRUPTED if stop.requested else EARLY_STOP if out_of_patience else FINISHED
                if stopped != FINISHED:
                    break
            state.end_epoch(len(plans))
            save_latest(folder, config, model, optimiser, precision, state)
        if stopped == INTERRUPTED:
            log.say(f"interrupted: resume with -o Global.checkpoints={folder / LATEST}")
    seconds, speed = time.perf_counter() - started, log.lines_per_second_after_first()
    return TrainResult(folder, folder / BEST, folder / LATEST, state.best, state.global_step, seconds, speed, stopped)


def own_batches(
    config: Config, lines: Lines, plans: Sequence[BatchPlan], state: TrainingState, step_px: int
) -> Iterator[tuple[int, float, Batch]]:
    """Yields what this process trains on in the epoch under way, loaded ahead of its use.

    Args:
        config: the configuration.
        lines: the training set.
        plans: of all batches of the epoch; a resumed epoch skips those that have been trained already.
        state: how far training has come.
        step_px: see `pixels_per_step`.

    Yields:
        For each batch: the number of lines of the whole batch, the weight of this process's loss in the mean over all
        processes, and this process's part of the batch.
    """
    plans = plans[state.step_in_epoch :]
    own = [parallel.own_part(plan, sums_over_lines(config)) for plan in plans]
    workers = config.Train.loader.num_workers
    batches = load_ahead(lines, [part for part, _ in own], state.epoch, workers, step_px)
    for plan, (_, weight), batch in zip(plans, own, batches, strict=True):
        yield len(plan.indices), weight, batch


def to_tensors(batch: Batch) -> tuple[Tensor, Targets]:
    """A batch's images, (B, 3, H, W) float32, and its targets, on the device."""
    return paddle.to_tensor(batch.images), Targets(paddle.to_tensor(batch.ids), paddle.to_tensor(batch.lengths))


def step_seed(seed: int, step: int) -> int:
    """The seed of one step's dropout: another one for every step and in every process, the same in a resumed training.

    Args:
        seed: of the training.
        step: batches trained before.
    """
    return (seed * 1_000_003 + step + parallel.rank() * 500_009) % 2**31
