"""The training loop, readable from top to bottom.

One seed decides everything: weights, order, augmentation and dropout of step i are drawn from the seed and i, so a
training that was stopped and resumed ends with the same weights as one that ran through.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle

from scenetext.config import Config, write_config
from scenetext.data.batches import Batch, ctc_steps, load_ahead
from scenetext.data.pipeline import canvas_of, evaluation_lines, training_lines, training_sampler
from scenetext.data.transforms import decode_image
from scenetext.evaluate.metrics import Scores, score
from scenetext.models import build_model
from scenetext.models.completion import complete_architecture
from scenetext.models.device import choose_device, seed_everything
from scenetext.models.targets import Targets
from scenetext.predict.model_reader import ModelReader
from scenetext.runs.folders import BEST, LATEST
from scenetext.runs.manifest import write_manifest
from scenetext.train import parallel
from scenetext.train.checkpoint import Progress, _is_fused_checkpoint, load_checkpoint, save_checkpoint, save_weights
from scenetext.train.interruption import Interruption
from scenetext.train.log import TrainingLog
from scenetext.train.losses import adds_up_lines, build_loss
from scenetext.train.optimiser import build_optimiser
from scenetext.train.precision import Precision
from scenetext.train.pretrained import load_pretrained
from scenetext.train.weight_interpolation import WeightInterpolation
from scenetext.weights.sources import DICTIONARY_BESIDE_WEIGHTS

EVALUATED_AT_ONCE = 512  # pictures held in memory while evaluating
PICTURES_SHOWN = 8


@dataclass(frozen=True)
class TrainResult:
    """What a training left.

    Attributes:
        folder: the run's folder.
        best: path prefix of the weights with the best score.
        latest: path prefix of the last checkpoint.
        best_score: the main indicator of `best`, in [0, 1]; -1 when nothing was evaluated.
        steps: batches trained in all, resumed ones included.
        seconds: wall clock of this call.
        stopped: why training ended: "finished", "early stop" or "interrupted".
    """

    folder: Path
    best: Path
    latest: Path
    best_score: float
    steps: int
    seconds: float
    stopped: str


def train(config: Config, folder: str | Path, *, progress: bool = True) -> TrainResult:
    """Trains the network of a config and leaves weights, curves and a manifest in `folder`.

    Args:
        config: loaded by `load_config`.
        folder: the run's folder; a training that goes on (Global.checkpoints) may use the same one again.
        progress: show a progress bar.

    Raises:
        InputError: unusable data, dictionary or weights, found before the first step.
        RunError: a file could not be written, or the loss is no longer a number.
    """
    return Trainer(config, Path(folder), progress).run()


class Trainer:
    """One training: what `train` does, in steps."""

    def __init__(self, config: Config, folder: Path, progress: bool):
        self.config = config
        self.folder = folder
        self.is_first = parallel.rank() == 0
        self.seed = config.Global.seed
        self.epochs = config.Global.epoch_num
        choose_device(config.Global.use_gpu)
        seed_everything(self.seed)
        self.precision = Precision(config)
        self.model = build_model(config)
        self.progress = Progress()
        self.notes = [f"known to PaddleOCR, without meaning here: {key}" for key in config.ignored]
        self.notes += self.precision.notes
        notes, share = load_pretrained(config, self.model)
        self.notes += notes
        self.blend = WeightInterpolation(self.model, share)
        self.lines = training_lines(config, self.model, self.seed, progress and self.is_first)
        self.sampler = training_sampler(config, self.lines, self.seed, parallel.world_size())
        self.eval_records, self.eval_images = evaluation_lines(config)
        self.reader = ModelReader(self.model, canvas_of(config, self.model.input_size))
        self.steps_per_epoch = len(self.sampler.plan(0))
        self.step_px = self._pixels_per_step()
        self._note_unteachable()
        self.loss = build_loss(config)
        self._prepare_optimiser()
        self.stopped = "finished"
        self.show_bar = progress

    def run(self) -> TrainResult:
        """Trains to the end, to an early stop, or to Ctrl-C."""
        start = time.perf_counter()
        self._prepare_folder()
        total = self.epochs * self.steps_per_epoch
        window = self.config.Global.log_smooth_window
        visualdl = self.config.Global.use_visualdl
        folder = self.folder if self.is_first else None
        self.log = TrainingLog(folder, total, self.progress.global_step, window, visualdl, self.show_bar)
        try:
            for note in self.notes:
                self.log.say(note)
            self._show_pictures()
            with Interruption().watch() as interruption:
                while self.progress.epoch < self.epochs and self.stopped == "finished":
                    self._epoch(interruption)
            if self.stopped == "interrupted":
                self.log.say(f"interrupted: go on with -o Global.checkpoints={self.folder / LATEST}")
        finally:
            self.log.close()
        return TrainResult(
            self.folder,
            self.folder / BEST,
            self.folder / LATEST,
            self.progress.best,
            self.progress.global_step,
            time.perf_counter() - start,
            self.stopped,
        )

    def _epoch(self, interruption: Interruption) -> None:
        progress = self.progress
        plans = self.sampler.plan(progress.epoch)[: self.steps_per_epoch]
        coming = plans[progress.step_in_epoch :]
        added_up = adds_up_lines(self.config)
        own = [parallel.own_part(plan, added_up) for plan in coming]
        parts, weights = zip(*own, strict=True) if own else ((), ())
        workers = self.config.Train.loader.num_workers
        batches = load_ahead(self.lines, parts, progress.epoch, workers, self.step_px)
        self.model.train()
        asked = time.perf_counter()
        for plan, weight, batch in zip(coming, weights, batches, strict=True):
            got = time.perf_counter()
            losses = self._step(batch, weight)
            done = time.perf_counter()
            progress.global_step += 1
            progress.step_in_epoch += 1
            lr = self.optimiser.get_lr()
            self.log.step(**losses, lr=lr, lines=len(plan.indices), seconds=done - asked, reader_seconds=got - asked)
            self.optimiser._learning_rate.step()
            if progress.global_step % self.config.Global.print_batch_step == 0:
                self._write_step()
            last = progress.step_in_epoch == len(plans)
            if self._evaluation_due(last):
                self._evaluate()
            if interruption.requested or self.stopped != "finished":
                break
            asked = time.perf_counter()
        if progress.step_in_epoch >= len(plans):
            progress.epoch += 1
            progress.step_in_epoch = 0
        if interruption.requested:
            self.stopped = "interrupted"
        self._save_latest()

    def _step(self, batch: Batch, weight: float) -> dict[str, float]:
        """Trains on one batch, or this process's part of it, which counts so much in the mean over all processes.

        Returns:
            The whole batch's loss and, where it is a sum, its parts by name; with float16 also the loss scale.
        """
        # dropout of this very step, another in every process
        paddle.seed((self.seed * 1_000_003 + self.progress.global_step + parallel.rank() * 500_009) % 2**31)
        targets = Targets(paddle.to_tensor(batch.ids), paddle.to_tensor(batch.lengths))
        losses = self.loss(self.precision.outputs(self.trained, paddle.to_tensor(batch.images), targets), targets)
        learnt = self.precision.learn(losses["loss"] * weight, self.optimiser)
        values = parallel.mean_over_processes({name: float(value) * weight for name, value in losses.items()})
        if learnt and not np.isfinite(values["loss"]):
            raise self._diverged(f"The loss became {values['loss']}")
        if not learnt:
            self._note_left_out()
        return values | self.precision.figures()

    def _note_left_out(self) -> None:
        """Says that the step changed no weight, which float16 may do now and then, or that this is all it does."""
        if self.precision.failure:
            raise self._diverged(self.precision.failure)
        scale = self.precision.figures()["loss_scale"]
        step = self.progress.global_step + 1
        self.log.say(f"step {step} left out: its gradient is beyond float16; the loss scale is now {scale:g}")

    def _diverged(self, what: str):
        from scenetext.errors import RunError

        return RunError(
            f"{what} at step {self.progress.global_step}: lower Optimizer.lr.learning_rate "
            f"(now {self.optimiser.get_lr():.1e}); the last good weights are {self.folder / LATEST}.pdparams."
        )

    def _evaluation_due(self, last_of_epoch: bool) -> bool:
        epochs = self.config.Global.eval_batch_epoch
        if epochs:
            final = self.progress.epoch + 1 == self.epochs
            return last_of_epoch and ((self.progress.epoch + 1) % epochs == 0 or final)
        interval = self.config.Global.eval_batch_step
        start, every = interval if isinstance(interval, (list, tuple)) else (0, interval)
        step = self.progress.global_step
        return step > start and (step - start) % every == 0

    def _evaluate(self) -> None:
        """Scores the network on the Eval section; every process does, so that all stop alike."""
        started = time.perf_counter()
        progress = self.progress
        with self.blend.applied():
            scores, indicator = self.evaluate()
            better = indicator >= progress.best
            if better and self.is_first:
                save_weights(self.model, self.folder / BEST)
        progress.evaluations_since_best = 0 if better else progress.evaluations_since_best + 1
        progress.best = max(progress.best, indicator)
        self.log.write(
            "eval",
            progress.global_step,
            epoch=progress.epoch + 1,
            raw=scores.raw.value,
            normalised=scores.normalised.value,
            one_minus_ned=scores.one_minus_ned.value,
            best=progress.best,
            seconds=time.perf_counter() - started,
        )
        self.log.say(
            f"epoch {progress.epoch + 1}/{self.epochs} step {progress.global_step}: raw {scores.raw.value:.4f} "
            f"normalised {scores.normalised.value:.4f} 1-NED {scores.one_minus_ned.value:.4f} "
            f"loss {self.log.smoothed()['loss']:.3f} {self.log.lines_per_second():.1f} lines/s"
            f"{' (best)' if better else ''}"
        )
        patience = self.config.Global.early_stop_evals
        if patience and progress.evaluations_since_best >= patience:
            self.stopped = "early stop"

    def evaluate(self) -> tuple[Scores, float]:
        """Scores on the Eval section and the main indicator among them, in [0, 1]."""
        texts: list[str] = []
        for start in range(0, len(self.eval_records), EVALUATED_AT_ONCE):
            part = self.eval_records[start : start + EVALUATED_AT_ONCE]
            pictures = [decode_image(self.eval_images.read(r.name), f"{r.name} ({r.place})") for r in part]
            texts += [text for text, _ in self.reader(pictures)]
        scores = score(texts, [record.text for record in self.eval_records])
        by_distance = self.config.Metric.main_indicator == "norm_edit_dis"
        return scores, scores.one_minus_ned.value if by_distance else scores.normalised.value

    def _write_step(self) -> None:
        smooth = self.log.smoothed()
        timing = {"lines", "seconds", "reader_seconds"}
        self.log.write(
            "train",
            self.progress.global_step,
            epoch=self.progress.epoch + 1,
            **{name: value for name, value in smooth.items() if name not in timing},  # losses and lr
            lines_per_second=self.log.lines_per_second(),
            reader_share=self.log.reader_share(),
        )

    def _save_latest(self) -> None:
        if not self.is_first:
            return
        self.progress.loss_scaling = self.precision.state()
        save_checkpoint(self.model, self.optimiser, self.progress, self.folder / LATEST)
        epoch = self.progress.epoch
        if self.progress.step_in_epoch == 0 and epoch % self.config.Global.save_epoch_step == 0:
            save_checkpoint(self.model, self.optimiser, self.progress, self.folder / f"iter_epoch_{epoch}")

    def _prepare_optimiser(self) -> None:
        checkpoint = self.config.Global.checkpoints
        if checkpoint and _is_fused_checkpoint(checkpoint):
            self.model.fuse()
        self.optimiser = build_optimiser(self.config, self.model, self.epochs, self.steps_per_epoch)
        if checkpoint:
            self.progress = load_checkpoint(self.model, self.optimiser, checkpoint)
            self.precision.restore(self.progress.loss_scaling)
            self.notes.append(f"goes on from {checkpoint} at step {self.progress.global_step}")
        self.trained = parallel.join_processes(self.model)
        parallel.check_agreement(self.config, self.lines, self.sampler, self.eval_records, self.progress.global_step)

    def _prepare_folder(self) -> None:
        if not self.is_first:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        config = complete_architecture(self.config)
        write_config(config, self.folder / "config.yml")
        self.model.charset.write(self.folder / DICTIONARY_BESIDE_WEIGHTS)
        files = [self.folder / DICTIONARY_BESIDE_WEIGHTS]
        for section in ("Train", "Eval"):
            files += getattr(self.config, section).dataset.label_files
        write_manifest(self.folder, config, files)

    def _show_pictures(self) -> None:
        if self.is_first:
            shown = range(min(PICTURES_SHOWN, len(self.lines)))
            self.log.pictures([self.lines.load(i, self.progress.epoch)[0] for i in shown], self.progress.global_step)

    def _note_unteachable(self) -> None:
        """Says which lines teach nothing: nothing fails silently."""
        if self.lines.too_long:
            first = self.lines.too_long[0]
            by_network = self.lines.longest_label == self.model.longest_label
            limit = "that the network can say" if by_network else "of Global.max_text_length"
            self.notes.append(
                f"left out: {len(self.lines.too_long)} lines longer than the {self.lines.longest_label} characters "
                f"{limit}, the first {first.name} ({first.place})"
            )
        width_px = self.sampler.plan(0)[0].width_px
        if width_px is None or self.model.decoding != "ctc":
            return
        steps = width_px // self.step_px
        short = [i for i, ids in enumerate(self.lines.ids) if ctc_steps(ids) > steps]
        if short:
            first = self.lines.records[short[0]]
            self.notes.append(
                f"{len(short)} lines need more than the {steps} time steps of a canvas of {width_px} pixels and teach "
                f"nothing, the first {first.name} ({first.place}): widen image_shape or use WidthBucketSampler"
            )

    def _pixels_per_step(self) -> int:
        """Pixels of width per time step of CTC, found by running the network once; other decoders need no width."""
        if self.model.decoding != "ctc":
            return 1
        canvas = canvas_of(self.config, self.model.input_size, "Train")
        channels, height, width = 3, canvas.height_px, canvas.width_px
        was_training = self.model.training
        self.model.eval()
        with paddle.no_grad():
            steps = self.model(paddle.zeros([1, channels, height, width])).shape[1]
        if was_training:
            self.model.train()
        return max(1, width // steps)
