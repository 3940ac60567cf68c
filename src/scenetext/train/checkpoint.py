"""Checkpoints in PaddleOCR's three files, written whole or not at all, and exact resuming.

`PREFIX.pdparams` holds the weights, `PREFIX.pdopt` the optimiser, `PREFIX.states` how far training had come, and
float16's loss scale. All randomness of a step is drawn from the seed, the epoch and the step, so these three are all
there is to restore.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import paddle
from paddle import nn
from paddle.optimizer import Optimizer

from scenetext.errors import InputError, RunError
from scenetext.system.files import replacing
from scenetext.weights.pdparams import read_parameter_names, read_pdparams, unpickle_arrays


@dataclass
class Progress:
    """How far training has come.

    Attributes:
        epoch: the epoch under way, from 0.
        step_in_epoch: batches of it already trained.
        global_step: batches trained in all.
        best: the best score of the main indicator so far, -1 before the first evaluation.
        evaluations_since_best: for early stopping.
        loss_scaling: `Precision.state`, for float16.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    global_step: int = 0
    best: float = -1.0
    evaluations_since_best: int = 0
    loss_scaling: dict[str, float] = field(default_factory=dict)


def save_weights(model: nn.Layer, prefix: str | Path) -> Path:
    """Writes `prefix.pdparams` and returns its path.

    Raises:
        RunError: the disk is full or refuses; what stood there before is untouched.
    """
    return _save(model.state_dict(), Path(f"{prefix}.pdparams"))


def save_checkpoint(model: nn.Layer, optimiser: Optimizer, progress: Progress, prefix: str | Path) -> None:
    """Writes the three files of a checkpoint.

    All three are complete under temporary names before the first is renamed, so a full disk or a kill while they are
    written leaves the former checkpoint whole.

    Raises:
        RunError: the disk is full or refuses.
    """
    states = {"epoch": progress.epoch, "global_step": progress.global_step, "progress": asdict(progress)}
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
        raise RunError(f"The checkpoint {prefix} could not be written: {error}; the former one is untouched.") from None
    finally:
        for temporary, _ in written:
            temporary.unlink(missing_ok=True)


def load_checkpoint(model: nn.Layer, optimiser: Optimizer, prefix: str | Path) -> Progress:
    """Restores weights, optimiser and progress, so that training goes on as if it had not stopped.

    Raises:
        InputError: a file is missing, or belongs to another network.
    """
    prefix = str(prefix).removesuffix(".pdparams")
    for suffix in (".pdparams", ".pdopt", ".states"):
        if not Path(prefix + suffix).is_file():
            raise InputError(
                f"{prefix}{suffix} does not exist: a training goes on from its .pdparams, .pdopt and .states together. "
                "To start a new one from these weights, name them as Global.pretrained_model."
            )
    arrays = read_pdparams(prefix)
    if _keys_without_statistics(arrays) and not _keys_without_statistics(model.state_dict()):
        model.fuse()
    state = model.state_dict()
    wrong = [k for k in state if k not in arrays or tuple(arrays[k].shape) != tuple(state[k].shape)]
    if wrong:
        raise InputError(
            f"{prefix}.pdparams is no checkpoint of this network: {len(wrong)} parameters differ, the first {wrong[0]}. "
            "With another dictionary or network, name it as Global.pretrained_model instead."
        )
    model.set_state_dict(arrays)
    names = {old: state[key].name for key, old in read_parameter_names(prefix).items() if key in state}
    optimiser.set_state_dict(_tensors(_renamed(unpickle_arrays(prefix + ".pdopt"), names)))
    states = unpickle_arrays(prefix + ".states")
    if "progress" in states:
        return Progress(**states["progress"])
    return Progress(epoch=states["epoch"] + 1, global_step=states["global_step"])  # PaddleOCR's own


def _save(content: Mapping, path: Path) -> Path:
    try:
        with replacing(path) as file:
            paddle.save(content, file.name)
    except OSError as error:
        raise RunError(f"{path} could not be written: {error}; what stood there before is untouched.") from None
    return path


def _renamed(state: Mapping, names: Mapping[str, str]) -> dict:
    """The optimiser's state under the parameter names of this process.

    Paddle numbers layers as they are made (`conv2d_0.w_0`, then `conv2d_57.w_0` for a second network), and silently
    skips what it finds no parameter for.
    """
    by_length = sorted(names, key=len, reverse=True)
    renamed = {}
    for key, value in state.items():
        old = next((name for name in by_length if key.startswith(f"{name}_")), None)
        renamed[key if old is None else names[old] + key[len(old) :]] = value
    return renamed


def _tensors(state: Mapping) -> dict:
    return {key: paddle.to_tensor(v) if hasattr(v, "dtype") else v for key, v in state.items()}


def _keys_without_statistics(state: Mapping) -> bool:
    return not any(key.endswith(("._mean", "._variance")) for key in state)


def _is_fused_checkpoint(prefix: str) -> bool:
    from scenetext.weights.pdparams import read_pdparams

    return not any(key.endswith(("._mean", "._variance")) for key in read_pdparams(prefix))
