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
from typing import Any, NamedTuple

import paddle

from scenetext.config import Config
from scenetext.data.batches import BatchPlan
from scenetext.data.sources.images import passed_over_notes
from scenetext.errors import RunError
from scenetext.models import build_model
from scenetext.models.device import choose_device, seed_everything
from scenetext.runs.folders import BEST, LATEST
from scenetext.runs.history import FAILED
from scenetext.train import parallel
from scenetext.train.checkpoint import find_checkpoint, start_average, start_or_resume
from scenetext.train.checks import notes_on_resumption, notes_on_settings, problem_of_step
from scenetext.train.detection import DetectionTask
from scenetext.train.divergence import last_checkpoint, save_batch
from scenetext.train.identity import Identity
from scenetext.train.interruption import Interrupt, deferred_interrupt
from scenetext.train.log import TrainingLog
from scenetext.train.precision import Precision
from scenetext.train.pretrained import load_pretrained
from scenetext.train.recognition import RecognitionTask
from scenetext.train.run_folder import RunFolder, only_training
from scenetext.train.state import TrainingState
from scenetext.train.task import Task
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
        lines_per_second: lines, or photos, trained per second, over this call's steps except the first, which also
            chooses and compiles kernels; nan when there was no other step.
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


def train(config: Config, folder: str | Path, *, progress: bool = True, allow_changed: bool = False) -> TrainResult:
    """Trains the network of a config and leaves weights, curves and a manifest in `folder`.

    A training that is resumed (Global.checkpoints) may use the same folder again. The files of another training that
    are in the folder move to `former_1` inside it, once this training has weights of its own to save.

    Args:
        config: loaded by `load_config`.
        folder: the run's folder.
        progress: show a progress bar.
        allow_changed: resume a checkpoint whose settings, dictionary or data differ from this training's.

    Raises:
        InputError: unusable data, dictionary or weights, found before the first step; or a picture that turned out to
            be broken inside, after the latest checkpoint has been saved.
        RunError: another process trains into the folder, a file could not be written, or training has diverged.
    """
    with only_training(Path(folder)):
        return _Training(config, Path(folder), progress, allow_changed).run()


