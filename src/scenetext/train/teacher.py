"""Distillation from a network of any architecture: who answers on pictures, and how the answers are compared.

Kim and Rush, Sequence-Level Knowledge Distillation, EMNLP 2016, arXiv:1606.07947: the student learns the texts that its
teacher reads (section 3.2), which asks nothing of the teacher but texts. Where the teacher has the student's
characters, the student can also learn from its probabilities (Hinton et al., arXiv:1503.02531).
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import paddle
from paddle import Tensor

from scenetext.config import Config, load_config
from scenetext.config.sections.data import MultiScaleSampler
from scenetext.data.pipeline import canvas_of
from scenetext.errors import InputError
from scenetext.models.recognition_model import RecognitionModel
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.recognizer import Recognizer
from scenetext.predict.trained_model import load_pretrained_reader
from scenetext.train.pretrained import frozen_copy

Answering = Callable[[Tensor], Tensor]
"""(B, 3, H, W) float32 → (B, T, C) raw logits of the student's classes, without a gradient."""

LEAST_PROBABILITY = 1e-12  # whose logarithm is finite
NAMED = 8  # characters that a message names
WAY_OUT = "leave answers_weight out, and let PretrainedAnswers in Train.replay teach the texts alone."


def load_teacher(config: Config) -> LineReader | None:
    """The network of Train.teacher as a reader; None without one.

    Raises:
        InputError: its folder is not complete, its weights do not fit its configuration, or its dictionary is not the
            one of its classes.
    """
    teacher = config.Train.teacher
    if teacher is None:
        return None
    try:
        if teacher.model is not None:
            reader = Recognizer(teacher.model)
        else:
            given = {"Global.pretrained_model": teacher.weights, "Global.use_gpu": config.Global.use_gpu}
            overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]
            reader = load_pretrained_reader(load_config(teacher.config, overrides), strict=True)
        side_px = reader.canvas.height_px
        reader.probabilities(reader.fit(np.zeros((side_px, side_px, 3), np.uint8)))  # compares classes and dictionary
    except InputError as error:
        raise InputError(f"Train.teacher: {error}") from None
    return reader


def answering(config: Config, student: RecognitionModel, teacher: LineReader | None) -> Answering:
    """What Loss.answers_weight compares the student with: the teacher, or the student's own pretrained weights.

    Args:
        config: the configuration.
        student: with its initial weights.
        teacher: see `load_teacher`.

    Raises:
        InputError: the teacher cannot be compared with the student class by class, or works on other canvases.
    """
    if teacher is None:
        return frozen_copy(student)
    _check_canvas(config, student, teacher)
    classes = _classes_of_student(student, teacher)

    def answers(images: Tensor) -> Tensor:
        if isinstance(teacher, ModelReader):
            logits = teacher.model(images)
        else:
            logits = paddle.log(paddle.to_tensor(teacher.engine.run(images.numpy())) + LEAST_PROBABILITY)
        return logits if classes is None else paddle.index_select(logits, classes, axis=-1)

    return answers


def _check_canvas(config: Config, student: RecognitionModel, teacher: LineReader) -> None:
    own, sampler = canvas_of(config, student.input_size, "Train"), config.Train.sampler
    heights = {own.height_px}
    if isinstance(sampler, MultiScaleSampler):
        heights = {height for _, height in sampler.sizes_px}
    there = teacher.canvas
    is_same = heights == {there.height_px} and (not there.fixed or (own.fixed and own.width_px == there.width_px))
    if own.by_ratio or there.by_ratio:
        heights, is_same = {height for _, height in own.by_ratio} or heights, own.by_ratio == there.by_ratio
    if not is_same:
        given = " or ".join(map(str, sorted(heights)))
        raise InputError(
            f"Loss.answers_weight shows both networks the same pictures, but the student's are {given} pixels high and "
            f"the teacher's {there.height_px}{f' and {there.width_px} wide' if there.fixed else ''}: {WAY_OUT}"
        )


def _classes_of_student(student: RecognitionModel, teacher: LineReader) -> Tensor | None:
    """The teacher's class for each of the student's; None where they are the same."""
    if teacher.decoding != "ctc":
        raise InputError(
            f"Loss.answers_weight compares the classes of CTC at every time step, but the teacher's decoder is "
            f"{teacher.decoding}: {WAY_OUT}"
        )
    rows = student.charset.rows_in(teacher.charset)
    lacking = [c for c, row in zip(student.charset.characters, rows[1:], strict=True) if row is None]
    if lacking:
        raise InputError(
            f"Loss.answers_weight compares class by class, but the teacher's dictionary lacks {len(lacking)} of the "
            f"student's characters ({''.join(lacking[:NAMED])}{'…' if len(lacking) > NAMED else ''}): name a "
            f"dictionary that the teacher's holds in Global.character_dict_path, or {WAY_OUT}"
        )
    return None if rows == list(range(teacher.charset.num_classes)) else paddle.to_tensor(rows, "int64")
