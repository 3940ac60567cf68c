"""The package's own rules, checked on its syntax trees: imports point one way, and nothing is run by name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "scenetext"

ROW = re.compile(r"\| `(\w+)` \| [^|]+ \|([^|]*)\| `([\w./]+)` \|")


def read_map() -> dict[str, tuple[set[str], str]]:
    """Of every package of the map, from the top down: what it may import, and where to start reading."""
    rows = ROW.findall((SOURCE / "README.md").read_text(encoding="utf-8"))
    above: set[str] = set()
    packages = {}
    for name, allowed, start in rows:
        imports = above.copy() if allowed.strip() == "all" else {"errors", *re.findall(r"`(\w+)`", allowed)}
        packages[name] = (imports, start)
        above.add(name)
    return packages


MAP = read_map()


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Dotted names of all that is imported, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            if node.module == "scenetext":
                yield from (f"scenetext.{alias.name}" for alias in node.names if not alias.name.startswith("__"))
            else:
                yield node.module


def test_the_map_names_every_package_and_where_to_start_reading() -> None:
    packages = {module_of(path) for path, _ in trees()} - {"__init__", "__main__"}
    assert packages == set(MAP)
    assert len(MAP) >= 17  # the table was found
    missing = [
        start
        for name, (_, start) in MAP.items()
        if not {SOURCE / name / start, SOURCE / start} & set(SOURCE.rglob("*.py"))
    ]
    assert missing == []


def test_the_map_allows_imports_one_way_only() -> None:
    order = list(MAP)
    circles = [
        f"{name} may import {other}, which stands below it"
        for name, (allowed, _) in MAP.items()
        for other in allowed
        if name != "errors" and order.index(other) >= order.index(name)
    ]
    assert circles == []


def test_packages_import_what_the_map_allows() -> None:
    wrong, used = [], {name: set() for name in MAP}
    for path, tree in trees():
        package = module_of(path)
        for name in imported_names(tree):
            other = name.split(".")[1] if name.startswith("scenetext.") else None
            if package in MAP and other in MAP and other != package:
                used[package].add(other)
                if other not in MAP[package][0]:
                    wrong.append(f"{path.relative_to(SOURCE)} imports {other}")
    assert wrong == []
    spare = {
        name: allowed - used[name] - {"errors"} for name, (allowed, _) in MAP.items() if name not in ("errors", "cli")
    }
    assert {name: others for name, others in spare.items() if others} == {}, "the map allows more than the code needs"


def test_modules_of_a_package_import_each_other_in_one_direction() -> None:
    edges: dict[str, set[str]] = {}
    for path, tree in trees():
        if path.name != "__init__.py":
            own = ".".join(("scenetext", *path.relative_to(SOURCE).with_suffix("").parts))
            edges[own] = {name for name in imported_names(tree) if name.startswith("scenetext.")}
    circle = find_circle(edges)
    assert circle == []


def find_circle(edges: dict[str, set[str]]) -> list[str]:
    """One circle of modules, or none. A name imported from a module counts for the module."""
    state: dict[str, int] = {}

    def visit(module: str, above: list[str]) -> list[str]:
        if state.get(module) == 2:
            return []
        if state.get(module) == 1:
            return [*above[above.index(module) :], module]
        state[module] = 1
        for other in edges[module]:
            if other in edges and (found := visit(other, [*above, module])):
                return found
        state[module] = 2
        return []

    return next((found for module in edges if (found := visit(module, []))), [])


def test_nothing_imports_a_notebook_or_runs_text_as_code() -> None:
    wrong = []
    for path, tree in trees():
        wrong += [
            f"{path.name}: {name}" for name in imported_names(tree) if name.split(".")[0] in {"notebooks", "importnb"}
        ]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            shell = any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
            if (
                called in {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "paddle.load"}
                or shell
            ):
                wrong.append(f"{path.name}:{node.lineno}: {called}")
    assert not wrong


def test_no_exception_is_swallowed_unnamed() -> None:
    wrong = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                wrong.append(f"{path.name}:{node.lineno}")
    assert not wrong


def test_importing_the_package_and_its_command_loads_nothing_heavy() -> None:
    check = (
        "import sys, scenetext, scenetext.cli\n"
        "heavy = ('paddle', 'cv2', 'pandas', 'matplotlib', 'numpy', 'yaml', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_stay_readable_in_one_sitting() -> None:
    long = {str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines()) for path, _ in trees()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
