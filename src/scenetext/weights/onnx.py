"""The weights of an ONNX recogniser or detector, such as the PP-OCR graphs that PyPI wheels carry, for our networks.

A graph exported from a re-parameterised network names its tensors by number, so tensors are matched by the order in
which they are used: the graph's nodes are in the order of the forward pass, and running our network once shows the
order of its layers. Every shape is checked.

Some graphs keep layers apart that our `fuse()` folds. They are folded here by the same rules, so that the two agree
tensor by tensor: a batch normalisation into its convolution, and the affine of PP-OCRv4 (a factor and a shift of one
number each, see `models.backbones.pplcnet_v3`) into the convolution before it or, behind an activation, into the next
one. There its shift remains a tensor of its own if that convolution pads, and both numbers remain if anything but one
convolution reads the result.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.errors import InputError
from scenetext.system.regular_files import read_regular_file
from scenetext.system.untrusted import reading
from scenetext.text.charset import Charset
from scenetext.weights.pdparams import finite_numbers

if TYPE_CHECKING:
    from scenetext.models.distillation import DistillationModel
    from scenetext.models.recognition_model import RecognitionModel

MAX_BYTES = 2_000_000_000  # more does not fit into one ONNX file
CONVOLUTIONS = {"Conv": 0, "ConvTranspose": 1}  # and the axis of the weight that counts the output channels
PASSED_ON = ("Identity", "Squeeze")  # between a convolution and its batch normalisation; Conv1D is exported so
NUMBERS_A_BYTE = 8  # more are never packed into a byte
MOST_WORK = 16  # how often the bytes of a file may take part in folding

# models inside installed wheels: our name → (package, file inside it)
WHEEL_MODELS = {
    "rapidocr:PP-OCRv6_rec_small": ("rapidocr", "models/PP-OCRv6_rec_small.onnx"),
    "rapidocr:PP-OCRv6_det_small": ("rapidocr", "models/PP-OCRv6_det_small.onnx"),
    "rapidocr_onnxruntime:ch_PP-OCRv4_rec": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"),
    "rapidocr_onnxruntime:ch_PP-OCRv4_det": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"),
}


def is_wheel_source(source: str) -> bool:
    """Whether a name is that of weights in a wheel, "package:model"; `wheel_model` refuses unknown models."""
    package, colon, _ = source.partition(":")
    return bool(colon) and package in {package for package, _ in WHEEL_MODELS.values()}


def wheel_model(name: str) -> Path:
    """Path of a network's ONNX file inside an installed wheel, for example "rapidocr:PP-OCRv6_rec_small".

    Raises:
        InputError: the name is unknown or the wheel is not installed.
    """
    if name not in WHEEL_MODELS:
        raise InputError(f"{name} is unknown; weights in installed wheels are {', '.join(WHEEL_MODELS)}.")
    package, inside = WHEEL_MODELS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"{name} needs the package {package}, which is not installed: pip install {package} (rapidocr_onnxruntime "
            "supports Python 3.12 and older)."
        )
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.is_file():
        raise InputError(f"The installed {package} does not carry {inside}: install the pinned version.")
    return path


@dataclass
class _Graph:
    """An ONNX graph with its constants taken out of the nodes."""

    graph: Any

    @cached_property
    def constants(self) -> dict[str, np.ndarray]:
        """Initialisers and `Constant` nodes, by the name of their tensor."""
        from onnx import numpy_helper

        found = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        return found

    @cached_property
    def readers(self) -> dict[str, list[Any]]:
        """The nodes that read a tensor, by its name."""
        readers: dict[str, list[Any]] = {}
        for node in self.graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        return readers

    def weights(self, node: Any) -> list[np.ndarray]:
        """The float tensors of more than one number that a node reads; the scales of a Resize are no weights."""
        if node.op_type == "Resize":
            return []
        own = [self.constants[name] for name in node.input if name in self.constants]
        return [array for array in own if array.dtype == np.float32 and array.size > 1]

    def added_bias(self, node: Any, conv_output: str, channels: int) -> list[np.ndarray]:
        """The bias that a node adds to the output of a convolution with so many channels, in a list; else an empty one.

        It may be a single number, which other nodes' weights are not.
        """
        if node.op_type != "Add" or conv_output not in node.input:
            return []
        others = [self.constants[name] for name in node.input if name in self.constants]
        if len(others) == 1 and others[0].dtype == np.float32 and others[0].shape in ((channels,), (1, channels, 1, 1)):
            return [others[0].reshape(-1)]
        return []

    def only_reader(self, name: str, op_type: str) -> Any | None:
        """The node that alone reads a tensor, if it is of that type."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == op_type else None

    def lone_number(self, node: Any) -> tuple[np.ndarray, str] | None:
        """The single number that a node combines with a tensor, and that tensor's name."""
        numbers = [name for name in node.input if name in self.constants]
        others = [name for name in node.input if name not in self.constants]
        if len(numbers) == len(others) == 1 and self.constants[numbers[0]].size == 1:
            return self.constants[numbers[0]].reshape([1]), others[0]
        return None

    def affine(self, node: Any) -> tuple[np.ndarray, np.ndarray, str, str] | None:
        """The factor, the shift, the input and the output of an affine that starts at this node.

        A product and a sum with single numbers, one right after the other. A shift of exactly zero is not a parameter
        but Paddle's `scale` operator, and a clip behind them makes a hard sigmoid.
        """
        add = self.only_reader(node.output[0], "Add") if node.op_type == "Mul" else None
        factor, shift = self.lone_number(node), self.lone_number(add) if add is not None else None
        if factor is None or shift is None or shift[0] == 0 or self.only_reader(add.output[0], "Clip") is not None:
            return None
        return factor[0], shift[0], factor[1], add.output[0]


