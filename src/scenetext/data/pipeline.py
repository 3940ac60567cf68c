"""From a config's Train and Eval sections to lines and the sampler that batches them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from scenetext.config import Config
from scenetext.config.sections import data as settings
from scenetext.config.sections.transforms import MultiSizeResize, RecConAug, Resize
from scenetext.data.augment import RecAug
from scenetext.data.batches import FixedSampler, MultiScaleSampler, RatioSampler, Sampler, WidthBucketSampler
from scenetext.data.dataset import JoinLines, Lines
from scenetext.data.draws import Draw
from scenetext.data.line_aug import LineAug
from scenetext.data.sources.images import open_images
from scenetext.data.sources.lmdbs import open_lmdbs
from scenetext.data.transforms import Canvas, ratios_of
from scenetext.errors import InputError
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file
from scenetext.text.records import RecordTable

Table = TypeVar("Table")  # of the labels of one file

UNSQUEEZED_PX = 3200  # evaluation keeps lines up to this width, as PaddleOCR's predictors do


def image_shape(config: Config, section: str = "Eval") -> tuple[int, int, int]:
    """(channels, height, width) in pixels of the section's resize, or of the other section's if it has none.

    Raises:
        InputError: neither section has a resize.
    """
    return tuple(_resize(config, section).image_shape)


def canvas_of(config: Config, input_size: tuple[int, int | None] | None, section: str = "Eval") -> Canvas:
    """The canvas of a section.

    Args:
        config: the configuration.
        input_size: (height, width) in pixels of a network that works at one size only (the width is None if it is
            free), else None; see RecognitionModel.input_size.
        section: "Train" or "Eval".

    Raises:
        InputError: the section's height or width is not the one that the network works at.
    """
    resize = _resize(config, section)
    _, height, width = resize.image_shape
    by_ratio = tuple(resize.sizes_px) if isinstance(resize, MultiSizeResize) else ()
    if by_ratio and input_size is not None:
        raise InputError(
            f"MultiSizeResize lays lines on canvases of several heights, but the network works only on pictures "
            f"{input_size[0]} pixels high: use RecResizeImg."
        )
    fixed = input_size is not None and input_size[1] is not None
    if input_size is not None and (height != input_size[0] or (fixed and width != input_size[1])):
        needed = f"{input_size[0]} pixels high" + (f" and {input_size[1]} wide" if fixed else "")
        raise InputError(
            f"{section}'s image_shape is {resize.image_shape}, but the network works only on pictures "
            f"{needed}: set it in RecResizeImg (SVTRRecResizeImg) of both Train and Eval."
        )
    return Canvas(height, width, fixed, fixed and not resize.padding, by_ratio)


def _resize(config: Config, section: str) -> Resize:
    resize = config.resize(section)
    if resize is None:
        raise InputError(
            "Neither Train nor Eval has RecResizeImg in its transforms: the network's input size is unknown."
        )
    return resize


class Network(Protocol):
    """The properties of a network that lines have to fit.

    Attributes:
        charset: the network's classes.
        input_size: see canvas_of.
        longest_label: the largest number of characters that the network can read, None for no limit.
    """

    charset: Charset
    input_size: tuple[int, int | None] | None
    longest_label: int | None


def training_lines(config: Config, network: Network, seed: int, progress: bool = True) -> Lines:
    """The training set with the augmentations of its transforms.

    Args:
        config: the configuration.
        network: the network that reads the lines; lines with more characters than it can read, or than
            Global.max_text_length, are left out and listed in `Lines.too_long`.
        seed: of every random draw.
        progress: show a bar while a cache is built or pictures' sizes are read.
    """
    records, images = training_records(config)
    lines = lines_of(config, network, records, images, seed, progress)
    if config.Train.dataset.cache_dir:
        lines.use_cache(config.Train.dataset.cache_dir, progress)
    return lines


def lines_of(
    config: Config, network: Network, records: RecordTable, images: Any, seed: int, progress: bool = True
) -> Lines:
    """Some lines as training sees them, with the augmentations of the Train section; see `training_lines`."""
    dataset, sampler = config.Train.dataset, config.Train.sampler
    canvas = canvas_of(config, network.input_size, "Train")
    if canvas.fixed and sampler is not None:
        raise InputError(
            f"Train.sampler.name {sampler.name} lays lines on canvases of several sizes, but the network works only "
            f"on {canvas.height_px}x{canvas.width_px}: leave Train.sampler empty."
        )
    if dataset.cache_dir and isinstance(sampler, settings.MultiScaleSampler):
        _check_heights(sampler, canvas.height_px)
    augment, join, line_aug = (dataset.operation(name) for name in ("RecAug", "RecConAug", "LineAug"))
    longest = min(config.Global.max_text_length, network.longest_label or config.Global.max_text_length)
    return Lines(
        records,
        images,
        network.charset,
        height_px=canvas.height_px,
        max_width_px=canvas.width_px if canvas.fixed else getattr(sampler, "max_width", UNSQUEEZED_PX),
        stretched=canvas.stretched,
        longest_label=longest,
        drops_unknown=config.Global.unknown_characters == "drop",
        augment=None if augment is None else RecAug(**augment.shares),
        join=None if join is None else _join(join, canvas.width_px / canvas.height_px),
        line_aug=None if line_aug is None else LineAug(**line_aug.model_dump()),
        seed=seed,
        progress=progress,
    )


def training_records(config: Config) -> tuple[RecordTable, Any]:
    """Records and images of the Train section, before selection and augmentation."""
    return _records_and_images(config.Train.dataset, "Train", config.Global.seed)


def evaluation_lines(config: Config) -> tuple[RecordTable, Any]:
    """Records and images of the Eval section; labels are the original ones and may hold any character."""
    return _records_and_images(config.Eval.dataset, "Eval", config.Global.seed)


def training_sampler(config: Config, lines: Lines, seed: int, processes: int = 1, draw: Draw | None = None) -> Sampler:
    """The sampler of the Train section; PaddleOCR's fixed canvas and batch size if it has none.

    Args:
        config: the configuration.
        lines: the training set.
        seed: of the order.
        processes: the number of processes that share every batch; batches are that many times larger.
        draw: which lines an epoch sees; by default each of them once.
    """
    sampler, loader = config.Train.sampler, config.Train.loader
    _, height, width = image_shape(config, "Train")
    batch_size = loader.batch_size_per_card * processes
    if isinstance(sampler, settings.WidthBucketSampler):
        pixels = (sampler.pixels_per_batch or 0) * processes or batch_size * height * width
        return WidthBucketSampler(lines.widths_px(), height, pixels, loader.shuffle, seed, draw=draw)
    if isinstance(sampler, settings.RatioSampler):
        resize, first = config.Train.dataset.resize, (sampler.first_bs or loader.batch_size_per_card) * processes
        pixels = first * sampler.scales[0][0] * sampler.scales[0][1]
        sizes, own = resize.sizes_px, len(resize.base_shape)
        counts = [first if n < own else max(1, pixels // (w * h)) for n, (w, h) in enumerate(sizes)]
        ratios = ratios_of(lines.picture_sizes_px())
        return RatioSampler(np.minimum(ratios, len(sizes)) - 1, sizes, counts, loader.shuffle, seed, draw)
    if isinstance(sampler, settings.MultiScaleSampler):
        return MultiScaleSampler(
            len(lines),
            [tuple(scale) for scale in sampler.scales],
            sampler.first_bs * processes,
            sampler.fix_bs,
            tuple(sampler.divided_factor),
            loader.shuffle,
            seed,
            draw,
        )
    if loader.drop_last and len(lines) < batch_size:
        raise InputError(
            f"{len(lines)} lines do not fill a batch of {batch_size} and Train.loader.drop_last leaves a short one "
            "out: nothing would be trained. Set it to false or lower Train.loader.batch_size_per_card."
        )
    return FixedSampler(len(lines), batch_size, height, width, loader.shuffle, loader.drop_last, seed, draw)


def _check_heights(sampler: settings.MultiScaleSampler, cached_px: int) -> None:
    """Raises InputError when a MultiScaleSampler asks for lines of another height than a cache holds."""
    others = sorted({height for _, height in sampler.sizes_px} - {cached_px})
    if others:
        raise InputError(
            f"Train.dataset.cache_dir holds lines {cached_px} pixels high, but Train.sampler.scales asks for heights "
            f"of {', '.join(map(str, others))} too: leave cache_dir empty, or give all scales the height {cached_px}."
        )


def _join(options: RecConAug, ratio: float) -> JoinLines:
    """`ratio`, width to height, limits joined lines where the options give no shape."""
    shape = options.image_shape
    return JoinLines(options.prob, options.ext_data_num, shape[1] / shape[0] if shape else ratio)


def _records_and_images(dataset: settings.DatasetSettings, section: str, seed: int) -> tuple[RecordTable, Any]:
    """The lines of a section and where their pictures are; InputError where there is no line."""
    if isinstance(dataset, settings.LMDBDataSet):
        images = open_lmdbs([Path(folder) for folder in dataset.data_dirs])
        records = RecordTable.joined([part.table() for part in images.parts])
        if not records:
            raise InputError(
                f"{section}.dataset.data_dir: {', '.join(dataset.data_dirs)} holds no line: num-samples is 0."
            )
        return records, images
    images = open_images(dataset.data_dir)
    records = RecordTable.joined(read_label_files(dataset, section, seed, read_label_file))
    return records, images


def read_label_files(
    dataset: settings.SimpleDataSet, section: str, seed: int, read: Callable[[str], Table]
) -> list[Table]:
    """Reads the label files of a section, and draws the share of each that the section asks for.

    Args:
        dataset: of the section.
        section: "Train" or "Eval", for messages.
        seed: of the draw.
        read: reads one file.

    Raises:
        InputError: a file is missing, or there is no line.
    """
    tables: list[Table] = []
    lines = 0
    for number, (file, ratio) in enumerate(zip(dataset.label_files, dataset.ratios, strict=True)):
        if not Path(file).exists():
            raise InputError(f"{section}.dataset.label_file_list: {file} does not exist; `scenetext prepare` makes it.")
        own = read(file)
        lines += len(own)
        if ratio < 1.0:
            rng = np.random.default_rng((seed, number))
            own = own.take(np.sort(rng.permutation(len(own))[: round(len(own) * ratio)]))
        tables.append(own)
    if not lines:
        files = ", ".join(dataset.label_files)
        raise InputError(
            f"{section}.dataset.label_file_list: {files} holds no line; `scenetext prepare --val 0` leaves val.txt "
            "empty, and a larger --val fills it."
        )
    if not any(map(len, tables)):
        raise InputError(
            f"{section}.dataset.ratio_list is {dataset.ratio_list} and leaves none of the {lines} lines: raise it."
        )
    return tables
