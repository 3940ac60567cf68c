"""The bit allocator: quantises a network so that its folder fits a budget and its outputs change little.

1. On real lines, measure the Hessian of each layer's inputs (`calibration`).
2. Quantise each weight alone to 4 bits and measure the loss at the network's outputs (`sensitivity`).
3. The loss of every other scheme is in proportion to the error at the layer's output (`rounding`).
4. For a budget, give each weight the scheme that loses least for its bytes (`plan`), and quantise it by GPTQ so that
   its layer's output changes little (`rounding`).
5. Quantise all of them again sequentially, in the order in which their layers compute: each layer compensates for the
   error of those before it (`sequential_quantisation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from paddle import nn

from scenetext.export.compress.calibration import input_hessians
from scenetext.export.compress.codings import BYTE_LEVELS, PACKED, QuantisedTensor
from scenetext.export.compress.plan import Option, allocate
from scenetext.export.compress.quantisation import (
    MIN_ELEMENTS,
    QUANT_SCHEMES,
    QuantScheme,
    as_rows,
    fake_quantise_rows,
    quantise,
)
from scenetext.export.compress.quantised_weights import (
    RECORD_BYTES,
    QuantisableWeight,
    quantisable_weights,
    tensor_sizes,
)
from scenetext.export.compress.rounding import output_error
from scenetext.export.compress.sensitivity import ReferenceOutputs, measure_losses
from scenetext.export.compress.sequential_quantisation import QuantisedModel, quantise_sequentially

PROBE = QuantScheme(PACKED, 16, grouped=True)
PROBE_ROWS = 64  # of a weight, to find the error of a scheme at the layer's output
PROBE_LINES = 32
SEQUENTIAL_LINES = 64  # that sequential quantisation runs on
MIN_LOSS = 1e-6  # nats per line: below that, rounding in the measurement dominates
USUAL_WIDTHS = 0.8  # of the batches, the narrowest first: the losses are measured on those


class BitAllocator:
    """Allocates bits to the weights of one network, for any number of budgets.

    Args:
        model: fused, in evaluation mode; it is not changed.
        batches: real lines as the network sees them, (B, 3, H, W) float32 each.
        progress: wraps an iteration and names it, for progress bars.

    Attributes:
        weights: those that get an allocation, by key.
        hessians: of the layers' inputs, by key.
        measured: by key, the loss of quantising the weight by PROBE, in nats per line.
        options: by key, the options to store it.
        float32_bytes: of all tensors in float32, in a file.
        fixed_bytes: of the tensors that always stay float32.
    """

    def __init__(
        self,
        model: nn.Layer,
        batches: Sequence[np.ndarray],
        progress: Callable[[Iterable, str], Iterable] = lambda items, _: items,
    ):
        sizes = tensor_sizes(model, {})
        self.float32_bytes = sum(entry.size_bytes + RECORD_BYTES for entry in sizes)
        self.weights = {w.key: w for w in quantisable_weights(model) if w.size >= MIN_ELEMENTS}
        listed = list(self.weights.values())
        self.fixed_bytes = self.float32_bytes - sum(4 * w.size + RECORD_BYTES for w in listed)
        self.hessians = input_hessians(model, listed, batches, lambda items: progress(items, "measure Hessians"))
        self._model, self._progress, self._lines = model, progress, _some(batches, SEQUENTIAL_LINES)
        self._cache: dict[tuple[str, QuantScheme], QuantisedTensor] = {}
        probed = {w.key: self._quantised(w.key, PROBE).dequantise() for w in progress(listed, "quantise to 4 bits")}
        outputs = ReferenceOutputs(model, _some(batches, PROBE_LINES))
        self.measured = measure_losses(outputs, listed, probed, lambda items: progress(items, "measure losses"))
        self.options = {w.key: self._options(w) for w in progress(listed, "try other schemes")}

    def allocate(self, budget_bytes: int) -> dict[str, Option]:
        """The option of each weight for a budget, which is for these weights and their dequantisation alone."""
        return allocate(self.options, budget_bytes)

    def quantise(self, allocation: Mapping[str, Option]) -> dict[str, QuantisedTensor]:
        """The weights of an allocation, each quantised alone; those that stay float32 are left out."""
        return {key: self._quantised(key, scheme) for key, scheme in schemes_of(allocation).items()}

    def quantise_sequentially(
        self, schemes: Mapping[str, QuantScheme], title: str = "quantise sequentially"
    ) -> QuantisedModel:
        """Weights quantised by these schemes sequentially, in as many bytes as alone; `title` is the progress bar's.

        With 8 bits or more for every weight that would gain nothing, and each weight is quantised alone.
        """
        if all(scheme.coding != PACKED or scheme.levels >= BYTE_LEVELS for scheme in schemes.values()):
            return QuantisedModel({key: self._quantised(key, scheme) for key, scheme in schemes.items()}, {})
        return quantise_sequentially(
            self._model,
            schemes,
            lambda key: self._quantised(key, schemes[key]),
            self.hessians,
            self._lines,
            lambda keys: self._progress(keys, title),
        )

    @contextmanager
    def using(self, quantised: QuantisedModel) -> Iterator[None]:
        """Within the block, the network computes with the quantised weights and the biases that go with them."""
        own = {key: value.numpy() for key, value in self._model.state_dict().items()}
        try:
            quantised.apply(self._model)
            yield
        finally:
            self._model.set_state_dict(own)

    def mean_bits(self, quantised: Mapping[str, QuantisedTensor]) -> float:
        """Bits per weight, over the weights that get an allocation."""
        total = sum(bits * self.weights[key].size for key, bits in self.bits(quantised).items())
        return total / sum(w.size for w in self.weights.values())

    def bits(self, quantised: Mapping[str, QuantisedTensor]) -> dict[str, float]:
        """Bits per weight of each tensor that gets an allocation, scales included."""
        return {k: 8 * quantised[k].size_bytes / w.size if k in quantised else 32.0 for k, w in self.weights.items()}

    def _quantised(self, key: str, scheme: QuantScheme) -> QuantisedTensor:
        if (key, scheme) not in self._cache:
            self._cache[key, scheme] = quantise(self.weights[key], scheme, self.hessians.get(key))
        return self._cache[key, scheme]

    def _options(self, weight: QuantisableWeight) -> list[Option]:
        rows = as_rows(weight.value, weight.axis)
        hessian = self.hessians.get(weight.key)
        some = np.random.default_rng(0).permutation(len(rows))[:PROBE_ROWS]

        def error(scheme: QuantScheme) -> float:
            difference = fake_quantise_rows(rows[some], scheme, hessian) - rows[some]
            return float(np.square(difference).sum()) if hessian is None else output_error(difference, hessian)

        loss_per_error = max(self.measured[weight.key], MIN_LOSS) / max(error(PROBE), 1e-30)
        options = [Option(None, 4 * weight.size + RECORD_BYTES, 0.0)]
        for scheme in QUANT_SCHEMES:
            size_bytes = scheme.size_bytes(*rows.shape) + scheme.program_bytes
            options.append(Option(scheme, size_bytes, loss_per_error * error(scheme)))
        return options


def schemes_of(allocation: Mapping[str, Option]) -> dict[str, QuantScheme]:
    """How the weights of an allocation are quantised; those that stay float32 are left out."""
    return {key: option.scheme for key, option in allocation.items() if option.scheme is not None}


def _some(batches: Sequence[np.ndarray], lines: int) -> list[np.ndarray]:
    """Batches of about so many lines together, spread over all but the widest ones, which take longest."""
    usual = sorted(batches, key=lambda batch: batch.shape[3])[: max(1, round(USUAL_WIDTHS * len(batches)))]
    count = min(len(usual), max(1, round(lines / np.mean([len(batch) for batch in usual]))))
    return [usual[i] for i in np.linspace(0, len(usual) - 1, count).round().astype(int)]
