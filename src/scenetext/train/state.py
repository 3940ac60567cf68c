"""How far a training has come."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrainingState:
    """How far a training has come; a checkpoint holds it in its `.states`.

    Attributes:
        epoch: the epoch under way, from 0.
        step_in_epoch: batches of this epoch that have been trained.
        global_step: batches trained in all.
        best: the best score of the main indicator so far, -1 before the first evaluation.
        evaluations_since_best: for early stopping.
        loss_scaling: `Precision.state`, for float16.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    global_step: int = 0
    best: float = -1.0
    evaluations_since_best: int = 0
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
