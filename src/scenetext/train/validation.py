"""Scoring a network while it trains: when, how, which weights are the best so far, and when to stop early."""

from __future__ import annotations

import time

from paddle import nn

from scenetext.config import Config
from scenetext.train.checks import evaluation_interval
from scenetext.train.log import TrainingLog
from scenetext.train.run_folder import RunFolder
from scenetext.train.state import TrainingState
from scenetext.train.task import Task
from scenetext.train.weight_average import WeightAverage
from scenetext.train.weight_interpolation import WeightInterpolation


class Validation:
    """Scores a network on the Eval section of a config.

    Args:
        config: the configuration.
        model: the network.
        task: what it is trained for; it does the scoring.
        average, interpolation: decide which weights are scored and saved as the best.
        state: how far training has come; the best score and early stopping's count are kept there.
    """

    def __init__(
        self,
        config: Config,
        model: nn.Layer,
        task: Task,
        average: WeightAverage,
        interpolation: WeightInterpolation,
        state: TrainingState,
    ):
        self.config = config
        self.model = model
        self.task = task
        self.average = average
        self.interpolation = interpolation
        self.state = state

    def is_due(self, steps_in_epoch: int) -> bool:
        """Whether the config asks for an evaluation after the step just trained.

        Args:
            steps_in_epoch: batches of the epoch under way.
        """
        state = self.state
        epochs = self.config.Global.eval_batch_epoch
        if epochs:
            last_epoch = state.epoch + 1 == self.config.Global.epoch_num
            return state.step_in_epoch == steps_in_epoch and ((state.epoch + 1) % epochs == 0 or last_epoch)
        start, every = evaluation_interval(self.config)
        return state.global_step > start and (state.global_step - start) % every == 0

    def run(self, files: RunFolder, log: TrainingLog) -> bool:
        """Scores the network, and saves its weights when they are better than all before them.

        Every process scores, so that all of them stop alike; the first one saves.

        Args:
            files: the run's, where the best weights are saved.
            log: of the training.

        Returns:
            Whether to stop early: the last `Global.early_stop_evals` evaluations were all worse than the best.
        """
        started = time.perf_counter()
        state = self.state
        with self.average.applied(), self.interpolation.applied():
            result = self.task.evaluate()
            better = result.indicator > state.best
            if better:
                files.save_best(self.model)
        state.evaluations_since_best = 0 if result.indicator >= state.best else state.evaluations_since_best + 1
        state.best = max(state.best, result.indicator)
        log.evaluation(result, better, time.perf_counter() - started)
        if result.predictions is not None:
            log.lines_read(self.task.evaluation, result.predictions, self.task.evaluation_images)
        patience = self.config.Global.early_stop_evals
        return bool(patience) and state.evaluations_since_best >= patience
