"""From pydantic's errors to one sentence: the location, the dotted key, what is wrong, and the nearest valid key."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scenetext.config.kinds import WRONG_KIND
from scenetext.config.schema import Config, section_at, shape_at, walk
from scenetext.config.section import ByName, Named, Path, Section, dotted, is_unread, name_of
from scenetext.config.yaml_text import shown
from scenetext.errors import LONGEST_COMPARED, NEAREST_CUTOFF, InputError, nearest_hint

UNKNOWN, MISSING, NO_MAPPING = "extra_forbidden", "missing", "dict_type"  # pydantic's types of errors
FURTHER = 0.65  # likeness, of difflib's ratio in [0, 1], from which a key of another section is worth naming
CLEARLY_NEARER = 0.15  # how much nearer than the nearest key of the same section it must be


def check(values: Mapping[str, Any], locations: Mapping[Path, str], fallback: str) -> Config:
    """The configuration that raw `values` describe.

    Args:
        values: as YAML has them.
        locations: file and line, or override, of each value, for messages.
        fallback: what messages call the whole if they know no location.

    Raises:
        InputError: an unknown key or name, a missing value, one of the wrong type or out of its range, or two values
            that contradict each other.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
    first = min(found, key=lambda one: (one["type"] != UNKNOWN, one["type"] == MISSING))
    raise InputError(f"{_location(first['loc'], locations, fallback)}: {_sentence(first, values)}")


def _location(path: Path, locations: Mapping[Path, str], fallback: str) -> str:
    """The location of the value at `path`, or of the nearest one above it that has a location."""
    for end in range(len(path), -1, -1):
        if path[:end] in locations:
            return locations[path[:end]]
    return fallback


def _sentence(error: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    path = tuple(error["loc"])
    subject = dotted(tuple(_short(key) for key in path)) or "the configuration"
    section = section_at(path[:-1], values) if path else None
    if error["type"] == UNKNOWN:
        name = f" of {name_of(section)}" if name_of(section) else ""
        return f"{subject} is no known setting{name}: {_hint(path, section, values)}."
    if error["type"] == MISSING:
        return f"{subject} is missing: add it, or give it by -o {subject}=VALUE."
    if error["type"] == WRONG_KIND:
        field = section.model_fields.get(path[-1]) if section else None
        meaning = f" ({field.description})" if field and field.description and not is_unread(field) else ""
        return f"{subject} must be {error['ctx']['kind']}{meaning}, not {shown(error['input'])}."
    if error["type"] == NO_MAPPING:
        return f"{subject} must be a mapping of keys to values, not {shown(error['input'])}."
    return f"{subject} {error['msg']}"


def _hint(path: Path, section: type[Section], values: Mapping[str, Any]) -> str:
    """Half a sentence that names what an unknown key may have been meant for.

    That is the same key of a class that another `name` chooses, the nearest key of the same section, or one of another
    section that is clearly nearer; if a name chose the section, the other one is below it.
    """
    *above, key = path
    above, fields = tuple(above), section.model_fields
    choice = shape_at(above, values)
    if isinstance(choice, ByName):
        others = [name for name, cls in choice.classes.items() if name and key in cls.model_fields]
        if others:
            return f"the name {' or '.join(others)} would choose it"
    here = max((_likeness(key, name) for name in fields), default=0.0)
    there = [other for other in _known_keys() if other[:-1] != above and _likeness(key, other[-1]) > FURTHER]
    if issubclass(section, Named):
        there = [other for other in there if other[: len(above)] == above]
    if there and max(_likeness(key, other[-1]) for other in there) > here + CLEARLY_NEARER:
        best = min(there, key=lambda other: (-_likeness(key, other[-1]), len(other), "Eval" in other, other))
        return f"the nearest is {dotted(best)}"
    read = [name for name, field in fields.items() if not is_unread(field)]
    return nearest_hint(key, read if here < NEAREST_CUTOFF else fields)


def _short(key: str | int) -> str:
    text = str(key)
    return text if len(text) <= LONGEST_COMPARED else f"{text[:LONGEST_COMPARED]}…"


def _likeness(one: str, other: str) -> float:
    if len(one) > LONGEST_COMPARED:  # difflib takes minutes for a hundred thousand characters
        return 0.0
    if other.startswith(f"{one}_"):  # batch_size for batch_size_per_card
        return 0.9
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


@functools.cache
def _known_keys() -> frozenset[Path]:
    """Paths of all settings and of the sections above them."""
    return frozenset(path[: end + 1] for path, _ in walk() for end in range(len(path)))
