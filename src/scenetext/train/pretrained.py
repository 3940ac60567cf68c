"""What a training starts from: Global.pretrained_model, and for a distillation its networks' own weights."""

from __future__ import annotations

from scenetext.config import Config
from scenetext.errors import InputError
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.weights.loading import load_weights


def load_pretrained(config: Config, model: RecognitionModel | DistillationModel) -> tuple[list[str], float]:
    """Loads the weights that the config names, unless a checkpoint (Global.checkpoints) will take their place.

    Global.pretrained_model is loaded all the same where training ends in a blend of it and the trained weights.

    Returns:
        What became of the weights, to be shown; and the trained weights' share of that blend, 1 without one.

    Raises:
        InputError: weights that do not fit, or a frozen network of a distillation that would teach noise.
    """
    checkpoint = config.Global.checkpoints
    source = config.Global.pretrained_model
    share = config.Global.weight_interpolation if source else 1.0
    notes = []
    untrained = set() if checkpoint else set(getattr(model, "frozen", ()))
    if not checkpoint:
        for name, path in getattr(model, "pretrained", {}).items():
            report = load_weights(getattr(model, name), path)
            notes.append(f"{name}: {report}")
            if not report.missing:
                untrained.discard(name)
    if source and (share < 1.0 or not checkpoint):
        report = load_weights(model, source)
        notes.append(str(report))
        untrained &= {key.partition(".")[0] for key in report.missing}
    if untrained:
        name = min(untrained)
        said = "".join(f"\n{note}" for note in notes)
        raise InputError(
            f"Architecture.Models.{name} has freeze_params: true, but not all of its weights were loaded, so it would "
            f"teach noise: name a file that holds them all as Architecture.Models.{name}.pretrained.{said}"
        )
    return notes, share
