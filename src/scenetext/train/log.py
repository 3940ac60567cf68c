"""What a training shows and leaves behind: a progress bar, `train.log`, `history.jsonl` and VisualDL's charts."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from types import TracebackType
from typing import TypeVar

import numpy as np
from tqdm.auto import tqdm

from scenetext.config import Config
from scenetext.data.sources.images import ImageSource
from scenetext.data.transforms import decode_image
from scenetext.errors import RunError
from scenetext.predict.images import Prediction
from scenetext.runs.history import ENDED, RESUMED, SCORED, TRAINED, read_history
from scenetext.system.files import writing
from scenetext.text.normalise import normalise_for_score
from scenetext.text.records import Record
from scenetext.train import parallel
from scenetext.train.curves import Curves
from scenetext.train.run_folder import CURVES, RunFolder
from scenetext.train.state import TrainingState
from scenetext.train.task import EvaluationResult, Samples

PICTURES_SHOWN = 8
GREY = 128  # right of the narrower ones
TIMING = ("lines", "seconds", "reader_seconds")  # of a step; history.jsonl has the rates computed from them

Item = TypeVar("Item")


class TrainingLog:
    """Collects the metrics of a training; the values shown are medians over the last `Global.log_smooth_window` steps.

    Only the first of several processes shows and writes anything. The log is a context manager, which ends the bar and
    closes the files.

    Args:
        files: the run's.
        config: the configuration.
        total_steps: of the whole training.
        state: how far training has come; every row says so.
        progress: show the bar.
        unit: what a sample is called.
    """

    def __init__(
        self,
        files: RunFolder,
        config: Config,
        total_steps: int,
        state: TrainingState,
        progress: bool,
        unit: str = "line",
    ):
        self.files = files
        self.unit = unit
        self.state = state
        self.writes = parallel.is_first()
        self.epochs = config.Global.epoch_num
        self.steps_between_rows = config.Global.print_batch_step
        self.window = config.Global.log_smooth_window
        self.recent: dict[str, deque[float]] = {}
        self.asked_s = self.got_s = 0.0  # when the loop asked for the batch under way, and when it got it
        self.steps = 0  # of this call
        self.lines_after_first, self.seconds_after_first = 0, 0.0
        self.bar = tqdm(
            total=total_steps,
            initial=state.global_step,
            unit="step",
            desc="train",
            disable=not (progress and self.writes),
        )
        self.curves = None
        self.logger = logging.getLogger(__name__)
        self.handler = None
        if self.writes:
            self.logger.setLevel(logging.INFO)
            self.logger.propagate = False
            self.handler = _LogFile(files.path / "train.log", encoding="utf-8")
            self.handler.setFormatter(logging.Formatter("[%(asctime)s] %(message)s", "%Y/%m/%d %H:%M:%S"))
            self.logger.addHandler(self.handler)
            if config.Global.use_visualdl:
                self.curves = Curves(files.path / CURVES, config)
                self.curves.repeat(row for _, row in read_history(files.history))

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()
        try:
            self._close_files()
        except (OSError, RunError):
            if error is None:  # otherwise what ended the training is told, not that its log cannot be closed either
                raise

    def _close_files(self) -> None:
        try:
            if self.handler is not None:
                self.logger.removeHandler(self.handler)
                self.handler.close()
        finally:
            if self.curves is not None:
                self.curves.close()

    def timed(self, batches: Iterable[Item]) -> Iterator[Item]:
        """Yields batches and measures how long each one is waited for; `step` ends the measurement of its step."""
        self.asked_s = time.perf_counter()
        for batch in batches:
            self.got_s = time.perf_counter()
            yield batch
            self.asked_s = time.perf_counter()

    def step(self, lines: int, **metrics: float) -> None:
        """Takes the metrics of the step just trained, moves the bar and writes a row when one is due.

        Args:
            lines: of the whole batch.
            metrics: by name; "loss" and "lr" must be among them.
        """
        seconds = time.perf_counter() - self.asked_s
        timing = dict(zip(TIMING, (lines, seconds, self.got_s - self.asked_s), strict=True))
        for name, value in (metrics | timing).items():
            self.recent.setdefault(name, deque(maxlen=self.window)).append(value)
        if self.steps:
            self.lines_after_first += lines
            self.seconds_after_first += seconds
        self.steps += 1
        self.bar.update(1)
        smooth = self.smoothed()
        shown = {"loss": f"{smooth['loss']:.3f}", "lr": f"{smooth['lr']:.1e}"}
        shown[f"{self.unit}s/s"] = f"{self.lines_per_second():.3g}"
        shown["reader"] = f"{self.reader_share():.0%}"
        self.bar.set_postfix(shown, refresh=False)
        if self.state.global_step % self.steps_between_rows == 0:
            written = {name: value for name, value in smooth.items() if name not in TIMING}
            speed = {"lines_per_second": self.lines_per_second(), "reader_share": self.reader_share()}
            self._write(TRAINED, epoch=self.state.epoch + 1, **written, **speed)

    def evaluation(self, result: EvaluationResult, better: bool, seconds: float) -> None:
        """Writes and says the scores of an evaluation.

        Args:
            result: on the Eval section.
            better: whether no evaluation before was better.
            seconds: that the evaluation took.
        """
        epoch = self.state.epoch + 1
        scores = {"lines": result.count, **result.scores}
        self._write(SCORED, epoch=epoch, **scores, best=self.state.best, seconds=seconds)
        trained = ""
        if self.steps:  # an evaluation that a kill prevented is made before the first step
            trained = f" loss {self.smoothed()['loss']:.3f} {self.lines_per_second():.1f} {self.unit}s/s"
        self.say(
            f"epoch {epoch}/{self.epochs} step {self.state.global_step}: {result.text}{trained}"
            f"{' (best)' if better else ''}"
        )

    def resumed(self) -> None:
        """Notes that this training resumes from a checkpoint."""
        self._write(RESUMED)

    def ended(self, reason: str, problem: str = "") -> None:
        """Notes why a training ended, if the disk still takes it.

        Args:
            reason: "finished", "early stop", "interrupted" or "failed".
            problem: of one that failed, what the user is told.
        """
        try:
            self._write(ENDED, reason=reason, problem=problem)
        except RunError as error:  # why training ended matters more, and is told in any case
            self.bar.write(str(error))

    def say(self, *texts: str) -> None:
        """Prints lines above the bar and keeps them in train.log."""
        if self.writes:
            for text in texts:
                self.bar.write(text)
                self.logger.info(text)

    def pictures(self, samples: Samples) -> None:
        """Shows the first training pictures in VisualDL, as the network gets them."""
        if self.curves is None:
            return
        images = [samples.picture(i, self.state.epoch) for i in range(min(PICTURES_SHOWN, len(samples)))]
        width_px = max(image.shape[1] for image in images)
        rows = [
            np.pad(image, ((0, 0), (0, width_px - image.shape[1]), (0, 0)), constant_values=GREY) for image in images
        ]
        self.curves.training_lines(np.stack(rows)[:, :, :, ::-1], self.state.global_step)

    def lines_read(self, records: Sequence[Record], predictions: Sequence[Prediction], source: ImageSource) -> None:
        """Shows in VisualDL what was read on validation lines, on the same ones each time, and the confidence.

        Args:
            records: all validation lines.
            predictions: what was read on them.
            source: their pictures.
        """
        if self.curves is None:
            return
        right = [
            normalise_for_score(p.text) == normalise_for_score(r.text)
            for r, p in zip(records, predictions, strict=True)
        ]
        confidences = np.array([prediction.confidence for prediction in predictions])
        self.curves.confidence(np.array(right), confidences, self.state.global_step)
        shown = range(0, len(records), max(1, len(records) // PICTURES_SHOWN))[:PICTURES_SHOWN]
        images = [decode_image(source.read(records[i].name), records[i].location) for i in shown]
        targets, texts = [records[i].text for i in shown], [predictions[i].text for i in shown]
        notes = [f"{confidences[i]:.2f}" for i in shown]
        self.curves.lines_read(images, targets, texts, notes, self.state.global_step)

    def smoothed(self) -> dict[str, float]:
        """The median of every metric over the window; losses that are not finite (of steps left out) do not count."""
        finite = {name: [value for value in values if math.isfinite(value)] for name, values in self.recent.items()}
        return {name: median(values or [math.nan]) for name, values in finite.items()}

    def lines_per_second(self) -> float:
        """Lines over seconds, both summed over the window."""
        return sum(self.recent["lines"]) / max(1e-9, sum(self.recent["seconds"]))

    def lines_per_second_after_first(self) -> float:
        """Lines over seconds, both summed over all steps of this call except its first; nan when there is no other."""
        return self.lines_after_first / self.seconds_after_first if self.seconds_after_first else math.nan

    def reader_share(self) -> float:
        """The ratio of the time that was spent waiting for batches, in [0, 1]."""
        return sum(self.recent["reader_seconds"]) / max(1e-9, sum(self.recent["seconds"]))

    def _write(self, kind: str, **values: float | str) -> None:
        """Appends a row to history.jsonl and train.log, and points to the charts of measured values."""
        if not self.writes:
            return
        step = self.state.global_step
        with writing(self.files.history), open(self.files.history, "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        self.logger.info("%s step %d: %s", kind, step, ", ".join(f"{k} {_short(v)}" for k, v in values.items()))
        if self.curves is not None and kind in (TRAINED, SCORED):
            self.curves.scalars(kind, values, step)


class _LogFile(logging.FileHandler):
    """A log whose failures end the training with a sentence, where logging would print a traceback and go on."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line; RunError if the disk refuses it."""
        with writing(self.baseFilename):
            super().emit(record)

    def close(self) -> None:
        """Writes what is left; RunError if the disk refuses it."""
        with writing(self.baseFilename):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Called while the failure is handled, which is raised again."""
        raise  # noqa: PLE0704


def _short(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
