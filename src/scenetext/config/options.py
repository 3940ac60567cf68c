"""What an option of a network's part may be: the annotation of the constructor's argument says it.

`int`, `float | None` and `tuple[int, ...]` need nothing else; `Annotated` adds one of the kinds of
`scenetext.config.kinds`, which the settings of a configuration use, too: `Annotated[str, one_of("small", "large")]`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from scenetext.config.kinds import BOOL, FLOAT, INT, TEXT, Kind, optional
from scenetext.config.yaml_text import shown
from scenetext.errors import InputError


class OptionError(InputError):
    """A class refuses one of its options. The message opens with the option's key; `construct` adds the section."""


def multiple_of(divisor: int) -> Kind:
    """A kind of whole number."""

    def convert(value: int) -> int:
        if value < divisor or value % divisor:
            raise ValueError
        return value

    return Kind(f"a multiple of {divisor}", convert)


def _odd(value: int) -> int:
    if value < 1 or value % 2 == 0:
        raise ValueError
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError
    return value


Odd = Annotated[int, Kind("an odd number above 0", _odd)]  # side of a window or of a convolution that keeps the size

LARGEST_WIDTH = 10_000  # channels, heads or layers: a square matrix of these takes 400 MB
ANYTHING = Kind("anything", lambda value: value)
MAPPING = Kind("a mapping", _mapping)
PLAIN = {bool: BOOL, int: INT, float: FLOAT, str: TEXT, dict: MAPPING}


def checked(value: Any, annotation: Any, key: str) -> Any:
    """`value` converted to the kind that `annotation` describes.

    Raises:
        OptionError: `value` is of another kind, or larger than a network's parts are; the message opens with `key`.
    """
    kind = kind_of(annotation)
    try:
        converted = kind.convert(value)
    except (ValueError, TypeError, OverflowError):
        raise OptionError(f"{key} must be {kind.name}, not {shown(value)}.") from None
    if _is_too_wide(converted):
        raise OptionError(f"{key} is {shown(value)}: no network has a part of more than {LARGEST_WIDTH}.")
    return converted


def _is_too_wide(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_too_wide, value))
    return isinstance(value, (int, float)) and abs(value) > LARGEST_WIDTH


def kind_of(annotation: Any) -> Kind:
    """The kind of value that an annotation describes; ANYTHING for an annotation that describes none."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base, narrower = kind_of(arguments[0]), arguments[1]
        return Kind(narrower.name, lambda value: narrower.convert(base.convert(value)))
    if origin in (Union, UnionType):  # X | None, the only unions there are
        return optional(kind_of(arguments[0]))
    if origin in (list, tuple, Sequence):
        fixed = origin is tuple and arguments[-1] is not Ellipsis
        return _list_of(kind_of(arguments[0]), len(arguments) if fixed else None)
    return MAPPING if origin in (dict, Mapping) else PLAIN.get(annotation, ANYTHING)


def check_heads(heads: int, dim: int, heads_key: str, dim_key: str) -> None:
    """Raises OptionError unless `heads` heads of attention, or groups of a convolution, share `dim` channels evenly."""
    if dim % heads:
        raise OptionError(f"{heads_key} is {heads}, which does not divide {dim_key}, {dim}, into equal heads.")


def _list_of(items: Kind, length: int | None) -> Kind:
    def convert(values: Any) -> Any:
        if not isinstance(values, (list, tuple)) or length not in (None, len(values)):
            raise ValueError
        return [items.convert(value) for value in values]

    many = re.sub(r"^(?:an? )?(.*?(?:number|text|list|mapping))", r"\1s", items.name)
    return Kind(f"a list of {length or ''} {many}".replace("  ", " "), convert)
