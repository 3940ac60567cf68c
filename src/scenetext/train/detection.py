"""Training a detector: photos in, the maps of their texts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import paddle
from paddle import Tensor

from scenetext.config import Config
from scenetext.data.batches import BatchPlan, FixedSampler
from scenetext.data.checking import check_pictures
from scenetext.data.detection.photos import MapBatch, load_maps_ahead, photo_records, training_photos
from scenetext.errors import InputError
from scenetext.evaluate.detection import evaluate_detector
from scenetext.models.detection_model import DetectionModel
from scenetext.models.targets import MapTargets
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.text_detector import EagerMaps, TextDetector
from scenetext.train import parallel
from scenetext.train.losses.db import db_loss
from scenetext.train.task import EvaluationResult

Outputs = dict[str, Tensor]


class DetectionTask:
    """See `task.Task`.

    Args:
        config: the configuration.
        model: the network, with its initial weights.
        progress: show bars while many pictures are checked.

    Raises:
        InputError: unusable data, or none at all.
    """

    unit = "photo"
    sums_over_samples = False

    def __init__(self, config: Config, model: DetectionModel, progress: bool):
        seed, loader = config.Global.seed, config.Train.loader
        self.config = config
        self.samples = training_photos(config, seed, progress)
        self.samples.check_pictures()
        width, height = self.samples.crop.size
        batch = loader.batch_size_per_card * parallel.world_size()
        if loader.drop_last and len(self.samples) < batch:
            raise InputError(
                f"{len(self.samples)} photos do not fill a batch of {batch} and Train.loader.drop_last leaves a short "
                "one out: nothing would be trained. Set it to false or lower Train.loader.batch_size_per_card."
            )
        self.sampler = FixedSampler(len(self.samples), batch, height, width, loader.shuffle, loader.drop_last, seed)
        self.notes = self._notes()
        self.evaluation, self.evaluation_images = photo_records(config, "Eval")
        check_pictures(self.evaluation_images, self.evaluation, "the validation set", progress)
        self.detector = TextDetector(EagerMaps(model), DetectionSettings.of(config))

    def _notes(self) -> list[str]:
        """Says which photos show no text, so that nobody wonders what they teach."""
        records = self.samples.records
        without = [record for record in records if all(box.ignored for box in record.boxes)]
        if len(without) == len(records):
            raise InputError(
                f"None of the {len(records)} photos of Train has a text that counts: a detector has nothing to learn. "
                "Name a label file with boxes whose transcription is neither ### nor *."
            )
        if not without:
            return []
        first = without[0]
        return [
            f"{len(without)} of {len(records)} photos have no text that counts, the first {first.name} "
            f"({first.location}); a batch of nothing else contributes no gradient"
        ]

    def load_ahead(self, plans: Sequence[BatchPlan], epoch: int, workers: int) -> Iterator[MapBatch]:
        """See `task.Task`."""
        return load_maps_ahead(self.samples, plans, epoch, workers)

    def to_tensors(self, batch: MapBatch) -> tuple[tuple[Tensor], MapTargets]:
        """The photos, (B, 3, H, W) float32; and the maps that are wanted."""
        maps = (batch.threshold_map, batch.threshold_mask, batch.shrink_map, batch.shrink_mask)
        return (paddle.to_tensor(batch.images),), MapTargets(*map(paddle.to_tensor, maps))

    def losses(self, outputs: Outputs, targets: MapTargets) -> dict[str, Tensor]:
        """See `task.Task`."""
        return db_loss(outputs["maps"], targets, self.config.Loss)

    def evaluate(self) -> EvaluationResult:
        """The scores on the Eval section; InputError if a photo of it cannot be read."""
        evaluation = evaluate_detector(self.detector, self.evaluation, self.evaluation_images, progress=False)
        for problem in evaluation.unreadable.values():
            raise InputError(problem)
        counts = evaluation.counts
        scores = {name: getattr(counts, name) for name in ("precision", "recall", "hmean")}
        text = "precision {precision:.4f} recall {recall:.4f} hmean {hmean:.4f}".format(**scores)
        return EvaluationResult(scores, scores[self.config.Metric.main_indicator], text, len(self.evaluation))
