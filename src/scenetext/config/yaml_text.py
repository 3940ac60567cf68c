"""YAML text to plain values, strictly: the one reader of YAML, for configurations and for `inference.yml`.

Both come from strangers, so everything that a few bytes can blow up is bounded before it is built: the text's length,
the depth, the number of values with all aliases and merges written out, and the digits of a number. PyYAML only splits
the text into events (by libyaml where PyYAML has it, which never recurses); the values are made here. Tabs, double keys
and aliases that contain themselves are errors with their line.

Numbers follow YAML 1.2's core schema, so `1e-3` is a number (in YAML 1.1 it is a string) and `12:30` is a string
(in YAML 1.1 it is 750). The words true, false, yes, no, on, off stay truth values, as PaddleOCR's files expect.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scenetext.errors import InputError
from scenetext.system.regular_files import read_regular_file
from scenetext.system.untrusted import reading

MAX_BYTES = 8_000_000  # of a file; an inference.yml with 18,383 characters has 200,000
MAX_VALUES = 100_000  # a configuration is a page or two; aliases that multiply past this are a mistake or an attack
MAX_DEPTH = 60  # mappings and lists inside each other; a configuration has 9
MAX_DIGITS = 100  # of a whole number
SHOWN_CHARACTERS = 200  # of a value in a message
_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = ("", "~", "null", "Null", "NULL")
_TAG = "tag:yaml.org,2002:"
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Location = dict[tuple[Any, ...], str]


class _Dumper(yaml.SafeDumper):
    """Writes mappings as blocks and lists of scalars on one line; never anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(f"{_TAG}int", re.compile(f"(?:{_INT.pattern})$"), list("-+0123456789"))
_Dumper.add_implicit_resolver(f"{_TAG}float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789"))
_Dumper.add_representer(
    list,
    lambda dumper, data: dumper.represent_sequence(
        f"{_TAG}seq", data, flow_style=not any(isinstance(value, (dict, list)) and value for value in data)
    ),
)


def to_number(text: str) -> int | float | None:
    """The number that `text` spells (`12`, `0x1f`, `1e-3`, `.5`, `-.inf`), or None.

    Raises:
        ValueError: a whole number of more than MAX_DIGITS digits.
    """
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"a number of {len(text)} digits")
        return int(text, 16 if text.startswith("0x") else 10)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return None


def shown(value: Any) -> str:
    """A value as messages show it, cut after SHOWN_CHARACTERS."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def read_text(path: Path, location: str) -> str:
    """The text of a YAML file, which `parse` reads.

    Raises:
        InputError: it is no regular file, larger than MAX_BYTES, or not UTF-8.
    """
    try:
        return read_regular_file(path, MAX_BYTES, location).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{location}: byte {error.start} is not UTF-8: save the file as UTF-8.") from None


def parse(
    text: str, location: str, first_line: int | None = 1, texts: Collection[tuple[Any, ...]] = ()
) -> tuple[Any, Location]:
    """Reads one YAML document.

    Args:
        text: the document.
        location: what messages call the document, for example the file's path.
        first_line: number of the first line, or None for text without lines (a command line).
        texts: paths of lists whose items are texts as they are written, also where they look like numbers or nothing.

    Returns:
        The value, made of dicts, lists, strings, numbers, truth values and None only, no part of it shared; and
        the location ("file:line") of every value in it by its path of keys and indices.

    Raises:
        InputError: not YAML, a tab for a space, a key twice, an alias that contains itself, a value of no plain type,
            or more of anything than the bounds above allow.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"{location}: {len(text):,} characters are more than the {MAX_BYTES:,} that are read as YAML.")
    try:
        with reading(location, "YAML", "correct it"):
            tree = _Tree(text, location, first_line)
            reader = _Reader(tree, texts)
            return (None if tree.root is None else reader.value(tree.root, ())), reader.locations
    except InputError as error:
        if isinstance(error.__cause__, yaml.YAMLError):
            raise _not_yaml(error.__cause__, text, location, first_line) from None
        raise