def read_onnx(path: str | Path) -> tuple[list[np.ndarray], Charset | None]:
    """Reads the float tensors of an ONNX graph in the order of their use, and the characters of its classes.

    Batch normalisations and affines are folded as described above, so that every convolution and linear layer yields a
    weight and a bias. Other single numbers (epsilons, scales) are left out.

    Returns:
        The tensors, and the characters from the metadata `character` with the appended space, if there are any.

    Raises:
        InputError: the file is missing, is no ONNX model or not one of a recogniser, keeps its weights in another
            file, or holds numbers that are not finite.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The ONNX model {path} does not exist.")
    with reading(path, "the ONNX model of a text recogniser", "export or fetch it again"):
        model = _load(path)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        charset = None
        if "character" in metadata:
            charset = Charset((*metadata["character"].rstrip("\n").split("\n"), " "), use_space_char=True)
        tensors = _folded_tensors(_Graph(model.graph), _Work(path))
        if not tensors:
            raise InputError(f"{path} holds no weights: it is not the ONNX model of a text recogniser.")
        return [finite_numbers(tensor, f"{path}: tensor {number}") for number, tensor in enumerate(tensors, 1)], charset


def _load(path: Path) -> Any:
    """The model in a file; weights outside of the file are refused, because their path may lead anywhere."""
    import onnx

    model = onnx.load_model_from_string(read_regular_file(path, MAX_BYTES))
    constants = (attribute.t for node in model.graph.node for attribute in node.attribute)
    most_numbers = NUMBERS_A_BYTE * path.stat().st_size
    for tensor in (*model.graph.initializer, *constants):
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > most_numbers:
            raise InputError(f"{path}: the weights {tensor.name!r} state sizes that the file has no room for.")
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InputError(
                f"{path} keeps the weights {tensor.name!r} in another file: save the model with all weights inside."
            )
    return model


class _Work:
    """Bounds the numbers that folding computes: a hostile graph folds the same large weight a million times."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = MOST_WORK * path.stat().st_size

    def take(self, *arrays: np.ndarray) -> None:
        """Raises InputError if a graph of that size cannot have so much to fold."""
        self._left -= sum(array.nbytes for array in arrays)
        if self._left < 0:
            raise InputError(f"{self._path} uses the same weights too often: it is not a text recogniser.")


