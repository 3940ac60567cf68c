"""Labelled photos as a detector sees them in training: a crop, and the maps that it should give for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from scenetext.config import Config
from scenetext.config.sections import data as settings
from scenetext.config.sections.detection import (
    CopyPaste,
    EastRandomCropData,
    IaaAugment,
    MakeBorderMap,
    MakeShrinkMap,
    NormalizeImage,
    RandomCrop,
)
from scenetext.data.batches import BATCHES_AHEAD, BatchPlan
from scenetext.data.checking import check_pictures
from scenetext.data.detection.clipping_crop import clipping_crop
from scenetext.data.detection.geometry import Photo, cut, paste, random_crop, random_matrix
from scenetext.data.detection.maps import border_map, shrink_map
from scenetext.data.detection.resize import standardised_photo
from scenetext.data.pipeline import read_label_files
from scenetext.data.prefetch import ahead
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.text.photo_labels import PhotoTable, read_photo_labels


@dataclass(frozen=True, slots=True)
class MapBatch:
    """One batch of photos.

    Attributes:
        images: (B, 3, H, W) float32, standardised.
        threshold_map, threshold_mask, shrink_map, shrink_mask: (B, H, W) float32; see `maps`.
    """

    images: np.ndarray
    threshold_map: np.ndarray
    threshold_mask: np.ndarray
    shrink_map: np.ndarray
    shrink_mask: np.ndarray


@dataclass(frozen=True)
class Photos:
    """Labelled photos; `load` gives one with training's augmentations and its maps.

    Attributes:
        records: the labels.
        images: the source in which their names are found.
        crop, border, shrink: how the canvas and the maps are made.
        normalise: means and deviations of the pixels.
        augment, paste: augmentations; None for none.
        seed: with the epoch and the photo's number it determines every random draw.
        progress: show a bar while many pictures are checked.
        charset: None, for a detector has no characters.
    """

    records: PhotoTable
    images: ImageSource
    crop: EastRandomCropData | RandomCrop
    border: MakeBorderMap
    shrink: MakeShrinkMap
    normalise: NormalizeImage
    augment: IaaAugment | None = None
    paste: CopyPaste | None = None
    seed: int = 0
    progress: bool = False
    charset: None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self.records)

    def check_pictures(self) -> None:
        """Checks every photo once; InputError where some cannot be read."""
        check_pictures(self.images, self.records, "the training set", self.progress)

    def picture(self, index: int, epoch: int = 0) -> np.ndarray:
        """(H, W, 3) uint8 of photo `index` on its canvas."""
        return self._augmented(index, epoch).image

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """(3, H, W) float32 of a batch → (H, W, 3) uint8, as it was before it was standardised."""
        values = (image.transpose(1, 2, 0) * self.normalise.std + self.normalise.mean) * 255
        return np.nan_to_num(values).clip(0, 255).astype(np.uint8)

    def load(self, index: int, epoch: int = 0) -> MapBatch:
        """Photo `index` and its maps, without the axis of the batch; the same for the same seed and epoch."""
        photo = self._augmented(index, epoch)
        size = photo.image.shape[:2]
        border = self.border
        threshold_map, threshold_mask = border_map(
            photo.outlines, photo.ignored, size, border.shrink_ratio, border.thresh_min, border.thresh_max
        )
        text, mask, _ = shrink_map(
            photo.outlines, photo.ignored, size, self.shrink.shrink_ratio, self.shrink.min_text_size
        )
        return MapBatch(
            standardised_photo(photo.image, self.normalise.mean, self.normalise.std),
            threshold_map,
            threshold_mask,
            text,
            mask,
        )

    def _augmented(self, index: int, epoch: int) -> Photo:
        rng = np.random.default_rng((self.seed, epoch, index))
        photo = self._decode(index)
        if self.paste is not None:
            other = self._decode(int(rng.integers(0, len(self))))
            photo = paste(photo, other, self.paste.limit_paste, rng)
        height, width = photo.image.shape[:2]
        augmenters = [] if self.augment is None else self.augment.augmenter_args
        matrix, width, height = random_matrix(augmenters, width, height, rng)
        cared = [outline @ matrix[:2, :2].T + matrix[:2, 2] for outline in photo.cared]
        options, size = self.crop, tuple(self.crop.size)
        if isinstance(options, RandomCrop):
            tries, share = options.max_tries, options.min_crop_side_ratio
            return clipping_crop(photo, matrix, (width, height), size, tries, share, rng)
        crop = random_crop(cared, width, height, options.max_tries, options.min_crop_side_ratio, rng)
        return cut(photo, matrix, crop, size, options.keep_ratio)

    def _decode(self, index: int) -> Photo:
        label = self.records[index]
        location = f"{self.images.location(label.name)} ({label.location})"
        return Photo(decode_image(self.images.read(label.name), location), label.outlines, label.ignored)


def load_maps_ahead(photos: Photos, plans: Sequence[BatchPlan], epoch: int, workers: int) -> Iterator[MapBatch]:
    """Yields the plans' batches in order, made by threads ahead of their use."""

    def made(plan: BatchPlan) -> MapBatch:
        loaded = [photos.load(int(index), epoch) for index in plan.indices]
        return MapBatch(*(np.stack([getattr(one, part.name) for one in loaded]) for part in fields(MapBatch)))

    return ahead(made, plans, max(1, workers), BATCHES_AHEAD)


def training_photos(config: Config, seed: int, progress: bool = True) -> Photos:
    """The training set of a detector, with the augmentations of its transforms.

    Raises:
        InputError: a transform that a detector needs is missing, or a label is none of text detection.
    """
    if config.Train.sampler is not None:
        raise InputError(
            f"Train.sampler.name {config.Train.sampler.name} batches lines of text, and a detector's photos have one "
            "size: leave Train.sampler empty."
        )
    dataset = config.Train.dataset
    cuts, spares = dataset.operation("RandomCrop"), dataset.operation("EastRandomCropData")
    if cuts and spares:
        raise InputError("Train.dataset.transforms have both RandomCrop and EastRandomCropData: keep one of them.")
    crop = cuts or spares or EastRandomCropData()
    if any(side % 32 for side in crop.size):
        raise InputError(f"{type(crop).__name__}.size is {crop.size}; the network needs multiples of 32.")
    records, images = photo_records(config, "Train")
    return Photos(
        records,
        images,
        crop,
        dataset.operation("MakeBorderMap") or MakeBorderMap(),
        dataset.operation("MakeShrinkMap") or MakeShrinkMap(),
        dataset.operation("NormalizeImage") or NormalizeImage(),
        dataset.operation("IaaAugment"),
        dataset.operation("CopyPaste"),
        seed,
        progress,
    )


def photo_records(config: Config, section: str) -> tuple[PhotoTable, ImageSource]:
    """The labels of the section "Train" or "Eval", and where the photos are."""
    dataset = getattr(config, section).dataset
    if not isinstance(dataset, settings.SimpleDataSet):
        raise InputError(f"{section}.dataset.name is {dataset.name}; a detector's photos come from SimpleDataSet.")
    images = open_images(dataset.data_dir)
    return PhotoTable.joined(read_label_files(dataset, section, config.Global.seed, read_photo_labels)), images
