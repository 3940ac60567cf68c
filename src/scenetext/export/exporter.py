"""From a configuration and its trained weights to a folder for inference that fits a byte budget.

Steps: fold what training alone needs, keep the characters in use, choose how the weights are stored, trace, count the
bytes on disk, check the result in a fresh process, and only then let it take the place of an older one.
1 MB is 1,000,000 bytes; the program and its parameters count, as in the competition's rule.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.config import Config, load_config
from scenetext.data.pipeline import canvas_of
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError, RunError
from scenetext.evaluate.metrics import score
from scenetext.export.budget import STORAGES, Storage, store_within
from scenetext.export.fitting import MEGABYTE, Fitting
from scenetext.export.report import ExportReport, LineDifference
from scenetext.export.sample_lines import drawn_lines, labelled_lines
from scenetext.export.trace import BASE_NAME, PROGRAM_SUFFIX, Tracer
from scenetext.export.verify import TOLERANCE, Verification, take_samples, verify
from scenetext.predict.images import predict_images
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_folder import FILE_NAME, ONNX, InferenceSettings, model_name
from scenetext.predict.model_reader import EagerEngine
from scenetext.predict.onnx_conversion import convert_to_onnx
from scenetext.system.files import replacing_folder, write_json
from scenetext.system.process import prepare_process
from scenetext.text.label_files import read_label_table
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.export.compress import StoredTensor, TensorSize
    from scenetext.models.recognition_model import RecognitionModel

FORMATS = (*PROGRAM_SUFFIX, "onnx")
LISTED_TENSORS = 20  # in the report


def export_model(
    config: str | Path | Mapping[str, Any] | Config,
    weights: str | Path,
    out: str | Path,
    *,
    max_mb: float = 10.0,
    format: str = "json",
    storage: str = "auto",
    characters: Iterable[str] | None = None,
    labels: str | Path | None = None,
    images: str | Path | None = None,
    finetune_steps: int = 0,
    budgets_mb: Sequence[float] = (),
    progress: bool = True,
) -> ExportReport:
    """Writes a folder for inference and, beside it, `<out>.report.json`.

    The folder holds the program (`inference.json`, `inference.pdmodel` with `inference.pdiparams`, or
    `inference.onnx`) and `inference.yml`, nothing else.

    Args:
        config: the configuration that the network was trained with.
        weights: its weights; see `weights.load_weights`.
        out: the folder; an earlier export there is replaced at the end, anything else is refused.
        max_mb: the budget for program and parameters, in units of 1,000,000 bytes.
        format: "json" (Paddle 3's representation), "pdmodel" (the old one) or "onnx".
        storage: "float32", "float16", "uint8" (8 bits per output channel; both for convolutions and linear layers,
            for recurrent layers too if the budget asks for it), "fitted" (every weight in the bits that real lines
            show it to need), or "auto": the first of the four that fits, and between float16 and uint8 a mixture with
            as few 8-bit weights as fit.
        characters: keep only the classes of these (and blank and space); by default all of the dictionary. Those that
            the network does not know are reported.
        labels, images: labelled lines; both networks read them and both accuracies are reported.
        finetune_steps: batches of the training set to train the rounded weights on, where the fitter rounds them.
        budgets_mb: read the labelled lines at these budgets too, in memory, for the curve of accuracy over size.
        progress: show bars and print the report.

    Returns:
        The report.

    Raises:
        InputError: the weights do not fit the network, or the budget cannot be met; nothing is written.
        RunError: the written files compute something else than the network; nothing is written.
    """
    config, out = load_config(config), Path(out)
    _check_arguments(out, max_mb, format, storage, labels, images, finetune_steps, budgets_mb)
    order = _Order(
        out,
        int(max_mb * MEGABYTE),
        format,
        storage,
        None if characters is None else tuple(characters),
        read_label_table(labels).records if labels is not None else [],
        images,
        finetune_steps,
        tuple(budgets_mb),
        progress,
    )
    # on CPU, for a GPU rounds differently, and what the files are checked against must be exact
    with _on_cpu(), Tracer("json" if format == "onnx" else format) as tracer:
        report = _export(config, weights, order, tracer)
    write_json(report_path(out), report.as_dict())
    if progress:
        print(report)
        if finetune_steps and not report.finetune_steps:
            print("No weight was rounded by the fitter, so none was trained.")
    return report


def report_path(out: str | Path) -> Path:
    """Where the report of an export stands: beside the folder, which holds nothing but what inference needs."""
    out = Path(out)
    return out.with_name(f"{out.name}.report.json")


@dataclass(frozen=True, slots=True)
class _Order:
    """The arguments of `export_model`, the budget in bytes and the labels read."""

    out: Path
    budget_bytes: int
    format: str
    storage: str
    characters: tuple[str, ...] | None
    records: list[Record]
    images: str | Path | None
    finetune_steps: int
    budgets_mb: tuple[float, ...]
    progress: bool


def _export(config: Config, weights: str | Path, order: _Order, tracer: Tracer) -> ExportReport:
    config, model, untrained = _load(config, weights)
    from scenetext.export.compress import slice_head, store_weights, tensor_sizes

    canvas = canvas_of(config, model.input_size)
    texts = {"trained": _read(_reader(model, canvas), order)}
    unknown = []
    if order.characters is not None:
        known = set(model.charset.characters)
        unknown = sorted(set(order.characters) - known)
        slice_head(model, known & set(order.characters))
        texts["sliced"] = _read(_reader(model, canvas), order)
    model.fuse()
    plain = tensor_sizes(model, {})

    with replacing_folder(order.out) as made, tempfile.TemporaryDirectory(prefix="scenetext-export-") as scratch:
        InferenceSettings(model_name(config), canvas, model.charset, model.decoding).write(made)

        def write(stored: Mapping[str, StoredTensor]) -> int:
            job = Path(tempfile.mkdtemp(prefix="trace-", dir=scratch))
            files = tracer.trace(model, config, stored, job, canvas)
            return _take_program(files, order.format, job, made)

        fitting = Fitting(model, config, canvas, order.progress)
        storage = store_within(model, order.budget_bytes, order.storage, write, fitting.fitter, str(order.out))
        curve = []
        if order.budgets_mb:
            curve = fitting.curve(order.budgets_mb, storage.program_bytes, order.images, order.records)
        if storage.losses:
            storage = replace(storage, stored=fitting.rounded(storage.stored, order.finetune_steps))
            storage = replace(storage, size_bytes=write(storage.stored))
        plan = _plan(model, storage)
        store_weights(model, storage.stored)
        lines = drawn_lines(canvas.height_px) + labelled_lines(order.images, order.records)
        samples = take_samples(_reader(model, canvas), lines)
        job = Path(scratch) / "verify"
        job.mkdir()
        engine = "onnxruntime" if order.format == "onnx" else "paddle"
        names = [record.name for record in order.records]
        found = verify(made, job, engine, samples, order.images, names, order.progress)
        _refuse_difference(found)
        files = {path.name: path.stat().st_size for path in sorted(made.iterdir())}

    report = ExportReport(
        folder=str(order.out),
        format=order.format,
        storage=storage.name,
        files=files,
        size_bytes=storage.size_bytes,
        max_bytes=order.budget_bytes,
        classes=model.charset.num_classes,
        untrained=[c for c in untrained if c in model.charset.characters],
        unknown=unknown,
        unspellable=sum(bool(model.charset.unknown(record.text)) for record in order.records),
        largest=[asdict(entry) for entry in storage.sizes[:LISTED_TENSORS]],
        bytes_by_part={"float32": _by_part(plain), storage.name: _by_part(storage.sizes)},
        plan=plan,
        calibration=fitting.source,
        finetune_steps=order.finetune_steps if storage.losses else 0,
        max_difference=found.max_difference,
        lines_checked=len(lines),
        steady_share=float(np.concatenate([sample.steady.ravel() for sample in samples]).mean()),
        curve=curve,
    )
    if order.records:
        _compare(report, order.records, {**texts, "exported": found.texts})
    return report


def _plan(model: RecognitionModel, storage: Storage) -> list[dict[str, Any]]:
    """The layers' weights in the network's order, for the report."""
    from scenetext.export.compress import codable_weights

    sizes = {entry.key: entry for entry in storage.sizes}
    return [
        {
            **asdict(sizes[weight.key]),
            "bits": 8 * sizes[weight.key].size_bytes / weight.size,
            "expected_loss": storage.losses.get(weight.key),
        }
        for weight in codable_weights(model)
    ]


@contextmanager
def _on_cpu() -> Iterator[None]:
    """Computes on the CPU within the block, whatever device is chosen outside."""
    prepare_process()
    import paddle

    device = paddle.get_device()
    paddle.set_device("cpu")
    try:
        yield
    finally:
        paddle.set_device(device)


def _by_part(sizes: list[TensorSize]) -> dict[str, int]:
    """Bytes of the network's parts, those of the head by their own names; without what the file format adds."""
    parts: dict[str, int] = {}
    for entry in sizes:
        names = entry.key.split(".")
        part = ".".join(names[:2]) if names[0] == "head" else names[0]
        parts[part] = parts.get(part, 0) + entry.size_bytes
    return parts


def _check_arguments(
    out: Path,
    max_mb: float,
    format: str,
    storage: str,
    labels: Any,
    images: Any,
    finetune_steps: int,
    budgets_mb: Sequence[float],
) -> None:
    if format not in FORMATS:
        raise InputError(f"The format {format!r} is unknown; known are {', '.join(FORMATS)}.")
    if storage not in STORAGES:
        raise InputError(f"The storage {storage!r} is unknown; known are {', '.join(STORAGES)}.")
    if not 0 < max_mb < math.inf:
        raise InputError(f"The budget of {max_mb} MB must be a positive number.")
    if (labels is None) != (images is None):
        raise InputError("Labels and images belong together: give both or neither.")
    if finetune_steps < 0:
        raise InputError(f"The rounded weights cannot be trained for {finetune_steps} steps: give 0 or more.")
    if budgets_mb and labels is None:
        raise InputError("A curve of accuracy over size needs labelled lines: give labels and images.")
    if wrong := [budget for budget in budgets_mb if not 0 < budget < math.inf]:
        raise InputError(f"The budget of {wrong[0]} MB must be a positive number.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder to write.")
    if out.is_dir():
        strange = sorted(p.name for p in out.iterdir() if not p.name.startswith(f"{BASE_NAME}."))
        if strange:
            raise InputError(f"{out} holds {strange[0]}, which no export wrote: give an empty or a new folder.")


def _load(config: Config, weights: str | Path) -> tuple[Config, RecognitionModel, list[str]]:
    """The config of what reads, the trained network in evaluation mode, the characters its weights did not know."""
    from scenetext.models import build_model, reading_config
    from scenetext.weights.loading import load_weights

    config = reading_config(config)
    model = build_model(config)
    model.drop_auxiliary_branch()
    loaded = load_weights(model, weights)
    if loaded.missing:
        raise InputError(
            f"{weights} lacks {len(loaded.missing)} of the network's parameters, the first {loaded.missing[0]}, so the "
            "export would hold untrained numbers: give the weights and the configuration of one training."
        )
    model.eval()
    return config, model, loaded.added


def _take_program(files: list[Path], format: str, job: Path, made: Path) -> int:
    """Moves a traced network to the folder `made`, in place of an earlier try; returns the bytes that count."""
    for path in made.iterdir():
        if path.name != FILE_NAME:
            path.unlink()
    if format == "onnx":
        shutil.copy(made / FILE_NAME, job)
        convert_to_onnx(job, made / ONNX)
        return (made / ONNX).stat().st_size
    for path in files:
        shutil.move(path, made)
    return sum((made / path.name).stat().st_size for path in files)


def _reader(model: RecognitionModel, canvas: Canvas) -> LineReader:
    return LineReader(EagerEngine(model), model.charset, canvas, decoding=model.decoding)


def _read(reader: LineReader, order: _Order) -> list[str]:
    if not order.records:
        return []
    names = [record.name for record in order.records]
    return [p.text for p in predict_images(reader, order.images, names, order.progress)]


def _refuse_difference(found: Verification) -> None:
    for name, difference in found.max_difference.items():
        if not difference <= TOLERANCE:
            raise RunError(
                f"The exported files compute something else than the network: {name} differs by {difference:.1e} of a "
                f"probability where {TOLERANCE:.0e} is allowed, so nothing was written."
            )


def _compare(report: ExportReport, records: list[Record], texts: Mapping[str, list[str]]) -> None:
    """Adds the accuracies and the lines that changed to the report."""
    targets = [record.text for record in records]
    report.accuracy = {name: score(own, targets).as_dict() for name, own in texts.items()}
    report.differences = [
        LineDifference(record.name, record.text, before, after)
        for record, before, after in zip(records, texts["trained"], texts["exported"], strict=True)
        if before != after
    ]
