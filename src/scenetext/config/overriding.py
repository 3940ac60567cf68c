"""`-o KEY=VALUE`: changing single values of a configuration from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scenetext.config.schema import shape_at
from scenetext.config.section import ByName, Path, dotted, is_unread
from scenetext.config.yaml_text import parse, shown
from scenetext.errors import InputError, nearest_hint

OPTION = "-o "  # the location of a value that an override gave begins so


DATA_SETS = (("Train", "dataset"), ("Eval", "dataset"))


def merge(lower: Any, upper: Any, path: Path = ()) -> Any:
    """`upper` laid over `lower`: mappings are joined key by key, everything else is replaced.

    A mapping whose `name` differs replaces the one below whole: the arguments of one network mean nothing to another.
    Only a data set of another kind keeps what both kinds know, because a training without the transforms of the file
    below would be another training.

    Args:
        lower, upper: raw values.
        path: where they are in the configuration.
    """
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    if "name" in upper and "name" in lower and upper["name"] != lower["name"]:
        if path not in DATA_SETS:
            return upper
        lower = _known_to(shape_at(path, {}), upper["name"], lower)
    return {**lower, **{key: merge(lower.get(key), value, (*path, key)) for key, value in upper.items()}}


def _known_to(choice: ByName, name: Any, section: dict[str, Any]) -> dict[str, Any]:
    """The settings of a section that its class of another `name` reads."""
    cls = choice.class_of({"name": name})
    fields = cls.model_fields if cls else {}
    return {key: value for key, value in section.items() if key in fields and not is_unread(fields[key])}


def apply_overrides(config: dict[str, Any], overrides: Sequence[str], locations: dict[Path, str]) -> None:
    """Changes `config` itself by `KEY.KEY=VALUE` strings, in their order.

    The value is YAML, where `1e-3` is a number; it may hold further `=`. A mapping given for a whole section is joined
    with it, any other value replaces what was there. A number in the key counts the items of a list from 0, and a list
    of operations may be addressed by an operation's name: `Train.dataset.transforms.1.RecAug.tia_prob=0.2` and
    `Train.dataset.transforms.RecAug.tia_prob=0.2` mean the same. The name of a data set, sampler, optimiser, schedule,
    loss, metric or post-process chooses its class: settings that only the former class knows are dropped then, unless
    an override gave them.

    Args:
        config: the configuration.
        overrides: the arguments of `-o`.
        locations: file and line of each value, for messages; changed values get the override instead.

    Raises:
        InputError: no `=`, a value that is no YAML, a path that leads nowhere.
    """
    for override in overrides:
        location = f"{OPTION}{override}"
        key, equals, text = override.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys):
            raise InputError(f"{location}: write it as KEY.KEY=VALUE, for example Global.epoch_num=20.")
        value, _ = parse(text, location, first_line=None)
        if keys[-1] == "name":
            _drop_settings_of_former_class(config, tuple(keys[:-1]), value, locations)
        _set(config, keys, value, location, locations)


def _drop_settings_of_former_class(config: dict[str, Any], path: Path, name: Any, locations: dict[Path, str]) -> None:
    """Drops what the class that `name` chooses does not know and the one chosen before did."""
    choice, section = shape_at(path, config), config
    for key in path:
        section = section.get(key) if isinstance(section, dict) else None
    if not isinstance(choice, ByName) or not isinstance(section, dict):
        return
    before, after = choice.class_of(section), choice.class_of({"name": name})
    if before is None or after is None:
        return
    read = {key for key, field in after.model_fields.items() if not is_unread(field)}
    for key in before.model_fields.keys() - read:
        here = (*path, key)
        below = [location for known, location in locations.items() if known[: len(here)] == here]
        overridden = any(location.startswith(OPTION) for location in below)
        if not overridden:
            section.pop(key, None)


def _set(config: dict[str, Any], keys: list[str], value: Any, location: str, locations: dict[Path, str]) -> None:
    parent, path = config, ()
    for key in keys[:-1]:
        step = _step(parent, key, path, location)
        for part in step:
            path = (*path, part)
            below = parent[part] if isinstance(parent, list) else parent.get(part)
            if below is None:
                below = parent[part] = {}
                locations[path] = location
            parent = below
    step = _step(parent, keys[-1], path, location)
    for part in step[:-1]:
        parent = parent[part]
    path, last = (*path, *step), step[-1]
    below = parent[last] if isinstance(parent, list) else parent.get(last)
    parent[last] = merge(below, value, path) if len(keys) == 1 else value
    for known in [known for known in locations if known[: len(path)] == path]:
        del locations[known]
    locations[path] = location


def _step(parent: Any, key: str, path: Path, location: str) -> Path:
    """The keys or indices that one part of a dotted key means."""
    if isinstance(parent, dict):
        return (key,)
    if not isinstance(parent, list):
        raise InputError(f"{location}: {dotted(path)} is {shown(parent)}, which has no settings below it.")
    if key.isdecimal():
        if int(key) >= len(parent):
            raise InputError(f"{location}: {dotted(path)} has {len(parent)} items, counted from 0.")
        return (int(key),)
    found = [index for index, item in enumerate(parent) if isinstance(item, dict) and key in item]
    if len(found) > 1:
        raise InputError(
            f"{location}: {dotted(path)} holds {key} {len(found)} times: choose one by its number, counted from 0."
        )
    if not found:
        names = [name for item in parent if isinstance(item, dict) for name in item]
        raise InputError(f"{location}: {dotted(path)} holds no {key}: {nearest_hint(key, names)}.")
    return (found[0], key)