def _folded_tensors(graph: _Graph, work: _Work) -> list[np.ndarray]:
    tensors: list[np.ndarray] = []
    conv_output, is_biased, axis = "", False, 0  # of the convolution whose tensors are the last ones of the list
    pending: dict[
        str, tuple[np.ndarray, np.ndarray]
    ] = {}  # factor and shift for the one reader of a tensor, by its name

    def fold_back(factor: np.ndarray, shift: np.ndarray) -> None:
        bias = tensors.pop() * factor + shift if is_biased else shift
        work.take(tensors[-1])
        tensors[-1:] = [np.moveaxis(np.moveaxis(tensors[-1], axis, -1) * factor, -1, axis), bias]

    for node in graph.graph.node:
        own = graph.weights(node)
        work.take(*own)
        affine = graph.affine(node)
        if node.op_type in CONVOLUTIONS:
            weight, biases = own[0], own[1:]
            if node.input[0] in pending:
                factor, shift = pending.pop(node.input[0])
                shifted = weight.sum(axis=tuple(range(1, weight.ndim))) * shift
                weight, biases = weight * factor, [shifted + sum(biases)]
            tensors += [weight, *biases]
            conv_output, is_biased, axis = node.output[0], bool(biases), CONVOLUTIONS[node.op_type]
        elif node.op_type in PASSED_ON and node.input[0] == conv_output:
            conv_output = node.output[0]
        elif conv_output and not is_biased and (bias := graph.added_bias(node, conv_output, tensors[-1].shape[axis])):
            tensors += bias
            conv_output, is_biased = node.output[0], True
        elif node.op_type == "BatchNormalization" and node.input[0] == conv_output:
            gamma, beta, mean, variance = own
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            factor = gamma / np.sqrt(variance + epsilon)
            fold_back(factor, beta - mean * factor)
            conv_output, is_biased = node.output[0], True
        elif affine is not None:
            factor, shift, before, after = affine
            conv = graph.only_reader(after, "Conv")
            if before == conv_output and graph.only_reader(before, "Mul") is not None:
                fold_back(factor, shift)
                is_biased = True
            elif conv is None:
                tensors += [factor, shift]
            elif _pads(conv):
                tensors.append(shift / factor)  # w (s x + t) = (s w) (x + t / s)
                pending[after] = factor, np.zeros_like(shift)
            else:
                pending[after] = factor, shift
        elif own:
            tensors += own
            conv_output = ""
    return tensors


def _pads(conv: Any) -> bool:
    return any(side for attribute in conv.attribute if attribute.name == "pads" for side in attribute.ints)


def name_tensors(
    tensors: list[np.ndarray],
    model: RecognitionModel | DistillationModel,
    image_size: tuple[int, int] | None = None,
) -> dict[str, np.ndarray]:
    """Gives the tensors of a graph the keys of a fused network of the same structure.

    Args:
        tensors: in order of use, from `read_onnx`.
        model: a fused network; it is run once on a grey image to record the order of its layers.
        image_size: (height, width) in pixels of that image; by default the network's own `image_size`.

    Raises:
        InputError: the graph and the network differ in the number or the shape of their tensors, or no size is known.
    """
    size = image_size or model.image_size
    if size is None:
        raise InputError(
            "The size of the network's pictures is unknown, so an ONNX graph cannot be loaded: give image_shape in "
            "RecResizeImg of the configuration's Train or Eval."
        )
    order = _keys_in_order(model, size)
    if len(order) != len(tensors):
        raise InputError(f"The ONNX graph holds {len(tensors)} tensors, the network {len(order)}: another network?")
    state = model.state_dict()
    named = {}
    for key, tensor in zip(order, tensors, strict=True):
        shape = tuple(state[key].shape)
        is_head = key.startswith("head") and tensor.shape[:-1] == shape[:-1]  # classes may differ, they are sliced
        if tensor.size != int(np.prod(shape)) and not is_head:
            raise InputError(f"{key} is {shape} in the network and {tensor.shape} in the ONNX graph.")
        named[key] = tensor if is_head else tensor.reshape(shape)
    return named


def _keys_in_order(model: RecognitionModel | DistillationModel, size: tuple[int, int]) -> list[str]:
    """The keys of the parameters in the order of their use in a forward pass; `size` is (height, width) in pixels."""
    import paddle

    order: list[str] = []
    hooks = []
    for name, layer in model.named_sublayers():
        keys = [f"{name}.{part}" for part, _ in layer.named_parameters(include_sublayers=False)]
        if keys:
            hooks.append(layer.register_forward_pre_hook(lambda _layer, _inputs, keys=keys: order.extend(keys)))
    was_training = model.training
    model.eval()
    try:
        with paddle.no_grad():
            model(paddle.zeros([1, 3, *size]))
    finally:
        for hook in hooks:
            hook.remove()
        if was_training:
            model.train()
    return order
