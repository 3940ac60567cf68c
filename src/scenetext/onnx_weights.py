"""The weights of an ONNX recogniser, such as the PP-OCR graphs that PyPI wheels carry, for our own networks.

A graph exported from a fused network names its tensors by number, so tensors are matched by the order in which they
are used: the graph's nodes stand in the order of the forward pass, and our network tells its own order when it is
run once. Every shape is checked.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from scenetext.charset import Charset
from scenetext.errors import InputError

# models inside installed wheels: our name → (package, file inside it)
WHEEL_MODELS = {
    "rapidocr:PP-OCRv6_rec_small": ("rapidocr", "models/PP-OCRv6_rec_small.onnx"),
}


def wheel_model(name: str) -> Path:
    """Path of a recogniser's ONNX file inside an installed wheel, for example "rapidocr:PP-OCRv6_rec_small".

    Raises:
        InputError: the name is unknown or the wheel is not installed.
    """
    if name not in WHEEL_MODELS:
        raise InputError(f"{name} is unknown; weights in installed wheels are {', '.join(WHEEL_MODELS)}.")
    package, inside = WHEEL_MODELS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{name} needs the package {package}, which is not installed: pip install {package}.")
    path = Path(spec.submodule_search_locations[0]) / inside
    if not path.is_file():
        raise InputError(f"The installed {package} does not carry {inside}: install the pinned version.")
    return path


def read_onnx(path: str | Path) -> tuple[list[np.ndarray], Charset | None]:
    """Reads the float tensors of an ONNX graph in the order of their use, and the characters of its classes.

    A batch normalisation that follows a convolution is folded into it, so that every convolution and linear layer
    yields a weight and a bias. Numbers that stand alone (epsilons, scales) are left out.

    Returns:
        The tensors, and the characters from the metadata `character` with the appended space, if there are any.
    """
    import onnx
    from onnx import numpy_helper

    path = Path(path)
    if not path.is_file():
        raise InputError(f"The ONNX model {path} does not exist.")
    model = onnx.load(str(path))
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    tensors: list[np.ndarray] = []
    for node in model.graph.node:
        own = [constants[name] for name in node.input if name in constants]
        own = [a for a in own if a.dtype == np.float32 and a.size > 1]
        if node.op_type == "BatchNormalization":
            gamma, beta, mean, variance = own
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
            factor = gamma / np.sqrt(variance + epsilon)
            tensors[-1] = tensors[-1] * factor[:, None, None, None]
            tensors.append(beta - mean * factor)
        else:
            tensors.extend(own)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    charset = None
    if "character" in metadata:
        charset = Charset((*metadata["character"].rstrip("\n").split("\n"), " "), use_space_char=True)
    return tensors, charset


def name_tensors(tensors: list[np.ndarray], model, image_shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Gives the tensors of a graph the keys of a fused network of the same structure.

    Args:
        tensors: in order of use, from `read_onnx`.
        model: a fused `Recogniser`; it is run once on a grey image to learn its order.
        image_shape: (channels, height, width) of that image.

    Raises:
        InputError: the graph and the network differ in the number or the shape of their tensors.
    """
    import paddle
    from paddle import nn

    order: list[str] = []
    hooks = []
    for name, layer in model.named_sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Linear, nn.LayerNorm)):
            keys = [f"{name}.{part}" for part in ("weight", "bias") if getattr(layer, part) is not None]
            hooks.append(layer.register_forward_pre_hook(lambda _layer, _inputs, keys=keys: order.extend(keys)))
    was_training = model.training
    model.eval()
    with paddle.no_grad():
        model(paddle.zeros([1, *image_shape]))
    for hook in hooks:
        hook.remove()
    if was_training:
        model.train()
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
