"""Training a detector: photos in, the maps of their texts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple

import paddle
from paddle import Tensor

from scenetext.config import Config
from scenetext.data.batches import BatchPlan, FixedSampler
from scenetext.data.checking import check_pictures
from scenetext.data.detection.photos import MapBatch, load_maps_ahead, photo_records, training_photos
from scenetext.errors import InputError
from scenetext.evaluate.box_metrics import BoxCounts
from scenetext.evaluate.detection import evaluate_detector
from scenetext.models.detection_model import DetectionModel
from scenetext.models.targets import MapTargets
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.predict.text_detector import EagerMaps, TextDetector
from scenetext.train import parallel
from scenetext.train.losses.db import detector_loss
from scenetext.train.task import EvaluationResult

AUXILIARY_WEIGHTS = ("aux_weight_p4", "aux_weight_p3", "aux_weight_p2")

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
        weights = [name for name in AUXILIARY_WEIGHTS if getattr(config.Loss, name)]
        if weights and not model.head.aux_in_channels:
            raise InputError(
                f"Loss.{weights[0]} is {getattr(config.Loss, weights[0]):g}, and the network has no auxiliary heads: "
                "set Architecture.Head.aux_in_channels to the channels of the pyramid, or the weight to 0."
            )
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
        return detector_loss(outputs, targets, self.config.Loss)

    def evaluate(self) -> EvaluationResult:
        """The scores on the Eval section, of which each process searches its part.

        Raises:
            InputError: a photo of it cannot be read; in every process.
        """
        own = self.evaluation[parallel.rank() :: parallel.world_size()]
        problem, counts = None, BoxCounts(0, 0, 0)
        try:
            if len(own):
                evaluation = evaluate_detector(self.detector, own, self.evaluation_images, progress=False)
                problem, counts = next(iter(evaluation.unreadable.values()), None), evaluation.counts
        except InputError as error:  # the other processes are told before it is raised: they would wait for ever
            problem = str(error)
        *sums, problems = parallel.sums_over_processes([*astuple(counts), problem is not None])
        if problems:
            raise InputError(problem or "Another process cannot read a photo of Eval; its message says which.")
        counts = BoxCounts(*sums)
        scores = {name: getattr(counts, name) for name in ("precision", "recall", "hmean")}
        text = "precision {precision:.4f} recall {recall:.4f} hmean {hmean:.4f}".format(**scores)
        return EvaluationResult(scores, scores[self.config.Metric.main_indicator], text, len(self.evaluation))
