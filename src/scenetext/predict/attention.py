"""Where a network looks when it reads a character: the attention of RARE's decoder, and of SVTR's mixing blocks.

- An attention decoder (RARE) has one weight per character and position of the line: those of Shi et al.,
  arXiv:1603.03915, section 3.2.2. They are shown as they are.
- Networks that mix positions by self-attention (SVTR, and PP-OCR's networks with an SVTR neck) have one matrix per
  block and head. Their maps are the attention rollout of Abnar and Zuidema, Quantifying Attention Flow in
  Transformers, ACL 2020, arXiv:2005.00928, section 3.1: the heads' mean, half of it the identity for the residual
  connection, multiplied over the blocks. It starts behind the last merging of positions, since before it a map has
  other positions: in SVTR it goes through the last stage, in the others through the neck.

The maps say where features came from, not what in the picture was decisive: each position has already seen its
neighbours by the convolutions and stages before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.errors import InputError
from scenetext.predict.alignment import best_path, shown_picture
from scenetext.predict.decode import GREEDY_DECODERS, attention_kept
from scenetext.predict.line_reader import FittedLine
from scenetext.predict.model_reader import ModelReader

if TYPE_CHECKING:
    from paddle import nn

    from scenetext.models.recognition_model import RecognitionModel


@dataclass(frozen=True, slots=True)
class AttentionMaps:
    """What a network attended to on one line.

    Attributes:
        text: that was read.
        confidence: see `decode`.
        picture: (H, W, 3) uint8 BGR, as given or as the network's rectifier made it.
        width_px: width in pixels of the picture that the maps cover, padding at the right included.
        maps: (N, h, w) float32, one for each of the N characters of the text; each adds up to 1.
    """

    text: str
    confidence: float
    picture: np.ndarray
    width_px: float
    maps: np.ndarray


def attention_maps(reader: ModelReader, images: Sequence[np.ndarray]) -> list[AttentionMaps]:
    """The attention of a network on lines.

    Args:
        reader: the network with trained weights; an exported folder does not hand out what it computes inside.
        images: (H, W, 3) uint8 BGR each, of any size.

    Raises:
        InputError: `reader` is an exported folder, or the network has no attention whose positions are known.
    """
    if not isinstance(reader, ModelReader):
        raise InputError("An exported folder does not hand out its attention: read with the run's weights instead.")
    of_line = _of_decoder if reader.decoding == "attention" else _of_mixing_blocks
    found = []
    for image in images:
        line = reader.fit(image)
        picture, width_px = shown_picture(reader, image, line)
        text, confidence, maps = of_line(reader, line)
        found.append(AttentionMaps(text, confidence, picture, width_px, maps))
    return found


def has_attention(model: RecognitionModel) -> bool:
    """Whether a network reads by an attention decoder, or mixes the positions of a map by self-attention as SVTR."""
    return model.decoding == "attention" or hasattr(model.backbone, "map_size")


def _of_decoder(reader: ModelReader, line: FittedLine) -> tuple[str, float, np.ndarray]:
    """Text, confidence and (N, 1, T) maps of a decoder that attends to T positions at each of its steps."""
    import paddle

    score = reader.model.head.attention_cell.score
    with _recorded([score], lambda given, result: result) as logits:  # (1, T, 1) at each step
        probabilities = reader.probabilities(line)
    ((text, confidence),) = GREEDY_DECODERS["attention"](probabilities[None], reader.charset, probabilities=True)
    best = probabilities.argmax(axis=1)
    weights = np.stack([paddle.nn.functional.softmax(step, axis=1).numpy()[0, :, 0] for step in logits])  # (steps, T)
    kept = attention_kept(best[None], probabilities.shape[1] - 1)[0]
    return text, confidence, weights[kept][:, None]


def _of_mixing_blocks(reader: ModelReader, line: FittedLine) -> tuple[str, float, np.ndarray]:
    """Text, confidence and (N, h, w) maps of a network decoded by CTC whose last blocks mix h x w positions."""
    mixers = _mixing_blocks(reader.model)
    dropouts = [mixer.attn_drop for mixer in mixers]  # what goes into them are the weights, (1, heads, T, T)
    with _recorded(dropouts, lambda given, result: given[0]) as weights:
        probabilities = reader.probabilities(line)
    steps = len(probabilities)
    matrices = [w.numpy()[0].mean(axis=0) for w in weights if w.shape[0] == 1]
    matrices = [matrix for matrix in matrices if matrix.shape == matrices[-1].shape]
    map_size = _map_size(reader.model, len(matrices[-1]) if matrices else 0, steps)
    flow = rollout(matrices)  # (T, T)
    rows = _pooled(flow.reshape(*map_size, -1), steps)  # (steps, T)
    path = best_path(probabilities, reader.charset, 1.0)
    maps = [rows[span.first_step : span.last_step + 1].mean(axis=0) for span in path.spans]
    return path.text, path.confidence, np.array(maps, np.float32).reshape(-1, *map_size)


def rollout(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """How much each position at the end draws from each at the beginning (arXiv:2005.00928, section 3.1).

    Args:
        matrices: (T, T) attention of each block, the first block first; rows add up to 1.

    Returns:
        (T, T); rows add up to 1.
    """
    flow = np.eye(len(matrices[0]))
    for matrix in matrices:
        flow = (0.5 * matrix + 0.5 * np.eye(len(matrix))) @ flow
    return flow


def _pooled(flow: np.ndarray, steps: int) -> np.ndarray:
    """(h, w, T) → (steps, T): the mean over the positions that AdaptiveAvgPool2D((1, steps)) averages for each step."""
    width = flow.shape[1]
    edges = [(step * width // steps, -(-(step + 1) * width // steps)) for step in range(steps)]
    return np.stack([flow[:, left:right].mean(axis=(0, 1)) for left, right in edges])


def _mixing_blocks(model: RecognitionModel) -> list[Any]:
    """The layers of a network that mix positions by self-attention, in the order of the network."""
    from scenetext.models.blocks.svtr_block import Attention

    return [layer for layer in model.sublayers() if isinstance(layer, Attention)]


def _map_size(model: RecognitionModel, positions: int, steps: int) -> tuple[int, int]:
    """Height and width of the map whose positions the last blocks mix.

    Raises:
        InputError: it is not known.
    """
    height, width = getattr(model.backbone, "map_size", (0, 0))
    if positions and positions == height * width:
        return height, width
    if positions and positions == steps:
        return 1, steps
    raise InputError("This network has no attention whose positions in the picture are known.")


@contextmanager
def _recorded(layers: Sequence[nn.Layer], of_call: Callable[[Any, Any], Any]) -> Iterator[list[Any]]:
    """Collects `of_call(inputs, output)` of every call of layers within the block, in the order of the calls."""
    found = []
    hooks = [
        layer.register_forward_post_hook(lambda _, given, result: found.append(of_call(given, result)))
        for layer in layers
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
