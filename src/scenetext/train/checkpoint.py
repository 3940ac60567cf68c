"""Checkpoints in PaddleOCR's three files, written whole or not at all, and exact resumption.

`PREFIX.pdparams` holds the weights, `PREFIX.pdopt` the optimiser's state, and `PREFIX.states` how far training had come
and float16's loss scale. Nothing else has to be restored, because all randomness of a step is drawn from the seed, the
epoch and the step.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import paddle
from paddle import nn
from paddle.optimizer import Optimizer

from scenetext.config import Config
from scenetext.errors import InputError, RunError
from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.system.files import replacing
from scenetext.train.optimiser import build_optimiser
from scenetext.train.state import TrainingState
from scenetext.weights.loading import has_statistics
from scenetext.weights.pdparams import read_parameter_names, read_pdparams, unpickle_arrays


def save_weights(model: nn.Layer, prefix: str | Path) -> Path:
    """Writes `prefix.pdparams` and returns its path.

    Raises:
        RunError: the disk is full or refuses; a file that was there before is unchanged.
    """
    return _save(model.state_dict(), Path(f"{prefix}.pdparams"))


def save_checkpoint(model: nn.Layer, optimiser: Optimizer, state: TrainingState, prefix: str | Path) -> None:
    """Writes the three files of a checkpoint.

    All three are complete under temporary names before the first is renamed, so a full disk or a kill while they are
    written leaves the former checkpoint whole.

    Raises:
        RunError: the disk is full or refuses.
    """
    states = {"epoch": state.epoch, "global_step": state.global_step, "progress": asdict(state)}
    parts = {".pdparams": model.state_dict(), ".pdopt": optimiser.state_dict()}
    written: list[tuple[Path, Path]] = []
    try:
        for suffix, content in parts.items():
            target = Path(f"{prefix}{suffix}")
            temporary = target.with_name(f".{target.name}.new")
            written.append((temporary, target))
            _save(content, temporary)
        with replacing(f"{prefix}.states") as file:
            pickle.dump(states, file, protocol=2)
            for temporary, target in written:
                os.replace(temporary, target)
    except OSError as error:
        raise RunError(f"The checkpoint {prefix} could not be written: {error}; the former one is unchanged.") from None
    finally:
        for temporary, _ in written:
            temporary.unlink(missing_ok=True)


def start_or_resume(
    config: Config, model: RecognitionModel | DistillationModel, epochs: int, steps_per_epoch: int
) -> tuple[Optimizer, TrainingState]:
    """Makes the optimiser, and restores network, optimiser and state from Global.checkpoints if it is given.

    Args:
        config: the configuration.
        model: the network; it is fused first if the checkpoint holds a fused network.
        epochs: of the whole training.
        steps_per_epoch: batches in one epoch.

    Raises:
        InputError: a file of the checkpoint is missing, or belongs to another network.
    """
    prefix = config.Global.checkpoints
    if not prefix:
        return build_optimiser(config, model, epochs, steps_per_epoch), TrainingState()
    if not has_statistics(read_pdparams(_checked_prefix(prefix))) and has_statistics(model.state_dict()):
        model.fuse()  # before the optimiser is made, which has to know the fused network's parameters
    optimiser = build_optimiser(config, model, epochs, steps_per_epoch)
    return optimiser, load_checkpoint(model, optimiser, prefix)


def load_checkpoint(model: nn.Layer, optimiser: Optimizer, prefix: str | Path) -> TrainingState:
    """Restores weights, optimiser and state, so that training continues as if it had not stopped.

    Raises:
        InputError: a file is missing, or belongs to another network.
    """
    prefix = _checked_prefix(prefix)
    arrays = read_pdparams(prefix)
    parameters = model.state_dict()
    wrong = [k for k in parameters if k not in arrays or tuple(arrays[k].shape) != tuple(parameters[k].shape)]
    if wrong:
        raise InputError(
            f"{prefix}.pdparams is no checkpoint of this network: {len(wrong)} parameters differ, the first is "
            f"{wrong[0]}. With another dictionary or network, name it as Global.pretrained_model instead."
        )
    model.set_state_dict(arrays)
    names = {old: parameters[key].name for key, old in read_parameter_names(prefix).items() if key in parameters}
    optimiser.set_state_dict(_tensors(_renamed(unpickle_arrays(prefix + ".pdopt"), names)))
    states = unpickle_arrays(prefix + ".states")
    if "progress" in states:
        return TrainingState(**states["progress"])
    return TrainingState(epoch=states["epoch"] + 1, global_step=states["global_step"])  # PaddleOCR's own


def _checked_prefix(prefix: str | Path) -> str:
    """The prefix of a checkpoint whose three files exist.

    Raises:
        InputError: a file is missing.
    """
    prefix = str(prefix).removesuffix(".pdparams")
    for suffix in (".pdparams", ".pdopt", ".states"):
        if not Path(prefix + suffix).is_file():
            raise InputError(
                f"{prefix}{suffix} does not exist: a training is resumed from its .pdparams, .pdopt and .states "
                "together. To start a new one from these weights, name them as Global.pretrained_model."
            )
    return prefix


def _save(content: Mapping[str, Any], path: Path) -> Path:
    try:
        with replacing(path) as file:
            paddle.save(content, file.name)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error}; a file that was there before is unchanged.") from None
    return path


def _renamed(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The optimiser's state under the parameter names of this process.

    Paddle numbers layers in the order in which they are made (`conv2d_0.w_0`, then `conv2d_57.w_0` for a second
    network), and silently skips entries for which it finds no parameter.
    """
    by_length = sorted(names, key=len, reverse=True)
    renamed = {}
    for key, value in state.items():
        old = next((name for name in by_length if key.startswith(f"{name}_")), None)
        renamed[key if old is None else names[old] + key[len(old) :]] = value
    return renamed


def _tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: paddle.to_tensor(v) if hasattr(v, "dtype") else v for key, v in state.items()}
