"""A configuration in short: the settings in which runs usually differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scenetext.config import Config
from scenetext.config.sections.architecture import DistillationModel, Network

Value = int | float | str


def short_settings(config: Config) -> dict[str, Value]:
    """The settings that decide most about a training, by a name that a table can head a column with.

    Args:
        config: the configuration of the run; sections that it lacks are left out.

    Returns:
        Numbers and texts, never None.
    """
    found: dict[str, Value | None] = {}
    if config.has("Architecture"):
        found["network"] = network_name(config.Architecture)
    settings = config.Global
    found["dictionary"] = settings.character_dict_path or "0-9a-z"
    found["starts from"] = settings.pretrained_model or "random weights"
    found["epochs"] = settings.epoch_num
    if config.has("Train"):
        train = config.Train
        found["batch size"] = train.loader.batch_size_per_card
        found["augmentation"] = ", ".join(augmentations(config)) or "none"
        found["picture height, px"] = resize.image_shape[1] if (resize := config.resize("Train")) else None
    if config.has("Optimizer"):
        found["optimiser"] = config.Optimizer.name
        found["learning rate"] = config.Optimizer.lr.learning_rate
        found["schedule"] = config.Optimizer.lr.name
    if settings.weight_interpolation != 1:
        found["weight interpolation"] = settings.weight_interpolation
    found["seed"] = settings.seed
    return {name: value for name, value in found.items() if value is not None}


def network_name(architecture: Network | DistillationModel) -> str:
    """The parts of a network by their names, as "PPLCNetV4 small, MultiHead".

    Args:
        architecture: of one network, or of several side by side.
    """
    if isinstance(architecture, DistillationModel):
        return "distillation of " + " and ".join(map(network_name, architecture.Models.values()))
    parts = (architecture.Transform, architecture.Backbone, architecture.Neck, architecture.Head)
    return ", ".join(_part_name(part) for part in parts if part and part.get("name"))


def _part_name(part: dict[str, Any]) -> str:
    details: Iterable[Any] = (part.get(key) for key in ("model_size", "model_name", "layers", "encoder_type"))
    return " ".join([part["name"], *(str(detail) for detail in details if detail is not None)])


def augmentations(config: Config) -> list[str]:
    """The names of the operations that change training lines at random.

    Args:
        config: with a section Train.
    """
    names = (type(one).__name__ for one in config.Train.dataset.transforms)
    return [name for name in names if name.startswith("Rec") and name.endswith("Aug")]
