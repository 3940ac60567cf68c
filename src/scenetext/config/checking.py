"""Holding a configuration against the schema: converted values, or an error that names the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scenetext.config.kinds import Each, Free, Named, Ops, Setting
from scenetext.config.schema import SCHEMA
from scenetext.errors import InputError

Path = tuple[Any, ...]


def dotted(path: Path) -> str:
    """`("Train", "dataset", "transforms", 1)` as `Train.dataset.transforms.1`."""
    return ".".join(str(key) for key in path)


def nearest(key: str, valid: Iterable[str]) -> str:
    """Half a sentence naming the key of `valid` that `key` may have been meant for, else all of them."""
    valid = list(valid)
    lower = {name.lower(): name for name in reversed(valid)}
    found = difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.5)
    if found:
        return f"the nearest is {lower[found[0]]}"
    return "valid are " + ", ".join(valid) if valid else "it takes none"


def _likeness(one: str, other: str) -> float:
    if other.startswith(f"{one}_"):  # batch_size for batch_size_per_card
        return 0.9
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


class Checker:
    """Checks one configuration; `places` says where each of its values stands, for messages."""

    def __init__(self, places: Mapping[Path, str], fallback: str) -> None:
        self.places, self.fallback = places, fallback
        self.ignored: list[str] = []

    def check(self, config: Any) -> dict[str, Any]:
        """Returns a converted copy of `config`.

        Raises:
            InputError: an unknown key, a value of the wrong type, an unknown name.
        """
        return self._table(config, SCHEMA, ())

    def where(self, path: Path) -> str:
        """The place of the value at `path`, or of the nearest thing above it that stands anywhere."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.fallback

    def error(self, path: Path, message: str) -> InputError:
        """An InputError that opens with the place and the dotted name of `path`."""
        return InputError(f"{self.where(path)}: {dotted(path) or 'the configuration'} {message}")

    def _shape(self, value: Any, shape: Any, path: Path) -> Any:
        if isinstance(shape, Setting):
            return self._setting(value, shape, path)
        if isinstance(shape, Free):
            return self._free(value, shape, path)
        if isinstance(shape, Ops):
            return self._ops(value, shape, path)
        if value is None:
            return None
        if isinstance(shape, Named):
            return self._named(value, shape, path)
        if isinstance(shape, Each):
            self._mapping(value, path)
            return {name: self._table(part, shape.table, (*path, name)) for name, part in value.items()}
        return self._table(value, shape, path)

    def _setting(self, value: Any, setting: Setting, path: Path) -> Any:
        if not setting.read and value is not None:
            self.ignored.append(dotted(path))
        try:
            return setting.kind.convert(value)
        except (ValueError, TypeError, OverflowError):
            meaning = f" ({setting.meaning})" if setting.read else ""
            raise self.error(path, f"must be {setting.kind.name}{meaning}, not {value!r}.") from None

    def _free(self, value: Any, shape: Free, path: Path) -> Any:
        if value is None:
            return None
        self._mapping(value, path)
        if not isinstance(value.get("name"), str):
            raise self.error(path, f"({shape.meaning}) needs a `name`.")
        return value

    def _mapping(self, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            raise self.error(path, f"must be a mapping of keys to values, not {value!r}.")

    def _table(self, value: Any, table: Mapping[str, Any], path: Path, of: str = "") -> dict[str, Any]:
        self._mapping(value, path)
        result = {}
        for key, item in value.items():
            if key not in table:
                raise self.error(
                    (*path, key), f"is no known setting{of}: {self._hint(key, table, path, alone=bool(of))}."
                )
            result[key] = self._shape(item, table[key], (*path, key))
        return result

    def _hint(self, key: str, table: Mapping[str, Any], path: Path, alone: bool) -> str:
        """The nearest key of the same section, or, unless it is to stand `alone`, of another one that is clearly nearer."""
        others = {known[: end + 1] for known, _ in walk(SCHEMA) for end in range(len(known))}
        there = [other for other in others if other[:-1] != path and _likeness(key, other[-1]) > 0.65]
        here = max(table, key=lambda name: _likeness(key, name), default="")
        if there and not alone and max(_likeness(key, other[-1]) for other in there) > _likeness(key, here) + 0.15:
            best = min(there, key=lambda other: (-_likeness(key, other[-1]), len(other), "Eval" in other, other))
            return f"the nearest is {dotted(best)}"
        read = [name for name, shape in table.items() if not isinstance(shape, Setting) or shape.read]
        return nearest(key, read if _likeness(key, here) < 0.5 else table)

    def _named(self, value: Any, shape: Named, path: Path) -> dict[str, Any]:
        self._mapping(value, path)
        name = value.get("name", shape.default)
        if name is None:
            raise self.error(path, f"needs a `name`, one of {', '.join(shape.tables)}.")
        if name not in shape.tables:
            raise self.error((*path, "name"), f"is {name!r}, which is unknown: {nearest(str(name), shape.tables)}.")
        rest = {key: item for key, item in value.items() if key != "name"}
        checked = self._table(rest, shape.tables[name], path, f" of {name}")
        return {key: name if key == "name" else checked[key] for key in value}

    def _ops(self, value: Any, shape: Ops, path: Path) -> list[Any]:
        if not isinstance(value, list):
            raise self.error(path, f"must be a list of operations, not {value!r}.")
        return [self._op(item, shape, (*path, index)) for index, item in enumerate(value)]

    def _op(self, value: Any, shape: Ops, path: Path) -> dict[str, Any]:
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, dict) or len(value) != 1:
            raise self.error(path, f"must be one operation, `- NAME: {{key: value}}`, not {value!r}.")
        ((name, arguments),) = value.items()
        if name not in shape.tables:
            raise self.error((*path, name), f"is no known operation: {nearest(name, shape.tables)}.")
        if name in shape.unread:
            self.ignored.append(dotted((*path, name)))
        return {name: None if arguments is None else self._table(arguments, shape.tables[name], (*path, name))}


def walk(table: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Setting]]:
    """Every setting of `table` with its path; operations stand by their names, networks side by side as `*`."""
    for key, shape in table.items():
        here = (*path, key)
        if isinstance(shape, Setting):
            yield here, shape
        elif isinstance(shape, Named):
            for part in shape.tables.values():
                yield from walk(part, here)
        elif isinstance(shape, Ops):
            for name, part in shape.tables.items():
                yield from walk(part, (*here, name))
        elif isinstance(shape, Each):
            yield from walk(shape.table, (*here, "*"))
        elif isinstance(shape, dict):
            yield from walk(shape, here)


def default_of(path: Path) -> Any:
    """The schema's default of the setting at `path`, or REQUIRED; list indices in `path` are passed over.

    Raises:
        InputError: the schema knows no such setting.
    """
    wanted = tuple(key for key in path if not str(key).isdigit())
    for known, setting in walk(SCHEMA):
        if known == wanted:
            return setting.default
    known_keys = [dotted(known) for known, _ in walk(SCHEMA)]
    raise InputError(f"{dotted(path)} is no known setting: {nearest(dotted(path), known_keys)}.")
