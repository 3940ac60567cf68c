"""What a training checks and tells the user: before the first step, and after every step."""

from __future__ import annotations

import math

import numpy as np
import paddle

from scenetext.config import Config
from scenetext.data.batches import RatioSampler, Sampler, ctc_steps
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import canvas_of
from scenetext.errors import InputError
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.runs.folders import LATEST
from scenetext.train.checkpoint import Resumed
from scenetext.train.identity import Identity, check_identity
from scenetext.train.precision import Precision
from scenetext.train.state import TrainingState

Network = RecognitionModel | DistillationModel


def pixels_per_step(config: Config, model: Network) -> int:
    """Pixels of a picture's width per time step of CTC, found by running the network once.

    Decoders other than CTC need no minimal width: for them it is 1.
    """
    if model.decoding != "ctc":
        return 1
    canvas = canvas_of(config, model.input_size, "Train")
    was_training = model.training
    model.eval()
    with paddle.no_grad():
        for width_px, height_px in set(canvas.by_ratio):  # a network that is not made for one of them says so
            model(paddle.zeros([1, 3, height_px, width_px]))
        steps = model(paddle.zeros([1, 3, canvas.height_px, canvas.width_px])).shape[1]
    if was_training:
        model.train()
    return max(1, canvas.width_px // steps)


def notes_on_settings(config: Config, state: TrainingState, steps_per_epoch: int) -> list[str]:
    """Says which settings have no effect, whether nothing will be scored, and from where the training resumes."""
    notes = [f"known to PaddleOCR, without meaning here: {key}" for key in config.ignored]
    checkpoint = config.Global.checkpoints
    if checkpoint:
        notes.append(f"resumes from {checkpoint} at step {state.global_step}")
    never = why_never_evaluated(config, steps_per_epoch * config.Global.epoch_num)
    return [*notes, f"no best_accuracy will be saved, only {LATEST}: {never}"] if never else notes


def why_never_evaluated(config: Config, steps: int) -> str | None:
    """Why a training of so many steps is never scored, and the way out; None if it is."""
    first, every = evaluation_interval(config)
    if config.Global.eval_batch_epoch or steps >= first + every:
        return None
    return (
        f"the first evaluation is due after step {first + every} (Global.eval_batch_step), but there are only {steps} "
        "steps; set Global.eval_batch_epoch=1 for one after every epoch"
    )


def evaluation_interval(config: Config) -> tuple[int, int]:
    """The step after which the interval of evaluations counts, and the steps between them."""
    interval = config.Global.eval_batch_step
    first, every = interval if isinstance(interval, (list, tuple)) else (0, interval)
    return first, every


def notes_on_resumption(resumed: Resumed | None, now: Identity, allow_changed: bool) -> list[str]:
    """Says what differs from the training of the checkpoint that is resumed.

    Args:
        resumed: the checkpoint, if there is one.
        now: what this is a training of.
        allow_changed: differences are allowed.

    Raises:
        InputError: something differs and is not allowed to.
    """
    if resumed is None:
        return []
    if resumed.identity is None:
        return [
            f"{resumed.prefix} does not say with which settings, dictionary and data it was trained: check that they "
            "are the same"
        ]
    return check_identity(resumed.identity, now, resumed.prefix, allow_changed)


def notes_on_lines(model: Network, lines: Lines, sampler: Sampler, step_px: int) -> list[str]:
    """Says which lines contribute no gradient, so that no line is lost silently.

    Args:
        model: the network.
        lines: the training set.
        sampler: how it is batched; only a given canvas can be too narrow for a label.
        step_px: see `pixels_per_step`.

    Raises:
        InputError: no line contributes a gradient.
    """
    notes = []
    if lines.unknown:
        some = ", ".join(f"{character!r} {count} times" for character, count in lines.unknown.most_common(5))
        notes.append(
            f"left out of {lines.shortened} labels: {len(lines.unknown)} characters that the dictionary lacks, "
            f"{lines.unknown.total()} in all, the most frequent {some}"
        )
    if lines.too_long:
        first = lines.too_long[0]
        by_network = lines.longest_label == model.longest_label
        limit = "that the network can output" if by_network else "of Global.max_text_length"
        notes.append(
            f"left out: {len(lines.too_long)} lines longer than the {lines.longest_label} characters {limit}, the "
            f"first {first.name} ({first.location})"
        )
    widths_px = _canvas_widths(sampler, len(lines))
    if widths_px is None or model.decoding != "ctc":
        return notes
    short = [i for i, ids in enumerate(lines.ids) if ctc_steps(ids) > widths_px[i] // step_px]
    if short:
        first, width_px = lines.records[short[0]], widths_px[short[0]]
        canvas = f"the {width_px // step_px} time steps of a canvas of {width_px} pixels"
        way_out = "widen image_shape or use WidthBucketSampler"
        if isinstance(sampler, RatioSampler):
            canvas, way_out = "the time steps of their canvases", "widen base_shape of MultiSizeResize"
        if len(short) == len(lines):
            raise InputError(
                f"No line can be learnt: all {len(short)} labels need more than {canvas}, the first "
                f"{first.name} ({first.location}): {way_out}."
            )
        notes.append(
            f"{len(short)} lines need more than {canvas} and contribute no gradient, the first "
            f"{first.name} ({first.location}): {way_out}"
        )
    return notes


def _canvas_widths(sampler: Sampler, count: int) -> np.ndarray | None:
    """(N,) the width in pixels of every line's canvas; None where canvases are as wide as their lines need."""
    if isinstance(sampler, RatioSampler):
        return np.array([width for width, _ in sampler.sizes])[sampler.canvas_of]
    width_px = sampler.plan(0)[0].width_px
    return None if width_px is None else np.full(count, width_px)


def problem_of_step(loss: float, updated: bool, precision: Precision) -> str | None:
    """Why training cannot continue after a step, as the begin of a sentence; None if it can.

    Args:
        loss: of the whole batch.
        updated: whether the step changed the weights; see `Precision.backward_and_step`.
        precision: what the step was computed in.
    """
    if not updated:
        return precision.failure
    return None if math.isfinite(loss) else f"The loss became {loss}"
