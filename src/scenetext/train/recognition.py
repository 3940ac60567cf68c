"""Training a recogniser: lines of text in, the classes of their characters out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import paddle
from paddle import Tensor

from scenetext.config import Config
from scenetext.data.batches import Batch, BatchPlan, load_ahead
from scenetext.data.checking import check_pictures
from scenetext.data.pipeline import canvas_of, evaluation_lines, training_lines, training_sampler
from scenetext.errors import InputError
from scenetext.evaluate.metrics import score
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.models.targets import Targets
from scenetext.predict.images import Prediction, read_records
from scenetext.predict.model_reader import ModelReader
from scenetext.train import parallel
from scenetext.train.checks import notes_on_lines, pixels_per_step
from scenetext.train.losses import build_loss, keeps_answers, sums_over_lines
from scenetext.train.misread import train_only
from scenetext.train.replay import mixed
from scenetext.train.task import EvaluationResult
from scenetext.train.teacher import answering, load_teacher


class RecognitionTask:
    """See `task.Task`.

    Args:
        config: the configuration.
        model: the network, with its initial weights.
        progress: show bars while many pictures are checked.

    Raises:
        InputError: unusable data, or none at all.
    """

    unit = "line"

    def __init__(self, config: Config, model: RecognitionModel | DistillationModel, progress: bool):
        seed = config.Global.seed
        self.config = config
        labelled = training_lines(config, model, seed, progress)
        teacher = load_teacher(config)
        self._answering = answering(config, model, teacher) if keeps_answers(config) else None
        self.samples, draw, classes, notes = mixed(config, model, labelled, teacher, progress)
        self.samples.check_pictures()
        self.sampler = training_sampler(config, self.samples, seed, parallel.world_size(), draw)
        self.step_px = pixels_per_step(config, model)
        self.notes = [*notes, *notes_on_lines(model, self.samples, self.sampler, self.step_px)]
        self._loss = build_loss(config)
        if classes is not None:
            train_only(model, classes)
        self.sums_over_samples = sums_over_lines(config)
        self.evaluation, self.evaluation_images = evaluation_lines(config)
        check_pictures(self.evaluation_images, self.evaluation, "the validation set", progress)
        self.reader = ModelReader(model, canvas_of(config, model.input_size))

    def load_ahead(self, plans: Sequence[BatchPlan], epoch: int, workers: int) -> Iterator[Batch]:
        """See `task.Task`."""
        return load_ahead(self.samples, plans, epoch, workers, self.step_px)

    def to_tensors(self, batch: Batch) -> tuple[tuple[Any, ...], Targets]:
        """The images, (B, 3, H, W) float32, with the targets; and the targets."""
        images = paddle.to_tensor(batch.images)
        answers = None
        if self._answering is not None:
            with paddle.no_grad():
                answers = self._answering(images)
        targets = Targets(paddle.to_tensor(batch.ids), paddle.to_tensor(batch.lengths), answers)
        return (images, targets), targets

    def losses(self, outputs: Any, targets: Targets) -> dict[str, Tensor]:
        """See `task.Task`."""
        return self._loss(outputs, targets)

    def evaluate(self) -> EvaluationResult:
        """The scores on the Eval section."""
        predictions = self._read()
        texts, targets = [p.text for p in predictions], [record.text for record in self.evaluation]
        scores = score(texts, targets)
        by_distance = self.config.Metric.main_indicator == "norm_edit_dis"
        indicator = scores.one_minus_ned.value if by_distance else scores.normalised.value
        values = {name: getattr(scores, name).value for name in ("raw", "normalised", "one_minus_ned")}
        text = "raw {raw:.4f} normalised {normalised:.4f} 1-NED {one_minus_ned:.4f}".format(**values)
        return EvaluationResult(values, indicator, text, scores.lines, predictions)

    def _read(self) -> list[Prediction]:
        """What the network reads on the pictures of the Eval section."""
        predictions = list(read_records(self.reader, self.evaluation, self.evaluation_images, progress=False))
        for prediction in predictions:
            if prediction.problem is not None:
                raise InputError(prediction.problem)
        return predictions
