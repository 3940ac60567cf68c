"""What a training checks and tells the user: before the first step, and after every step."""

from __future__ import annotations

import math

import paddle
from paddle.optimizer import Optimizer

from scenetext.config import Config
from scenetext.data.batches import Sampler, ctc_steps
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import canvas_of
from scenetext.errors import RunError
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.runs.folders import LATEST
from scenetext.train.log import TrainingLog
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
        steps = model(paddle.zeros([1, 3, canvas.height_px, canvas.width_px])).shape[1]
    if was_training:
        model.train()
    return max(1, canvas.width_px // steps)


def notes_on_settings(config: Config, state: TrainingState) -> list[str]:
    """Says which settings have no effect, and from where the training resumes if it does."""
    notes = [f"known to PaddleOCR, without meaning here: {key}" for key in config.ignored]
    checkpoint = config.Global.checkpoints
    return [*notes, f"resumes from {checkpoint} at step {state.global_step}"] if checkpoint else notes


def notes_on_lines(model: Network, lines: Lines, sampler: Sampler, step_px: int) -> list[str]:
    """Says which labels are changed and which lines contribute no gradient, so that no line is lost silently.

    Args:
        model: the network.
        lines: the training set.
        sampler: how it is batched; only a fixed canvas can be too narrow for a label.
        step_px: see `pixels_per_step`.
    """
    notes = []
    if lines.quoted:
        first = lines.quoted[0]
        example = f"the first {first.text} ({first.location})"
        notes.append(
            f"took the quotes off {len(lines.quoted)} labels, {example}"
            if lines.unquoted
            else f"{len(lines.quoted)} labels stand in quotes, as pandas writes a label that holds a quote, {example}: "
            "they are learnt with these quotes; Global.quoted_labels=unquote takes them off"
        )
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
    width_px = sampler.plan(0)[0].width_px
    if width_px is None or model.decoding != "ctc":
        return notes
    steps = width_px // step_px
    short = [i for i, ids in enumerate(lines.ids) if ctc_steps(ids) > steps]
    if short:
        first = lines.records[short[0]]
        notes.append(
            f"{len(short)} lines need more than the {steps} time steps of a canvas of {width_px} pixels and contribute "
            f"no gradient, the first {first.name} ({first.location}): widen image_shape or use WidthBucketSampler"
        )
    return notes


def check_step(
    loss: float, updated: bool, precision: Precision, optimiser: Optimizer, state: TrainingState, log: TrainingLog
) -> None:
    """Checks that training can continue after a step, and logs a step that float16 left out.

    Args:
        loss: of the whole batch.
        updated: whether the step changed the weights; see `Precision.backward_and_step`.
        precision: what the step was computed in.
        optimiser: knows the learning rate.
        state: how far training had come before the step.
        log: of the training.

    Raises:
        RunError: the loss is no finite number, or float16 can no longer hold the gradient.
    """
    step = state.global_step + 1
    problem = precision.failure if not updated else None
    if updated and not math.isfinite(loss):
        problem = f"The loss became {loss}"
    if problem:
        latest = log.folder / f"{LATEST}.pdparams"
        saved = f"; the last good weights are {latest}" if latest.exists() else ""
        raise RunError(
            f"{problem} at step {step}: lower Optimizer.lr.learning_rate (now {optimiser.get_lr():.1e}){saved}."
        )
    if not updated:
        scale = precision.metrics()["loss_scale"]
        log.say(f"step {step} left out: its gradient is beyond float16; the loss scale is now {scale:g}")
