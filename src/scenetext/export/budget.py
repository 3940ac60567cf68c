"""Choosing how a network is stored: the most exact storage whose files fit the budget.

Float32 if it fits; else half precision, with 8 bits for as few weights as possible; else 8 bits; else the bit
allocator, which gives every weight as many bits as real lines show it to need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scenetext.errors import InputError
from scenetext.export.report import size_text
from scenetext.system.files import MEGABYTE

if TYPE_CHECKING:
    from scenetext.export.compress import QuantisableWeight, QuantisedTensor, TensorSize
    from scenetext.export.compress.bit_allocation import BitAllocator
    from scenetext.export.network import Model

    Write = Callable[[dict[str, QuantisedTensor]], int]

NAMED_TENSORS = 10  # in a refusal
PROGRAM_ALLOWANCE = 250_000  # bytes; the programs of the networks here take 100 to 250 kB
TRIES = 4  # of the bit allocator, each knowing the program's size from the one before
SPARE = 6_000  # bytes that a further try leaves free: the program's bytes for dequantisation are an estimate
ENOUGH = 0.99  # of the budget filled, or all of it but twice SPARE: no further try


@dataclass(frozen=True, slots=True)
class Storage:
    """How a network was stored.

    Attributes:
        name: in words.
        quantised: the quantised weights by key; all others are float32.
        size_bytes: of program and parameters, from the files.
        sizes: the tensors and their bytes, the largest first.
        program_bytes: about the bytes of the program without dequantisation.
        losses: of the bit allocator, the expected loss of each weight, in nats per line.
    """

    name: str
    quantised: dict[str, QuantisedTensor]
    size_bytes: int
    sizes: list[TensorSize]
    program_bytes: int
    losses: dict[str, float] = field(default_factory=dict)


def store_within(
    model: Model,
    budget_bytes: int,
    storage: str,
    write: Write,
    make_allocator: Callable[[], BitAllocator],
    what: str,
) -> Storage:
    """Stores a network in the most exact way that fits.

    Args:
        model: fused, in evaluation mode; it is not changed.
        budget_bytes: for program and parameters.
        storage: one of STORAGES; "fitted" goes straight to the bit allocator.
        write: writes the files for given quantised weights in place of an earlier try, and returns their bytes.
        make_allocator: makes the bit allocator, if nothing else fits.
        what: what is to be written, for the error.

    Raises:
        InputError: nothing fits; it names the smallest size and the largest tensors.
    """
    from scenetext.export.compress import parameter_bytes, tensor_sizes

    smallest = None
    plans = list(_uniform_plans(storage, model, budget_bytes))
    allocates = storage in ("auto", "fitted")
    for number, (name, quantise) in enumerate(plans):
        quantised = quantise()
        sizes = tensor_sizes(model, quantised)
        if parameter_bytes(sizes) > budget_bytes and (allocates or number + 1 < len(plans)):
            continue
        size = write(quantised)
        if size <= budget_bytes:
            return Storage(name, quantised, size, sizes, _program_bytes(size, sizes, quantised))
        smallest = size if smallest is None else min(size, smallest)
    if allocates:
        return _store_fitted(model, budget_bytes, write, make_allocator(), what)
    raise InputError(_too_large(what, storage, budget_bytes, smallest, sizes, model))


def _uniform_plans(
    storage: str, model: Model, budget_bytes: int
) -> Iterator[tuple[str, Callable[[], dict[str, QuantisedTensor]]]]:
    """The plans that need no real lines, the largest first: a name, and a function that quantises."""
    from scenetext.export.compress import MIN_ELEMENTS, quantisable_weights, quantise_weights, quantise_within
    from scenetext.export.compress.quantisation import QuantScheme

    def uniform(coding: str, recurrent: bool) -> Callable[[], dict[str, QuantisedTensor]]:
        def scheme_of(weight: QuantisableWeight) -> QuantScheme | None:
            wanted = weight.size >= MIN_ELEMENTS and (recurrent or not weight.recurrent)
            return QuantScheme(coding) if wanted else None

        return lambda: quantise_weights(model, scheme_of)

    has_recurrent = any(weight.recurrent for weight in quantisable_weights(model))
    if storage in ("float32", "auto"):
        yield "float32", dict
    for coding in ("float16", "uint8"):
        if coding == "uint8" and storage == "auto":
            yield "float16 and uint8", lambda: quantise_within(model, budget_bytes - PROGRAM_ALLOWANCE)
        if storage in (coding, "auto"):
            yield coding, uniform(coding, recurrent=False)
            if has_recurrent:
                yield f"{coding}, recurrent layers too", uniform(coding, recurrent=True)


def _store_fitted(model: Model, budget_bytes: int, write: Write, allocator: BitAllocator, what: str) -> Storage:
    """Allocates bits, writes the files, and allocates again with the program's true size until the budget is filled."""
    from scenetext.export.compress import tensor_sizes

    fixed = allocator.fixed_bytes
    program = PROGRAM_ALLOWANCE
    best = None
    for _ in range(TRIES):
        allocation = allocator.allocate(budget_bytes - fixed - program)
        quantised = allocator.quantise(allocation)
        size = write(quantised)
        planned = fixed + sum(option.size_bytes for option in allocation.values())
        if size <= budget_bytes and (best is None or size > best.size_bytes):
            losses = {key: option.loss for key, option in allocation.items()}
            sizes = tensor_sizes(model, quantised)
            best = Storage(_bit_widths(quantised), quantised, size, sizes, size - planned, losses)
        if 0 <= budget_bytes - size <= max((1 - ENOUGH) * budget_bytes, 2 * SPARE):
            break
        if program == size - planned + SPARE:  # nothing is left to choose
            break
        program = size - planned + SPARE
    if best is None:
        raise InputError(_too_large(what, "auto", budget_bytes, size, tensor_sizes(model, quantised), model))
    if quantised is not best.quantised:
        write(best.quantised)
    return best


