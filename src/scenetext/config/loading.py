"""Reading a configuration: the file, what it extends, what overrides it, and the check."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenetext.config.checking import check
from scenetext.config.overriding import apply_overrides, merge
from scenetext.config.schema import Config
from scenetext.config.yaml_text import dump, parse
from scenetext.errors import InputError
from scenetext.system.files import write_text
from scenetext.system.shipped import find_shipped


def load_config(source: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> Config:
    """Reads, extends, overrides and checks a configuration.

    Args:
        source: a YAML file, the same as a mapping, which is left as it is, or a checked configuration.
        overrides: `KEY.KEY=VALUE` strings, applied in their order.

    Returns:
        The complete configuration: `base` resolved, values converted to their types, defaults filled in. A checked one
        without overrides is returned itself.

    Raises:
        InputError: a missing file, bad YAML, an unknown key or name, a wrong type or range, values that contradict each
            other. The message names the file and line or the override, the dotted key, and the nearest valid one.
    """
    if isinstance(source, Config) and not overrides:
        return source
    if isinstance(source, (Config, Mapping)):
        given = source.model_dump() if isinstance(source, Config) else dict(source)
        values, locations, fallback = copy.deepcopy(given), {}, "the given configuration"
    else:
        values, locations = _read(find_shipped(Path(source)), ())
        fallback = str(source)
    apply_overrides(values, overrides, locations)
    return check(values, locations, fallback)


def write_config(config: Config, path: str | Path) -> None:
    """Writes the complete `config` as YAML that `load_config` reads back equal."""
    write_text(path, dump(config.model_dump()))


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
    config, locations = parse(text, str(path))
    if not isinstance(config, dict):
        raise InputError(
            f"{path}: a configuration is a mapping of sections (Global, Architecture, ...), not {config!r}."
        )
    base = config.pop("base", None)
    if base is None:
        return config, locations
    if not isinstance(base, str):
        raise InputError(f"{locations[('base',)]}: base must be the name of a file, not {base!r}.")
    lower, lower_locations = _read(path.parent / base, (*extending, resolved))
    return merge(lower, config), {**lower_locations, **locations}
