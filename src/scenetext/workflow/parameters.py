"""Parameters of the notebooks: which ones a notebook declares, and whether given values fit them.

The runner checks them before anything runs. A notebook checks them itself in the cell after its parameters, because
papermill alone injects every name and value that it is given, with a warning at most.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from scenetext.config.yaml_text import parse
from scenetext.errors import InputError, nearest_hint

_INJECTED = "# Parameters\n"  # the first line of the cell that papermill injects after the parameters cell


def read_parameters(notebook: Path) -> dict[str, Any]:
    """The parameters of a notebook with their defaults: the literals assigned in its cell tagged `parameters`.

    Raises:
        InputError: the notebook is missing or broken, or that cell holds anything but `name = literal`.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        raise InputError(f"The notebook {notebook} does not exist.") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{notebook} is not a notebook: it holds no JSON with `cells`.") from None
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    return _literals("".join("".join(cell["source"]) + "\n" for cell in tagged), str(notebook))


def _literals(source: str, notebook: str) -> dict[str, Any]:
    """The names and values of the lines `name = literal` that a cell consists of; nothing of it is run."""
    rule = f"{notebook}: the cell tagged `parameters` must hold only lines `name = literal`"
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise InputError(f"{rule}, but its line {error.lineno} is not valid Python ({error.msg}).") from None
    parameters = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                parameters[name] = _literal(value, f"{rule}, but its line {statement.lineno} is not one.")
            case _:
                raise InputError(f"{rule}, but its line {statement.lineno} is not one.")
    return parameters


def _literal(node: ast.expr, otherwise: str) -> Any:
    """The value that a literal spells: numbers, texts, truth values, None, and lists and mappings of them."""
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items):
            return [_literal(item, otherwise) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_literal(item, otherwise) for item in items)
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.Constant) for key in keys):
            return {key.value: _literal(value, otherwise) for key, value in zip(keys, values, strict=True)}
    raise InputError(otherwise)


def read_value(name: str, text: str, default: Any) -> Any:
    """The value of `-p name=text` for a parameter with this default.

    If the default is a string, the value is the text, unchanged. If it is a boolean, number or list, the text must be
    the same in YAML. If it is None, the value is whatever the text is in YAML, or "" for an empty text.

    Raises:
        InputError: the text is of another type.
    """
    if isinstance(default, str) or (default is None and text == ""):
        return text
    value, _ = parse(text, f"-p {name}={text}", first_line=None)
    return _fitting(value, default, name, f"-p {name}={text}")


def _fitting(value: Any, default: Any, name: str, given: str) -> Any:
    """`value`, or the whole number that it is equal to, if it has the type of the default; else an InputError.

    The items of a list must be numbers if the default's items are, and texts otherwise; if it has none, texts.
    """
    if isinstance(default, (list, tuple)) and isinstance(value, list):
        return [_fitting_item(item, default, name, given) for item in value]
    if default is None or type(value) is type(default):
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return value  # a whole number can mean something else than a fraction: val=500
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, float) and value.is_integer():
        return int(value)
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    kind = kinds.get(type(default), type(default).__name__)
    raise InputError(f"{given}: {name} must be {kind}, because its default is {default!r}.")


def _fitting_item(item: Any, default: Sequence[Any], name: str, given: str) -> Any:
    is_number = bool(default) and all(isinstance(known, (int, float)) for known in default)
    if isinstance(item, (int, float) if is_number else str) and not isinstance(item, bool):
        return item
    kind = "numbers" if is_number else "texts"
    raise InputError(f"{given}: {name} must be a list of {kind}, because its default is {default!r}; {item!r} is none.")


def assign(given: Mapping[str, str], notebooks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The values that each notebook gets.

    Args:
        given: values as written on the command line, by parameter.
        notebooks: defaults by parameter, by notebook.

    Returns:
        Values by parameter, by notebook: only those given, only to the notebooks that declare them.

    Raises:
        InputError: no notebook has a parameter of that name (the message names the nearest), or a value has the wrong
            type.
    """
    known = {name for defaults in notebooks.values() for name in defaults}
    for name in given:
        if name not in known:
            hint = nearest_hint(name, sorted(known))
            raise InputError(f"-p {name}: no notebook has a parameter of this name: {hint}.")
    return {
        notebook: {name: read_value(name, given[name], defaults[name]) for name in given if name in defaults}
        for notebook, defaults in notebooks.items()
    }


def check_parameters(variables: MutableMapping[str, Any]) -> None:
    """Checks the parameters that papermill injected into the running notebook; without papermill it does nothing.

    papermill keeps a list as the text that was typed (`-p budgets_mb '[2, 4]'`): it is replaced by the list. It turns
    digits into a number (`-p run 001` becomes 1): where a text is wanted, that is an error, since the text is lost.

    Args:
        variables: `globals()` of the notebook. IPython's `In` there holds the sources of the cells that have run: the
            notebook's own parameters cell and, after it, the cell of papermill. Values are replaced in `variables`.

    Raises:
        InputError: the notebook has no parameter of that name (the message names the nearest), or the value has another
            type than the default.
    """
    sources = list(variables.get("In", []))
    at = next((index for index, source in enumerate(sources) if index and source.startswith(_INJECTED)), None)
    if at is None:
        return
    declared = _literals(sources[at - 1], "This notebook")
    for name, value in _literals(sources[at], "This notebook").items():
        if name not in declared:
            raise InputError(f"-p {name}: this notebook has no parameter of this name: {nearest_hint(name, declared)}.")
        default = declared[name]
        if isinstance(value, str) and not isinstance(default, (str, type(None))):
            variables[name] = read_value(name, value, default)
        elif isinstance(default, str) and not isinstance(value, str):
            raise InputError(
                f"-p {name} {value!r}: {name} must be a text, because its default is {default!r}, and papermill reads "
                f"a number or a truth value here: write -r {name} TEXT instead of -p {name} TEXT."
            )
        else:
            variables[name] = _fitting(value, default, name, f"-p {name} {value!r}")
