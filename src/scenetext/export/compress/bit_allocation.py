"""The fitter: the way to store every weight of a network so that its folder fits a budget and its answers stay.

1. On real lines, take what each layer's inputs look like (`calibration`).
2. Round each weight alone to 4 bits and measure what that costs in the network's answers (`sensitivity`).
3. Every other way to store it costs in proportion to what it changes at the layer's output (`rounding`).
4. For a budget, give each weight the way that loses least for its bytes (`plan`), and round it so that its layer's output
   stays (`rounding`).
5. Round all of them again in the order in which they compute, each making good what those before it changed
   (`in_order`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from paddle import nn

from scenetext.export.compress.calibration import input_hessians
from scenetext.export.compress.coded_weights import RECORD_BYTES, CodableWeight, codable_weights, tensor_sizes
from scenetext.export.compress.codings import BYTE_LEVELS, PACKED, StoredTensor
from scenetext.export.compress.encoding import LEAST_NUMBERS, QUANT_SCHEMES, QuantScheme, as_rows, encode, encode_rows
from scenetext.export.compress.plan import Option, choose
from scenetext.export.compress.rounding import output_error
from scenetext.export.compress.sensitivity import Answers, measure_losses
from scenetext.export.compress.sequential_rounding import Rounded, round_in_order

PROBE = QuantScheme(PACKED, 16, grouped=True)
ROWS_TRIED = 64  # of a weight, to find by how much a way to store it changes the output
PROBE_LINES = 32
LINES_IN_ORDER = 64  # that the weights are rounded in order on
LEAST_LOSS = 1e-6  # nats per line: what is measured below that is rounding in the measurement
USUAL = 0.8  # of the batches, by width: the losses are measured on those


class BitAllocator:
    """Plans for one network, for any number of budgets.

    Args:
        model: fused, in evaluation mode; it stays as it is.
        batches: real lines as the network sees them, (B, 3, H, W) float32 each.
        progress: wraps an iteration and names it, for progress bars.

    Attributes:
        weights: those with a choice, by key.
        measured: by key, what rounding the weight to PROBE costs, in nats per line.
        options: by key, the ways to store it.
        float32_bytes: of all tensors as they are, in a file.
        fixed_bytes: of the tensors without a choice.
    """

    def __init__(
        self,
        model: nn.Layer,
        batches: Sequence[np.ndarray],
        progress: Callable[[Iterable, str], Iterable] = lambda items, _: items,
    ):
        sizes = tensor_sizes(model, {})
        self.float32_bytes = sum(entry.size_bytes + RECORD_BYTES for entry in sizes)
        self.weights = {w.key: w for w in codable_weights(model) if w.size >= LEAST_NUMBERS}
        listed = list(self.weights.values())
        self.fixed_bytes = self.float32_bytes - sum(4 * w.size + RECORD_BYTES for w in listed)
        self.moments = input_hessians(model, listed, batches, lambda items: progress(items, "see the layers' inputs"))
        self._model, self._progress, self._lines = model, progress, _some(batches, LINES_IN_ORDER)
        self._kept: dict[tuple[str, QuantScheme], StoredTensor] = {}
        rounded = {w.key: self.encoded(w.key, PROBE).decode() for w in progress(listed, "round to 4 bits")}
        answers = Answers(model, _some(batches, PROBE_LINES))
        self.measured = measure_losses(answers, listed, rounded, lambda items: progress(items, "measure the loss"))
        self.options = {w.key: self._options(w) for w in progress(listed, "try other widths")}

    def encoded(self, key: str, scheme: QuantScheme) -> StoredTensor:
        """A weight stored in a way; what was computed once is kept."""
        if (key, scheme) not in self._kept:
            self._kept[key, scheme] = encode(self.weights[key], scheme, self.moments.get(key))
        return self._kept[key, scheme]

    def choose(self, budget_bytes: int) -> dict[str, Option]:
        """The way of each weight for a budget, which is for these weights and the decoding alone."""
        return choose(self.options, budget_bytes)

    def stored(self, chosen: Mapping[str, Option]) -> dict[str, StoredTensor]:
        """The weights of a plan in storage; those that stay float32 are left out."""
        return {key: self.encoded(key, option.scheme) for key, option in chosen.items() if option.scheme is not None}

    def rounded(self, stored: Mapping[str, StoredTensor]) -> Rounded:
        """The weights of a plan in as many bytes, rounded in order; those of 8 bits and more only are good as they are."""
        if all(t.coding != PACKED or t.settings["levels"] >= BYTE_LEVELS for t in stored.values()):
            return Rounded(dict(stored), {})
        return round_in_order(
            self._model, stored, self.moments, self._lines, lambda keys: self._progress(keys, "round in order")
        )

    @contextmanager
    def applied(self, rounded: Rounded) -> Iterator[None]:
        """Within the block, the network computes with the weights as stored and the biases that go with them."""
        own = {key: value.numpy() for key, value in self._model.state_dict().items()}
        try:
            rounded.apply(self._model)
            yield
        finally:
            self._model.set_state_dict(own)

    def mean_bits(self, stored: Mapping[str, StoredTensor]) -> float:
        """Bits per weight, over those with a choice."""
        total = sum(stored[k].size_bytes if k in stored else 4 * w.size for k, w in self.weights.items())
        return 8 * total / sum(w.size for w in self.weights.values())

    def _options(self, weight: CodableWeight) -> list[Option]:
        rows = as_rows(weight.value, weight.axis)
        moments = self.moments.get(weight.key)
        some = np.random.default_rng(0).permutation(len(rows))[:ROWS_TRIED]

        def error(scheme: QuantScheme) -> float:
            difference = encode_rows(rows[some], scheme, moments) - rows[some]
            return float(np.square(difference).sum()) if moments is None else output_error(difference, moments)

        per_error = max(self.measured[weight.key], LEAST_LOSS) / max(error(PROBE), 1e-30)
        options = [Option(None, 4 * weight.size + RECORD_BYTES, 0.0)]
        for scheme in QUANT_SCHEMES:
            options.append(
                Option(scheme, scheme.size_bytes(*rows.shape) + scheme.program_bytes, per_error * error(scheme))
            )
        return options


def _some(batches: Sequence[np.ndarray], lines: int) -> list[np.ndarray]:
    """Batches of about so many lines together, spread over those given but for the widest, which take longest."""
    usual = sorted(batches, key=lambda batch: batch.shape[3])[: max(1, round(USUAL * len(batches)))]
    count = min(len(usual), max(1, round(lines / np.mean([len(batch) for batch in usual]))))
    return [usual[i] for i in np.linspace(0, len(usual) - 1, count).round().astype(int)]
