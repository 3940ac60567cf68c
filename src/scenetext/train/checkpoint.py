"""Checkpoints in PaddleOCR's three files, and exact resumption; `checkpoint_files` says how they are written.

`PREFIX.pdparams` holds the weights, `PREFIX.pdopt` the optimiser's state, and `PREFIX.states` how far training had
come, float16's loss scale, and the training's identity. Nothing else has to be restored, because all randomness of a
step is drawn from the seed, the epoch and the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.optimizer import Optimizer

from scenetext.config import Config
from scenetext.config.sections.global_section import GlobalSettings
from scenetext.errors import InputError
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.runs.folders import former_folders
from scenetext.system.files import replacing
from scenetext.train.checkpoint_files import (
    FILES,
    OPTIMISER,
    STATES,
    WEIGHTS,
    Hashes,
    committed_files,
    read_states,
    replace_checkpoint,
    replace_states,
)
from scenetext.train.class_order import reordering
from scenetext.train.identity import IDENTITY, Identity
from scenetext.train.optimiser import build_optimiser
from scenetext.train.optimiser_state import read_average, restore_optimiser
from scenetext.train.state import TrainingState, state_from
from scenetext.train.weight_average import WeightAverage
from scenetext.weights.loading import has_statistics
from scenetext.weights.pdparams import read_parameter_names, read_pdparams


@dataclass(frozen=True)
class Resumed:
    """What a checkpoint says beside weights and moments.

    Attributes:
        prefix: the checkpoint's path without a suffix.
        state: how far training had come.
        identity: what it was a training of; None for checkpoints that do not say, as PaddleOCR's.
        has_hashes: its files are known to belong together.
    """

    prefix: Path
    state: TrainingState
    identity: Identity | None
    has_hashes: bool


def save_weights(model: nn.Layer, prefix: str | Path) -> Path:
    """Writes `prefix.pdparams` and returns its path.

    Raises:
        RunError: the disk is full or refuses; a file that was there before is unchanged.
    """
    path = Path(f"{prefix}{WEIGHTS}")
    with replacing(path) as file:
        paddle.save(model.state_dict(), file.name)
    return path


def save_checkpoint(
    model: nn.Layer,
    optimiser: Optimizer,
    state: TrainingState,
    prefix: str | Path,
    identity: Identity | None = None,
    average: WeightAverage | None = None,
) -> Hashes:
    """Writes the three files of a checkpoint, all of them or none.

    Args:
        model, optimiser: the network and its optimiser.
        state: how far training has come.
        prefix: the path of the files without their suffixes.
        identity: what it is a training of.
        average: of the weights; `.pdopt` holds it, too.

    Returns:
        The hashes of weights and optimiser, for `save_state`.

    Raises:
        RunError: the disk is full or refuses.
    """
    averaged = average.as_state() if average else {}
    parts = {
        WEIGHTS: lambda path: paddle.save(model.state_dict(), path),
        OPTIMISER: lambda path: paddle.save({**optimiser.state_dict(), **averaged}, path),
    }
    return replace_checkpoint(prefix, parts, _states(state, identity))


def save_state(state: TrainingState, prefix: str | Path, hashes: Hashes, identity: Identity | None = None) -> None:
    """Writes how far training has come into a checkpoint whose weights and optimiser are still the present ones.

    Raises:
        RunError: the disk is full or refuses.
    """
    replace_states(prefix, _states(state, identity), hashes)


def find_checkpoint(config: Config) -> Resumed | None:
    """What the checkpoint that Global.checkpoints names says, None where it names none.

    Raises:
        InputError: a file of the checkpoint is missing, broken, or does not belong to the other two.
    """
    return read_checkpoint(config.Global.checkpoints) if config.Global.checkpoints else None


def read_checkpoint(prefix: str | Path) -> Resumed:
    """What a checkpoint says beside weights and moments.

    Raises:
        InputError: a file is missing, broken, or does not belong to the other two.
    """
    prefix = _checked_prefix(prefix)
    path = committed_files(prefix)[STATES]
    states = read_states(prefix)
    identity = Identity.read(states[IDENTITY], path) if IDENTITY in states else None
    return Resumed(Path(prefix), state_from(states, path), identity, FILES in states)


def start_or_resume(
    config: Config,
    model: RecognitionModel | DistillationModel,
    epochs: int,
    steps_per_epoch: int,
    resumed: Resumed | None,
) -> Optimizer:
    """Makes the optimiser, and restores network and optimiser from the checkpoint that is resumed.

    Args:
        config: the configuration.
        model: the network; it is fused first if the checkpoint holds a fused network.
        epochs: of the whole training.
        steps_per_epoch: batches in one epoch.
        resumed: the checkpoint, if there is one.

    Raises:
        InputError: a file of the checkpoint belongs to another network.
    """
    if resumed is None:
        return build_optimiser(config, model, epochs, steps_per_epoch)
    weights = committed_files(resumed.prefix)[WEIGHTS]
    if not has_statistics(read_pdparams(weights)) and has_statistics(model.state_dict()):
        model.fuse()  # before the optimiser is made, which has to know the fused network's parameters
    optimiser = build_optimiser(config, model, epochs, steps_per_epoch)
    _restore(model, optimiser, resumed)
    return optimiser


def start_average(model: nn.Layer, settings: GlobalSettings, resumed: Resumed | None) -> WeightAverage:
    """The average of the weights (Global.use_ema): of the present ones, or that of the checkpoint that is resumed.

    Args:
        model: the network, after `start_or_resume`.
        settings: the configuration's section Global.
        resumed: the checkpoint, if there is one.

    Raises:
        InputError: the checkpoint's average is of another network.
    """
    decay = settings.ema_decay if settings.use_ema else 0.0
    if not decay or resumed is None:
        return WeightAverage(model, decay)
    former = read_average(committed_files(resumed.prefix)[OPTIMISER])
    reorder = reordering(model, resumed.identity.characters if resumed.identity else ())
    return WeightAverage(model, decay, former and {key: reorder(key, array) for key, array in former.items()})


def load_checkpoint(model: nn.Layer, optimiser: Optimizer, prefix: str | Path) -> TrainingState:
    """Restores weights, optimiser and state, so that training continues as if it had not stopped.

    Raises:
        InputError: a file is missing, broken, belongs to another network, or not to the other two files.
    """
    resumed = read_checkpoint(prefix)
    _restore(model, optimiser, resumed)
    return resumed.state


def _restore(model: nn.Layer, optimiser: Optimizer, resumed: Resumed) -> None:
    """Restores weights and optimiser; classes are moved where the checkpoint's dictionary has another order."""
    prefix, files = resumed.prefix, committed_files(resumed.prefix)
    arrays = read_pdparams(files[WEIGHTS])
    parameters = model.state_dict()
    wrong = [k for k in parameters if k not in arrays or tuple(arrays[k].shape) != tuple(parameters[k].shape)]
    if wrong:
        raise InputError(
            f"{prefix}.pdparams is no checkpoint of this network: {len(wrong)} parameters differ, the first is "
            f"{wrong[0]}. With another dictionary or network, name it as Global.pretrained_model instead."
        )
    names = read_parameter_names(files[WEIGHTS])
    reorder = reordering(model, resumed.identity.characters if resumed.identity else ())
    restore_optimiser(optimiser, trainable(model), names, files[OPTIMISER], reorder, resumed.has_hashes)
    model.set_state_dict({key: reorder(key, array) for key, array in arrays.items()})


