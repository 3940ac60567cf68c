"""Runs the notebooks headless and in order, and keeps each executed copy in the run's folder.

papermill alone warns of an unknown parameter and runs on. Here an unknown parameter, a value of another type than the
default's, and a setting that the configuration refuses are errors before anything runs.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.config.yaml_text import dump, parse
from scenetext.errors import InputError, RunError
from scenetext.runs.experiment import configure
from scenetext.runs.folders import is_project, project_root, run_folder
from scenetext.system.files import write_text
from scenetext.system.shipped import shipped
from scenetext.system.untrusted import reading
from scenetext.workflow.course import copy_notebooks
from scenetext.workflow.parameters import assign, read_parameters

if TYPE_CHECKING:
    from papermill.exceptions import PapermillExecutionError

NOTEBOOKS = ("01_data", "02_config", "03_train", "04_evaluate", "05_export", "06_submit")
COMPARISON = "07_compare"  # of two runs; it is no step of the way to a submission
RUN, CONFIG = "run", "config"  # the parameters that name the run and its configuration


def run_notebooks(
    given: Mapping[str, str], *, config: str | None = None, names: Sequence[str] = NOTEBOOKS, root: Path | None = None
) -> Path:
    """Runs notebooks in order with the project's root as working directory.

    What the notebooks print is passed on to this process's output at once. The executed copies and `parameters.yml` go
    to `runs/<run>/notebooks`; the copy of a failed notebook holds its error.

    Args:
        given: values as written on the command line, by parameter.
        config: the configuration's path, as the parameter `config`.
        names: the notebooks, without folder and ending.
        root: the project folder, found from the working directory when None. If it is not a project yet, the shipped
            notebooks and configurations are copied there first.

    Returns:
        The run's folder.

    Raises:
        InputError: an unknown parameter, wrong value or wrong setting, before anything runs; or a notebook stopped
            for wrong input.
        RunError: a notebook failed.
    """
    root = root or project_root()
    given = dict(given) if config is None else {**given, CONFIG: config}
    folder = root / "notebooks" if is_project(root) else shipped("notebooks")
    sources = {name: folder / f"{name}.ipynb" for name in names}
    defaults = {name: read_parameters(path) for name, path in sources.items()}
    values = assign(given, defaults)
    runs = {values[name].get(RUN, defaults[name].get(RUN)) for name in names} - {None}
    if len(runs) != 1:
        raise InputError(f"The notebooks do not agree on the run's name ({sorted(runs)}): give one by -p {RUN}=NAME.")
    _check_settings({name: {**defaults[name], **values[name]} for name in names}, root)
    if not is_project(root):
        copy_notebooks(root)
        print(f"{root} is the project folder: notebooks and configurations were copied there.")
    folder = run_folder(runs.pop())
    copies = root / folder / "notebooks"
    copies.mkdir(parents=True, exist_ok=True)
    _note_parameters(copies / "parameters.yml", values)
    with _own_kernel():
        for number, name in enumerate(names, 1):
            print(f"[{number}/{len(names)}] {name} -> {folder / 'notebooks' / name}.ipynb", flush=True)
            started = time.monotonic()
            _run(sources[name], copies / f"{name}.ipynb", values[name], root)
            print(f"[{number}/{len(names)}] {name} done in {time.monotonic() - started:.0f} s", flush=True)
    return folder


def _note_parameters(path: Path, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the given parameters by notebook; those of notebooks that do not run now stay."""
    before: dict[str, Any] = {}
    if path.is_file():
        with reading(path, "the parameters of a run", "remove it"):
            before = dict(parse(path.read_text(encoding="utf-8"), str(path))[0] or {})
    write_text(path, dump({**before, **values}))


def _check_settings(parameters: Mapping[str, Mapping[str, Any]], root: Path) -> None:
    """Makes the configurations of the run from the parameters, by notebook, so that a wrong setting is found now."""
    known = set(inspect.signature(configure).parameters)
    here = Path.cwd()
    os.chdir(root)  # paths in parameters are relative to it
    try:
        for given in parameters.values():
            if CONFIG in given:
                configure(**{name: value for name, value in given.items() if name in known})
    finally:
        os.chdir(here)


def _run(source: Path, copy: Path, values: Mapping[str, Any], root: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            source,
            copy,
            parameters=dict(values),
            kernel_name="python3",
            cwd=root,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            coalesce_streams=True,
        )
    except PapermillExecutionError as error:
        kind = InputError if error.ename == "InputError" else RunError
        where = f"{source.stem} stopped in cell [{error.exec_count}]"
        raise kind(f"{where} with {_reason(error)}; see {copy.relative_to(root)}.") from None
    except DeadKernelError:
        where = copy.relative_to(root)
        raise RunError(f"{source.stem}: its Python process died, perhaps out of memory; see {where}.") from None


def _reason(error: PapermillExecutionError) -> str:
    """The exception with its message; without a message, the line of the notebook that raised it."""
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    line = re.search(r"^-+> *\d+ (.*)$", traceback, re.MULTILINE)
    message = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error.evalue)).split()).rstrip(".")
    return f"{error.ename}: {message}" if message or not line else f"{error.ename} at `{line[1].strip()}`"


@contextmanager
def _own_kernel() -> Iterator[None]:
    """Makes the kernel `python3` this interpreter, whichever kernels the machine has registered."""
    from ipykernel.kernelspec import get_kernel_dict

    before = os.environ.get("JUPYTER_PATH")
    with tempfile.TemporaryDirectory() as folder:
        kernel = Path(folder, "kernels", "python3")
        kernel.mkdir(parents=True)
        # ERROR suppresses a warning at every start that it communicates over this machine's loopback
        spec = get_kernel_dict()
        spec["argv"] = [sys.executable, *spec["argv"][1:], "--log-level=ERROR"]
        (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        os.environ["JUPYTER_PATH"] = folder if before is None else folder + os.pathsep + before
        try:
            yield
        finally:
            if before is None:
                del os.environ["JUPYTER_PATH"]
            else:
                os.environ["JUPYTER_PATH"] = before
