"""The network as it computes, and rounding: figures of the notebooks show what the network really does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import paddle
import pytest

from scenetext.config import load_config
from scenetext.data.transforms import Canvas
from scenetext.lessons.layers import last_layer, stages
from scenetext.lessons.rounding import levels_of, read_rounded, relative_error, rounded, typical_channel
from scenetext.models import build_model
from scenetext.predict.model_reader import ModelReader

RNG = np.random.default_rng(0)


def network(root: Path, name: str) -> paddle.nn.Layer:
    path = root / "configs" / f"{name}.yml"
    return build_model(load_config(path, ["Global.character_dict_path=ppocr_keys_v1"]))


def batch(height_px: int, width_px: int) -> np.ndarray:
    return RNG.uniform(-1, 1, (1, 3, height_px, width_px)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "size", "steps", "parts"),
    [
        ("crnn_mobile", (48, 320), 80, {"picture", "backbone", "neck", "head"}),  # an LSTM, which returns a pair
        ("ppocrv6_small", (48, 320), 40, {"picture", "backbone", "head"}),  # a head with a branch that does not read
        ("rare_mv3", (32, 100), None, {"picture", "transform", "backbone", "neck", "head"}),  # a decoder that loops
    ],
)
def test_the_stages_are_those_that_read_and_leave_the_network_as_it_was(
    root: Path, name: str, size: tuple[int, int], steps: int | None, parts: set[str]
) -> None:
    model = network(root, name)
    model.train()
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    line = batch(*size)
    found = stages(model, line)
    assert found[0].shape == (3, *size) and {stage.part for stage in found} == parts
    model.eval()
    with paddle.no_grad():
        logits = model(paddle.to_tensor(line))
    assert found[-1].shape == tuple(logits.shape[1:]) and (steps is None or found[-1].shape[0] == steps)
    model.train()
    assert all(np.array_equal(before[key], value.numpy()) for key, value in model.state_dict().items())
    assert all((a.part, a.shape) != (b.part, b.shape) for a, b in pairwise(found))
    model.drop_auxiliary_branch()
    assert sum(stage.parameters for stage in found) == sum(int(np.prod(p.shape)) for p in model.parameters())
    assert last_layer(model, line)[1] == found[-1].shape[1]
    assert not any(layer._forward_post_hooks for layer in model.sublayers())


def test_of_a_distillation_the_student_is_drawn(root: Path) -> None:
    from scenetext.models.distillation import DistillationModel

    teacher, student = network(root, "ppocrv6_small"), network(root, "crnn_mobile")
    pair = DistillationModel({"Teacher": teacher, "Student": student}, frozen=["Teacher"])
    line = batch(48, 320)
    assert stages(pair, line) == stages(student, line) and last_layer(pair, line) == last_layer(student, line)


def test_weights_are_rounded_to_the_nearest_of_evenly_spaced_levels() -> None:
    rows = RNG.normal(size=(5, 40)).astype(np.float32)
    for bits in (2, 4, 8):
        found = rounded(rows, bits)
        step = np.abs(rows).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
        assert all(len(np.unique(row)) <= levels_of(bits) for row in found)
        assert (np.abs(found - rows) <= step / 2 + 1e-6).all()
        np.testing.assert_allclose(found / step, np.rint(found / step), atol=1e-4)
    assert rounded(np.zeros((1, 3), np.float32), 4).tolist() == [[0, 0, 0]]
    assert relative_error(np.zeros(3, np.float32), 4) == 0


def test_reading_with_rounded_weights_leaves_the_network_its_own(root: Path) -> None:
    paddle.seed(0)
    model = network(root, "crnn_mobile")
    model.eval()
    model.fuse()
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    reader = ModelReader(model, Canvas(48, 320, False, False))
    lines = [RNG.integers(0, 256, (48, 100, 3), np.uint8)]
    readings = read_rounded(reader, lines, bits=(12, 2))
    assert list(readings) == [32, 12, 2] and readings[32] == reader(lines)
    own, near, far = (readings[bits][0][1] for bits in (32, 12, 2))
    assert abs(near - own) < 0.02 * own < abs(far - own)
    assert all(np.array_equal(before[key], value.numpy()) for key, value in model.state_dict().items())
    key, channel = typical_channel(model)
    assert channel.ndim == 1 and key.split(" of ")[1] in model.state_dict()
