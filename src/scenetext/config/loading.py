"""Reading a configuration: the file, what it extends, what overrides it, and the check."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from scenetext.config.checking import check
from scenetext.config.openocr import is_openocr, translated
from scenetext.config.overriding import apply_overrides, merge
from scenetext.config.schema import Config
from scenetext.config.yaml_text import Location, dump, parse, read_text, shown
from scenetext.errors import InputError
from scenetext.system.file_names import shown_path
from scenetext.system.files import write_text
from scenetext.system.shipped import find_shipped
from scenetext.system.untrusted import reading

MAX_BASES = 20  # files that extend each other


def load_config(source: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> Config:
    """Reads, extends, overrides and checks a configuration.

    Args:
        source: a YAML file, the same as a mapping, which is left as it is, or a checked configuration. OpenOCR's schema
            is translated (`openocr`).
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
        with _naming(f"The configuration {shown_path(source)}"):
            path = find_shipped(Path(source))
        values, locations = _read(path, ())
        fallback = str(source)
    if is_openocr(values):
        values, locations = translated(values, fallback), {}
    apply_overrides(values, overrides, locations)
    return check(values, locations, fallback)


def write_config(config: Config, path: str | Path) -> None:
    """Writes the complete `config` as YAML that `load_config` reads back equal."""
    write_text(path, dump(config.model_dump()))


def _naming(location: str) -> AbstractContextManager[None]:
    """The net around looking for a file: its name may be too long, or hold what no name can."""
    return reading(location, "a configuration", "give the name of another file")


def _read(path: Path, extending: tuple[Path, ...], asked_at: str = "") -> tuple[dict[str, Any], Location]:
    """The values of a file laid over those of the files that it extends, and the location of each.

    Args:
        path: the file.
        extending: the files that extend it, the last one directly.
        asked_at: what messages put before this file's name: where another file names it.
    """
    location = f"{asked_at}The configuration {shown_path(path)}"
    with _naming(location):
        resolved, exists = path.resolve(), path.exists()
    if resolved in extending:
        raise InputError(f"{extending[-1]}: `base` leads back to {path}, which would never end.")
    if len(extending) > MAX_BASES:
        raise InputError(f"{extending[-1]}: `base` leads on to {path} after {MAX_BASES} files, which is too many.")
    if not exists:
        raise InputError(f"{location} does not exist.")
    config, locations = parse(read_text(path, location), shown_path(path))
    if not isinstance(config, dict):
        raise InputError(
            f"{shown_path(path)}: a configuration is a mapping of sections (Global, Architecture, ...), not "
            f"{shown(config)}."
        )
    base = config.pop("base", None)
    if base is None:
        return config, locations
    at = locations[("base",)]
    if not isinstance(base, str):
        raise InputError(f"{at}: base must be the name of a file, not {shown(base)}.")
    lower, lower_locations = _read(path.parent / base, (*extending, resolved), f"{at}: ")
    return merge(lower, config), {**lower_locations, **locations}
