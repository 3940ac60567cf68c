"""Resuming with the characters of a checkpoint's dictionary in another order: the classes of the head are reordered.

Paddle's files know classes by their numbers only. Weights and moments keep the classes' order alike, so both move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scenetext.models.distillation import DistillationModel
from scenetext.models.recognition_model import RecognitionModel
from scenetext.text.charset import Charset

Reorder = Callable[[str, np.ndarray], np.ndarray]
"""A key of the state_dict, and a tensor or a moment of that parameter → the same with its classes in the new order."""


def reordering(model: RecognitionModel | DistillationModel, before: Sequence[str]) -> Reorder:
    """What moves a checkpoint's arrays to the classes of a network.

    Args:
        model: the network with the present dictionary.
        before: the characters of the checkpoint's classes. If they are not the network's own in another order, nothing
            is moved; `identity.check_identity` then refuses the checkpoint.
    """
    now = model.charset.characters if model.charset else ()
    moves: dict[int, tuple[int, np.ndarray]] = {}
    if is_reordered(before, now):
        former = Charset(tuple(before))
        for entry in _class_tensors(model):
            rows = np.arange(entry.tensor.shape[entry.axis])
            moved = np.array(model.charset.rows_in(former, entry.layout))
            rows[entry.start : entry.start + len(moved)] = entry.start + moved
            moves[id(entry.tensor)] = (entry.axis, rows)
    by_key = {key: moves[id(tensor)] for key, tensor in model.state_dict().items() if id(tensor) in moves}

    def reorder(key: str, array: np.ndarray) -> np.ndarray:
        if key not in by_key or array.ndim <= by_key[key][0] or array.shape[by_key[key][0]] != len(by_key[key][1]):
            return array  # no class tensor, or one number that Adam keeps for it
        axis, rows = by_key[key]
        return np.take(array, rows, axis)

    return reorder


def is_reordered(before: Sequence[str], now: Sequence[str]) -> bool:
    """Whether two dictionaries hold the same characters, each once, in another order."""
    return list(before) != list(now) and sorted(before) == sorted(now) and len(set(now)) == len(now)


def _class_tensors(model: RecognitionModel | DistillationModel) -> list:
    models = [getattr(model, name) for name in model.names] if hasattr(model, "names") else [model]
    return [entry for own in models for entry in own.head.class_tensors()]
