"""Weights in 8 bits: rounding, decoding inside the network, and the sliced head."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from drawn import tiny_config
from exported import tiny_folder
from scenetext.compress import (
    LEVELS,
    Uint8PerChannel,
    codable_weights,
    encode_weights,
    encode_within,
    least_error_scale,
    parameter_bytes,
    slice_head,
    store_weights,
    tensor_sizes,
)
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.weights import load_weights

RNG = np.random.default_rng(0)


@pytest.fixture
def model():
    folder = tiny_folder()
    model = build_model(tiny_config(folder))
    load_weights(model, folder / "tiny")
    model.eval()
    model.fuse()
    return model


def squared_error(weight: np.ndarray, scale: np.ndarray, levels: int) -> np.ndarray:
    return np.square(weight - np.clip(np.rint(weight / scale), -levels, levels) * scale).sum(axis=1)


@pytest.mark.parametrize(
    ("weight", "levels", "at_most"),
    [
        (RNG.normal(size=(7, 300)), LEVELS, 1.0),
        (RNG.normal(size=(7, 300)), 7, 0.9),  # coarse steps: clipping the largest is worth it
        (RNG.uniform(-1, 1, size=(3, 5000)), 7, 1.0),  # nothing to gain, nothing may be lost
        (np.zeros((2, 9)), LEVELS, 1.0),
        (np.full((1, 4), -0.3), LEVELS, 1.0),
    ],
)
def test_scale_search_is_never_worse_than_the_largest_magnitude(
    weight: np.ndarray, levels: int, at_most: float
) -> None:
    weight = weight.astype(np.float32)
    largest = np.abs(weight).max(axis=1, keepdims=True) / levels
    plain = squared_error(weight, np.where(largest > 0, largest, 1), levels)
    found = squared_error(weight, least_error_scale(weight, (1,), levels), levels)
    assert (found <= plain * (1 + 1e-6)).all()
    assert found.sum() <= at_most * plain.sum()


@pytest.mark.parametrize(("shape", "axis"), [((6, 4, 3, 3), 0), ((5, 8), 1), ((8, 1, 1, 1), 0)])
def test_decoding_gives_each_channel_back_within_half_a_step(shape: tuple[int, ...], axis: int) -> None:
    weight = (RNG.uniform(-1, 1, shape) * 10.0 ** RNG.integers(-4, 2, shape[axis : axis + 1]).reshape(
        [-1 if i == axis else 1 for i in range(len(shape))])).astype(np.float32)  # fmt: skip
    arrays = Uint8PerChannel.encode(weight, axis)
    decoded = Uint8PerChannel(arrays)().numpy()
    assert arrays["code"].dtype == np.uint8 and arrays["scale"].size == shape[axis]
    clipped = np.abs(weight) > LEVELS * arrays["scale"]
    assert (np.abs(decoded - weight) <= arrays["scale"] / 2 * 1.001)[~clipped].all()


def test_network_with_coded_weights_computes_as_with_the_decoded_ones(model) -> None:
    images = paddle.to_tensor(RNG.uniform(-1, 1, (2, 3, 32, 96)).astype(np.float32))
    stored = encode_weights(model, lambda weight: "uint8")
    assert any(weight.recurrent for weight in codable_weights(model)) and len(stored) > 40
    for weight in codable_weights(model):
        tensor = stored[weight.key]
        weight.layer._parameters[weight.attribute].set_value(Uint8PerChannel(tensor.arrays)())
    expected = model(images).numpy()
    store_weights(model, stored)
    np.testing.assert_array_equal(model(images).numpy(), expected)
    left = {key for key, tensor in model.state_dict().items() if tensor.dtype == paddle.float32 and tensor.ndim > 1}
    assert not [key for key in left if not key.endswith(".scale")]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Conv2D(16, 24, 3), (1, 16, 9, 9)),
        (lambda: nn.Conv2D(16, 16, 3, groups=16), (1, 16, 9, 9)),
        (lambda: nn.Linear(40, 12), (3, 40)),
        (lambda: nn.LSTM(20, 8, num_layers=2, direction="bidirectional"), (2, 5, 20)),
        (lambda: nn.GRU(20, 8), (2, 5, 20)),
    ],
)
def test_coding_changes_the_output_of_a_layer_by_less_than_a_hundredth(layer, shape: tuple[int, ...]) -> None:
    network = nn.Sequential(layer())
    x = paddle.to_tensor(RNG.normal(size=shape).astype(np.float32))

    def compute() -> np.ndarray:
        out = network(x)
        return (out[0] if isinstance(out, tuple) else out).numpy()

    expected = compute()
    stored = encode_weights(network, lambda weight: "uint8")
    store_weights(network, stored)
    assert stored
    error = compute() - expected
    assert 0 < np.abs(error).mean() < 0.01 * np.abs(expected).mean()


def test_unknown_key_is_refused(model) -> None:
    stored = encode_weights(model, lambda weight: "uint8" if weight.key == "head.fc.weight" else None)
    with pytest.raises(InputError, match="neck.fc.weight"):
        store_weights(model, {"neck.fc.weight": stored["head.fc.weight"]})


def test_tensor_sizes_count_every_number_once(model) -> None:
    plain = tensor_sizes(model, {})
    assert sum(entry.size_bytes for entry in plain) == 4 * sum(int(p.size) for p in set(model.parameters()))
    assert len({entry.key for entry in plain}) == len(plain)
    stored = encode_weights(model, lambda weight: "uint8")
    coded = tensor_sizes(model, stored)
    assert parameter_bytes(coded) < 0.4 * parameter_bytes(plain)
    assert coded == sorted(coded, key=lambda entry: -entry.size_bytes)
    assert {entry.key for entry in coded if entry.coding == "uint8"} == set(stored)


def test_sliced_head_gives_the_kept_characters_the_same_logits(model) -> None:
    images = paddle.to_tensor(RNG.uniform(-1, 1, (1, 3, 32, 96)).astype(np.float32))
    expected = model(images).numpy()
    charset = slice_head(model, "925")
    assert charset.characters == ("2", "5", "9") and model.charset is charset  # in the dictionary's order
    np.testing.assert_allclose(model(images).numpy(), expected[:, :, [0, 3, 6, 10]], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("characters", "told"), [("12串", "串"), ("", "empty")])
def test_head_cannot_be_sliced_to_what_it_does_not_know(model, characters: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        slice_head(model, characters)


def test_space_survives_slicing() -> None:
    folder = tiny_folder()
    model = build_model(tiny_config(folder, use_space_char=True))
    assert slice_head(model, "3").characters == ("3", " ")
    assert isinstance(model.head.classifier, nn.Linear) and model.head.classifier.weight.shape[1] == 3


def test_a_budget_between_both_widths_gives_8_bits_to_some_weights_and_no_more_than_needed(model) -> None:
    def size(stored: dict) -> int:
        return parameter_bytes(tensor_sizes(model, stored))

    wide, narrow = encode_within(model, 10**9), encode_within(model, 0)
    assert {tensor.coding for tensor in wide.values()} == {"float16"}
    assert {tensor.coding for tensor in narrow.values()} == {"uint8"}
    assert set(wide) == set(narrow) and size(narrow) < size(wide)
    mixed = encode_within(model, size(wide) - 1)
    assert size(narrow) <= size(mixed) < size(wide)
    assert [tensor.coding for tensor in mixed.values()].count("uint8") == 1
