"""The weights that a training starts from: Global.pretrained_model, and for a distillation each network's own."""

from __future__ import annotations

import copy

from scenetext.config import Config
from scenetext.errors import InputError
from scenetext.models.blocks.layers import freeze
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.train.losses.build import keeps_answers
from scenetext.train.weight_interpolation import WeightInterpolation
from scenetext.weights.loading import load_weights


def load_pretrained(
    config: Config, model: RecognitionModel | DistillationModel
) -> tuple[list[str], WeightInterpolation]:
    """Loads the weights that the config names, unless a checkpoint (Global.checkpoints) will replace them.

    Global.pretrained_model is loaded even then if training needs it all along; see `needs_pretrained`.

    Returns:
        Reports of the weights loaded, for the user; and the interpolation with the loaded weights, which changes
        nothing when the config asks for none.

    Raises:
        InputError: weights that do not fit, or a frozen network of a distillation that lacks some of its weights.
    """
    checkpoint = config.Global.checkpoints
    source = config.Global.pretrained_model
    alpha = config.Global.weight_interpolation if source else 1.0
    needed, notes = needs_pretrained(config), []
    incomplete = set() if checkpoint else set(getattr(model, "frozen", ()))
    if not checkpoint:
        for name, path in getattr(model, "pretrained", {}).items():
            report = load_weights(getattr(model, name), path)
            notes.append(f"{name}: {report}")
            if not report.missing:
                incomplete.discard(name)
    if source and (needed or not checkpoint):
        report = load_weights(model, source)
        notes.append(str(report))
        incomplete &= {key.partition(".")[0] for key in report.missing}
    if incomplete:
        name = min(incomplete)
        loaded = "".join(f"\n{note}" for note in notes)
        raise InputError(
            f"Architecture.Models.{name} has freeze_params: true, but not all of its weights were loaded, so the "
            f"student would learn from random ones: name a file that holds them all as "
            f"Architecture.Models.{name}.pretrained.{loaded}"
        )
    return notes, WeightInterpolation(model, alpha)


def needs_pretrained(config: Config) -> bool:
    """Whether a training needs the pretrained weights beyond its start: to mix, to answer, or to read lines.

    Raises:
        InputError: it does, and Global.pretrained_model names none.
    """
    taught = config.has("Train") and config.Train.teacher is not None
    keeps = config.has("Loss") and keeps_answers(config) and not taught
    reads = config.has("Train") and config.Train.reads_lines
    if not config.Global.pretrained_model and (keeps or reads):
        setting = "Loss.answers_weight" if keeps else "Train.repeats.misread, doubted_from or Train.misread_characters"
        way_out = ", or another network that answers in Train.teacher" if keeps else ""
        raise InputError(
            f"{setting} needs a pretrained network that reads: name it in Global.pretrained_model{way_out}."
        )
    return keeps or reads or config.Global.weight_interpolation < 1.0


def frozen_copy(model: RecognitionModel) -> RecognitionModel:
    """The network as it is now, in evaluation mode, whatever becomes of the original."""
    kept = copy.deepcopy(model)
    freeze(kept)
    kept.eval()
    return kept
