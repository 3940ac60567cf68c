"""Reading a configuration: the file, what it extends, what overrides it, and the check."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenetext.config.checking import Checker, default_of
from scenetext.config.kinds import REQUIRED
from scenetext.config.overriding import apply_overrides, merge
from scenetext.config.yaml_text import dump, parse
from scenetext.errors import InputError
from scenetext.system.files import write_text


def load_config(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Reads, extends, overrides and checks a configuration.

    Args:
        source: a YAML file, or a configuration as a dict, which is left as it is.
        overrides: `KEY.KEY=VALUE` strings, applied in their order.

    Returns:
        The configuration with `base` resolved and values converted to their types. Absent settings stay absent:
        `setting` knows their defaults.

    Raises:
        InputError: a missing file, bad YAML, an unknown key or name, a wrong type. The message names the file and
            line or the override, the dotted key, and the nearest valid one.
    """
    if isinstance(source, Mapping):
        config, places, fallback = copy.deepcopy(dict(source)), {}, "the given configuration"
    else:
        config, places = _read(Path(source), ())
        fallback = str(source)
    apply_overrides(config, overrides, places)
    return Checker(places, fallback).check(config)


def ignored_keys(config: Mapping[str, Any]) -> list[str]:
    """Dotted names of the settings in `config` that PaddleOCR knows and that do nothing here."""
    checker = Checker({}, "the given configuration")
    checker.check(dict(config))
    return checker.ignored


def setting(config: Mapping[str, Any], key: str) -> Any:
    """The value of `Section.key...` in a checked configuration, or the schema's default.

    Raises:
        InputError: the value is missing and has no default, or the schema does not know the key.
    """
    path = tuple(key.split("."))
    value: Any = config
    for part in path:
        if isinstance(value, list):
            value = next((item for item in value if isinstance(item, Mapping) and part in item), None)
        if not isinstance(value, Mapping) or part not in value:
            break
        value = value[part]
    else:
        return value
    value = default_of(path)
    if value is REQUIRED:
        raise InputError(f"{key} is missing from the configuration: add it, or give it by -o {key}=VALUE.")
    return copy.copy(value)


def write_config(config: Mapping[str, Any], path: str | Path) -> None:
    """Writes `config` as YAML that `load_config` reads back equal."""
    write_text(path, dump(dict(config)))


def _read(path: Path, extending: tuple[Path, ...]) -> tuple[dict[str, Any], dict[tuple[Any, ...], str]]:
    resolved = path.resolve()
    if resolved in extending:
        raise InputError(f"{extending[-1]}: `base` leads back to {path}, which would never end.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"The configuration {path} does not exist.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8.") from None
    except OSError as error:
        raise InputError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    config, places = parse(text, str(path))
    if not isinstance(config, dict):
        raise InputError(
            f"{path}: a configuration is a mapping of sections (Global, Architecture, ...), not {config!r}."
        )
    base = config.pop("base", None)
    if base is None:
        return config, places
    if not isinstance(base, str):
        raise InputError(f"{places[('base',)]}: base must be the name of a file, not {base!r}.")
    lower, lower_places = _read(path.parent / base, (*extending, resolved))
    return merge(lower, config), {**lower_places, **places}