def _program_bytes(size: int, sizes: list[TensorSize], quantised: dict[str, QuantisedTensor]) -> int:
    from scenetext.export.compress import parameter_bytes
    from scenetext.export.compress.quantisation import QuantScheme

    # float16 and uint8 alone
    dequantisation = sum(QuantScheme(tensor.coding).program_bytes for tensor in quantised.values())
    return max(0, size - parameter_bytes(sizes) - dequantisation)


def _bit_widths(quantised: dict[str, QuantisedTensor]) -> str:
    """The range of bits in use: "fitted, 3 to 8 bits, 4.2 on average"."""
    if not quantised:
        return "float32"
    bits = [8 * tensor.size_bytes / tensor.elements for tensor in quantised.values()]
    mean = 8 * sum(t.size_bytes for t in quantised.values()) / sum(t.elements for t in quantised.values())
    return f"fitted, {min(bits):.2g} to {max(bits):.2g} bits, {mean:.2g} on average"


def _too_large(
    what: str, storage: str, budget_bytes: int, smallest: int, sizes: Sequence[TensorSize], model: Model
) -> str:
    """The refusal: the smallest size that can be reached, and what can be done about it."""
    listed = "; ".join(
        f"{entry.key} {entry.shape} {entry.coding} {size_text(entry.size_bytes)}" for entry in sizes[:NAMED_TENSORS]
    )
    remedies = [] if storage == "auto" else ["allow any storage (auto)"]
    remedies.append(f"raise --max-mb to {np.ceil(smallest / (MEGABYTE / 100)) / 100:.2f}")
    classes = model.charset.num_classes if model.charset else 0  # none of a detector
    head = next((e for e in sizes if classes and classes in e.shape and len(e.shape) == 2), None)
    if head is not None:
        each = head.size_bytes / classes
        too_many = int(np.ceil((smallest - budget_bytes) / max(each, 1e-9)))
        if too_many < classes:
            remedies.append(f"leave out {too_many:,} of the {classes:,} characters ({each:.0f} bytes each)")
    remedies.append("use a smaller network")
    return (
        f"{what} cannot be written within {size_text(budget_bytes)}: the smallest that this export reaches is "
        f"{size_text(smallest)}; {', or '.join(remedies)}. Largest tensors: {listed}."
    )
