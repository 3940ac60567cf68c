"""Choosing how a network is stored: the most exact way whose files fit the budget.

Float32 if it fits; else half precision, with 8 bits for as few weights as need be; else 8 bits; else the fitter, which
gives every weight as many bits as real lines show it to need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scenetext.errors import InputError
from scenetext.export.report import size_text

if TYPE_CHECKING:
    from scenetext.export.compress import CodableWeight, StoredTensor, TensorSize
    from scenetext.export.compress.bit_allocation import BitAllocator
    from scenetext.models.recognition_model import RecognitionModel

STORAGES = ("auto", "float32", "float16", "uint8", "fitted")
NAMED_TENSORS = 10  # in a refusal
PROGRAM_ALLOWANCE = 250_000  # bytes; the programs of the networks here take 100 to 250 kB
TRIES = 4  # of the fitter, each knowing the program's size from the one before
SPARE = 6_000  # bytes that a further try leaves free: what decoding takes in the program is not known to the byte
ENOUGH = 0.99  # of the budget filled, or all of it but twice SPARE: no further try


@dataclass(frozen=True, slots=True)
class Storage:
    """How a network was stored.

    Attributes:
        name: for people.
        stored: the coded weights by key; all others are float32.
        size_bytes: of program and parameters, from the files.
        sizes: what takes the bytes, largest first.
        program_bytes: what the program takes without the decoding of weights, about.
        losses: of the fitter, what each weight is expected to cost, in nats per line.
    """

    name: str
    stored: dict[str, StoredTensor]
    size_bytes: int
    sizes: list[TensorSize]
    program_bytes: int
    losses: dict[str, float] = field(default_factory=dict)


def store_within(
    model: RecognitionModel,
    budget_bytes: int,
    storage: str,
    write: Callable[[dict[str, StoredTensor]], int],
    fitter: Callable[[], BitAllocator],
    what: str,
) -> Storage:
    """Stores a network in the most exact way that fits.

    Args:
        model: fused, in evaluation mode; it stays as it is.
        budget_bytes: for program and parameters.
        storage: one of STORAGES; "fitted" goes straight to the fitter.
        write: writes the files for given coded weights in place of an earlier try, and gives their bytes.
        fitter: makes the fitter, if it comes to that.
        what: what is to be written, for the error.

    Raises:
        InputError: nothing fits; it names the smallest size and the largest tensors.
    """
    from scenetext.export.compress import parameter_bytes, tensor_sizes

    smallest = None
    plans = list(_plans(storage, model, budget_bytes))
    fits = storage in ("auto", "fitted")
    for number, (name, encode) in enumerate(plans):
        stored = encode()
        sizes = tensor_sizes(model, stored)
        if parameter_bytes(sizes) > budget_bytes and (fits or number + 1 < len(plans)):
            continue
        size = write(stored)
        if size <= budget_bytes:
            return Storage(name, stored, size, sizes, _program_bytes(size, sizes, stored))
        smallest = size if smallest is None else min(size, smallest)
    if fits:
        return _fit(model, budget_bytes, write, fitter(), what)
    raise InputError(_too_large(what, storage, budget_bytes, smallest, sizes, model))


def _plans(
    storage: str, model: RecognitionModel, budget_bytes: int
) -> Iterator[tuple[str, Callable[[], dict[str, StoredTensor]]]]:
    """The ways that need no real lines, the dearest first."""
    from scenetext.export.compress import LEAST_NUMBERS, codable_weights, encode_weights, encode_within
    from scenetext.export.compress.encoding import QuantScheme

    def coded(kind: str, recurrent: bool) -> Callable[[], dict[str, StoredTensor]]:
        def scheme_of(weight: CodableWeight) -> QuantScheme | None:
            wanted = weight.size >= LEAST_NUMBERS and (recurrent or not weight.recurrent)
            return QuantScheme(kind) if wanted else None

        return lambda: encode_weights(model, scheme_of)

    has_recurrent = any(weight.recurrent for weight in codable_weights(model))
    if storage in ("float32", "auto"):
        yield "float32", dict
    for kind in ("float16", "uint8"):
        if kind == "uint8" and storage == "auto":
            yield "float16 and uint8", lambda: encode_within(model, budget_bytes - PROGRAM_ALLOWANCE)
        if storage in (kind, "auto"):
            yield kind, coded(kind, recurrent=False)
            if has_recurrent:
                yield f"{kind}, recurrent layers too", coded(kind, recurrent=True)


def _fit(
    model: RecognitionModel,
    budget_bytes: int,
    write: Callable[[dict[str, StoredTensor]], int],
    fitter: BitAllocator,
    what: str,
) -> Storage:
    from scenetext.export.compress import tensor_sizes

    fixed = fitter.fixed_bytes
    program = PROGRAM_ALLOWANCE
    best = None
    for _ in range(TRIES):
        chosen = fitter.choose(budget_bytes - fixed - program)
        stored = fitter.stored(chosen)
        size = write(stored)
        planned = fixed + sum(option.size_bytes for option in chosen.values())
        if size <= budget_bytes and (best is None or size > best.size_bytes):
            losses = {key: option.loss for key, option in chosen.items()}
            best = Storage(_widths(stored), stored, size, tensor_sizes(model, stored), size - planned, losses)
        if 0 <= budget_bytes - size <= max((1 - ENOUGH) * budget_bytes, 2 * SPARE):
            break
        if program == size - planned + SPARE:  # nothing is left to choose
            break
        program = size - planned + SPARE
    if best is None:
        raise InputError(_too_large(what, "auto", budget_bytes, size, tensor_sizes(model, stored), model))
    if stored is not best.stored:
        write(best.stored)
    return best


def _program_bytes(size: int, sizes: list[TensorSize], stored: dict[str, StoredTensor]) -> int:
    from scenetext.export.compress import parameter_bytes
    from scenetext.export.compress.encoding import QuantScheme

    decoding = sum(QuantScheme(tensor.coding).program_bytes for tensor in stored.values())  # float16 and uint8 alone
    return max(0, size - parameter_bytes(sizes) - decoding)


def _widths(stored: dict[str, StoredTensor]) -> str:
    """The span of widths in use: "fitted, 3 to 8 bits"."""
    if not stored:
        return "float32"
    bits = [8 * tensor.size_bytes / tensor.weights for tensor in stored.values()]
    mean = 8 * sum(t.size_bytes for t in stored.values()) / sum(t.weights for t in stored.values())
    return f"fitted, {min(bits):.2g} to {max(bits):.2g} bits, {mean:.2g} on average"


def _too_large(
    what: str, storage: str, budget_bytes: int, smallest: int, sizes: Sequence[TensorSize], model: RecognitionModel
) -> str:
    """The refusal: the smallest size that can be reached, and what it would take."""
    listed = "; ".join(
        f"{entry.key} {entry.shape} {entry.coding} {size_text(entry.size_bytes)}" for entry in sizes[:NAMED_TENSORS]
    )
    ways = [] if storage == "auto" else ["allow any storage (auto)"]
    ways.append(f"raise --max-mb to {np.ceil(smallest / 1e4) / 100:.2f}")
    head = next((e for e in sizes if e.shape and model.charset.num_classes in e.shape and len(e.shape) == 2), None)
    if head is not None:
        each = head.size_bytes / model.charset.num_classes
        too_many = int(np.ceil((smallest - budget_bytes) / max(each, 1e-9)))
        if too_many < model.charset.num_classes:
            ways.append(
                f"leave out {too_many:,} of the {model.charset.num_classes:,} characters ({each:.0f} bytes each)"
            )
    ways.append("use a smaller network")
    return (
        f"{what} cannot be written within {size_text(budget_bytes)}: the smallest that this export reaches is "
        f"{size_text(smallest)}; {', or '.join(ways)}. Largest tensors: {listed}."
    )
