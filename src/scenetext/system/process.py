"""Threads, instruction sets, heaps and warnings of the process, set before its work starts.

Paddle's CPU wheel multiplies matrices with an old Intel MKL on one thread. On AMD processors that library falls back to
its slowest code unless told the instruction set; measured on a 2-core AMD EPYC with AVX-512, 7680x192 by 192x384
float32: 38 GFLOP/s with Paddle's defaults, 72 with two threads, 204 with two threads and the instruction set named.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.machinery
import io
import os
import platform
import sys
import types
import warnings
from collections.abc import Sequence
from pathlib import Path

_RUN_ALL_S = 1.0  # within which JupyterLab has sent all cells of "Run All"
_M_ARENA_MAX = -8  # glibc's malloc.h
MKL_KIND = {"avx512f": "9", "avx2": "5"}  # values of MKL_DEBUG_CPU_TYPE


def prepare_process() -> None:
    """Sets the thread count and, on AMD, MKL's code path in the environment, unless the user has set them.

    Must run before Paddle is imported; later calls change nothing in a running Paddle.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    kind = _mkl_kind(_cpu_description())
    if kind is not None:
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", kind)


def share_one_heap() -> None:
    """Lets all threads that start from now on share one heap, unless the user has set MALLOC_ARENA_MAX.

    glibc gives each of the first threads a heap of its own, and each heap grows to the most that a thread needed at
    once. Other C libraries do not have the setting.
    """
    if platform.libc_ver()[0] == "glibc" and "MALLOC_ARENA_MAX" not in os.environ:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def let_an_error_end_run_all() -> None:
    """In a Jupyter kernel, lets an error cancel all further cells of "Run All", also those that arrive a moment later.

    Without it, a cell that JupyterLab sends after a quick error runs, and fails for want of what was not computed.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        kernel.stop_on_error_timeout = _RUN_ALL_S


def _cpu_description() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(errors="replace") if path.is_file() else ""


def _mkl_kind(description: str) -> str | None:
    """The code path for a processor, from /proc/cpuinfo's text; None on Intel's own and on unknown processors."""
    if "AuthenticAMD" not in description:
        return None
    flags = next((line for line in description.splitlines() if line.startswith("flags")), "").split()
    return next((kind for flag, kind in MKL_KIND.items() if flag in flags), None)


def silence_noise() -> None:
    """Suppresses messages that appear in every run and that a user can do nothing about.

    This package's own warnings are shown as sentences, without a line of code. Must run before Paddle and OpenCV are
    imported.
    """
    warnings.formatwarning = _sentence
    # OpenCV reads it when it is loaded. Pictures that it cannot decode are named in reports, with their files.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    if not any(isinstance(finder, _PaddleWithoutThreadsMessage) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PaddleWithoutThreadsMessage())
    for message in (
        "IProgress not found",  # tqdm falls back to its text bar where Jupyter's widgets are not installed
        "No ccache found",  # Paddle, about compiling extensions, which this project has none of
        "When training, we now always track",  # Paddle, at every batch normalisation layer
        r"Glyph \d+ ",  # matplotlib, about characters of labels that no font here has: they are drawn as boxes
    ):
        warnings.filterwarnings("ignore", message=message)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about broken pictures, which our errors name with their files


_formatted_with_code = warnings.formatwarning


def _sentence(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of this package for a user, and any other one as Python shows it."""
    own = category is UserWarning and Path(filename).is_relative_to(Path(__file__).parents[1])
    return f"note: {message}\n" if own else _formatted_with_code(message, category, filename, lineno, line)


class _PaddleWithoutThreadsMessage:
    """Imports `paddle.base` without its message on OMP_NUM_THREADS; all else that it writes to stderr is passed on.

    Paddle prints the message at every import with more than one thread, and has no setting for it. It is about builds
    with OpenBLAS, which Paddle's wheels are not.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "paddle.base":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            written = io.StringIO()
            try:
                with contextlib.redirect_stderr(written):
                    execute(module)
            finally:
                sys.stderr.writelines(
                    line for line in written.getvalue().splitlines(keepends=True) if "OMP_NUM_THREADS" not in line
                )

        spec.loader.exec_module = exec_module
        return spec


def usable_cores() -> int:
    """How many cores this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS and Windows
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
