"""Loading weights into a network, with a report on every parameter.

A head trained on other characters is not thrown away: its columns are moved by character, so that finetuning on a
smaller or larger dictionary starts from all trained classes.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scenetext.errors import InputError
from scenetext.text.charset import CLASSES_BEYOND_CTC, Charset, charset_path
from scenetext.weights.onnx import name_tensors
from scenetext.weights.sources import Arrays, read_source

if TYPE_CHECKING:
    from scenetext.models.distillation import DistillationModel
    from scenetext.models.heads.class_tensors import ClassTensor
    from scenetext.models.recognition_model import RecognitionModel

# class counts that name a dictionary: classes → (bundled name, space appended)
KNOWN_CLASS_COUNTS = {
    95: ("en94", False),
    97: ("en_dict", True),
    6624: ("ppocr_keys_v1", False),
    6625: ("ppocr_keys_v1", True),
    6906: ("ppocrv6_tiny", True),
    18385: ("ppocrv5", True),
    18710: ("ppocrv6", True),
}
LISTED = 20  # keys that a report names of a kind, the others it counts
TRAINING_ONLY = re.compile(r"^(head\.(gtc_head|before_gtc|sgm|thresh)|Teacher)\.")
BACKBONE = re.compile(r"^(\w+\.)?backbone\.")  # of a network, or of one of several
STUDENT = "Student."  # before the keys of a distilled network in its training's file


@dataclass
class LoadReport:
    """What happened to every parameter.

    Attributes:
        source: the weights, as given to `load_weights`.
        matched: keys whose arrays were taken unchanged.
        sliced: keys of the head whose columns were moved by character.
        skipped: keys of the file that were not used, each with the reason.
        left_out: keys of the file that only training uses (an auxiliary branch, a teacher) and the network lacks.
        missing: keys of the network that the file lacks; they keep their values.
        kept, added, dropped: characters whose column was kept, was initialised, was left behind.
        fused: the file holds a fused network, so the network was fused to take it.
        random_backbone: nothing of the backbone came from the file.
    """

    source: str
    matched: list[str] = field(default_factory=list)
    sliced: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    fused: bool = False
    random_backbone: bool = False

    @property
    def complete(self) -> bool:
        """Whether every parameter of the network was taken from the file."""
        return not self.skipped and not self.missing

    def __str__(self) -> str:
        lines = [
            f"weights of {self.source}{' (a fused network)' if self.fused else ''}: {len(self.matched)} matched, "
            f"{len(self.sliced)} sliced, {len(self.skipped)} skipped, {len(self.missing)} missing"
        ]
        if self.random_backbone:
            lines.append("  NOTHING OF THE BACKBONE is in the file: these look like the weights of another network")
        if self.sliced:
            lines.append(
                f"  characters: {len(self.kept)} kept, {len(self.added)} new{_some(self.added)}, "
                f"{len(self.dropped)} dropped"
            )
        if self.left_out:
            lines.append(f"  left out: {len(self.left_out)} that only training uses, such as {self.left_out[0]}")
        lines += _listed([f"  skipped {key}: {reason}" for key, reason in self.skipped.items()])
        lines += _listed([f"  missing {key}: keeps its initial value" for key in self.missing])
        return "\n".join(lines)


def load_weights(
    model: RecognitionModel, source: str | Path, strict: bool = False, charset: Charset | None = None
) -> LoadReport:
    """Loads weights into a network, which stays unchanged where that fails.

    A file may hold a fused network: an ONNX graph always does. Then `model` is fused, too, as `model.fuse()` does it,
    because its parameters have no place in an unfused one, and the report says so.

    Args:
        model: the network.
        source: a `.pdparams` file or its path without suffix, an `.onnx` file, an official model's name or URL, a
            model inside an installed wheel ("rapidocr:PP-OCRv6_rec_small", see `onnx.WHEEL_MODELS`), or a `.pth` file
            of OpenOCR's.
        strict: refuse anything but a complete match (columns moved by character count as a match).
        charset: the characters that the file's head was trained on; by default those it is known to have (its ONNX
            metadata, `charset.txt` beside it, or an official dictionary of that many classes).

    Returns:
        The report; print it.

    Raises:
        InputError: the file is missing or unsafe, nothing of it matches the network, or `strict` is not met.
    """
    found, known_charset = read_source(str(source), model.decoding, getattr(model, "pth_img_mode", "RGB"))
    if isinstance(found, list):
        target = _fused_aside(model)
        arrays = name_tensors(found, target)
    else:
        arrays = _of_student(found, model)
        target = _counterpart(arrays, model)
    report = LoadReport(str(source), fused=isinstance(found, list) or _is_fused(arrays, target))
    taken = _matched(arrays, target, charset or known_charset, report)
    _refuse(report, strict)
    if target is not model:  # nothing can fail any more
        model.fuse()
    state = model.state_dict()
    aliases = _aliases(state)
    for key, array in taken.items():
        if key not in aliases:
            state[key].set_value(array.astype(np.float32))
    return report


def _matched(
    arrays: Arrays, model: RecognitionModel, charset: Charset | None, report: LoadReport
) -> dict[str, np.ndarray]:
    """The arrays that `model` takes, by its keys; fills the report."""
    state = model.state_dict()
    by_class = {id(entry.tensor): entry for entry in _class_tensors(model)}
    aliases = _aliases(state)
    taken: dict[str, np.ndarray] = {}
    for key, array in arrays.items():
        if key not in state:
            if TRAINING_ONLY.search(key):
                report.left_out.append(key)
            else:
                report.skipped[key] = "the network has no such parameter"
            continue
        shape = tuple(state[key].shape)
        if id(state[key]) in by_class:
            array = _slice_head(array, key, by_class[id(state[key])], model.charset, charset, report)
        elif tuple(array.shape) != shape:
            report.skipped[key] = f"shape {tuple(array.shape)} in the file, {shape} in the network"
            continue
        else:
            report.matched.append(key)
        if array is not None:
            taken[key] = array
    report.missing = [key for key in state if key not in taken and aliases.get(key, key) not in taken]
    report.random_backbone = not any(BACKBONE.search(key) for key in taken)
    return taken


def _of_student(arrays: Arrays, model: RecognitionModel | DistillationModel) -> Arrays:
    """A distilled network's own arrays under its own keys, unless the model holds its teacher, too."""
    if hasattr(model, "names") or not any(key.startswith(STUDENT) for key in arrays):
        return arrays
    return {key.removeprefix(STUDENT): array for key, array in arrays.items()}