def dump(value: Any) -> str:
    """`value` as YAML text that `parse` and PaddleOCR's loader read back alike."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _not_yaml(error: yaml.YAMLError, text: str, location: str, first_line: int | None) -> InputError:
    if not isinstance(error, yaml.MarkedYAMLError):
        reason = f"{error.reason} at character {error.position + 1}" if hasattr(error, "reason") else str(error)
        return InputError(f"{location}: this is not valid YAML ({' '.join(reason.split())}).")
    mark = error.problem_mark or error.context_mark
    where = location if mark is None or first_line is None else f"{location}:{mark.line + first_line}"
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        return _tab(where)
    wrong = "; ".join(part for part in (error.problem, error.context) if part)
    return InputError(f"{where}: this is not valid YAML ({wrong}).")


def _tab(where: str) -> InputError:
    return InputError(f"{where}: YAML indents by spaces, not by tabs: replace the tab by spaces.")


@dataclass(slots=True)
class _Node:
    """One value as it is written; of a mapping `items` holds keys and values by turns."""

    line: int
    tag: str  # "seq", "map", or what a scalar is: "str", "int", "float", "bool", "null", "merge"
    text: str = ""
    items: list[_Node] | None = None


class _Tree:
    """The nodes of a document. It is built without recursion, and aliases point at the node that they name."""

    def __init__(self, text: str, location: str, first_line: int | None) -> None:
        self.text, self.location, self.first_line = text, location, first_line
        self.root: _Node | None = None
        self._anchors: dict[str, _Node] = {}
        self._open: list[_Node] = []
        for number, event in enumerate(yaml.parse(text, Loader=_PARSER)):
            if number > 4 * MAX_VALUES:
                raise InputError(f"{location}: more than {MAX_VALUES} values are too many for such a file.")
            self._take(event)

    def where(self, node: _Node) -> str:
        return self._where(node.line)

    def _where(self, line: int) -> str:
        return self.location if self.first_line is None else f"{self.location}:{line + self.first_line}"

    def _take(self, event: yaml.Event) -> None:
        line = event.start_mark.line
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise InputError(f"{self._where(line)}: a second document begins here: keep one in each file.")
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            if event.start_mark.index and self.text[event.start_mark.index - 1] == "\t":
                raise _tab(self._where(line))
            node = self._node(event, line)
            if self._open:
                self._open[-1].items.append(node)
            else:
                self.root = node
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append(node)
                if len(self._open) > MAX_DEPTH:
                    raise InputError(f"{self._where(line)}: the values are nested too deeply.")

    def _node(self, event: yaml.NodeEvent, line: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise InputError(f"{self._where(line)}: the alias *{event.anchor} names no anchor above it.")
            return self._anchors[event.anchor]
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(line, self._scalar_tag(event), event.value)
        else:
            own = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map"
            node = _Node(line, self._known_tag(event, own), items=[])
        if event.anchor is not None:
            if event.anchor in self._anchors:
                raise InputError(f"{self._where(line)}: the anchor &{event.anchor} is given twice: rename one.")
            self._anchors[event.anchor] = node
        return node

    def _scalar_tag(self, event: yaml.ScalarEvent) -> str:
        if event.tag not in (None, "!"):
            return self._known_tag(event, "str", "int", "float", "bool", "null")
        return _tag_of(event.value) if event.implicit[0] else "str"

    def _known_tag(self, event: yaml.NodeEvent, *known: str) -> str:
        tag = known[0] if event.tag in (None, "!") else event.tag.removeprefix(_TAG)
        if tag not in known:
            raise InputError(
                f"{self._where(event.start_mark.line)}: the tag {shown(event.tag)} is not allowed: remove it."
            )
        return tag


def _tag_of(text: str) -> str:
    """What a scalar without quotes is."""
    if text in _NOTHING:
        return "null"
    if text == "<<":
        return "merge"
    if text.lower() in _TRUTHS and text in (text.lower(), text.upper(), text.capitalize()):
        return "bool"
    return "int" if _INT.fullmatch(text) else "float" if _FLOAT.fullmatch(text) else "str"


class _Reader:
    """Turns a tree of nodes into plain values and remembers the location of each."""

    def __init__(self, tree: _Tree, texts: Collection[tuple[Any, ...]]) -> None:
        self.tree, self.texts = tree, texts
        self.locations: Location = {}
        self._count = 0  # of values, those of aliases and merges as often as they are written out
        self._above: list[_Node] = []

    def value(self, node: _Node, path: tuple[Any, ...]) -> Any:
        where = self.locations[path] = self.tree.where(node)
        self._count += 1
        if self._count > MAX_VALUES:
            raise InputError(f"{where}: more than {MAX_VALUES} values are too many for such a file.")
        if node.items is None:
            return node.text if path[:-1] in self.texts else self._scalar(node)
        if any(node is parent for parent in self._above):
            raise InputError(f"{where}: the alias contains itself, which would never end.")
        if len(self._above) > MAX_DEPTH:
            raise InputError(f"{where}: the values are nested too deeply.")
        self._above.append(node)
        if node.tag == "seq":
            result: Any = [self.value(child, (*path, index)) for index, child in enumerate(node.items)]
        else:
            result = self._mapping(node, path)
        self._above.pop()
        return result

    def _scalar(self, node: _Node) -> Any:
        if node.tag == "null" and node.text in _NOTHING:
            return None
        if node.tag == "bool" and node.text.lower() in _TRUTHS:
            return _TRUTHS[node.text.lower()]
        if node.tag in ("int", "float"):
            try:
                value = to_number(node.text)
            except ValueError as error:
                raise InputError(f"{self.tree.where(node)}: {error} is too long; put it in quotes.") from None
            if value is not None and (node.tag == "float" or isinstance(value, int)):
                return float(value) if node.tag == "float" else value
        if node.tag in ("null", "bool", "int", "float"):
            raise InputError(
                f"{self.tree.where(node)}: {shown(node.text)} is not what its tag !!{node.tag} says: remove the tag."
            )
        return node.text

    def _mapping(self, node: _Node, path: tuple[Any, ...]) -> dict[str, Any]:
        first_at: dict[str, _Node] = {}
        result: dict[str, Any] = {}
        for key_node, value_node in _pairs(node):
            if key_node.tag == "merge":
                self._merge(result, key_node, value_node, path)
                continue
            if key_node.items is not None:
                raise InputError(f"{self.tree.where(key_node)}: a key must be one word, not a list or a mapping.")
            key = key_node.text
            if key in first_at:
                raise InputError(
                    f"{self.tree.where(key_node)}: the key {shown(key)} is also given at "
                    f"{self.tree.where(first_at[key])}: keep one."
                )
            first_at[key] = key_node
            result[key] = self.value(value_node, (*path, key))
            self.locations[(*path, key)] = self.tree.where(key_node)
        return result

    def _merge(self, result: dict[str, Any], key_node: _Node, value_node: _Node, path: tuple[Any, ...]) -> None:
        """Adds to `result` what `<<` names; keys that are there already stay, the last mapping of a list counts least.

        Adding one key at a time costs as much as there is to add, however often a mapping merges.
        """
        merged = self.value(value_node, path)
        parts = merged if isinstance(merged, list) else [merged]
        if not all(isinstance(part, dict) for part in parts):
            raise InputError(f"{self.tree.where(key_node)}: `<<` takes a mapping or a list of mappings.")
        for part in parts:
            for key, value in part.items():
                result.setdefault(key, value)


def _pairs(node: _Node) -> Iterator[tuple[_Node, _Node]]:
    return zip(node.items[::2], node.items[1::2], strict=True)
