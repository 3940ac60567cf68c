"""VisualDL's charts of a training: metrics by step, lines as they are read, the confidence, and the hyper-parameters.

Only what can change is charted: history.jsonl keeps the rest, such as the epoch of each row.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from scenetext.config import Config
from scenetext.evaluate.edits import edit_script
from scenetext.runs.history import SCORED, TRAINED, Row
from scenetext.runs.summary import short_settings

THRESHOLDS = 101  # of the confidence: 0.00, 0.01, ..., 1.00
COUNTERS = {"epoch", "best", "seconds", "lines"}  # known from the step or from another chart
SHEET_PX = 640  # VisualDL shows pictures small
METRICS = ("normalised", "raw", "one_minus_ned")


class Curves:
    """Writes the charts of one training.

    Args:
        folder: for VisualDL's files.
        config: the configuration.
    """

    def __init__(self, folder: Path, config: Config):
        from visualdl import LogWriter

        self._writer = LogWriter(logdir=str(folder))
        self._config = config
        self._left_out = COUNTERS | _constants(config)
        self._has_settings = False

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self._writer.close()

    def scalars(self, kind: str, values: Mapping[str, float], step: int) -> None:
        """Adds a point to the charts named `kind`/...

        Args:
            kind: of the row; see `runs.history`.
            values: by name.
            step: batches trained.
        """
        if kind == SCORED and not self._has_settings:  # VisualDL's table shows a run by its settings and last scores
            self._writer.add_hparams(short_settings(self._config), [f"{kind}/{name}" for name in METRICS])
            self._has_settings = True
        for name, value in values.items():
            if name not in self._left_out:
                self._writer.add_scalar(f"{kind}/{name}", value, step)

    def repeat(self, rows: Iterable[Row]) -> None:
        """Adds once more the points of a training that is resumed: of several files VisualDL shows the newest alone.

        Args:
            rows: of its history, up to the checkpoint.
        """
        for row in rows:
            if row["kind"] in (TRAINED, SCORED):
                numbers = {k: v for k, v in row.items() if k != "step" and isinstance(v, (int, float))}
                self.scalars(row["kind"], numbers, row["step"])

    def training_lines(self, rows: np.ndarray, step: int) -> None:
        """Shows training lines as the network gets them.

        Args:
            rows: (B, H, W, 3) uint8 RGB.
            step: batches trained.
        """
        self._writer.add_image("train/pictures", np.concatenate(list(rows), axis=0), step)

    def lines_read(
        self,
        images: Sequence[np.ndarray],
        targets: Sequence[str],
        texts: Sequence[str],
        notes: Sequence[str],
        step: int,
    ) -> None:
        """Shows validation lines with their labels and what was read.

        Args:
            images: (H, W, 3) uint8 BGR each.
            targets, texts: labels and what was read.
            notes: behind the texts.
            step: batches trained.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from scenetext import plots

        pairs = zip(targets, texts, strict=True)
        scripts = [[(edit.kind, edit.expected, edit.read) for edit in edit_script(*pair)] for pair in pairs]
        canvas = FigureCanvasAgg(plots.line_gallery(images, scripts, notes, SHEET_PX))
        canvas.draw()
        pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
        self._writer.add_image(f"{SCORED}/lines", pixels, step)

    def confidence(self, right: np.ndarray, confidences: np.ndarray, step: int) -> None:
        """Adds precision and recall of "read right" over thresholds of the confidence, where both kinds of line occur.

        VisualDL's own computation fails with numpy 1.24 and later, so the counts are made here.

        Args:
            right: (N,) bool, lines read right.
            confidences: (N,) in [0, 1].
            step: batches trained.
        """
        if right.all() or not right.any():
            return
        from visualdl.component.base_component import pr_curve_raw

        counts = threshold_counts(right, confidences)
        record = pr_curve_raw(tag=f"{SCORED}/confidence", step=step, walltime=_now_ms(), **counts)
        self._writer._get_file_writer().add_record(record)


def threshold_counts(right: np.ndarray, confidences: np.ndarray) -> dict[str, list[float]]:
    """Lines read right and wrong whose confidence reaches each threshold 0.00, 0.01, ..., 1.00.

    Args:
        right: (N,) bool, lines read right.
        confidences: (N,) in [0, 1].

    Returns:
        `tp`, `fp`, `tn`, `fn`, `precision` and `recall`, each of 101 numbers; a threshold that no line reaches has the
        precision 1.
    """
    taken = confidences[:, None] >= np.linspace(0, 1, THRESHOLDS)  # (N, 101)
    tp, fp = taken[right].sum(axis=0), taken[~right].sum(axis=0)
    fn, tn = right.sum() - tp, (~right).sum() - fp
    precision = np.where(tp + fp, tp / np.maximum(1, tp + fp), 1.0)
    recall = tp / np.maximum(1, tp + fn)
    found = {"tp": tp, "fp": fp, "tn": tn, "fn": fn, "precision": precision, "recall": recall}
    return {name: values.tolist() for name, values in found.items()}


def _constants(config: Config) -> set[str]:
    """Metrics that a configuration keeps at one value."""
    schedule = config.Optimizer.lr
    constants = {"lr"} if schedule.name == "Const" and not schedule.warmup_epoch else set()
    return constants if config.Global.use_dynamic_loss_scaling else constants | {"loss_scale"}


def _now_ms() -> int:
    return round(time.time() * 1000)