class _Training:
    """One call of `train`: everything is made and checked when it is constructed, and `run` trains.

    Args:
        config, folder, progress, allow_changed: see `train`.
    """

    def __init__(self, config: Config, folder: Path, progress: bool, allow_changed: bool):
        self.started, self.config, self.folder, seed = time.perf_counter(), config, folder, config.Global.seed
        self.progress = progress
        choose_device(config.Global.use_gpu)
        seed_everything(seed)

        self.precision = Precision(config)
        self.model = build_model(config)
        weight_notes, interpolation = load_pretrained(config, self.model)
        shows = progress and parallel.is_first()
        task_of = DetectionTask if config.Architecture.model_type == "det" else RecognitionTask
        self.task: Task = task_of(config, self.model, shows)
        self.sampler = self.task.sampler

        resumed = find_checkpoint(config)
        self.state = resumed.state if resumed else TrainingState()
        data = (self.task.samples, self.sampler, self.task.evaluation)
        identity = Identity.of(config, *data)
        changes = notes_on_resumption(resumed, identity, allow_changed)
        self.epochs, self.steps_per_epoch = config.Global.epoch_num, len(self.sampler.plan(0))
        self.optimiser = start_or_resume(config, self.model, self.epochs, self.steps_per_epoch, resumed)
        self.average = start_average(self.model, config.Global, resumed)
        self.validation = Validation(config, self.model, self.task, self.average, interpolation, self.state)
        self.precision.restore(self.state.loss_scaling)
        self.network = parallel.join_processes(self.model)
        parallel.check_agreement(config, *data, self.state.global_step)

        self.files = RunFolder(folder, config, self.model.charset, identity, resumed, self.state)
        settings = notes_on_settings(config, self.state, self.steps_per_epoch)
        self.notes = [*settings, *changes, *self.files.notes, *self.precision.notes, *weight_notes, *self.task.notes]
        self.is_between_steps = True  # and not inside one, where weights and statistics may be half changed

    def run(self) -> TrainResult:
        """Trains to the end, or until something stops it."""
        first_step, total = self.state.global_step, self.epochs * self.steps_per_epoch
        samples = self.task.samples
        with TrainingLog(self.files, self.config, total, self.state, self.progress, self.task.unit) as log:
            log.say(*self.notes, *passed_over_notes(samples.images, self.task.evaluation_images))
            log.pictures(samples)
            if self.config.Global.checkpoints:
                log.resumed()
            try:
                with deferred_interrupt() as stop:
                    stopped = self._train(log, stop)
            except BaseException as error:
                # a RunError is of a file that could not be written, or of weights that must not be saved
                has_news = self.is_between_steps and self.state.global_step > first_step
                if has_news and not isinstance(error, RunError):
                    self._save_for_resumption(log)
                log.ended(INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED, str(error))
                raise
            log.ended(stopped)
            if stopped == INTERRUPTED:
                log.say(f"interrupted: resume with -o Global.checkpoints={self.folder / LATEST}")
        seconds, speed = time.perf_counter() - self.started, log.lines_per_second_after_first()
        best, latest, state = self.folder / BEST, self.folder / LATEST, self.state
        return TrainResult(self.folder, best, latest, state.best, state.global_step, seconds, speed, stopped)

    def _train(self, log: TrainingLog, stop: Interrupt) -> str:
        """Trains epoch by epoch; returns why it stopped."""
        state, stopped = self.state, FINISHED
        while state.epoch < self.epochs and stopped == FINISHED:
            plans = self.sampler.plan(state.epoch)[: self.steps_per_epoch]
            if state.evaluation_pending:  # a kill came between a step and its evaluation
                stopped = self._evaluate(log)
            self.model.train()
            batches = own_batches(self.config, self.task, plans, state) if stopped == FINISHED else ()
            for batch in log.timed(batches):
                self._step(batch, len(plans), log)
                if state.evaluation_pending:
                    self._save_latest()
                    stopped = self._evaluate(log)
                stopped = INTERRUPTED if stop.requested else stopped
                if stopped != FINISHED:
                    break
            state.end_epoch(len(plans))
            if state.step_in_epoch == 0 and state.epoch % self.config.Global.save_epoch_step == 0:
                self.files.save_numbered(self.model, self.optimiser, self.precision, self.average)
            self._save_latest()
        return stopped

    def _step(self, own: OwnBatch, steps_in_epoch: int, log: TrainingLog) -> None:
        """Trains on one batch; the state then says whether an evaluation is due, also if the log cannot be written."""
        state, optimiser, precision = self.state, self.optimiser, self.precision
        self.is_between_steps = False
        inputs, targets = self.task.to_tensors(own.batch)
        paddle.seed(step_seed(self.config.Global.seed, state.global_step))  # of dropout
        losses = self.task.losses(precision.forward(self.network, *inputs), targets)  # () float32 by name
        updated = precision.backward_and_step(losses["loss"] * own.weight, optimiser)
        values = parallel.mean_over_processes({name: float(loss) * own.weight for name, loss in losses.items()})
        problem = problem_of_step(values["loss"], updated, precision)
        if problem:
            raise self._failure(problem, own)
        state.count_step()
        self.average.update(state.global_step)
        state.evaluation_pending = self.validation.is_due(steps_in_epoch)
        rate = optimiser.get_lr()
        optimiser._learning_rate.step()
        self.is_between_steps = True
        if not updated:
            scale = precision.metrics()["loss_scale"]
            log.say(
                f"step {state.global_step} left out: its gradient is beyond float16; the loss scale is now {scale:g}"
            )
        log.step(own.size, **values, **precision.metrics(), lr=rate)

    def _evaluate(self, log: TrainingLog) -> str:
        """Scores the network; returns "early stop" when it is time for it."""
        is_over = self.validation.run(self.files, log)
        self.state.evaluation_pending = False
        return EARLY_STOP if is_over else FINISHED

    def _save_latest(self) -> None:
        self.files.save_latest(self.model, self.optimiser, self.precision, self.average)

    def _save_for_resumption(self, log: TrainingLog) -> None:
        """Saves the latest checkpoint before an error ends training; the error is raised in any case."""
        try:
            self._save_latest()
        except RunError as error:  # said, because the first error matters more
            log.say(f"No checkpoint was saved either: {error}")
        else:
            log.say(f"stopped by an error: resume with -o Global.checkpoints={self.folder / LATEST}")

    def _failure(self, problem: str, own: OwnBatch) -> RunError:
        """The error for a step after which training cannot continue; its batch is kept."""
        step = self.state.global_step + 1
        try:
            kept = save_batch(self.folder, self.task.samples, own.plan, own.batch, step, self.task.unit)
        except (OSError, RunError) as error:
            kept = f"the batch was not saved ({str(error).rstrip('.')})"
        return RunError(
            f"{problem} at step {step}: lower Optimizer.lr.learning_rate (now {self.optimiser.get_lr():.1e}), or look "
            f"at its {self.task.unit}s: {kept}; {last_checkpoint(self.folder / LATEST)}."
        )


class OwnBatch(NamedTuple):
    """What this process trains on in one step.

    Attributes:
        size: samples in the whole batch.
        weight: of this process's loss in the mean over all processes.
        plan: this process's samples of the batch.
        batch: their arrays.
    """

    size: int
    weight: float
    plan: BatchPlan
    batch: Any


def own_batches(config: Config, task: Task, plans: Sequence[BatchPlan], state: TrainingState) -> Iterator[OwnBatch]:
    """Yields what this process trains on in the epoch under way, loaded ahead of its use.

    Args:
        config: the configuration.
        task: has the training set.
        plans: of all batches of the epoch; a resumed epoch skips those that have been trained already.
        state: how far training has come.
    """
    plans = plans[state.step_in_epoch :]
    own = [parallel.own_part(plan, task.sums_over_samples) for plan in plans]
    batches = task.load_ahead([part for part, _ in own], state.epoch, config.Train.loader.num_workers)
    for plan, (part, weight), batch in zip(plans, own, batches, strict=True):
        yield OwnBatch(len(plan.indices), weight, part, batch)


def step_seed(seed: int, step: int) -> int:
    """The seed of one step's dropout: another one for every step and in every process, the same in a resumed training.

    Args:
        seed: of the training.
        step: batches trained before.
    """
    return (seed * 1_000_003 + step + parallel.rank() * 500_009) % 2**31
