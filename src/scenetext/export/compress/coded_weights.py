"""Which weights of a network may be coded, coding them in place, and what a coded network takes.

The layer that owns a coded weight asks for it at the start of its own forward, so any network can be stored this way
without a change to its code, and the exported program contains the decoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from paddle import Tensor, nn
from paddle.nn.layer.rnn import RNNBase

from scenetext.errors import InputError
from scenetext.export.compress.codings import StoredTensor

RECORD_BYTES = 32  # what .pdiparams adds to a tensor's own bytes, about


@dataclass(frozen=True, slots=True)
class CodableWeight:
    """A weight that may be coded.

    Attributes:
        key: its name in the state_dict.
        layer: the layer that owns it.
        attribute: its name there.
        axis: the axis of its output channels.
        recurrent: it belongs to an LSTM or GRU.
    """

    key: str
    layer: nn.Layer
    attribute: str
    axis: int
    recurrent: bool

    @property
    def parameter(self) -> Tensor:
        """The layer's own tensor."""
        return self.layer._parameters[self.attribute]

    @property
    def size(self) -> int:
        """The count of its numbers."""
        return int(np.prod(self.parameter.shape))

    @property
    def value(self) -> np.ndarray:
        """The weight, float32."""
        return self.parameter.numpy()

    def set_value(self, value: np.ndarray) -> None:
        """Gives the network other numbers for it."""
        self.parameter.set_value(value)


def codable_weights(model: nn.Layer) -> list[CodableWeight]:
    """The weights of a network that may be coded: convolutions, linear layers and recurrent layers."""
    found = []
    for name, layer in model.named_sublayers():
        if isinstance(layer, RNNBase) and layer.could_use_cudnn:  # else its cells compute, each on its own
            keys = [key for key, value in layer._parameters.items() if value.ndim == 2]
            found += [CodableWeight(f"{name}.{key}", layer, key, 0, True) for key in keys]
        elif isinstance(layer, (nn.Conv2D, nn.Linear)):
            axis = 0 if isinstance(layer, nn.Conv2D) else 1
            found.append(CodableWeight(f"{name}.weight", layer, "weight", axis, False))
    return found


def store_weights(model: nn.Layer, stored: Mapping[str, StoredTensor]) -> None:
    """Replaces weights of a network by their coded form, in place; it can no longer be trained.

    Args:
        model: the network, in evaluation mode.
        stored: by key, from a network of the same structure.

    Raises:
        InputError: a key names no weight that can be coded.
    """
    codable = {weight.key: weight for weight in codable_weights(model)}
    if unknown := sorted(set(stored) - set(codable)):
        raise InputError(f"{unknown[0]} is no weight of the network that can be coded.")
    for layer in {id(w.layer): w.layer for w in codable.values()}.values():
        own = {w.attribute: stored[w.key] for w in codable.values() if w.layer is layer and w.key in stored}
        if own:
            _store_in(layer, own)


def _store_in(layer: nn.Layer, own: Mapping[str, StoredTensor]) -> None:
    coded = {name: tensor.layer() for name, tensor in own.items()}
    if isinstance(layer, RNNBase):
        # its kernel takes a list of all weights, and every weight is also a parameter of a cell
        names = {id(value): name for name, value in layer._parameters.items()}
        order = [names[id(value)] for value in layer._all_weights]
        replaced = {id(layer._parameters[name]) for name in coded}
        for part in [layer, *layer.sublayers()]:
            for name in [n for n, value in part._parameters.items() if id(value) in replaced]:
                del part._parameters[name]

        def decode(owner: nn.Layer, _inputs: tuple) -> None:
            owner._all_weights = [coded[name]() if name in coded else getattr(owner, name) for name in order]
    else:
        for name in coded:
            del layer._parameters[name]

        def decode(owner: nn.Layer, _inputs: tuple) -> None:
            for name, tensor in coded.items():
                object.__setattr__(owner, name, tensor())

    for name, tensor in coded.items():
        layer.add_sublayer(f"{name}_coded", tensor)
    layer.register_forward_pre_hook(decode)


@dataclass(frozen=True, slots=True)
class TensorSize:
    """One line of the list of what takes the bytes."""

    key: str
    shape: tuple[int, ...]
    coding: str
    size_bytes: int


def tensor_sizes(model: nn.Layer, stored: Mapping[str, StoredTensor]) -> list[TensorSize]:
    """Every tensor that an export of the (not yet stored) network writes, largest first."""
    codable = {id(w.layer._parameters[w.attribute]): w.key for w in codable_weights(model)}
    sizes = {}
    for key, tensor in model.state_dict().items():  # recurrent weights stand in it twice
        key = codable.get(id(tensor), key)
        coded = stored.get(key)
        size = 4 * int(np.prod(tensor.shape)) if coded is None else coded.size_bytes
        sizes[id(tensor)] = TensorSize(key, tuple(tensor.shape), coded.name if coded else "float32", size)
    return sorted(sizes.values(), key=lambda entry: -entry.size_bytes)


def parameter_bytes(sizes: Iterable[TensorSize]) -> int:
    """About what `.pdiparams` will hold."""
    return sum(entry.size_bytes + RECORD_BYTES for entry in sizes)
