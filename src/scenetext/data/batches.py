"""Samplers, which decide on the lines of each batch, and the loading of batches ahead of the network.

Every sampler plans one epoch at a time from the seed and the epoch's number, so that the members of a batch change
with each epoch and any epoch can be planned again after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from scenetext.data.dataset import Lines
from scenetext.data.draws import Draw
from scenetext.data.prefetch import ahead
from scenetext.data.transforms import canvas_width, resize_line, to_canvas
from scenetext.text.charset import BLANK

LENGTH_SPREAD = 0.05  # widths are jittered by this ratio before sorting, so that buckets change; more wastes pixels
BATCHES_AHEAD = 4


@dataclass(frozen=True)
class BatchPlan:
    """Members of one batch and the canvas they are laid on.

    Attributes:
        indices: the lines' numbers.
        height_px: of the canvas.
        width_px: of the canvas; None is as wide as the widest line needs.
        stretched: lines fill the canvas.
    """

    indices: np.ndarray
    height_px: int
    width_px: int | None = None
    stretched: bool = False


@dataclass(frozen=True)
class Batch:
    """One batch.

    Attributes:
        images: (B, 3, H, W) float32 in [-1, 1].
        ids: (B, L) int32, padded with the blank.
        lengths: (B,) int64, characters per label.
    """

    images: np.ndarray
    ids: np.ndarray
    lengths: np.ndarray


class Sampler(Protocol):
    """Plans the batches of an epoch."""

    def plan(self, epoch: int) -> list[BatchPlan]:
        """The epoch's batches in order."""


def lines_of_epoch(count: int, draw: Draw | None, epoch: int) -> np.ndarray:
    """(n,) int64: the lines that an epoch sees, each of `count` once unless `draw` chooses them."""
    return np.arange(count) if draw is None else draw.lines(epoch)


@dataclass(frozen=True)
class FixedSampler:
    """Batches of a fixed number of lines on a fixed canvas: what PaddleOCR's plain loader does."""

    count: int
    batch_size: int
    height_px: int
    width_px: int
    shuffle: bool
    drop_last: bool
    seed: int
    draw: Draw | None = None

    def plan(self, epoch: int) -> list[BatchPlan]:
        order = lines_of_epoch(self.count, self.draw, epoch)
        if self.shuffle:
            np.random.default_rng((self.seed, epoch)).shuffle(order)
        end = len(order) - len(order) % self.batch_size if self.drop_last else len(order)
        starts = range(0, end, self.batch_size)
        return [BatchPlan(order[i : min(i + self.batch_size, end)], self.height_px, self.width_px) for i in starts]


@dataclass(frozen=True)
class WidthBucketSampler:
    """Lines of similar width share a batch, as many as fill a constant number of pixels.

    Attributes:
        widths_px: (N,) width of every line at `height_px`.
        pixels_per_batch: pixels of a batch's canvas at most (a single wider line still makes a batch).
        step_px: canvases are multiples of this.
    """

    widths_px: np.ndarray
    height_px: int
    pixels_per_batch: int
    shuffle: bool
    seed: int
    step_px: int = 8
    draw: Draw | None = None

    def plan(self, epoch: int) -> list[BatchPlan]:
        rng = np.random.default_rng((self.seed, epoch))
        lines = lines_of_epoch(len(self.widths_px), self.draw, epoch)
        key = self.widths_px[lines].astype(np.float64)
        if self.shuffle:
            key = key * np.exp(rng.uniform(-LENGTH_SPREAD, LENGTH_SPREAD, len(key)))
        order = lines[np.argsort(key, kind="stable")]
        plans: list[BatchPlan] = []
        members: list[int] = []
        widest = 0
        for index in order:
            width = canvas_width(int(self.widths_px[index]), self.step_px)
            if members and max(widest, width) * (len(members) + 1) * self.height_px > self.pixels_per_batch:
                plans.append(BatchPlan(np.array(members), self.height_px))
                members, widest = [], 0
            members.append(int(index))
            widest = max(widest, width)
        plans.append(BatchPlan(np.array(members), self.height_px))
        if self.shuffle:
            plans = [plans[i] for i in rng.permutation(len(plans))]
        return plans


