"""Checks an exported folder in a fresh process: `python -m scenetext.export.verify JOB`.

What the training process still holds in memory must not help: the process knows the folder alone. It computes given
canvases, compares the probabilities with those expected, and reads given images as any user would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from scenetext.predict.engines import OnnxRuntime, PaddleInference
from scenetext.predict.images import predict_images
from scenetext.predict.line_reader import Engine, LineReader
from scenetext.predict.recognizer import Recognizer
from scenetext.system.process import usable_cores
from scenetext.system.subprocesses import run_module

TOLERANCE = 1e-4  # of a probability
PERTURBATION = 1e-5  # of a pixel in [-1, 1]: about the rounding errors that a few layers add up to
STEADY = TOLERANCE / 10
LINES_READ = "lines read: "  # how the process tells its progress


@dataclass(frozen=True, slots=True)
class Sample:
    """A batch and what the network in memory computes on it.

    Libraries add in different orders, so their results differ in the last bits. Where the network wavers between two
    characters, that grows to more than the tolerance; such steps say nothing about the exported files and are left out.

    Attributes:
        batch: (B, 3, H, W) float32.
        probabilities: (B, T, C) float32.
        steady: (B, T) bool; a change of the pixels by PERTURBATION moves no probability of the step by more than STEADY.
    """

    batch: np.ndarray
    probabilities: np.ndarray
    steady: np.ndarray


@dataclass(frozen=True, slots=True)
class Verification:
    """What a fresh process found.

    Attributes:
        max_difference: per way of computing, the largest difference of a probability from the expected one.
        texts: what was read on the given images, in their order.
    """

    max_difference: dict[str, float]
    texts: list[str]


class SamplingEngine:
    """Passes batches on to an engine and keeps a sample of each."""

    workers = 1

    def __init__(self, engine: Engine):
        self.engine = engine
        self.samples: list[Sample] = []

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See engines.Engine."""
        probabilities = self.engine.run(batch)
        perturbation = np.random.default_rng(0).uniform(-PERTURBATION, PERTURBATION, batch.shape).astype(np.float32)
        moved = np.abs(self.engine.run(batch + perturbation) - probabilities).max(axis=2)  # (B, T)
        self.samples.append(Sample(batch, probabilities, moved <= STEADY))
        return probabilities


def take_samples(reader: LineReader, lines: Sequence[np.ndarray]) -> list[Sample]:
    """The batches that a reader makes of lines, and what its engine computes on them."""
    sampling = SamplingEngine(reader.engine)
    LineReader(sampling, reader.charset, reader.canvas, reader.batch_size, reader.decoding)(lines)
    return sampling.samples


def verify(
    folder: Path,
    job: Path,
    engine: str,
    samples: Sequence[Sample],
    images: str | Path | None = None,
    names: Sequence[str] = (),
    progress: bool = True,
) -> Verification:
    """Runs the check.

    Args:
        folder: the exported folder.
        job: an empty folder to work in.
        engine: "paddle", which is tried with and without oneDNN, or "onnxruntime".
        samples: what the network in memory computes.
        images, names: what to read.
        progress: show a bar.

    Raises:
        RunError: the process failed.
    """
    arrays = {f"{i}/{name}": getattr(sample, name) for i, sample in enumerate(samples) for name in Sample.__slots__}
    np.savez(job / "samples.npz", **arrays)
    order = {
        "folder": str(folder),
        "engine": engine,
        "samples": len(samples),
        "images": None if images is None else str(images),
        "names": list(names),
    }
    (job / "job.json").write_text(json.dumps(order), encoding="utf-8")
    with tqdm(total=len(names), unit="line", desc="read as exported", disable=not (progress and names)) as bar:

        def show(line: str) -> None:
            if line.startswith(LINES_READ):
                bar.update(int(line.removeprefix(LINES_READ)))

        run_module("scenetext.export.verify", [str(job)], on_line=show)
    found = json.loads((job / "found.json").read_text(encoding="utf-8"))
    return Verification(found["max_difference"], found["texts"])


def main(arguments: list[str]) -> None:
    """The process's own part."""
    (job,) = map(Path, arguments)
    order = json.loads((job / "job.json").read_text(encoding="utf-8"))
    folder, threads = order["folder"], usable_cores()
    if order["engine"] == "paddle":
        ways = {
            "Paddle Inference": lambda: PaddleInference(folder, threads, onednn=False, gpu=False),
            "Paddle Inference with oneDNN": lambda: PaddleInference(folder, threads, gpu=False),
        }
    else:
        ways = {"ONNX Runtime": lambda: OnnxRuntime(folder, threads)}
    with np.load(job / "samples.npz") as file:
        arrays = dict(file)
    samples = [Sample(*(arrays[f"{i}/{name}"] for name in Sample.__slots__)) for i in range(order["samples"])]
    differences = {}
    for name, open_way in ways.items():
        engine = open_way()
        differences[name] = max(_difference(engine, sample) for sample in samples)
    texts = []
    if order["names"]:
        reader = Recognizer(folder, order["engine"])
        read = predict_images(reader, order["images"], order["names"], progress=False, on_lines=_tell)
        texts = [prediction.text for prediction in read]
    found = {"max_difference": differences, "texts": texts}
    (job / "found.json").write_text(json.dumps(found), encoding="utf-8")


def _tell(lines: int) -> None:
    print(f"{LINES_READ}{lines}", flush=True)


def _difference(engine: Engine, sample: Sample) -> float:
    """The largest difference of a probability at a steady step; infinite where the shapes differ."""
    got = engine.run(sample.batch)
    if got.shape != sample.probabilities.shape or not np.isfinite(got).all():
        return float("inf")
    difference = np.abs(got - sample.probabilities).max(axis=2)  # (B, T)
    return float(difference[sample.steady].max(initial=0.0))


if __name__ == "__main__":
    main(sys.argv[1:])
