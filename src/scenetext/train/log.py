"""What a training shows and leaves behind: a progress bar, `train.log`, `history.jsonl` and VisualDL's curves."""

from __future__ import annotations

import json
import logging
import math
from collections import deque
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.transforms import to_canvas


class TrainingLog:
    """Collects the figures of a training; values shown are medians over the last `window` steps.

    Args:
        folder: the run's folder; None (on all processes but the first) writes nothing.
        total_steps: of the whole training.
        first_step: where a resumed training starts.
        window: steps over which shown values are smoothed.
        visualdl: also write curves to `folder`/vdl.
        progress: show the bar.
    """

    def __init__(
        self, folder: Path | None, total_steps: int, first_step: int, window: int, visualdl: bool, progress: bool
    ):
        self.folder = folder
        self.bar = tqdm(
            total=total_steps, initial=first_step, unit="step", desc="train", disable=not progress or folder is None
        )
        self.recent: dict[str, deque] = {}
        self.window = window
        self.writer = None
        self.logger = logging.getLogger("scenetext.train.trainer")
        self.handler = None
        if folder is not None:
            self.logger.setLevel(logging.INFO)
            self.logger.propagate = False
            self.handler = logging.FileHandler(folder / "train.log", encoding="utf-8")
            self.handler.setFormatter(logging.Formatter("[%(asctime)s] %(message)s", "%Y/%m/%d %H:%M:%S"))
            self.logger.addHandler(self.handler)
            if visualdl:
                from visualdl import LogWriter

                self.writer = LogWriter(logdir=str(folder / "vdl"))

    def step(self, **values: float) -> None:
        """Takes one step's figures and moves the bar."""
        for name, value in values.items():
            self.recent.setdefault(name, deque(maxlen=self.window)).append(value)
        self.bar.update(1)
        smooth = self.smoothed()
        shown = {"loss": f"{smooth['loss']:.3f}", "lr": f"{smooth['lr']:.1e}"}
        shown["lines/s"] = f"{self.lines_per_second():.0f}"
        shown["reader"] = f"{self.reader_share():.0%}"
        self.bar.set_postfix(shown, refresh=False)

    def smoothed(self) -> dict[str, float]:
        """Median of every figure over the window; the losses of steps left out may be no numbers and do not count."""
        finite = {name: [value for value in values if math.isfinite(value)] for name, values in self.recent.items()}
        return {name: median(values or [math.nan]) for name, values in finite.items()}

    def lines_per_second(self) -> float:
        """Lines over seconds, both summed over the window."""
        return sum(self.recent["lines"]) / max(1e-9, sum(self.recent["seconds"]))

    def reader_share(self) -> float:
        """Share of the time that was spent waiting for a batch."""
        return sum(self.recent["reader_seconds"]) / max(1e-9, sum(self.recent["seconds"]))

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Appends a row to history.jsonl and train.log and points to the curves named `kind`/..."""
        if self.folder is None:
            return
        with open(self.folder / "history.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        self.logger.info("%s step %d: %s", kind, step, ", ".join(f"{k} {_short(v)}" for k, v in values.items()))
        if self.writer is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self.writer.add_scalar(f"{kind}/{name}", value, step)

    def say(self, text: str) -> None:
        """Prints a line above the bar and keeps it in train.log."""
        if self.folder is not None:
            self.bar.write(text)
            self.logger.info(text)

    def pictures(self, images: list[np.ndarray], step: int) -> None:
        """Shows training pictures, as the network gets them, in VisualDL; (H, w, 3) uint8 BGR each."""
        if self.writer is None:
            return
        width = max(image.shape[1] for image in images)
        rows = (to_canvas(images, width).transpose(0, 2, 3, 1) * 0.5 + 0.5) * 255
        sheet = np.concatenate(list(rows.astype(np.uint8)), axis=0)[:, :, ::-1]
        self.writer.add_image("train/pictures", np.ascontiguousarray(sheet), step)

    def close(self) -> None:
        """Ends the bar and closes the files."""
        self.bar.close()
        if self.writer is not None:
            self.writer.close()
        if self.handler is not None:
            self.logger.removeHandler(self.handler)
            self.handler.close()


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
