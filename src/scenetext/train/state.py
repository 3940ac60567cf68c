"""How far a training has come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from scenetext.errors import InputError

PROGRESS = "progress"  # the key in `.states`; `epoch` and `global_step` stand beside it as PaddleOCR writes them
MOST_STEPS = 10**12


@dataclass
class TrainingState:
    """How far a training has come; a checkpoint holds it in its `.states`.

    Attributes:
        epoch: the epoch under way, from 0.
        step_in_epoch: batches of this epoch that have been trained.
        global_step: batches trained in all.
        best: the best score of the main indicator so far, -1 before the first evaluation.
        best_sha256: of the file of the weights with that score, "" before.
        evaluations_since_best: for early stopping.
        evaluation_pending: the evaluation after `global_step` is due and has not been made.
        loss_scaling: `Precision.state`, for float16.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    global_step: int = 0
    best: float = -1.0
    best_sha256: str = ""
    evaluations_since_best: int = 0
    evaluation_pending: bool = False
    loss_scaling: dict[str, float] = field(default_factory=dict)

    def count_step(self) -> None:
        """One more batch has been trained."""
        self.global_step += 1
        self.step_in_epoch += 1

    def end_epoch(self, batches: int) -> None:
        """Moves on to the next epoch if all `batches` of this one have been trained."""
        if self.step_in_epoch >= batches:
            self.epoch += 1
            self.step_in_epoch = 0

    def as_states(self) -> dict[str, Any]:
        """The part of a `.states` file that says how far training has come."""
        return {"epoch": self.epoch, "global_step": self.global_step, PROGRESS: asdict(self)}


def state_from(states: Mapping[Any, Any], location: object) -> TrainingState:
    """The state that a `.states` file holds, of this project or of PaddleOCR.

    Args:
        states: the file's content.
        location: the file, for messages.

    Raises:
        InputError: a value is missing, unknown, or out of its range.
    """
    if PROGRESS not in states:  # PaddleOCR's, which count the epoch that has ended
        epoch, step = (_count(states.get(key), key, location) for key in ("epoch", "global_step"))
        return TrainingState(epoch=epoch + 1, global_step=step)
    progress = states[PROGRESS]
    if not isinstance(progress, Mapping):
        raise InputError(f"{location}: {PROGRESS} is {progress!r}, not how far a training has come.")
    known = {own.name for own in fields(TrainingState)}
    unknown = [key for key in progress if key not in known]
    if unknown:
        raise InputError(f"{location}: {PROGRESS} has the key {unknown[0]!r}, which no training writes.")
    state = TrainingState(**progress)
    for key in ("epoch", "step_in_epoch", "global_step", "evaluations_since_best"):
        _count(progress.get(key), key, location)
    if not _is_number(state.best) or not -1.0 <= state.best <= 1.0:
        raise InputError(f"{location}: best is {state.best!r}, not a score from 0 to 1, or -1 before the first one.")
    if not isinstance(state.evaluation_pending, bool) or not isinstance(state.best_sha256, str):
        raise InputError(f"{location}: evaluation_pending or best_sha256 is not what a training writes.")
    scaling = state.loss_scaling
    if not isinstance(scaling, dict) or not all(isinstance(k, str) and _is_number(v) for k, v in scaling.items()):
        raise InputError(f"{location}: loss_scaling is {scaling!r}, not a table of finite numbers.")
    return state


def _count(value: Any, key: str, location: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_STEPS:
        raise InputError(f"{location}: {key} is {value!r}, not a whole number from 0 on.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
