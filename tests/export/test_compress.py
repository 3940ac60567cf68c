"""Quantised weights: rounding, dequantisation inside the network, and the sliced head."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from drawn import tiny_config
from exported import tiny_folder
from paddle import nn

from scenetext.errors import InputError
from scenetext.export.compress import (
    parameter_bytes,
    quantisable_weights,
    quantise_weights,
    quantise_within,
    replace_with_quantised,
    slice_head,
    tensor_sizes,
)
from scenetext.export.compress.codings import (
    BYTE_LEVELS,
    PACKED,
    PACKED_LEVELS,
    UINT8,
    bits_per_weight,
    dequantise_scales,
)
from scenetext.export.compress.quantisation import QUANT_SCHEMES, QuantScheme, quantise
from scenetext.export.compress.quantised_weights import QuantisableWeight
from scenetext.export.compress.rounding import (
    InputHessian,
    gptq_codes,
    least_error_scales,
    output_error,
    round_to_levels,
)
from scenetext.models import build_model
from scenetext.weights.loading import load_weights

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
    return np.square(weight - round_to_levels(weight / scale, levels) * scale).sum(axis=1)


@pytest.mark.parametrize(
    ("weight", "levels", "at_most"),
    [
        (RNG.normal(size=(7, 300)), BYTE_LEVELS, 1.0),
        (RNG.normal(size=(7, 300)), 16, 0.9),  # coarse steps: clipping the largest is worth it
        (RNG.normal(size=(7, 300)), 3, 0.6),
        (RNG.uniform(-1, 1, size=(3, 5000)), 15, 1.0),  # nothing to gain, nothing may be lost
        (np.zeros((2, 9)), BYTE_LEVELS, 1.0),
        (np.full((1, 4), -0.3), 4, 1.0),
    ],
)
def test_scale_search_is_never_worse_than_the_largest_magnitude(
    weight: np.ndarray, levels: int, at_most: float
) -> None:
    weight = weight.astype(np.float32)
    largest = np.abs(weight).max(axis=1, keepdims=True) / ((levels - 1) / 2)
    plain = squared_error(weight, np.where(largest > 0, largest, 1), levels)
    found = squared_error(weight, least_error_scales(weight, np.ones(weight.shape[1]), levels), levels)
    assert (found <= plain * (1 + 1e-6)).all()
    assert found.sum() <= at_most * plain.sum()


def quantise_alone(weight: np.ndarray, axis: int, scheme: QuantScheme, hessian: InputHessian | None = None):
    """A weight of a layer of its own, quantised."""
    layer = nn.Layer()
    layer.weight = layer.create_parameter(weight.shape)
    layer.weight.set_value(weight)
    return quantise(QuantisableWeight("weight", layer, "weight", axis, False), scheme, hessian)


@pytest.mark.parametrize(
    "scheme", [scheme for scheme in QUANT_SCHEMES if scheme.levels or scheme.coding == UINT8], ids=str
)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((6, 4, 3, 3), 0), ((5, 8), 1), ((8, 1, 1, 1), 0), ((96, 20), 1), ((7, 32, 1, 1), 0), ((1, 1), 1)],
)
def test_dequantisation_gives_each_weight_back_within_half_a_step(
    shape: tuple[int, ...], axis: int, scheme: QuantScheme
) -> None:
    spread = [-1 if i == axis else 1 for i in range(len(shape))]
    size = 10.0 ** RNG.integers(-4, 2, shape[axis : axis + 1]).reshape(spread)  # channels of very different sizes
    weight = (RNG.uniform(-1, 1, shape) * size).astype(np.float32)
    quantised = quantise_alone(weight, axis, scheme)
    found = quantised.dequantise()
    assert found.shape == weight.shape and found.dtype == np.float32
    ratios = quantised.arrays.get("ratio", np.zeros(0)).size
    scales = 4 * quantised.arrays["scale"].size + ratios
    assert quantised.size_bytes <= weight.size * bits_per_weight(scheme.level_count) / 8 + scales + 2
    assert quantised.size_bytes == scheme.size_bytes(shape[axis], weight.size // shape[axis])
    # within a channel, levels are evenly spaced: every value is an odd or an even half of the same step
    rows = found.reshape(shape[0], -1) if axis == 0 else found.T
    original = weight.reshape(shape[0], -1) if axis == 0 else weight.T
    scale = dequantise_scales(quantised.arrays, axis)
    steps = np.repeat(scale, rows.shape[1] // scale.shape[1], axis=1)
    level = rows / steps + (scheme.level_count - 1) / 2
    np.testing.assert_allclose(level, np.rint(level), atol=1e-3)
    assert level.min() > -0.5 and level.max() < scheme.level_count - 0.5
    inside = np.abs(original) <= (scheme.level_count - 1) / 2 * steps
    assert (np.abs(rows - original) <= steps / 2 * 1.001)[inside].all()


@pytest.mark.parametrize("levels", PACKED_LEVELS)
def test_every_level_survives_packing(levels: int) -> None:
    count = 3 * 5 * 7 * 8 + 1  # fills the last byte with none of the bases
    level = np.arange(count) % levels
    weight = ((level - (levels - 1) / 2) * 0.25).astype(np.float32).reshape(1, count)
    np.testing.assert_array_equal(quantise_alone(weight, 0, QuantScheme(PACKED, levels)).dequantise(), weight)


@pytest.mark.parametrize("levels", [3, 4, 8, 16])
def test_rounding_by_output_error_beats_the_nearest_level_on_correlated_inputs(levels: int) -> None:
    inputs = RNG.normal(size=(500, 12)) @ RNG.normal(size=(12, 40)) + 0.1 * RNG.normal(size=(500, 40))
    inputs[:, 3] = 0.0  # an input that is never anything else
    hessian = InputHessian((inputs.T @ inputs / 500).astype(np.float32))
    weight = RNG.normal(size=(16, 40)).astype(np.float32)
    steps = np.repeat(least_error_scales(weight, np.ones(40), levels), 40, axis=1)
    middle = (levels - 1) / 2
    found = (gptq_codes(weight, steps, levels, hessian) - middle) * steps
    nearest = round_to_levels(weight / steps, levels) * steps
    assert output_error(found - weight, hessian) < 0.6 * output_error(nearest - weight, hessian)


def test_network_with_quantised_weights_computes_as_with_the_dequantised_ones(model) -> None:
    images = paddle.to_tensor(RNG.uniform(-1, 1, (2, 3, 32, 96)).astype(np.float32))
    schemes = iter(QUANT_SCHEMES * 20)
    quantised = quantise_weights(model, lambda weight: next(schemes))
    assert any(weight.recurrent for weight in quantisable_weights(model)) and len(quantised) > 40
    for weight in quantisable_weights(model):
        tensor = quantised[weight.key]
        weight.set_value(tensor.dequantise())
    expected = model(images).numpy()
    replace_with_quantised(model, quantised)
    np.testing.assert_array_equal(model(images).numpy(), expected)
    left = {key for key, tensor in model.state_dict().items() if tensor.dtype == paddle.float32 and tensor.ndim > 1}
    assert not [key for key in left if not key.endswith(".scale") and ".table" not in key]


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
def test_8_bits_change_the_output_of_a_layer_by_less_than_a_hundredth(layer, shape: tuple[int, ...]) -> None:
    network = nn.Sequential(layer())
    x = paddle.to_tensor(RNG.normal(size=shape).astype(np.float32))

    def compute() -> np.ndarray:
        out = network(x)
        return (out[0] if isinstance(out, tuple) else out).numpy()

    expected = compute()
    quantised = quantise_weights(network, lambda weight: QuantScheme(UINT8))
    replace_with_quantised(network, quantised)
    assert quantised
    error = compute() - expected
    assert 0 < np.abs(error).mean() < 0.01 * np.abs(expected).mean()


def test_unknown_key_is_refused(model) -> None:
    quantised = quantise_weights(model, lambda weight: QuantScheme(UINT8) if weight.key == "head.fc.weight" else None)
    with pytest.raises(InputError, match="neck.fc.weight"):
        replace_with_quantised(model, {"neck.fc.weight": quantised["head.fc.weight"]})


def test_tensor_sizes_count_every_number_once(model) -> None:
    plain = tensor_sizes(model, {})
    assert sum(entry.size_bytes for entry in plain) == 4 * sum(int(p.size) for p in set(model.parameters()))
    assert len({entry.key for entry in plain}) == len(plain)
    quantised = quantise_weights(model, lambda weight: QuantScheme(UINT8))
    coded = tensor_sizes(model, quantised)
    assert parameter_bytes(coded) < 0.4 * parameter_bytes(plain)
    assert coded == sorted(coded, key=lambda entry: -entry.size_bytes)
    assert {entry.key for entry in coded if entry.coding == "uint8"} == set(quantised)


def test_sliced_head_gives_the_kept_characters_the_same_logits(model) -> None:
    images = paddle.to_tensor(RNG.uniform(-1, 1, (1, 3, 32, 96)).astype(np.float32))
    expected = model(images).numpy()
    charset = slice_head(model, "925")
    assert charset.characters == ("2", "5", "9") and model.charset is charset  # in the dictionary's order
    np.testing.assert_allclose(model(images).numpy(), expected[:, :, [0, 3, 6, 10]], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("characters", "told"), [("12串", "串"), ("", "known")])
def test_head_cannot_be_sliced_to_what_it_does_not_know(model, characters: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        slice_head(model, characters)


def test_space_survives_slicing() -> None:
    folder = tiny_folder()
    model = build_model(tiny_config(folder, use_space_char=True))
    assert slice_head(model, "3").characters == ("3", " ")
    assert isinstance(model.head.classifier, nn.Linear) and model.head.classifier.weight.shape[1] == 3


def test_a_budget_between_both_widths_gives_8_bits_to_some_weights_and_no_more_than_needed(model) -> None:
    def size(quantised: dict) -> int:
        return parameter_bytes(tensor_sizes(model, quantised))

    wide, narrow = quantise_within(model, 10**9), quantise_within(model, 0)
    assert {tensor.coding for tensor in wide.values()} == {"float16"}
    assert {tensor.coding for tensor in narrow.values()} == {"uint8"}
    assert set(wide) == set(narrow) and size(narrow) < size(wide)
    mixed = quantise_within(model, size(wide) - 1)
    assert size(narrow) <= size(mixed) < size(wide)
    assert [tensor.coding for tensor in mixed.values()].count("uint8") == 1


@pytest.mark.parametrize("scheme", QUANT_SCHEMES, ids=str)
def test_no_stored_array_bears_the_name_of_a_method_that_layers_have_since_paddle_3_3(
    scheme: QuantScheme, model: nn.Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("half", "double", "type", "cuda", "xpu", "cpu", "float16", "bfloat16"):
        monkeypatch.setattr(nn.Layer, name, lambda self: self, raising=False)  # Paddle then refuses a buffer so named
    weight = max(quantisable_weights(model), key=lambda weight: weight.size)
    assert np.isfinite(quantise(weight, scheme).dequantise()).all()
