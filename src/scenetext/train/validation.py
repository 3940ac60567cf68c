"""Scoring a network while it trains: when, how, which weights are the best so far, and when to stop early."""

from __future__ import annotations

import time
from collections.abc import Sequence

from scenetext.config import Config
from scenetext.data.checking import check_pictures
from scenetext.data.pipeline import canvas_of, evaluation_lines
from scenetext.errors import InputError
from scenetext.evaluate.metrics import Scores, score
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.predict.images import Prediction, read_records
from scenetext.predict.model_reader import ModelReader
from scenetext.train.checks import evaluation_interval
from scenetext.train.log import TrainingLog
from scenetext.train.run_folder import RunFolder
from scenetext.train.state import TrainingState
from scenetext.train.weight_interpolation import WeightInterpolation


class Validation:
    """Scores a network on the Eval section of a config.

    Args:
        config: the configuration.
        model: the network.
        interpolation: decides which weights are scored and saved as the best.
        state: how far training has come; the best score and early stopping's count are kept there.
        progress: show a bar while many pictures are checked.

    Raises:
        InputError: there is no line to score, or pictures cannot be used.

    Attributes:
        records: the lines of the Eval section.
    """

    def __init__(
        self,
        config: Config,
        model: RecognitionModel | DistillationModel,
        interpolation: WeightInterpolation,
        state: TrainingState,
        progress: bool = False,
    ):
        self.config = config
        self.model = model
        self.interpolation = interpolation
        self.state = state
        self.records, self.images = evaluation_lines(config)
        check_pictures(self.images, self.records, "the validation set", progress)
        self.reader = ModelReader(model, canvas_of(config, model.input_size))

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
        with self.interpolation.applied():
            predictions = self._read()
            scores, indicator = self._scores(predictions)
            better = indicator > state.best
            if better:
                files.save_best(self.model)
        state.evaluations_since_best = 0 if indicator >= state.best else state.evaluations_since_best + 1
        state.best = max(state.best, indicator)
        log.evaluation(scores, better, time.perf_counter() - started)
        log.lines_read(self.records, predictions, self.images)
        patience = self.config.Global.early_stop_evals
        return bool(patience) and state.evaluations_since_best >= patience

    def _scores(self, predictions: Sequence[Prediction]) -> tuple[Scores, float]:
        """The scores of what was read, and the main indicator among them, in [0, 1]."""
        scores = score([prediction.text for prediction in predictions], [record.text for record in self.records])
        by_distance = self.config.Metric.main_indicator == "norm_edit_dis"
        return scores, scores.one_minus_ned.value if by_distance else scores.normalised.value

    def _read(self) -> list[Prediction]:
        """What the network reads on the pictures of the Eval section."""
        predictions = list(read_records(self.reader, self.records, self.images, progress=False))
        for prediction in predictions:
            if prediction.problem is not None:
                raise InputError(prediction.problem)
        return predictions