def trainable(model: nn.Layer) -> dict[str, Tensor]:
    """The tensors that training changes by their gradients, by their keys in the state_dict."""
    trained = {id(parameter) for parameter in model.parameters() if not parameter.stop_gradient}
    return {key: tensor for key, tensor in model.state_dict().items() if id(tensor) in trained}


def _states(state: TrainingState, identity: Identity | None) -> Mapping[str, Any]:
    return {**state.as_states(), **({} if identity is None else {IDENTITY: identity.as_dict()})}


def _checked_prefix(prefix: str | Path) -> str:
    """The prefix of a checkpoint whose three files exist.

    Raises:
        InputError: a file is missing.
    """
    prefix = str(prefix).removesuffix(WEIGHTS)
    for suffix, path in committed_files(prefix).items():
        if not path.is_file():
            raise InputError(
                f"{prefix}{suffix} does not exist{_where_moved(path)}: a training is resumed from its .pdparams, "
                ".pdopt and .states together. To start a new one from these weights, name them as "
                "Global.pretrained_model."
            )
    return prefix


def _where_moved(path: Path) -> str:
    """Half a sentence on where a later training of the same run folder moved a file."""
    found = [folder for folder in former_folders(path.parent) if (folder / path.name).is_file()]
    return f" (a later training moved it to {found[-1]})" if found else ""