@dataclass(frozen=True)
class MultiScaleSampler:
    """Batches at several canvas sizes, fewer lines at larger ones (PaddleOCR's sampler of that name).

    Different here: the members of a batch change with every epoch, and a short last batch stays short.
    """

    count: int
    scales: Sequence[tuple[int, int]]  # (width, height) in pixels
    first_batch_size: int
    fixed_batch_size: bool
    multiples: tuple[int, int]  # of width and height
    shuffle: bool
    seed: int
    draw: Draw | None = None

    def plan(self, epoch: int) -> list[BatchPlan]:
        rng = np.random.default_rng((self.seed, epoch))
        order = lines_of_epoch(self.count, self.draw, epoch)
        order = rng.permutation(order) if self.shuffle else order
        wide, high = self.multiples
        sizes = [(w // wide * wide, h // high * high) for w, h in self.scales]
        first_pixels = sizes[0][0] * sizes[0][1] * self.first_batch_size
        plans: list[BatchPlan] = []
        start = 0
        while start < len(order):
            width, height = sizes[len(plans) % len(sizes)]
            size = self.first_batch_size if self.fixed_batch_size else max(1, first_pixels // (width * height))
            plans.append(BatchPlan(order[start : start + size], height, width))
            start += size
        return [plans[i] for i in rng.permutation(len(plans))] if self.shuffle else plans


@dataclass(frozen=True)
class RatioSampler:
    """Lines that are stretched to the same canvas share a batch: multi-size resizing, OpenOCR's sampler of that name.

    Different here: a short last batch of a canvas stays short; OpenOCR fills it with lines seen before.

    Attributes:
        canvas_of: (N,) the number of every line's canvas in `sizes`.
        sizes: width and height in pixels of each canvas.
        batch_sizes: lines in a batch of each canvas.
    """

    canvas_of: np.ndarray
    sizes: Sequence[tuple[int, int]]
    batch_sizes: Sequence[int]
    shuffle: bool
    seed: int
    draw: Draw | None = None

    def plan(self, epoch: int) -> list[BatchPlan]:
        rng = np.random.default_rng((self.seed, epoch))
        lines = lines_of_epoch(len(self.canvas_of), self.draw, epoch)
        plans: list[BatchPlan] = []
        for number, ((width, height), size) in enumerate(zip(self.sizes, self.batch_sizes, strict=True)):
            own = lines[self.canvas_of[lines] == number]
            own = rng.permutation(own) if self.shuffle else own
            plans += [BatchPlan(own[i : i + size], height, width, True) for i in range(0, len(own), size)]
        return [plans[i] for i in rng.permutation(len(plans))] if self.shuffle else plans


def make_batch(lines: Lines, plan: BatchPlan, epoch: int, step_px_per_class: int = 1) -> Batch:
    """Loads a plan's lines and lays them on their canvas.

    Args:
        step_px_per_class: pixels of width per time step of the network: a canvas is widened where a label needs
            more steps than the line's own width gives, since CTC cannot produce it otherwise.
    """
    width = plan.width_px if plan.stretched else None
    loaded = [lines.load(int(index), epoch, plan.height_px, width) for index in plan.indices]
    if plan.width_px is None:
        need = max(ctc_steps(ids) for _, ids in loaded) * step_px_per_class
        width = canvas_width(max(need, *(image.shape[1] for image, _ in loaded)))
        images = [image for image, _ in loaded]
    else:
        width = plan.width_px
        images = [_squeezed(image, width) for image, _ in loaded]
    ids = np.full((len(loaded), max(1, *(len(ids) for _, ids in loaded))), BLANK, np.int32)
    for row, (_, own) in zip(ids, loaded, strict=True):
        row[: len(own)] = own
    return Batch(to_canvas(images, width), ids, np.array([len(own) for _, own in loaded], np.int64))


def ctc_steps(ids: Sequence[int]) -> int:
    """The fewest time steps in which CTC can produce a label: one a character and one between equal neighbours."""
    return len(ids) + sum(a == b for a, b in pairwise(ids))


def load_ahead(
    lines: Lines, plans: Sequence[BatchPlan], epoch: int, workers: int, step_px_per_class: int = 1
) -> Iterator[Batch]:
    """Yields the plans' batches in order, made by threads ahead of their use."""

    def made(plan: BatchPlan) -> Batch:
        return make_batch(lines, plan, epoch, step_px_per_class)

    return ahead(made, plans, max(1, workers), BATCHES_AHEAD)


def _squeezed(image: np.ndarray, width_px: int) -> np.ndarray:
    return image if image.shape[1] <= width_px else resize_line(image, image.shape[0], width_px)
