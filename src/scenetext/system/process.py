"""Threads, instruction sets and heaps of the process, chosen before its work starts.

Paddle's CPU wheel multiplies matrices with an old Intel MKL on one thread. On AMD processors that library falls back to
its slowest code unless told the instruction set; measured on a 2-core AMD EPYC with AVX-512, 7680x192 by 192x384
float32: 38 GFLOP/s as Paddle comes, 72 with two threads, 204 with two threads and the instruction set named.
"""

from __future__ import annotations

import ctypes
import os
import platform
import warnings
from pathlib import Path

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

    glibc gives each of the first threads a heap of its own, and each grows to the most that any thread ever needed at
    once. Other C libraries do not know the setting.
    """
    if platform.libc_ver()[0] == "glibc" and "MALLOC_ARENA_MAX" not in os.environ:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _cpu_description() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(errors="replace") if path.is_file() else ""


def _mkl_kind(description: str) -> str | None:
    """The code path that fits /proc/cpuinfo's text, or None on Intel's own processors and where nothing is known."""
    if "AuthenticAMD" not in description:
        return None
    flags = next((line for line in description.splitlines() if line.startswith("flags")), "").split()
    return next((kind for flag, kind in MKL_KIND.items() if flag in flags), None)


def silence_noise() -> None:
    """Ignores warnings that come every time, whatever the user does."""
    for message in (
        "IProgress not found",  # tqdm falls back to its text bar where Jupyter's widgets are not installed
        "No ccache found",  # Paddle, about compiling what nobody compiles here
        "When training, we now always track",  # Paddle, at every batch normalisation layer
    ):
        warnings.filterwarnings("ignore", message=message)


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
