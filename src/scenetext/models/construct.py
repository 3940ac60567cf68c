"""Making a part of a network from a config section, with every key checked against the class's own arguments."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

from scenetext.errors import InputError


def construct(cls: type, place: str, options: dict[str, Any], **given: Any) -> Any:
    """Calls `cls(**given, **options)` after checking the keys of `options`.

    Args:
        cls: the class to make.
        place: where `options` stands in the config, for messages ("Architecture.Backbone").
        options: what the config says.
        given: what the builder itself knows (channel counts).

    Raises:
        InputError: a key that `cls` does not take, naming the nearest one, or one that it lacks.
    """
    parameters = inspect.signature(cls).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    known = [name for name, p in parameters.items() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for key in options:
        if key not in known and not takes_any:
            nearest = difflib.get_close_matches(key, known, 1, 0.0)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
            raise InputError(f"{place}.{key} is not an argument of {cls.__name__}{hint}")
    absent = [
        name
        for name, p in parameters.items()
        if p.default is inspect.Parameter.empty and name in known and name not in options and name not in given
    ]
    if absent:
        raise InputError(f"{place} lacks {', '.join(absent)}, which {cls.__name__} needs.")
    return cls(**{**given, **options})


def look_up(table: dict[str, type], name: str | None, place: str) -> type:
    """The class that `name` stands for in `table`.

    Raises:
        InputError: `name` is not in the table; the message lists what is.
    """
    if name not in table:
        nearest = difflib.get_close_matches(str(name), table, 1, 0.6)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise InputError(f"{place}.name is {name!r}; known are {', '.join(sorted(table))}.{hint}")
    return table[name]
