"""The package's own rules, checked on its syntax trees: imports point one way, and nothing is run by name."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "scenetext"

# A module may import those that stand before it, and no other.
ORDER = (
    *("errors", "files", "cpu", "interruption", "textfile", "natural_order", "normalise", "charset", "config", "runs", "experiment"),
    *("download", "unpack", "official_weights", "records", "labels", "fonts", "sample", "rawdata"),
    *("data", "image_check", "label_statistics", "prepare"),
    *("kernels", "models", "onnx_weights", "pdparams", "weights", "pretrained", "losses", "decode", "ngram", "beam_search", "metrics", "error_report"),
    *("blend", "checkpoint", "optimiser", "parallel", "precision", "training_log", "line_reader", "reader", "train"),
    *("compress", "program", "fresh_process", "trace", "inference_yml", "onnx_export", "engines", "resumable", "predict", "verify"),
    *("export_report", "export_lines", "storing", "budget_curve", "fitting", "export"),
    *("evaluate", "submission_table", "submit", "plots"),
    *("notebook_cleaner", "notebook_runner", "demo", "bench", "cli", "__main__"),
)
# And these, with errors and files, no more than this.
ONLY = {
    "charset": set(),
    "config": set(),
    "download": set(),
    "kernels": set(),
    "models": {"charset", "config", "kernels"},
    "losses": {"charset", "kernels", "models"},
    "decode": {"charset"},
    "ngram": set(),
    "beam_search": {"charset", "ngram"},
    "plots": {"fonts"},
    "notebook_runner": {"config", "runs"},
}


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


def test_every_module_has_its_place_in_the_order() -> None:
    modules = {module_of(path) for path, _ in trees()} - {"__init__"}
    assert modules <= set(ORDER), modules - set(ORDER)


def test_imports_point_up_the_order() -> None:
    wrong = []
    for path, tree in trees():
        module = module_of(path)
        for name in imported_names(tree):
            other = name.split(".")[1] if name.startswith("scenetext.") else None
            if not {module, other} <= set(ORDER):  # said by the test above
                continue
            allowed = ONLY.get(module, set(ORDER)) | {"errors", "files"}
            if other != module and (ORDER.index(other) >= ORDER.index(module) or other not in allowed):
                wrong.append(f"{path.name} imports {other}")
    assert not wrong


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
        "print([name for name in ('paddle', 'cv2', 'pandas', 'matplotlib', 'numpy', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_modules_stay_readable_in_one_sitting() -> None:
    long = {str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines()) for path, _ in trees()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
