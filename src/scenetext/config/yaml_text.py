"""YAML text to plain values, strictly: tabs, double keys and loops are errors with their line.

Numbers follow YAML 1.2's core schema, so `1e-3` is a number (in YAML 1.1 it is a string) and `12:30` is a string
(in YAML 1.1 it is 750). The words true, false, yes, no, on, off stay truth values, as PaddleOCR's files expect.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from scenetext.errors import InputError

MAX_VALUES = 100_000  # a config is a page or two; aliases that multiply past this are a mistake or an attack
_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the number rules above; dates stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag not in {f"{_TAG}int", f"{_TAG}float", f"{_TAG}timestamp"}
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """Writes mappings as blocks and lists of scalars on one line; never anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(f"{_TAG}int", re.compile(f"(?:{_INT.pattern})$"), list("-+0123456789"))
    _class.add_implicit_resolver(f"{_TAG}float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


def to_number(text: str) -> int | float | None:
    """The number that `text` spells (`12`, `0x1f`, `1e-3`, `.5`, `-.inf`), or None."""
    if _INT.fullmatch(text):
        return int(text, 16 if text.startswith("0x") else 10)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return None


_Loader.add_constructor(f"{_TAG}int", lambda loader, node: to_number(loader.construct_scalar(node)))
_Loader.add_constructor(f"{_TAG}float", lambda loader, node: float(to_number(loader.construct_scalar(node))))
_Dumper.add_representer(
    list,
    lambda dumper, data: dumper.represent_sequence(
        f"{_TAG}seq", data, flow_style=not any(isinstance(value, (dict, list)) and value for value in data)
    ),
)


def parse(text: str, location: str, first_line: int | None = 1) -> tuple[Any, dict[tuple[Any, ...], str]]:
    """Reads one YAML document.

    Args:
        text: the document.
        location: what messages call the document, for example the file's path.
        first_line: number of the first line, or None for text without lines (a command line).

    Returns:
        The value, made of dicts, lists, strings, numbers, truth values and None only, no part of it shared; and
        the location ("file:line") of every value in it by its path of keys and indices.

    Raises:
        InputError: not YAML, a tab for a space, a key twice, an alias that contains itself, a value of no plain type.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(loader, location, first_line)
        return (None if node is None else reader.value(node, (), ())), reader.locations
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = location if mark is None or first_line is None else f"{location}:{mark.line + first_line}"
        if "'\\t'" in (error.problem or ""):
            raise InputError(f"{where}: YAML indents by spaces, not by tabs: replace the tab by spaces.") from None
        wrong = "; ".join(part for part in (error.problem, error.context) if part)
        raise InputError(f"{where}: this is not valid YAML ({wrong}).") from None
    except yaml.YAMLError as error:
        raise InputError(f"{location}: this is not valid YAML ({' '.join(str(error).split())}).") from None
    except RecursionError:
        raise InputError(f"{location}: the values are nested too deeply.") from None
    finally:
        loader.dispose()


def dump(value: Any) -> str:
    """`value` as YAML text that `parse` and PaddleOCR's loader read back alike."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Reader:
    """Turns a tree of YAML nodes into plain values and remembers the location of each."""

    def __init__(self, loader: _Loader, location: str, first_line: int | None) -> None:
        self.loader, self.location, self.first_line = loader, location, first_line
        self.locations: dict[tuple[Any, ...], str] = {}

    def where(self, node: yaml.Node) -> str:
        return self.location if self.first_line is None else f"{self.location}:{node.start_mark.line + self.first_line}"

    def value(self, node: yaml.Node, path: tuple[Any, ...], above: tuple[yaml.Node, ...]) -> Any:
        if any(node is parent for parent in above):
            raise InputError(f"{self.where(node)}: the alias contains itself, which would never end.")
        self.locations[path] = self.where(node)
        if len(self.locations) > MAX_VALUES:
            raise InputError(f"{self.where(node)}: more than {MAX_VALUES} values is no configuration.")
        above = (*above, node)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in (f"{_TAG}seq", f"{_TAG}map"):
            raise InputError(f"{self.where(node)}: the tag {node.tag!r} is not allowed in a configuration: remove it.")
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index), above) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        value = self.loader.construct_object(node)
        if value is not None and not isinstance(value, (str, bool, int, float)):
            raise InputError(f"{self.where(node)}: {node.value!r} is neither text, a number nor a truth value.")
        return value

    def _mapping(self, node: yaml.MappingNode, path: tuple[Any, ...], above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        first_at: dict[str, yaml.Node] = {}
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged = self.value(value_node, path, above)
                parts = merged if isinstance(merged, list) else [merged]
                if not all(isinstance(part, dict) for part in parts):
                    raise InputError(f"{self.where(key_node)}: `<<` takes a mapping or a list of mappings.")
                for part in parts:
                    result = {**part, **result}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{self.where(key_node)}: a key must be one word, not a list or a mapping.")
            key = key_node.value
            if key in first_at:
                raise InputError(
                    f"{self.where(key_node)}: the key {key!r} is also given at {self.where(first_at[key])}: keep one."
                )
            first_at[key] = key_node
            result[key] = self.value(value_node, (*path, key), above)
            self.locations[(*path, key)] = self.where(key_node)
        return result
