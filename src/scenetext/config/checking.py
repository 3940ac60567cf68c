"""From pydantic's errors to one sentence: the location, the dotted key, what is wrong, and the nearest valid key."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scenetext.config.kinds import WRONG_KIND
from scenetext.config.schema import Config, is_unread, section_at, walk
from scenetext.config.section import Named, Path, Section, dotted, name_of
from scenetext.errors import InputError, nearest_hint

UNKNOWN, MISSING = "extra_forbidden", "missing"  # pydantic's types of errors
FURTHER = 0.65  # likeness, of difflib's ratio in [0, 1], from which a key of another section is worth naming
CLEARLY_NEARER = 0.15  # how much nearer than the nearest key of the same section it must be


def check(values: Mapping[str, Any], places: Mapping[Path, str], fallback: str) -> Config:
    """The configuration that raw `values` describe.

    Args:
        values: as YAML has them.
        places: where each of the values stands, for messages.
        fallback: what to call the whole where no place is known.

    Raises:
        InputError: an unknown key or name, a missing value, one of the wrong type or out of its range, or two values
            that contradict each other.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
    first = min(found, key=lambda one: (one["type"] != UNKNOWN, one["type"] == MISSING))
    raise InputError(f"{_place(first['loc'], places, fallback)}: {_sentence(first, values)}")


def _place(path: Path, places: Mapping[Path, str], fallback: str) -> str:
    """Where the value at `path` stands, or the nearest thing above it that stands anywhere."""
    for end in range(len(path), -1, -1):
        if path[:end] in places:
            return places[path[:end]]
    return fallback


def _sentence(error: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    path = tuple(error["loc"])
    subject = dotted(path) or "the configuration"
    section = section_at(path[:-1], values) if path else None
    if error["type"] == UNKNOWN:
        name = f" of {name_of(section)}" if name_of(section) else ""
        return f"{subject} is no known setting{name}: {_hint(path[-1], section, path[:-1])}."
    if error["type"] == MISSING:
        return f"{subject} is missing: add it, or give it by -o {subject}=VALUE."
    if error["type"] == WRONG_KIND:
        field = section.model_fields.get(path[-1]) if section else None
        meaning = f" ({field.description})" if field and field.description and not is_unread(field) else ""
        return f"{subject} must be {error['ctx']['kind']}{meaning}, not {error['input']!r}."
    return f"{subject} {error['msg']}"


def _hint(key: str, section: type[Section], path: Path) -> str:
    """The nearest key of the same section; unless its name chose it, also of another one that is clearly nearer."""
    fields = section.model_fields
    here = max((_likeness(key, name) for name in fields), default=0.0)
    if not issubclass(section, Named):
        there = [other for other in _known_keys() if other[:-1] != path and _likeness(key, other[-1]) > FURTHER]
        if there and max(_likeness(key, other[-1]) for other in there) > here + CLEARLY_NEARER:
            best = min(there, key=lambda other: (-_likeness(key, other[-1]), len(other), "Eval" in other, other))
            return f"the nearest is {dotted(best)}"
    read = [name for name, field in fields.items() if not is_unread(field)]
    return nearest_hint(key, read if here < 0.5 else fields)


def _likeness(one: str, other: str) -> float:
    if other.startswith(f"{one}_"):  # batch_size for batch_size_per_card
        return 0.9
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


@functools.cache
def _known_keys() -> frozenset[Path]:
    """Paths of all settings and of the sections above them."""
    return frozenset(path[: end + 1] for path, _ in walk() for end in range(len(path)))
