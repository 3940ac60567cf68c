"""Making a part of a network from a config section, with every key and value checked against the class's arguments."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from scenetext.config.options import OptionError, checked
from scenetext.config.yaml_text import shown
from scenetext.errors import InputError, nearest_hint

# what Python and Paddle raise on a value that passed the checks
FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
FAULTS += (MemoryError, RuntimeError)  # of sizes that no memory holds


def construct(cls: type, location: str, options: Mapping[str, Any], **given: Any) -> Any:
    """Calls `cls(**options, **given)` after checking the keys and the values of `options`.

    Args:
        cls: the class to make; the annotations of its arguments say what they may be (see `options`).
        location: dotted key of the section, for messages ("Architecture.Backbone"); for a part that another part
            constructs, its key below that one ("head_list.NRTRHead").
        options: the section.
        given: arguments that the builder itself knows (channel counts). Where the section gives another value, the
            builder's counts, as in PaddleOCR, and a warning names both.

    Raises:
        OptionError: a key that `cls` does not take, naming the nearest one, or one that is missing; a value of another
            type, or one that `cls` refuses.
    """
    if not isinstance(options, Mapping):
        raise OptionError(f"{location} must be a mapping of options, not {shown(options)}.")
    for key in given.keys() & options.keys():
        if options[key] != given[key]:
            warnings.warn(
                f"{location}.{key} is {shown(options[key])}, and by the dictionary or the rest of the network it is "
                f"{given[key]!r}, which counts.",
                stacklevel=3,
            )
    try:
        return cls(**check_options(cls, {key: options[key] for key in options if key not in given}, given), **given)
    except OptionError as error:
        raise OptionError(f"{location}.{error}") from None
    except InputError:
        raise
    except FAULTS as error:
        told = " ".join(str(error).split())[:300]
        raise OptionError(
            f"{location}: no {cls.__name__} can be made of {shown(dict(options))} ({type(error).__name__}: {told})."
        ) from error


def check_options(cls: type, options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`options` converted to the types of the arguments of `cls`, which also gets the arguments `given`.

    Raises:
        OptionError: a key that is unknown or missing, or a value of another type.
    """
    parameters = inspect.signature(cls, eval_str=True).parameters
    known = {name: p for name, p in parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD}
    for key in options:
        if key not in known and len(known) == len(parameters):
            raise OptionError(f"{key} is not an argument of {cls.__name__}: {nearest_hint(key, known)}.")
    for name, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and name not in options and name not in given:
            raise OptionError(f"{name} is missing, and {cls.__name__} needs it.")
    return {
        key: checked(value, known[key].annotation, key) if key in known else value for key, value in options.items()
    }


def look_up(table: dict[str, type], name: str | None, location: str) -> type:
    """The class of that `name` in `table`.

    Raises:
        InputError: `name` is not in the table; the message lists what is.
    """
    if name not in table:
        if name is None:
            raise InputError(f"{location} needs a `name`, one of {', '.join(sorted(table))}.")
        raise InputError(f"{location}.name is {shown(name)}, which is unknown: {nearest_hint(name, sorted(table))}.")
    return table[name]
