"""Checks an exported folder in a fresh process: `python -m scenetext.export.verify JOB`.

Nothing that the exporting process holds in memory may help: the fresh process knows the folder alone. It computes given
batches, compares the probabilities with the expected ones, and reads given images as any user would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.sources.images import open_images
from scenetext.predict.detector_folder import is_detector
from scenetext.predict.engines import OnnxRuntime, PaddleInference
from scenetext.predict.images import predict_images
from scenetext.predict.line_reader import Engine, LineReader
from scenetext.predict.recognizer import Recognizer
from scenetext.predict.text_detector import find_on, open_detector
from scenetext.system.process import usable_cores
from scenetext.system.subprocesses import run_module

TOLERANCE = 1e-4  # of a probability
PERTURBATION = 1e-5  # of a pixel in [-1, 1]: about the rounding errors that a few layers add up to
STABLE = TOLERANCE / 10  # of a probability
LINES_READ = "lines read: "  # how the process tells its progress


@dataclass(frozen=True, slots=True)
class Sample:
    """A batch and the probabilities that the network in memory computes on it.

    Libraries add in different orders, so their results differ in the last bits. At time steps where the network is
    undecided between two characters, or pixels where a detector is undecided, that difference grows beyond the
    tolerance. Such steps say nothing about the exported files, and the comparison leaves them out.

    Attributes:
        batch: (B, 3, H, W) float32.
        probabilities: (B, T, C) float32, of a detector (B, 1, H, W).
        stable: (B, T) or (B, 1, H, W) bool; a change of the pixels by PERTURBATION changes no probability of the step
            by more than STABLE.
    """

    batch: np.ndarray
    probabilities: np.ndarray
    stable: np.ndarray


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of the check in a fresh process.

    Attributes:
        max_difference: for each engine, the largest difference of a probability from the expected one.
        found: what was found on the given images, in their order: the text, or a detector's outlines (N, 2) of boxes.
        lines: how many lines, or photos, the difference was taken over.
        stable_ratio: the ratio of their time steps, or pixels, that are stable and were compared.
    """

    max_difference: dict[str, float]
    found: list[Any]
    lines: int
    stable_ratio: float


class SamplingEngine:
    """Passes batches on to another engine and keeps a sample of each."""

    workers = 1

    def __init__(self, engine: Engine):
        self.engine = engine
        self.samples: list[Sample] = []

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See engines.Engine."""
        probabilities = self.engine.run(batch)
        perturbation = np.random.default_rng(0).uniform(-PERTURBATION, PERTURBATION, batch.shape).astype(np.float32)
        change = _by_step(np.abs(self.engine.run(batch + perturbation) - probabilities))
        self.samples.append(Sample(batch, probabilities, change <= STABLE))
        return probabilities


def take_samples(reader: LineReader, lines: Sequence[np.ndarray]) -> list[Sample]:
    """The batches that a reader makes of lines, and the probabilities that its engine computes on them."""
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
        images, names: the pictures to read, and their names.
        progress: show a bar.

    Raises:
        RunError: the process failed.
    """
    arrays = {f"{i}/{name}": getattr(sample, name) for i, sample in enumerate(samples) for name in Sample.__slots__}
    np.savez(job / "samples.npz", **arrays)
    description = {
        "folder": str(folder),
        "engine": engine,
        "samples": len(samples),
        "images": None if images is None else str(images),
        "names": list(names),
    }
    (job / "job.json").write_text(json.dumps(description), encoding="utf-8")
    with tqdm(total=len(names), unit="picture", desc="read as exported", disable=not (progress and names)) as bar:

        def show(line: str) -> None:
            if line.startswith(LINES_READ):
                bar.update(int(line.removeprefix(LINES_READ)))

        run_module("scenetext.export.verify", [str(job)], on_line=show)
    found = json.loads((job / "found.json").read_text(encoding="utf-8"))
    stable_ratio = float(np.concatenate([sample.stable.ravel() for sample in samples]).mean())
    return Verification(found["max_difference"], found["found"], sum(len(s.batch) for s in samples), stable_ratio)


def main(arguments: list[str]) -> None:
    """What the fresh process does."""
    (job,) = map(Path, arguments)
    description = json.loads((job / "job.json").read_text(encoding="utf-8"))
    folder, threads = description["folder"], usable_cores()
    if description["engine"] == "paddle":
        engines = {
            "Paddle Inference": lambda: PaddleInference(folder, threads, onednn=False, gpu=False),
            "Paddle Inference with oneDNN": lambda: PaddleInference(folder, threads, gpu=False),
        }
    else:
        engines = {"ONNX Runtime": lambda: OnnxRuntime(folder, threads)}
    with np.load(job / "samples.npz") as file:
        arrays = dict(file)
    samples = [Sample(*(arrays[f"{i}/{name}"] for name in Sample.__slots__)) for i in range(description["samples"])]
    differences = {}
    for name, open_engine in engines.items():
        engine = open_engine()
        differences[name] = max(_difference(engine, sample) for sample in samples)
    found = []
    if description["names"]:
        find = _find_boxes if is_detector(folder) else _read_texts
        found = find(folder, description["engine"], description["images"], description["names"])
    found = {"max_difference": differences, "found": found}
    (job / "found.json").write_text(json.dumps(found), encoding="utf-8")


def _read_texts(folder: str, engine: str, images: str, names: Sequence[str]) -> list[str]:
    """The texts that a recogniser's folder reads."""
    predictions = predict_images(Recognizer(folder, engine), images, names, progress=False, on_lines=_tell)
    return [prediction.text for prediction in predictions]


def _find_boxes(folder: str, engine: str, images: str, names: Sequence[str]) -> list[list[Any]]:
    """The outlines that a detector's folder finds on each photo."""
    detect, source, found = open_detector(folder, engine), open_images(images), []
    for name in names:
        boxes, _ = find_on(detect, source, name)  # a photo that cannot be read was named when the network read it
        found.append([box.points.tolist() for box in boxes])
        _tell(1)
    return found


def _by_step(difference: np.ndarray) -> np.ndarray:
    """The largest of each time step's classes, (B, T, C) → (B, T); a detector's pixels stay as they are."""
    return difference.max(axis=2) if difference.ndim == 3 else difference


def _tell(lines: int) -> None:
    print(f"{LINES_READ}{lines}", flush=True)


def _difference(engine: Engine, sample: Sample) -> float:
    """The largest difference of a probability at a stable step; infinite where the shapes differ."""
    got = engine.run(sample.batch)
    if got.shape != sample.probabilities.shape or not np.isfinite(got).all():
        return float("inf")
    difference = _by_step(np.abs(got - sample.probabilities))
    return float(difference[sample.stable].max(initial=0.0))


if __name__ == "__main__":
    main(sys.argv[1:])
