"""Engines, which compute an exported network: Paddle Inference or ONNX Runtime, behind one call.

An engine takes (B, 3, H, W) float32 and returns float32 probabilities: (B, T, C) of a recogniser, (B, 1, H, W) of a
detector. On a CPU ONNX Runtime reads lines of
many widths three to four times as fast as Paddle Inference, which prepares its kernels anew for each width (figures in
tests/benchmarks/LOG.md; measure your own with `scenetext bench predict`); on a GPU Paddle Inference is faster.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path

import numpy as np

from scenetext.errors import InputError
from scenetext.predict.choices import AUTO, ENGINE_NAMES
from scenetext.predict.line_reader import Engine
from scenetext.predict.model_folder import program_files
from scenetext.predict.onnx_conversion import can_be_onnx, onnx_file
from scenetext.system.process import prepare_process, usable_cores

ONEDNN_CACHED_SHAPES = 64
GPU_POOL_MB = 500  # memory taken at the start; it grows


def open_engine(name: str, folder: str | Path, threads: int | None = None, workers: int | None = None) -> Engine:
    """Opens an exported folder with the engine of that name.

    Args:
        name: "paddle", "onnxruntime", or "auto" for the faster one here.
        folder: the exported folder.
        threads: CPU threads; by default all cores that the process may use.
        workers: batches that are computed at the same time, by an engine that can; by default one for each thread.

    Raises:
        InputError: the name is unknown, or the folder lacks the engine's files.
    """
    if name not in (AUTO, *ENGINES):
        raise InputError(f"The engine {name!r} is unknown; known are {', '.join((AUTO, *ENGINES))}.")
    name = fastest_engine(folder) if name == AUTO else name
    options = {"workers": workers} if ENGINES[name] is OnnxRuntime else {}
    return ENGINES[name](folder, threads or usable_cores(), **options)


def fastest_engine(folder: str | Path) -> str:
    """The faster engine for an exported folder on this machine; Paddle is only asked if the answer depends on it.

    It is "paddle" where Paddle is built for GPUs and finds one, or where the folder's program cannot be converted to
    ONNX because paddle2onnx is not installed. Else it is "onnxruntime".
    """
    if not can_be_onnx(folder):
        return "paddle"
    if not any(name == "paddlepaddle-gpu" for name in metadata.packages_distributions().get("paddle", ())):
        return "onnxruntime"
    import paddle

    return "paddle" if paddle.device.cuda.device_count() > 0 else "onnxruntime"


class PaddleInference:
    """Paddle's own inference library.

    On a CPU with oneDNN, which for these networks is several times faster than Paddle's plain kernels; on a GPU where
    Paddle was built for one and finds one.

    Args:
        folder: the exported folder.
        threads: CPU threads.
        onednn: use oneDNN on a CPU.
        gpu: use a GPU where there is one; False computes on the CPU everywhere.
    """

    workers = 1

    def __init__(self, folder: str | Path, threads: int, onednn: bool = True, gpu: bool = True):
        program, parameters = program_files(folder)
        prepare_process()
        import paddle
        from paddle import inference

        config = inference.Config(str(program), str(parameters))
        config.disable_glog_info()
        if gpu and paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0:
            config.enable_use_gpu(GPU_POOL_MB, paddle.distributed.ParallelEnv().device_id)  # a launcher chooses it
        else:
            config.disable_gpu()
            config.set_cpu_math_library_num_threads(threads)
            if onednn:
                config.enable_mkldnn()
                config.set_mkldnn_cache_capacity(ONEDNN_CACHED_SHAPES)
            else:
                config.disable_mkldnn()  # Paddle 3 turns it on by itself
        if program.suffix == ".pdmodel":
            config.enable_memory_optim()  # the new representation has no such pass and refuses
        try:
            self._predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError, IndexError) as error:  # damaged files; it has no exception of its own
            reason = str(error).strip().splitlines()[-1].strip()
            message = f"Paddle cannot read {program} with {parameters.name}: they are damaged ({reason})."
            raise InputError(message) from None
        self._input = self._predictor.get_input_handle(_first(self._predictor.get_input_names(), program))
        self._output = self._predictor.get_output_handle(_first(self._predictor.get_output_names(), program))
        self._has_run = False

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See Engine."""
        self._input.reshape(batch.shape)
        self._input.copy_from_cpu(np.ascontiguousarray(batch))
        # oneDNN's passes of the new representation print a line per layer on stdout when they first run
        with nullcontext() if self._has_run else _quiet_stdout():
            self._predictor.run()
        self._has_run = True
        return self._output.copy_to_cpu()


class OnnxRuntime:
    """ONNX Runtime on the CPU, on the folder's `inference.onnx` or on a conversion of its Paddle program.

    Every thread computes a batch of its own: on small batches this is faster than many threads on one. With fewer
    workers than threads, several threads compute one batch, such as a large photo.

    Args:
        folder: the exported folder, or an ONNX file.
        threads: CPU threads.
        workers: batches that are computed at the same time; by default one for each thread.
    """

    def __init__(self, folder: str | Path, threads: int, workers: int | None = None):
        path = onnx_file(folder)
        import onnxruntime

        self.workers = workers or threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads // self.workers)
        options.enable_mem_pattern = False  # it would keep a plan of memory for every width
        options.enable_cpu_mem_arena = workers is None  # it would keep the most that a large photo ever needed
        options.log_severity_level = 3  # errors; it warns of every constant that it folds away
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own exceptions share no base but Exception
            raise InputError(f"ONNX Runtime cannot read {path}: {str(error).strip().splitlines()[0]}") from None
        self._input = _first([entry.name for entry in self._session.get_inputs()], path)
        self._output = _first([entry.name for entry in self._session.get_outputs()], path)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See Engine."""
        return self._session.run([self._output], {self._input: batch})[0]


def _first(names: list[str], path: Path) -> str:
    """The first input or output of a network, which a file whose end or begin is missing does not have."""
    if not names:
        raise InputError(f"{path} holds a network without an input or without an output: copy or export it again.")
    return names[0]


def spread_of_one_process(engine: Engine) -> int:
    """The `LineReader.spread` of a process that has all cores of this host for itself."""
    return usable_cores() if isinstance(engine, OnnxRuntime) else engine.workers


ENGINES = dict(zip(ENGINE_NAMES, (PaddleInference, OnnxRuntime), strict=True))


@contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Discards what native code writes to the process's standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
