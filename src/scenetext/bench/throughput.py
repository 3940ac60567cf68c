"""Measured comparisons: every side runs in turn, several rounds, in one call; medians with their spread."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from tqdm.auto import tqdm

from scenetext.config import Config
from scenetext.errors import InputError

Measure = Callable[[], float]


def in_turn(sides: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measures every side once per round, in turn, so that what slows the machine down slows all of them.

    Args:
        sides: what to call, by name; each returns lines per second.
        rounds: how often.

    Returns:
        The figures of each side, by name.
    """
    if rounds < 1:
        raise InputError(f"--rounds {rounds}: give at least 1.")
    figures: dict[str, list[float]] = {name: [] for name in sides}
    with tqdm(total=rounds * len(sides), unit="run", desc="bench") as bar:
        for _ in range(rounds):
            for name, measure in sides.items():
                figures[name].append(measure())
                bar.update()
    return figures


def table(figures: Mapping[str, Sequence[float]]) -> str:
    """Median, least and greatest lines per second of each side, and its ratio to the first, round by round."""
    first = next(iter(figures.values()))
    lines = [f"{'':24}{'lines/s':>10}{'least':>10}{'most':>10}{'ratio':>8}{'least':>8}{'most':>8}"]
    for name, values in figures.items():
        ratios = [value / other for value, other in zip(values, first, strict=True)]
        lines.append(
            f"{name:24}{median(values):10.1f}{min(values):10.1f}{max(values):10.1f}"
            f"{median(ratios):8.2f}{min(ratios):8.2f}{max(ratios):8.2f}"
        )
    return "\n".join(lines)


def bench_predict(
    model: str | Path, images: str | Path, engines: Sequence[str], batch_size: int = 16, rounds: int = 3
) -> dict[str, list[float]]:
    """Compares engines on an exported folder: decoded pictures to texts, in lines per second.

    Args:
        model: the exported folder.
        images: a folder, zip, LMDB or picture.
        engines: what computes, the first being the one compared with.
        batch_size: see Recognizer.
        rounds: how often each engine runs.
    """
    from scenetext.data.sources.images import open_images
    from scenetext.data.transforms import decode_image
    from scenetext.predict.recognizer import Recognizer

    source = open_images(images)
    pictures = [decode_image(source.read(name), source.location(name)) for name in source.names()]
    readers = {engine: Recognizer(model, engine, batch_size) for engine in engines}
    if not pictures:
        raise InputError(f"There are no pictures in {images}.")

    def measure(engine: str) -> float:
        started = time.perf_counter()
        readers[engine](pictures)
        return len(pictures) / (time.perf_counter() - started)

    for engine in engines:
        measure(engine)  # the first run of a program also prepares it
    return in_turn({engine: lambda engine=engine: measure(engine) for engine in engines}, rounds)


def bench_train(config: Config, rounds: int = 3) -> dict[str, list[float]]:
    """Compares training as configured with training on PaddleOCR's fixed canvas: one epoch each, in lines per second.

    Args:
        config: a loaded configuration with a sampler of ours; Train.dataset.ratio_list shortens an epoch.
        rounds: how often each side runs.
    """
    from scenetext.config import load_config

    if config.Train.sampler is None:
        raise InputError("The configuration has no Train.sampler, so it is the fixed canvas itself.")
    once = ["Global.epoch_num=1", "Global.checkpoints=", "Global.use_visualdl=false"]
    never_evaluated = ["Global.eval_batch_epoch=", "Global.eval_batch_step=[1000000000, 1]"]
    configured = load_config(config, once + never_evaluated)
    fixed = load_config(configured, ["Train.sampler="])
    name = config.Train.sampler.name
    return in_turn({"fixed canvas": lambda: _train_once(fixed), name: lambda: _train_once(configured)}, rounds)


def _train_once(config: Config) -> float:
    from scenetext.train.trainer import train

    with tempfile.TemporaryDirectory() as folder:
        result = train(config, folder, progress=False)
    if math.isnan(result.lines_per_second):
        raise InputError("An epoch of one batch cannot be timed: lower Train.loader.batch_size_per_card.")
    return result.lines_per_second
