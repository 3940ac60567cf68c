"""How weights are stored: as they are, or in fewer bits that the program itself decodes.

A coded tensor is a small layer that holds the codes as buffers and gives the weight when it is called. The layer that
owns the weight asks for it at the start of its own forward, so any network can be stored this way without a change to
its code, and the exported program contains the decoding. The predictor folds it when it loads: the speed is that of
float32 weights, only the files are smaller.

Uniform quantisation per output channel: Krishnamoorthi, arXiv:1806.08342, section 2; the scale of least squared error
instead of the largest magnitude: Banner et al., arXiv:1810.05723, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn.layer.rnn import RNNBase

from scenetext.charset import Charset
from scenetext.errors import InputError
from scenetext.models.recogniser import Recogniser

LEVELS = 127  # codes -127..127 are stored as 1..255, 0 as 128
SEARCH_STEPS = 24  # scales tried between the largest magnitude's and SMALLEST_SCALE times that
SMALLEST_SCALE = 0.5
LEAST_NUMBERS = 4096  # a smaller tensor saves less than 12 kB, and its decoding takes 2 kB of program
RECORD_BYTES = 32  # what .pdiparams adds to a tensor's own bytes, about


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One weight in storage.

    Attributes:
        coding: a key of CODINGS.
        arrays: what is stored, by the names of the coding layer's buffers.
    """

    coding: str
    arrays: dict[str, np.ndarray]

    @property
    def size_bytes(self) -> int:
        """Bytes of the stored arrays, without what the file format adds."""
        return sum(array.nbytes for array in self.arrays.values())


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
    def size(self) -> int:
        """The count of its numbers."""
        return int(np.prod(self.layer._parameters[self.attribute].shape))

    @property
    def value(self) -> np.ndarray:
        """The weight, float32."""
        return self.layer._parameters[self.attribute].numpy()


class Uint8PerChannel(nn.Layer):
    """Gives (code - 128) * scale, the decoding of 8-bit codes with one scale per output channel.

    Args:
        arrays: `code` uint8 of the weight's shape, `scale` float32 of the same rank, 1 but on the channels' axis.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        self.register_buffer("code", paddle.to_tensor(arrays["code"]))
        self.register_buffer("scale", paddle.to_tensor(arrays["scale"]))

    def forward(self) -> Tensor:
        return (paddle.cast(self.code, "float32") - 128.0) * self.scale  # the weight's shape

    @staticmethod
    def encode(weight: np.ndarray, axis: int) -> dict[str, np.ndarray]:
        """The arrays for a float32 weight whose output channels lie on `axis`."""
        others = tuple(i for i in range(weight.ndim) if i != axis)
        scale = least_error_scale(weight, others, LEVELS)
        code = np.clip(np.rint(weight / scale), -LEVELS, LEVELS) + 128
        return {"code": code.astype(np.uint8), "scale": scale}


class Float16(nn.Layer):
    """Gives a half-precision weight as float32: 11 significant bits, half the bytes.

    Args:
        arrays: `half` float16 of the weight's shape.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        self.register_buffer("half", paddle.to_tensor(arrays["half"]))

    def forward(self) -> Tensor:
        return paddle.cast(self.half, "float32")  # the weight's shape

    @staticmethod
    def encode(weight: np.ndarray, axis: int) -> dict[str, np.ndarray]:
        """The array for a float32 weight; a number beyond float16's largest, 65,504, is clipped to it."""
        largest = np.finfo(np.float16).max
        return {"half": np.clip(weight, -largest, largest).astype(np.float16)}


CODINGS: dict[str, type] = {"float16": Float16, "uint8": Uint8PerChannel}


def least_error_scale(weight: np.ndarray, others: tuple[int, ...], levels: int) -> np.ndarray:
    """Per channel the scale s that makes the squared error of rounding `weight` to s * (-levels..levels) least.

    Clipping a few large weights can cost less than the coarser steps that they force on all others, so scales
    below the largest magnitude's are tried, and the best is refined to the least-squares scale of its own codes.

    Args:
        weight: float32.
        others: the axes that are not the channels'.
        levels: the largest code.

    Returns:
        float32 of the weight's rank, 1 but on the channels' axis; 1.0 for a channel of zeros.
    """
    largest = np.abs(weight).max(axis=others, keepdims=True).astype(np.float32)
    best = np.where(largest > 0, largest / levels, np.float32(1.0))
    least = np.full(best.shape, np.inf, np.float32)
    start = best
    for factor in np.linspace(1.0, SMALLEST_SCALE, SEARCH_STEPS, dtype=np.float32):
        scale = start * factor
        code = np.clip(np.rint(weight / scale), -levels, levels)
        energy = (code * code).sum(axis=others, keepdims=True)
        fitted = (weight * code).sum(axis=others, keepdims=True) / np.where(energy > 0, energy, 1)
        fitted = np.where((energy > 0) & (fitted > 0), fitted, scale).astype(np.float32)
        for candidate in (scale, fitted):
            code = np.clip(np.rint(weight / candidate), -levels, levels)
            error = np.square(weight - code * candidate).sum(axis=others, keepdims=True)
            best = np.where(error < least, candidate, best)
            least = np.minimum(error, least)
    return best


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


