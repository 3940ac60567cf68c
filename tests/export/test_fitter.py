"""The fitter: what it sees, what it measures, what it chooses, and what training the rounded weights gains."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import paddle
import pytest
from drawn import tiny_config
from exported import tiny_folder
from paddle import nn

from scenetext.export.compress import codable_weights
from scenetext.export.compress.bit_allocation import BitAllocator
from scenetext.export.compress.calibration import input_hessians
from scenetext.export.compress.codings import PACKED, UINT8
from scenetext.export.compress.encoding import QuantScheme, encode
from scenetext.export.compress.finetune import finetune_rounded
from scenetext.export.compress.lockstep import Lockstep
from scenetext.export.compress.plan import Option, choose, worthwhile
from scenetext.export.compress.rounding import output_error
from scenetext.export.compress.sensitivity import Answers, measure_losses
from scenetext.export.compress.sequential_rounding import Rounded, round_in_order
from scenetext.models import build_model

RNG = np.random.default_rng(0)


@pytest.fixture
def model():
    paddle.seed(1)
    model = build_model(tiny_config(tiny_folder()))
    head = model.head.classifier.weight
    head.set_value(head.numpy() * 20)  # it prefers something
    model.eval()
    model.fuse()
    return model


def batches(count: int = 2, width_px: int = 96) -> list[np.ndarray]:
    return [RNG.uniform(-1, 1, (3, 3, 32, width_px)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Linear(7, 5), (3, 11, 7)),
        (lambda: nn.Conv2D(3, 5, 1), (2, 3, 6, 9)),
        (lambda: nn.Conv2D(3, 5, 3, padding=1), (2, 3, 6, 9)),
        (lambda: nn.Conv2D(3, 5, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), (2, 3, 9, 14)),
        (lambda: nn.Conv2D(3, 5, 2, padding="SAME"), (2, 3, 6, 9)),
        (lambda: nn.Conv2D(3, 5, 3, stride=2, padding="SAME"), (2, 3, 7, 10)),
        (lambda: nn.Conv2D(3, 5, 3, padding="VALID"), (2, 3, 6, 9)),
        (lambda: nn.Conv2D(3, 5, 3, padding=[1, 0, 2, 1]), (2, 3, 6, 9)),
    ],
)
def test_moments_tell_the_size_of_a_layers_output_for_any_weights(layer, shape: tuple[int, ...]) -> None:
    network = nn.Sequential(layer())
    network[0].bias.set_value(paddle.zeros_like(network[0].bias))
    batch = RNG.normal(1.0, 1.0, shape).astype(np.float32)  # the mean counts, too
    (weight,) = codable_weights(network)
    moments = input_hessians(network, [weight], [batch])[weight.key]
    found, true = [], []
    for _ in range(3):
        weight.set_value(RNG.normal(size=weight.value.shape).astype(np.float32))
        rows = weight.value.reshape(5, -1) if weight.axis == 0 else weight.value.T
        found.append(output_error(rows, moments))
        true.append(float(np.square(network(paddle.to_tensor(batch)).numpy()).sum()))
    np.testing.assert_allclose(np.array(found) / found[0], np.array(true) / true[0], rtol=1e-4)


def test_grouped_and_recurrent_layers_have_no_moments(model) -> None:
    weights = codable_weights(model)
    seen = input_hessians(model, weights, batches())
    for weight in weights:
        grouped = getattr(weight.layer, "_groups", 1) > 1
        assert (weight.key in seen) == (not grouped and not weight.recurrent)


def test_measuring_costs_nothing_for_own_weights_more_for_fewer_bits_and_puts_them_back(model) -> None:
    answers = Answers(model, batches())
    weights = [w for w in codable_weights(model) if w.size > 4096]
    own = {w.key: w.value for w in weights}
    assert max(measure_losses(answers, weights, own).values()) < 1e-6
    eight, three = (
        measure_losses(answers, weights, {w.key: encode(w, way).decode() for w in weights})
        for way in (QuantScheme(UINT8), QuantScheme(PACKED, 8))
    )
    assert all(0 <= eight[key] <= three[key] + 1e-6 for key in own) and sum(three.values()) > 10 * sum(eight.values())
    assert all(np.array_equal(w.value, own[w.key]) for w in weights)


def test_dearer_ways_that_lose_no_less_are_left_out() -> None:
    listed = [
        Option(None, size, loss) for size, loss in ((10, 9.0), (12, 9.5), (20, 5.0), (30, 4.9), (40, 1.0), (50, 1.0))
    ]
    assert [o.size_bytes for o in worthwhile(listed)] == [10, 20, 40]


@pytest.mark.parametrize("budget", [29, 30, 37, 61, 88, 150, 400])
def test_no_other_choice_of_ways_loses_much_less(budget: int) -> None:
    rng = np.random.default_rng(budget)
    options = {
        name: [Option(None, int(10 * 1.6**i), float(rng.uniform(1, 8) * 0.4**i)) for i in range(5)] for name in "abc"
    }
    chosen = choose(options, budget)
    size = sum(option.size_bytes for option in chosen.values())
    if budget < 30:  # nothing fits: the smallest of each
        assert size == 30
        return
    assert size <= budget
    fitting = [c for c in itertools.product(*options.values()) if sum(o.size_bytes for o in c) <= budget]
    best = min(sum(o.loss for o in c) for c in fitting)
    # what an exchange can miss is less than the last step that did not fit
    assert sum(o.loss for o in chosen.values()) <= best + max(h.loss for hull in options.values() for h in hull[:1])
    if budget == 400:
        assert sum(o.loss for o in chosen.values()) == best


def test_fitter_spends_more_bytes_for_less_loss_and_leaves_the_network_alone(model) -> None:
    lines = batches(3)
    before = [model(paddle.to_tensor(batch)).numpy() for batch in lines]
    fitter = BitAllocator(model, lines)
    assert set(fitter.weights) == {w.key for w in codable_weights(model) if w.size >= 1024}
    least = sum(min(o.size_bytes for o in listed) for listed in fitter.options.values())
    losses, divergences = [], []
    answers = Answers(model, lines)
    for budget in (least, int(1.5 * least), 3 * least, fitter.float32_bytes):
        chosen = fitter.choose(budget)
        assert sum(option.size_bytes for option in chosen.values()) <= budget
        losses.append(sum(option.loss for option in chosen.values()))
        with fitter.applied(Rounded(fitter.stored(chosen), {})):
            divergences.append(answers.divergence())
    assert losses == sorted(losses, reverse=True) and losses[-1] == 0.0
    assert divergences[0] > divergences[1] > divergences[2] > 10 * divergences[3] and divergences[3] < 1e-6
    for batch, expected in zip(lines, before, strict=True):
        np.testing.assert_array_equal(model(paddle.to_tensor(batch)).numpy(), expected)


def test_rounding_in_order_brings_the_answers_nearer_in_the_same_bytes_and_leaves_the_network_alone(model) -> None:
    lines = batches(4)
    before = model(paddle.to_tensor(lines[0])).numpy()
    answers = Answers(model, batches(4))  # of lines that it has not seen
    fitter = BitAllocator(model, lines)
    ways = {w.key: QuantScheme(PACKED, 256 if w.recurrent else 6) for w in fitter.weights.values()}
    stored = {key: encode(fitter.weights[key], way, fitter.moments.get(key)) for key, way in ways.items()}
    rounded = fitter.rounded(stored)
    np.testing.assert_array_equal(model(paddle.to_tensor(lines[0])).numpy(), before)
    assert {k: t.size_bytes for k, t in rounded.stored.items()} == {k: t.size_bytes for k, t in stored.items()}
    assert {key for key in stored if rounded.stored[key] is stored[key]} >= {key for key in stored if "lstm" in key}
    with fitter.applied(Rounded(stored, {})):
        alone = answers.divergence()
    with fitter.applied(Rounded(rounded.stored, {})):
        without_biases = answers.divergence()
    with fitter.applied(rounded):
        in_order = answers.divergence()
    assert in_order < without_biases < alone and in_order < 0.5 * alone
    np.testing.assert_array_equal(model(paddle.to_tensor(lines[0])).numpy(), before)


def test_eight_bits_are_not_rounded_again(model) -> None:
    fitter = BitAllocator(model, batches(1))
    stored = {w.key: encode(w, QuantScheme(UINT8)) for w in fitter.weights.values()}
    assert fitter.rounded(stored) == Rounded(stored, {})


class Twice(nn.Layer):
    """One layer that computes twice in a pass, and one that computes once."""

    def __init__(self):
        super().__init__()
        self.often, self.once = nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        return self.once(self.often(self.often(x)))


def test_only_a_layer_that_computes_once_makes_good_what_others_changed() -> None:
    model = Twice()
    line = RNG.normal(size=(50, 6)).astype(np.float32)
    weights = {w.key: w for w in codable_weights(model)}
    moments = input_hessians(model, list(weights.values()), [line])
    stored = {key: encode(w, QuantScheme(PACKED, 4 if key == "often.weight" else 64)) for key, w in weights.items()}
    rounded = round_in_order(model, stored, moments, [line])
    assert rounded.stored["often.weight"] is stored["often.weight"] and set(rounded.biases) == {"once.bias"}
    wanted, changed = model(paddle.to_tensor(line)).numpy(), Twice()
    errors = []
    for way in (Rounded(stored, {}), rounded):
        changed.set_state_dict(model.state_dict())
        way.apply(changed)
        errors.append(np.square(changed(paddle.to_tensor(line)).numpy() - wanted).mean())
    assert errors[1] < 0.5 * errors[0]


def test_training_the_rounded_weights_brings_the_answers_nearer_in_the_same_bytes(model) -> None:
    lines = batches(2)
    answers = Answers(model, lines)  # of the float32 network
    fitter = BitAllocator(model, lines)
    way = QuantScheme(PACKED, 6)
    stored = {w.key: encode(w, way, fitter.moments.get(w.key)) for w in fitter.weights.values()}
    with fitter.applied(Rounded(stored, {})):
        rounded = answers.divergence()
    trained = finetune_rounded(model, Rounded(stored, {}), itertools.cycle(lines), 30)
    assert {k: t.size_bytes for k, t in trained.items()} == {k: t.size_bytes for k, t in stored.items()}
    with fitter.applied(Rounded(trained, {})):
        assert answers.divergence() < 0.7 * rounded
    same = {k for k, t in trained.items() if all(np.array_equal(a, stored[k].arrays[n]) for n, a in t.arrays.items())}
    assert {key for key in stored if "lstm" in key} <= same < set(stored)
    assert not [key for w in fitter.weights.values() for key in w.layer.__dict__ if key == w.attribute]


class Chain(nn.Layer):
    """Three linear layers in a row; the second fails when told to."""

    def __init__(self, fails: bool = False):
        super().__init__()
        self.layers = nn.LayerList(nn.Linear(4, 4) for _ in range(3))
        self.fails = fails

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        for number, layer in enumerate(self.layers):
            if number == 1 and self.fails:
                raise ValueError("told to fail")
            x = layer(x)
        return x


def test_passes_in_lockstep_see_what_was_changed_while_they_stood_and_end_with_the_block() -> None:
    network, threads = Chain(), threading.active_count()
    batches = [np.full((lines, 4), lines, np.float32) for lines in (1, 2, 3)]
    with Lockstep(network, network.layers, batches) as passes:
        for got, batch in zip(passes.next_inputs(), batches, strict=True):
            np.testing.assert_array_equal(got, batch)
        network.layers[0].weight.set_value(np.eye(4, dtype=np.float32) * 2)
        for got, batch in zip(passes.next_inputs(), batches, strict=True):
            np.testing.assert_array_equal(got, 2 * batch)
        network(paddle.zeros([1, 4]))  # another pass beside them goes through
    assert threading.active_count() == threads
    network(paddle.zeros([1, 4]))
    with Lockstep(network, network.layers[:1], batches) as passes:
        passes.next_inputs()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no further layer"):
                passes.next_inputs()
    with Lockstep(Chain(fails=True), [], batches) as passes, pytest.raises(ValueError, match="told to fail"):
        passes.next_inputs()
    assert threading.active_count() == threads
