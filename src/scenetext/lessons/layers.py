"""The parts of a network as they compute: the shape that each makes of a line, and its number of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from paddle import nn

    from scenetext.models.recognition_model import RecognitionModel

PICTURE = "picture"
PARTS = ("transform", "backbone", "neck", "head")


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a network.

    Attributes:
        part: "picture", "transform", "backbone", "neck" or "head".
        name: as in the state_dict's keys, "blocks3" or "blocks3 to blocks4".
        shape: of what it makes of one line: (C, H, W) of a map, (T, D) of a sequence.
        parameters: how many numbers it learns.
    """

    part: str
    name: str
    shape: tuple[int, ...]
    parameters: int


def stages(model: RecognitionModel, batch: np.ndarray) -> list[Stage]:
    """Computes a network on one line and notes what its parts make of it.

    The parts are the children of backbone, neck and head that compute in evaluation, each at its first call; neighbours
    of the same part that make the same shape count as one.

    Args:
        model: the network, or a distillation, of which the student is taken; its weights, statistics and mode stay.
        batch: (1, 3, H, W) float32 in [-1, 1].

    Returns:
        The picture first, the logits last.
    """
    model = getattr(model, "student", model)
    children = list(_children(model))
    logits, outputs = _computed(model, batch, [layer for _, _, layer in children])
    found = [Stage(*children[index][:2], shape, _parameters(children[index][2])) for index, shape in outputs.items()]
    merged = _merged(found)
    return [Stage(PICTURE, PICTURE, tuple(batch.shape[1:]), 0), *merged[:-1], replace(merged[-1], shape=logits)]


def last_layer(model: RecognitionModel, batch: np.ndarray) -> tuple[int, int]:
    """Inputs and outputs of the linear layer with the most outputs that computes when the network reads.

    Args:
        model, batch: see `stages`.
    """
    import paddle

    model = getattr(model, "student", model)
    linear = [layer for layer in model.head.sublayers() if isinstance(layer, paddle.nn.Linear)]
    _, outputs = _computed(model, batch, linear)
    inputs, classes = max((linear[index].weight.shape for index in outputs), key=lambda shape: shape[1])
    return inputs, classes


def _computed(
    model: RecognitionModel, batch: np.ndarray, layers: Sequence[nn.Layer]
) -> tuple[tuple[int, ...], dict[int, tuple[int, ...]]]:
    """The shape of one line's logits, and of what layers make of it, by index in the order of their first call."""
    import paddle

    outputs: dict[int, tuple[int, ...]] = {}

    def note(index: int) -> Any:
        def hook(_layer: nn.Layer, _inputs: Any, output: Any) -> None:
            while isinstance(output, (tuple, list)) and output:
                output = output[0]
            if hasattr(output, "shape"):
                outputs.setdefault(index, tuple(output.shape[1:]))

        return hook

    handles = [layer.register_forward_post_hook(note(index)) for index, layer in enumerate(layers)]
    was_training = model.training
    model.eval()
    try:
        with paddle.no_grad():
            logits = model(paddle.to_tensor(batch))
    finally:
        for handle in handles:
            handle.remove()
        if was_training:
            model.train()
    return tuple(logits.shape[1:]), outputs


def _children(model: RecognitionModel) -> Iterator[tuple[str, str, nn.Layer]]:
    """Parts to note: the children of each part; those of a list of layers one by one, under the list's name."""
    import paddle

    for part in PARTS:
        layer = getattr(model, part, None)
        if layer is None:
            continue
        children = list(layer.named_children())
        for name, child in children if children else [(part, layer)]:
            own = list(child) if isinstance(child, paddle.nn.LayerList) else [child]
            yield from ((part, name, each) for each in own)


def _parameters(layer: nn.Layer) -> int:
    return sum(int(np.prod(parameter.shape)) for parameter in layer.parameters())


def _merged(found: list[Stage]) -> list[Stage]:
    """Neighbours of one part and shape as one stage."""
    merged: list[Stage] = []
    for stage in found:
        before = merged[-1] if merged else None
        if before and (before.part, before.shape) == (stage.part, stage.shape):
            first = before.name.split(" to ")[0]
            name = first if first == stage.name else f"{first} to {stage.name}"
            merged[-1] = Stage(stage.part, name, stage.shape, before.parameters + stage.parameters)
        else:
            merged.append(stage)
    return merged
