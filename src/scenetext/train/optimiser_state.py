"""Restoring an optimiser from a `.pdopt` file, after a check that the file is this network's and complete.

Paddle's own `set_state_dict` skips what it does not know and keeps fresh moments for what is missing, without a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor
from paddle.optimizer import Optimizer

from scenetext.errors import InputError
from scenetext.train.class_order import Reorder
from scenetext.train.state import MOST_STEPS
from scenetext.train.weight_average import AVERAGE
from scenetext.weights.pdparams import NAME_TABLE, unpickle_arrays

SCHEDULE = "LR_Scheduler"
MASTER_WEIGHTS = "master_weights"  # float32 copies that PaddleOCR's O2 keeps; weights are float32 here
# what an optimiser keeps for each parameter, and whether it has the parameter's shape (else it is one number)
ACCUMULATORS = {
    "Adam": {"moment1": True, "moment2": True, "beta1_pow_acc": False, "beta2_pow_acc": False},
    "Momentum": {"velocity": True},
}
ACCUMULATORS["AdamW"] = ACCUMULATORS["Adam"]
# a parameter's name, whatever is between, what is kept of it, a number
_ENTRY = re.compile(r"(.+?)(?:_fp32_master_\d+)?_(moment1|moment2|beta1_pow_acc|beta2_pow_acc|velocity)_\d+")
FROM_WEIGHTS = "start a new training from the weights by Global.pretrained_model instead"


def read_average(path: Path) -> dict[str, np.ndarray] | None:
    """The average of weights that a `.pdopt` file holds, by the keys of the state_dict; None if it holds none."""
    average = unpickle_arrays(path).get(AVERAGE)
    if average is None:
        return None
    if not isinstance(average, dict) or not all(isinstance(array, np.ndarray) for array in average.values()):
        raise InputError(f"{path}: {AVERAGE} is no table of arrays; {FROM_WEIGHTS}.")
    return average


def restore_optimiser(
    optimiser: Optimizer,
    parameters: Mapping[str, Tensor],
    names: Mapping[str, str],
    path: Path,
    reorder: Reorder,
    has_hashes: bool,
) -> None:
    """Gives an optimiser its moments and its schedule's state from a file.

    Args:
        optimiser: made for the network.
        parameters: the network's trainable tensors by key.
        names: the names that Paddle gave the tensors in the process that wrote the file, by key.
        path: the `.pdopt` file.
        reorder: moves classes to the order of the network's dictionary.
        has_hashes: the file is known to be the one that was saved with the weights; then a parameter may be without
            moments, because no gradient had reached it before.

    Raises:
        InputError: the file does not hold exactly this optimiser's state for exactly these parameters.
    """
    content = unpickle_arrays(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not the state of an optimiser.")
    kind = type(optimiser).__name__
    wanted = {
        (names.get(key, tensor.name), accumulator): (key, tensor, has_shape)
        for key, tensor in parameters.items()
        for accumulator, has_shape in ACCUMULATORS[kind].items()
    }
    state: dict[str, Any] = {SCHEDULE: _schedule(content.get(SCHEDULE), path)}
    found = set()
    for name, value in content.items():
        if name in (SCHEDULE, NAME_TABLE, MASTER_WEIGHTS, AVERAGE):
            continue
        parts = _ENTRY.fullmatch(name) if isinstance(name, str) else None
        entry = parts and parts.groups()
        if entry not in wanted:
            raise InputError(
                f"{path} is not of this network and optimiser: it holds {str(name)[:80]!r}, which {kind} does not keep "
                f"for any parameter; {FROM_WEIGHTS}."
            )
        key, tensor, has_shape = wanted[entry]
        moment = _moment(value, list(tensor.shape) if has_shape else [1], f"{path}: {name} (of {key})")
        state[f"{tensor.name}_{entry[1]}_0"] = paddle.to_tensor(reorder(key, moment))
        found.add(entry)
    missing = [entry for entry in wanted if entry not in found]
    are_whole = {name for name, _ in found}.isdisjoint(name for name, _ in missing)
    if missing and not (has_hashes and are_whole):
        raise InputError(
            f"{path} lacks {len(missing)} of the {len(wanted)} arrays that {kind} keeps for this network, the first is "
            f"the {missing[0][1]} of {wanted[missing[0]][0]}; {FROM_WEIGHTS}."
        )
    optimiser.set_state_dict(state)
    schedule = optimiser._learning_rate
    schedule.last_lr = schedule.get_lr()  # else the first step would have the former setting's rate


def _schedule(value: Any, path: Path) -> dict[str, Any]:
    """The state of the learning rate's schedule."""
    if not isinstance(value, dict):
        raise InputError(f"{path} has no state of the learning rate's schedule ({SCHEDULE}); {FROM_WEIGHTS}.")
    step, rate = value.get("last_epoch"), value.get("last_lr")
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step <= MOST_STEPS:
        raise InputError(f"{path}: last_epoch of {SCHEDULE} is {step!r}, not a whole number from 0 on.")
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not math.isfinite(rate):
        raise InputError(f"{path}: last_lr of {SCHEDULE} is {rate!r}, not a learning rate.")
    return value


def _moment(value: Any, shape: list[int], location: str) -> np.ndarray:
    if isinstance(value, tuple) and len(value) == 2:  # (name, array), as some Paddle releases write
        value = value[1]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise InputError(f"{location} is no array of numbers; {FROM_WEIGHTS}.")
    if list(value.shape) not in ([shape, []] if shape == [1] else [shape]):
        raise InputError(f"{location} has the shape {list(value.shape)}, not {shape}; {FROM_WEIGHTS}.")
    if not np.isfinite(value).all():
        raise InputError(f"{location} holds numbers that are not finite; {FROM_WEIGHTS}.")
    return value