def _is_fused(arrays: Arrays, target: RecognitionModel | DistillationModel) -> bool:
    return target.fused and not has_statistics(arrays)


def has_statistics(state: Mapping[str, object]) -> bool:
    """Whether a network's arrays or tensors by name hold statistics of batch normalisations, which fusing folds away.

    Args:
        state: arrays or tensors by the keys of a state_dict.
    """
    return any(key.endswith(("._mean", "._variance")) for key in state)


def _counterpart(arrays: Arrays, model: RecognitionModel | DistillationModel) -> RecognitionModel | DistillationModel:
    """The network in the form that the arrays have: itself, or a fused copy where that has more of the keys."""
    if model.fused or has_statistics(arrays):
        return model
    fused = copy.deepcopy(model)
    fused.fuse()
    more = len(arrays.keys() & fused.state_dict().keys()) > len(arrays.keys() & model.state_dict().keys())
    return fused if more else model


def _fused_aside(model: RecognitionModel | DistillationModel) -> RecognitionModel | DistillationModel:
    """The network if it is fused, else a fused copy; random state and layers' name counters stay unchanged."""
    import paddle

    if model.fused:
        return model
    random_state = paddle.get_rng_state()
    with paddle.utils.unique_name.guard():
        fused = copy.deepcopy(model)
        fused.fuse()
    paddle.set_rng_state(random_state)
    return fused


def _aliases(state: dict) -> dict[str, str]:
    """Keys that name a tensor an earlier key already names (Paddle lists RNN weights twice)."""
    first: dict[int, str] = {}
    return {key: first[id(t)] for key, t in state.items() if first.setdefault(id(t), key) != key}


def _class_tensors(model: RecognitionModel | DistillationModel) -> list[ClassTensor]:
    models = [getattr(model, name) for name in model.names] if hasattr(model, "names") else [model]
    return [entry for own in models for entry in own.head.class_tensors()]


def _slice_head(
    array: np.ndarray,
    key: str,
    own: ClassTensor,
    target: Charset | None,
    source: Charset | None,
    report: LoadReport,
) -> np.ndarray | None:
    """Moves the slices of a head's tensor to the network's characters."""
    shape, axis = tuple(own.tensor.shape), own.axis
    if array.ndim != len(shape) or any(array.shape[i] != shape[i] for i in range(len(shape)) if i != axis):
        report.skipped[key] = f"shape {tuple(array.shape)} in the file, {shape} in the network"
        return None
    classes, wanted = array.shape[axis] - own.start, shape[axis] - own.start
    beyond = CLASSES_BEYOND_CTC[own.layout]
    if source is None and classes - beyond in KNOWN_CLASS_COUNTS and classes != wanted:
        name, space = KNOWN_CLASS_COUNTS[classes - beyond]
        source = Charset.from_file(charset_path(name), use_space_char=space)
    same = target is None or source is None or source.characters == target.characters
    if classes == wanted and same:
        report.matched.append(key)
        return array
    if source is None or target is None or source.num_classes + beyond != classes:
        report.skipped[key] = f"{classes} classes of an unknown dictionary, the network has {wanted}"
        return None
    rows = target.rows_in(source, own.layout)
    known = dict(zip(target.characters, target.rows_in(source)[1:], strict=True))
    report.sliced.append(key)
    report.kept = [c for c, row in known.items() if row is not None]
    report.added = [c for c, row in known.items() if row is None]
    report.dropped = sorted(set(source.characters) - set(target.characters))
    by_class = np.moveaxis(array, axis, 0).astype(np.float32)
    lead, by_class = by_class[: own.start], by_class[own.start :]
    moved = by_class[[0 if row is None else row for row in rows]]
    # a new character starts with the mean weights of all and the smallest bias, so it disturbs no trained class
    moved[[row is None for row in rows]] = by_class[1:].mean(axis=0) if array.ndim > 1 else by_class[1:].min()
    return np.moveaxis(np.concatenate([lead, moved]), 0, axis)


def _refuse(report: LoadReport, strict: bool) -> None:
    if not report.matched:
        raise InputError(
            f"Nothing in {report.source} matches the network ({len(report.skipped)} keys skipped, the first: "
            f"{next(iter(report.skipped), 'none')}): these are the weights of another network."
        )
    if strict and not report.complete:
        raise InputError(f"{report.source} does not match the network completely, as strict asks.\n{report}")


def _listed(lines: list[str]) -> list[str]:
    return lines[:LISTED] + ([f"  … and {len(lines) - LISTED} more"] if len(lines) > LISTED else [])


def _some(characters: list[str], most: int = 12) -> str:
    if not characters:
        return ""
    return f" ({''.join(characters[:most])}{'…' if len(characters) > most else ''})"
