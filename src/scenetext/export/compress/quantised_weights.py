"""Which weights of a network may be quantised, quantising them in place, and the bytes that a quantised network takes.

The layer that owns a quantised weight dequantises it at the start of its own forward pass. So any network can be
quantised without a change to its code, and the exported program contains the dequantisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from paddle import Tensor, nn
from paddle.nn.layer.rnn import RNNBase

from scenetext.errors import InputError
from scenetext.export.compress.codings import QuantisedTensor

RECORD_BYTES = 32  # about what .pdiparams adds to a tensor's own bytes


@dataclass(frozen=True, slots=True)
class QuantisableWeight:
    """A weight that may be quantised.

    Attributes:
        key: its name in the state_dict.
        layer: the layer that owns it.
        attribute: its name in that layer.
        axis: the axis of its output channels.
        recurrent: whether it belongs to an LSTM or GRU.
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
        """The number of its elements."""
        return int(np.prod(self.parameter.shape))

    @property
    def value(self) -> np.ndarray:
        """The weight, float32."""
        return self.parameter.numpy()

    def set_value(self, value: np.ndarray) -> None:
        """Sets the weight in the network."""
        self.parameter.set_value(value)


def quantisable_weights(model: nn.Layer) -> list[QuantisableWeight]:
    """The weights of a network that may be quantised: of convolutions, linear layers and recurrent layers."""
    found = []
    for name, layer in model.named_sublayers():
        if isinstance(layer, RNNBase) and layer.could_use_cudnn:  # otherwise each of its cells computes on its own
            keys = [key for key, value in layer._parameters.items() if value.ndim == 2]
            found += [QuantisableWeight(f"{name}.{key}", layer, key, 0, True) for key in keys]
        elif isinstance(layer, (nn.Conv2D, nn.Linear)):
            axis = 0 if isinstance(layer, nn.Conv2D) else 1
            found.append(QuantisableWeight(f"{name}.weight", layer, "weight", axis, False))
    return found


def replace_with_quantised(model: nn.Layer, quantised: Mapping[str, QuantisedTensor]) -> None:
    """Replaces weights of a network by their quantised form, in place; the network can no longer be trained.

    Args:
        model: the network, in evaluation mode.
        quantised: by key, from a network of the same structure.

    Raises:
        InputError: a key names no weight that can be quantised.
    """
    weights = {weight.key: weight for weight in quantisable_weights(model)}
    if unknown := sorted(set(quantised) - set(weights)):
        raise InputError(
            f"{unknown[0]} is not a weight of this network that can be quantised: give weights of the same network."
        )
    for layer in {id(w.layer): w.layer for w in weights.values()}.values():
        own = {w.attribute: quantised[w.key] for w in weights.values() if w.layer is layer and w.key in quantised}
        if own:
            _replace_in_layer(layer, own)


def _replace_in_layer(layer: nn.Layer, own: Mapping[str, QuantisedTensor]) -> None:
    coded = {name: tensor.layer() for name, tensor in own.items()}
    if isinstance(layer, RNNBase):
        # its kernel takes a list of all weights, and every weight is also a parameter of a cell
        names = {id(value): name for name, value in layer._parameters.items()}
        order = [names[id(value)] for value in layer._all_weights]
        replaced = {id(layer._parameters[name]) for name in coded}
        for part in [layer, *layer.sublayers()]:
            for name in [n for n, value in part._parameters.items() if id(value) in replaced]:
                del part._parameters[name]

        def dequantise(owner: nn.Layer, _inputs: tuple) -> None:
            owner._all_weights = [coded[name]() if name in coded else getattr(owner, name) for name in order]
    else:
        for name in coded:
            del layer._parameters[name]

        def dequantise(owner: nn.Layer, _inputs: tuple) -> None:
            for name, tensor in coded.items():
                object.__setattr__(owner, name, tensor())

    for name, tensor in coded.items():
        layer.add_sublayer(f"{name}_coded", tensor)
    layer.register_forward_pre_hook(dequantise)


@dataclass(frozen=True, slots=True)
class TensorSize:
    """One line of the list of tensors and their bytes."""

    key: str
    shape: tuple[int, ...]
    coding: str
    size_bytes: int


def tensor_sizes(model: nn.Layer, quantised: Mapping[str, QuantisedTensor]) -> list[TensorSize]:
    """Every tensor that an export writes, the largest first.

    Args:
        model: the network, its weights still float32.
        quantised: by key, the weights that the export quantises.
    """
    keys = {id(w.layer._parameters[w.attribute]): w.key for w in quantisable_weights(model)}
    sizes = {}
    for key, tensor in model.state_dict().items():  # recurrent weights stand in it twice
        key = keys.get(id(tensor), key)
        coded = quantised.get(key)
        size = 4 * int(np.prod(tensor.shape)) if coded is None else coded.size_bytes
        sizes[id(tensor)] = TensorSize(key, tuple(tensor.shape), coded.name if coded else "float32", size)
    return sorted(sizes.values(), key=lambda entry: -entry.size_bytes)


def parameter_bytes(sizes: Iterable[TensorSize]) -> int:
    """About the bytes that `.pdiparams` will hold."""
    return sum(entry.size_bytes + RECORD_BYTES for entry in sizes)
