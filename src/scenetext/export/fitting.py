"""Bit allocation within an export (`--storage fitted`): its lines, finetuning after it, and the curve over budgets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from scenetext.export.network import ExportedNetwork
from scenetext.system.files import MEGABYTE

if TYPE_CHECKING:
    from scenetext.export.compress import QuantisedTensor
    from scenetext.export.compress.bit_allocation import BitAllocator

CURVE_SCORES = ("raw", "normalised", "one_minus_ned", "precision", "recall", "hmean")  # of both kinds of networks


class Fitting:
    """The bit allocator of one export, made on first use, and the pictures that it works on.

    Args:
        network: what is exported, its model fused.
        progress: show bars.

    Attributes:
        source: where the lines come from that the bit allocator measured on; None as long as there is no allocator.
    """

    def __init__(self, network: ExportedNetwork, progress: bool):
        self.network, self.progress = network, progress
        self.source: str | None = None
        self._allocator: BitAllocator | None = None

    def allocator(self) -> BitAllocator:
        """The bit allocator."""
        from scenetext.export.compress.bit_allocation import BitAllocator

        if self._allocator is None:
            batches, self.source = self.network.calibration_batches()
            self._allocator = BitAllocator(self.network.model, batches, progress_bars(self.progress))
        return self._allocator

    def quantise_sequentially(
        self, quantised: Mapping[str, QuantisedTensor], finetune_steps: int
    ) -> dict[str, QuantisedTensor]:
        """Quantises the weights of an allocation sequentially, in as many bytes, and finetunes them if asked.

        Afterwards the network has the biases that go with them.
        """
        from scenetext.export.compress.finetune import finetune_quantised
        from scenetext.export.compress.quantisation import QuantScheme

        schemes = {key: QuantScheme.of(tensor) for key, tensor in quantised.items()}
        sequential = self.allocator().quantise_sequentially(schemes)
        if not finetune_steps:
            sequential.apply_biases(self.network.model)
            return sequential.weights
        steps = itertools.islice(self.network.endless_batches(), finetune_steps)
        shown = progress_bars(self.progress)(steps, "finetune the quantised weights")
        return finetune_quantised(self.network.model, sequential, shown, finetune_steps)

    def curve(self, budgets_mb: Sequence[float], program_bytes: int) -> list[dict[str, Any]]:
        """See budget_curve."""
        return budget_curve(self.allocator(), budgets_mb, program_bytes, self.network)


def budget_curve(
    allocator: BitAllocator,
    budgets_mb: Sequence[float],
    program_bytes: int,
    network: ExportedNetwork,
) -> list[dict[str, Any]]:
    """Reads labelled pictures with the weights quantised for each budget, in memory: no files are written.

    Args:
        allocator: of the network.
        budgets_mb: in units of 1,000,000 bytes; equal ones count once.
        program_bytes: about the bytes of the program without dequantisation.
        network: what is exported.

    Returns:
        For each budget, the smallest first: `max_mb`, `size_bytes` as planned, `fits`, `bits` per weight on average,
        `bits_by_weight` by key, `expected_loss` in nats per line, and the scores `raw`, `normalised`, `one_minus_ned`;
        of a detector `precision`,
        `recall` and `hmean`; last the network with float32 weights, with `max_mb` None.
    """
    from scenetext.export.compress.bit_allocation import schemes_of

    rows = []
    for budget_mb in [*sorted(set(budgets_mb)), None]:
        budget = allocator.float32_bytes if budget_mb is None else int(budget_mb * MEGABYTE) - program_bytes
        allocation = allocator.allocate(budget - allocator.fixed_bytes)
        name = "float32" if budget_mb is None else f"{budget_mb:g} MB"
        quantised = allocator.quantise_sequentially(schemes_of(allocation), f"quantise for {name}")
        with allocator.using(quantised):
            scores = network.scores(network.read(f"read at {name}"))
        size = program_bytes + allocator.fixed_bytes + sum(option.size_bytes for option in allocation.values())
        rows.append(
            {
                "max_mb": budget_mb,
                "size_bytes": size,
                "fits": budget_mb is None or size <= budget_mb * MEGABYTE,
                "bits": allocator.mean_bits(quantised.weights),
                "bits_by_weight": allocator.bits(quantised.weights),
                "expected_loss": sum(option.loss for option in allocation.values()),
                **{name: _value(scores[name]) for name in CURVE_SCORES if name in scores},
            }
        )
    return rows


def _value(score: float | Mapping[str, float]) -> float:
    """A score without its interval."""
    return score["value"] if isinstance(score, Mapping) else score


def progress_bars(progress: bool) -> Callable[[Iterable, str], Iterable]:
    """A progress bar for each step of the bit allocator; never one within another.

    Nested bars move the cursor up, which a notebook's text output cannot do: each refresh becomes a line of its own.
    """
    return lambda items, name: tqdm(items, desc=name, unit="step", disable=not progress, leave=False)