def encode_weights(
    model: nn.Layer, chosen: Callable[[CodableWeight], str | None], progress: Callable[[Iterable], Iterable] = iter
) -> dict[str, StoredTensor]:
    """Codes weights of a network, which stays as it is.

    Args:
        model: the network.
        chosen: gives the coding of a weight, or None to leave it as float32.
        progress: wraps the iteration, for a progress bar.
    """
    stored = {}
    for weight in progress(codable_weights(model)):
        coding = chosen(weight)
        if coding is not None:
            stored[weight.key] = StoredTensor(coding, CODINGS[coding].encode(weight.value, weight.axis))
    return stored


def encode_within(model: nn.Layer, budget_bytes: int) -> dict[str, StoredTensor]:
    """Half precision for most weights and 8 bits for as few as a budget asks for; the network stays as it is.

    Those come first that lose least for the bytes they save: the error relative to the weight, over those bytes.

    Args:
        model: the network.
        budget_bytes: for the parameters.

    Returns:
        Coded weights by key; more than the budget where even all 8 bits do not fit.
    """

    def wanted(weight: CodableWeight) -> bool:
        return weight.size >= LEAST_NUMBERS and not weight.recurrent

    stored = encode_weights(model, lambda weight: "float16" if wanted(weight) else None)
    eight = encode_weights(model, lambda weight: "uint8" if wanted(weight) else None)
    weights = {weight.key: weight for weight in codable_weights(model) if wanted(weight)}

    def loss_per_byte(key: str) -> float:
        weight, coded = weights[key].value, eight[key]
        error = np.square(CODINGS["uint8"](coded.arrays)().numpy() - weight).sum() / np.square(weight).sum()
        return float(error) / (stored[key].size_bytes - coded.size_bytes)

    for key in sorted(weights, key=loss_per_byte):
        if parameter_bytes(tensor_sizes(model, stored)) <= budget_bytes:
            break
        stored[key] = eight[key]
    return stored


def store_weights(model: nn.Layer, stored: Mapping[str, StoredTensor]) -> None:
    """Replaces weights of a network by their coded form, in place; it can no longer be trained.

    Args:
        model: the network, in evaluation mode.
        stored: by key, from `encode_weights` on a network of the same structure.

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
    coded = {name: CODINGS[tensor.coding](tensor.arrays) for name, tensor in own.items()}
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


def slice_head(model: Recogniser, characters: Iterable[str]) -> Charset:
    """Keeps only the classes of the given characters, in place; their columns, blank and space stay as they are.

    Args:
        model: the network with its charset.
        characters: those to keep.

    Returns:
        The new charset, in the order of the old.

    Raises:
        InputError: a character that the network does not know, or none that it knows, or no CTC head.
    """
    if model.decoding != "ctc":
        raise InputError(f"A head that decodes by {model.decoding} cannot be cut: train with the dictionary wanted.")
    old = model.charset
    wanted = set(characters)
    if unknown := sorted(wanted - set(old.characters)):
        raise InputError(
            f"The network has no class for {len(unknown)} of the characters to keep, the first {unknown[0]!r} "
            f"(U+{ord(unknown[0]):04X}); it knows {len(old.characters)}. Train with a dictionary that holds them."
        )
    if not wanted:
        raise InputError("The list of characters to keep is empty.")
    last = len(old.characters) - 1
    kept = tuple(
        character
        for i, character in enumerate(old.characters)
        if character in wanted or (old.use_space_char and i == last)
    )
    new = Charset(kept, old.use_space_char)
    rows = np.array(new.rows_in(old))
    classifier = model.head.classifier
    smaller = nn.Linear(classifier.weight.shape[0], new.num_classes)
    smaller.weight.set_value(classifier.weight.numpy()[:, rows])
    smaller.bias.set_value(classifier.bias.numpy()[rows])
    owner, name = next(
        (layer, name) for layer in model.sublayers() for name, part in layer.named_children() if part is classifier
    )
    setattr(owner, name, smaller)
    model.charset = new
    return new


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
        sizes[id(tensor)] = TensorSize(key, tuple(tensor.shape), coded.coding if coded else "float32", size)
    return sorted(sizes.values(), key=lambda entry: -entry.size_bytes)


def parameter_bytes(sizes: Iterable[TensorSize]) -> int:
    """About what `.pdiparams` will hold."""
    return sum(entry.size_bytes + RECORD_BYTES for entry in sizes)
