"""From a config's Train and Eval sections to lines and the sampler that batches them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from scenetext.config import setting
from scenetext.config.resize import operations, resize_options
from scenetext.data.augment import RecAug
from scenetext.data.batches import FixedSampler, MultiScaleSampler, Sampler, WidthBucketSampler
from scenetext.data.dataset import JoinLines, Lines
from scenetext.data.sources.images import open_images
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file
from scenetext.text.records import RecordTable

UNSQUEEZED_PX = 3200  # evaluation keeps lines up to this width, as PaddleOCR's predictors do


def image_shape(config: Mapping[str, Any], section: str = "Eval") -> tuple[int, int, int]:
    """(channels, height, width) in pixels of the section's resize, or of the other section's if it has none.

    Raises:
        InputError: neither section has a resize.
    """
    return tuple(_resize(config, section)["image_shape"])


def canvas_of(config: Mapping[str, Any], input_size: tuple[int, int | None] | None, section: str = "Eval") -> Canvas:
    """The canvas of a section.

    Args:
        config: the configuration.
        input_size: (height, width) in pixels of a network that works at one size only (the width is None if it is
            free), else None; see RecognitionModel.input_size.
        section: "Train" or "Eval".

    Raises:
        InputError: the section's height or width is not the one that the network works at.
    """
    options = _resize(config, section)
    _, height, width = options["image_shape"]
    fixed = input_size is not None and input_size[1] is not None
    if input_size is not None and (height != input_size[0] or (fixed and width != input_size[1])):
        needed = f"{input_size[0]} pixels high" + (f" and {input_size[1]} wide" if fixed else "")
        raise InputError(
            f"{section}'s image_shape is {list(options['image_shape'])}, but the network works only on pictures "
            f"{needed}: set it in RecResizeImg (SVTRRecResizeImg) of both Train and Eval."
        )
    return Canvas(height, width, fixed, fixed and options.get("padding") is False)


def _resize(config: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    options = resize_options(config, section)
    if options is None:
        raise InputError(
            "Neither Train nor Eval has RecResizeImg in its transforms: the network's input size is unknown."
        )
    return options


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


def training_lines(config: Mapping[str, Any], network: Network, seed: int, progress: bool = True) -> Lines:
    """The training set with the augmentations of its transforms.

    Args:
        config: the configuration.
        network: the network that reads the lines; lines longer than it can read are listed in `Lines.too_long`.
        seed: of every random draw.
        progress: show a bar while a cache is built or pictures' sizes are read.
    """
    transforms = operations(config, "Train")
    canvas = canvas_of(config, network.input_size, "Train")
    sampler = _sampler(config)
    if canvas.fixed and sampler.get("name"):
        raise InputError(
            f"Train.sampler.name {sampler['name']} lays lines on canvases of several sizes, but the network works only "
            f"on {canvas.height_px}x{canvas.width_px}: leave Train.sampler empty."
        )
    cache_dir = setting(config, "Train.dataset.cache_dir")
    if cache_dir and sampler.get("name") == "MultiScaleSampler":
        _check_heights(sampler, canvas.height_px)
    joined = transforms.get("RecConAug")
    lines = _lines(
        config,
        "Train",
        network.charset,
        height_px=canvas.height_px,
        max_width_px=canvas.width_px if canvas.fixed else sampler.get("max_width", UNSQUEEZED_PX),
        stretched=canvas.stretched,
        longest_label=network.longest_label,
        max_text_length=setting(config, "Global.max_text_length"),
        augment=_augment(transforms["RecAug"]) if "RecAug" in transforms else None,
        join=None if joined is None else _join(joined, canvas.width_px / canvas.height_px),
        seed=seed,
        progress=progress,
    )
    if cache_dir:
        lines.use_cache(cache_dir, progress)
    return lines


def training_records(config: Mapping[str, Any]) -> tuple[RecordTable, Any]:
    """Records and images of the Train section, before selection and augmentation."""
    return _records_and_images(config, "Train")


def evaluation_lines(config: Mapping[str, Any], charset: Charset | None = None) -> tuple[RecordTable, Any]:
    """Records and images of the Eval section; labels are the original ones and may hold any character."""
    return _records_and_images(config, "Eval")


def training_sampler(config: Mapping[str, Any], lines: Lines, seed: int, processes: int = 1) -> Sampler:
    """The sampler of the Train section; PaddleOCR's fixed canvas and batch size if it has none.

    Args:
        config: the configuration.
        lines: the training set.
        seed: of the order.
        processes: the number of processes that share every batch; batches are that many times larger.
    """
    sampler = _sampler(config)
    _, height, width = image_shape(config, "Train")
    batch_size = setting(config, "Train.loader.batch_size_per_card") * processes
    shuffle = setting(config, "Train.loader.shuffle")
    name = sampler.get("name")
    if name == "WidthBucketSampler":
        pixels = (sampler.get("pixels_per_batch") or 0) * processes or batch_size * height * width
        return WidthBucketSampler(lines.widths_px(), height, pixels, shuffle, seed)
    if name == "MultiScaleSampler":
        return MultiScaleSampler(
            len(lines),
            [tuple(scale) for scale in sampler["scales"]],
            sampler["first_bs"] * processes,
            sampler.get("fix_bs", False),
            tuple(sampler.get("divided_factor", (8, 16))),
            shuffle,
            seed,
        )
    drop_last = setting(config, "Train.loader.drop_last")
    if drop_last and len(lines) < batch_size:
        raise InputError(
            f"{len(lines)} lines do not fill a batch of {batch_size} and Train.loader.drop_last leaves a short one "
            "out: nothing would be trained. Set it to false or lower Train.loader.batch_size_per_card."
        )
    return FixedSampler(len(lines), batch_size, height, width, shuffle, drop_last, seed)


def _sampler(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config["Train"].get("sampler") or {}


def _check_heights(sampler: Mapping[str, Any], cached_px: int) -> None:
    """Raises InputError when a MultiScaleSampler asks for lines of another height than a cache holds."""
    _, multiple = sampler.get("divided_factor", (8, 16))
    others = sorted({height // multiple * multiple for _, height in sampler["scales"]} - {cached_px})
    if others:
        raise InputError(
            f"Train.dataset.cache_dir holds lines {cached_px} pixels high, but Train.sampler.scales asks for heights "
            f"of {', '.join(map(str, others))} too: leave cache_dir empty, or give all scales the height {cached_px}."
        )


def _augment(options: Mapping[str, Any]) -> RecAug:
    options = dict(options)
    shared = options.pop("prob", None)
    fields = RecAug.__dataclass_fields__
    return RecAug(**(dict.fromkeys(fields, shared) if shared is not None else {}) | options)


def _join(options: Mapping[str, Any], ratio: float) -> JoinLines:
    shape = options.get("image_shape")
    return JoinLines(options.get("prob", 0.5), options.get("ext_data_num", 2), shape[1] / shape[0] if shape else ratio)


def _records_and_images(config: Mapping[str, Any], section: str) -> tuple[RecordTable, Any]:
    dataset = config[section]["dataset"]
    if dataset.get("name") == "LMDBDataSet":
        images = Lmdbs(Path(dataset["data_dir"]))
        return RecordTable.joined([part.table() for part in images.parts]), images
    images = open_images(dataset["data_dir"])
    files = dataset["label_file_list"]
    files = [files] if isinstance(files, str) else files
    ratios = dataset.get("ratio_list", [1.0])
    ratios = [ratios] if isinstance(ratios, (int, float)) else list(ratios)
    ratios = ratios * len(files) if len(ratios) == 1 else ratios
    tables: list[RecordTable] = []
    for number, (file, ratio) in enumerate(zip(files, ratios, strict=True)):
        if not Path(file).is_file():
            raise InputError(f"{section}.dataset.label_file_list: {file} does not exist; `scenetext prepare` makes it.")
        own = read_label_file(file)
        if ratio < 1.0:
            rng = np.random.default_rng((setting(config, "Global.seed"), number))
            own = own.take(np.sort(rng.permutation(len(own))[: round(len(own) * ratio)]))
        tables.append(own)
    return RecordTable.joined(tables), images


def _lines(config: Mapping[str, Any], section: str, charset: Charset, **options: Any) -> Lines:
    records, images = _records_and_images(config, section)
    return Lines(records, images, charset, **options)
