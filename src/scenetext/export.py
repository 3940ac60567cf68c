"""From a configuration and its trained weights to a folder for inference that fits a byte budget.

Steps: fold what training alone needs, keep the characters in use, choose how the weights are stored, trace, count the
bytes on disk, check the result in a fresh process, and only then let it take the place of an older one.
1 MB is 1,000,000 bytes; the program and its parameters count, as in the competition's rule.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenetext.config import load_config
from scenetext.cpu import prepare_process
from scenetext.data.images import open_images
from scenetext.data.pipeline import canvas_of
from scenetext.data.transforms import Canvas, decode_image
from scenetext.errors import InputError, RunError
from scenetext.export_report import ExportReport, LineDifference, size_text
from scenetext.files import replacing_folder, write_json
from scenetext.inference_yml import FILE_NAME, ONNX, InferenceSettings, model_name
from scenetext.labels import Record, read_label_table
from scenetext.line_reader import LineReader
from scenetext.metrics import score
from scenetext.onnx_export import convert_to_onnx
from scenetext.predict import predict_images
from scenetext.reader import EagerEngine
from scenetext.trace import BASE_NAME, PROGRAM_SUFFIX, trace
from scenetext.verify import TOLERANCE, Verification, take_samples, verify

if TYPE_CHECKING:
    from scenetext.compress import CodableWeight, StoredTensor, TensorSize
    from scenetext.models.recogniser import Recogniser

FORMATS = (*PROGRAM_SUFFIX, "onnx")
STORAGES = ("auto", "float32", "float16", "uint8")
LISTED_TENSORS = 20  # in the report
NAMED_TENSORS = 10  # in the refusal
REAL_LINES_CHECKED = 16
DRAWN_WIDTHS_PX = (24, 90, 166, 331, 331, 427, 669, 1200)
MEGABYTE = 1_000_000
PROGRAM_ALLOWANCE = 400_000  # bytes; the programs of the networks here take 150 to 370 kB


def export_model(
    config: str | Path | Mapping[str, Any],
    weights: str | Path,
    out: str | Path,
    *,
    max_mb: float = 10.0,
    format: str = "json",
    storage: str = "auto",
    characters: Iterable[str] | None = None,
    labels: str | Path | None = None,
    images: str | Path | None = None,
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
            for recurrent layers too if the budget asks for it), or "auto": the first of the three that fits, and
            between float16 and uint8 a mixture with as few 8-bit weights as fit.
        characters: keep only the classes of these (and blank and space); by default all of the dictionary.
        labels, images: labelled lines; both networks read them and both accuracies are reported.
        progress: show bars and print the report.

    Returns:
        The report.

    Raises:
        InputError: the weights do not fit the network, or the budget cannot be met; nothing is written.
        RunError: the written files compute something else than the network; nothing is written.
    """
    config, out = load_config(config), Path(out)
    _check_arguments(out, max_mb, format, storage, labels, images)
    budget = int(max_mb * MEGABYTE)
    records = read_label_table(labels).records if labels is not None else []
    with _on_cpu():  # a GPU rounds differently, and what the files are checked against must be exact
        report = _export(config, weights, out, budget, format, storage, characters, records, images, progress)
    write_json(report_path(out), report.as_dict())
    if progress:
        print(report)
    return report


def report_path(out: str | Path) -> Path:
    """Where the report of an export stands: beside the folder, which holds nothing but what inference needs."""
    out = Path(out)
    return out.with_name(f"{out.name}.report.json")


def _export(
    config: dict[str, Any],
    weights: str | Path,
    out: Path,
    budget: int,
    format: str,
    storage: str,
    characters: Iterable[str] | None,
    records: list[Record],
    images: str | Path | None,
    progress: bool,
) -> ExportReport:
    config, model, untrained = _load(config, weights)
    from scenetext.compress import parameter_bytes, slice_head, store_weights, tensor_sizes

    canvas = canvas_of(config, model.input_size)
    trained_texts = _read(_reader(model, canvas), images, records, progress)
    if characters is not None:
        slice_head(model, characters)
    model.fuse()
    plain = tensor_sizes(model, {})

    with replacing_folder(out) as made, tempfile.TemporaryDirectory(prefix="scenetext-export-") as scratch:
        InferenceSettings(model_name(config), canvas, model.charset, model.decoding).write(made)
        smallest = None
        plans = _plans(storage, model, budget)
        for number, (name, chosen) in enumerate(plans):
            stored = chosen()
            sizes = tensor_sizes(model, stored)
            if parameter_bytes(sizes) > budget and number + 1 < len(plans):
                continue
            job = Path(scratch) / f"trace{number}"
            job.mkdir()
            size = _write_program(model, config, stored, job, format, canvas, made)
            smallest = size if smallest is None else min(size, smallest)
            if size <= budget:
                break
        else:
            raise InputError(_too_large(out, storage, budget, smallest, sizes))
        store_weights(model, stored)
        lines = _drawn_lines(canvas.height_px) + _real_lines(images, records)
        samples = take_samples(_reader(model, canvas), lines)
        job = Path(scratch) / "verify"
        job.mkdir()
        engine = "onnxruntime" if format == "onnx" else "paddle"
        found = verify(made, job, engine, samples, images, [record.name for record in records], progress)
        _refuse_difference(found)
        files = {path.name: path.stat().st_size for path in sorted(made.iterdir())}

    report = ExportReport(
        folder=str(out),
        format=format,
        storage=name,
        files=files,
        size_bytes=size,
        max_bytes=budget,
        classes=model.charset.num_classes,
        untrained=[c for c in untrained if c in model.charset.characters],
        largest=[asdict(entry) for entry in sizes[:LISTED_TENSORS]],
        bytes_by_part={"float32": _by_part(plain), name: _by_part(sizes)},
        max_difference=found.max_difference,
        lines_checked=len(lines),
        steady_share=float(np.concatenate([sample.steady.ravel() for sample in samples]).mean()),
    )
    if records:
        _compare(report, records, trained_texts, found.texts)
    return report


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


def _check_arguments(out: Path, max_mb: float, format: str, storage: str, labels: Any, images: Any) -> None:
    if format not in FORMATS:
        raise InputError(f"The format {format!r} is unknown; known are {', '.join(FORMATS)}.")
    if storage not in STORAGES:
        raise InputError(f"The storage {storage!r} is unknown; known are {', '.join(STORAGES)}.")
    if not 0 < max_mb < math.inf:
        raise InputError(f"The budget of {max_mb} MB must be a positive number.")
    if (labels is None) != (images is None):
        raise InputError("Labels and images belong together: give both or neither.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder to write.")
    if out.is_dir():
        strange = sorted(p.name for p in out.iterdir() if not p.name.startswith(f"{BASE_NAME}."))
        if strange:
            raise InputError(f"{out} holds {strange[0]}, which no export wrote: give an empty or a new folder.")


def _load(config: dict[str, Any], weights: str | Path) -> tuple[dict[str, Any], Recogniser, list[str]]:
    """The config of what reads, the trained network in evaluation mode, the characters its weights did not know."""
    from scenetext.models import build_model, reading_config
    from scenetext.weights import load_weights

    config = reading_config(config)
    model = build_model(config)
    loaded = load_weights(model, weights)
    if loaded.missing:
        raise InputError(
            f"{weights} lacks {len(loaded.missing)} of the network's parameters, the first {loaded.missing[0]}, so the "
            "export would hold untrained numbers: give the weights and the configuration of one training."
        )
    model.eval()
    return config, model, loaded.added


def _plans(storage: str, model: Recogniser, budget: int) -> list[tuple[str, Callable[[], dict[str, StoredTensor]]]]:
    """The ways of storing to try, the dearest first."""
    from scenetext.compress import LEAST_NUMBERS, codable_weights, encode_weights, encode_within

    def coded(kind: str, recurrent: bool) -> Callable[[], dict[str, StoredTensor]]:
        def coding(weight: CodableWeight) -> str | None:
            wanted = weight.size >= LEAST_NUMBERS and (recurrent or not weight.recurrent)
            return kind if wanted else None

        return lambda: encode_weights(model, coding)

    has_recurrent = any(weight.recurrent for weight in codable_weights(model))
    plans: list = []
    if storage in ("float32", "auto"):
        plans.append(("float32", dict))
    for kind in ("float16", "uint8"):
        if kind == "uint8" and storage == "auto":
            plans.append(("float16 and uint8", lambda: encode_within(model, budget - PROGRAM_ALLOWANCE)))
        if storage in (kind, "auto"):
            plans.append((kind, coded(kind, recurrent=False)))
            if has_recurrent:
                plans.append((f"{kind}, recurrent layers too", coded(kind, recurrent=True)))
    return plans


def _write_program(
    model: Recogniser,
    config: Mapping[str, Any],
    stored: Mapping[str, StoredTensor],
    job: Path,
    format: str,
    canvas: Canvas,
    made: Path,
) -> int:
    """Traces the network into the folder `made`, in place of an earlier try; returns the bytes that count."""
    for path in made.iterdir():
        if path.name != FILE_NAME:
            path.unlink()
    files = trace(model, config, stored, job, "json" if format == "onnx" else format, canvas)
    if format == "onnx":
        shutil.copy(made / FILE_NAME, job)
        convert_to_onnx(job, made / ONNX)
        return (made / ONNX).stat().st_size
    for path in files:
        shutil.move(path, made)
    return sum((made / path.name).stat().st_size for path in files)


def _too_large(out: Path, storage: str, budget: int, smallest: int, sizes: list) -> str:
    listed = "; ".join(
        f"{entry.key} {entry.shape} {entry.coding} {size_text(entry.size_bytes)}" for entry in sizes[:NAMED_TENSORS]
    )
    way_out = "" if storage in ("auto", "uint8") else "allow 8-bit storage or "
    return (
        f"{out} cannot be written within {size_text(budget)}: the smallest that this export reaches is "
        f"{size_text(smallest)}; {way_out}raise --max-mb, use a smaller dictionary or a smaller network. "
        f"Largest tensors: {listed}."
    )


def _reader(model: Recogniser, canvas: Canvas) -> LineReader:
    return LineReader(EagerEngine(model), model.charset, canvas, decoding=model.decoding)


def _read(reader: LineReader, images: str | Path | None, records: list[Record], progress: bool) -> list[str]:
    if not records:
        return []
    return [p.text for p in predict_images(reader, images, [record.name for record in records], progress)]


def _drawn_lines(height_px: int) -> list[np.ndarray]:
    """Lines of letters and digits for the check: they need no file, and are the same everywhere."""
    import cv2

    lines = []
    for number, width_px in enumerate(DRAWN_WIDTHS_PX):
        shade = np.linspace(40 + 20 * number, 200, width_px)[None, :, None]
        line = np.broadcast_to(shade, (height_px, width_px, 3)).astype(np.uint8).copy()
        text = f"{number}scene text 0123456789 {width_px} ABCDEFGH"
        cv2.putText(line, text, (4, height_px * 3 // 4), cv2.FONT_HERSHEY_SIMPLEX, height_px / 40, (0, 60, 255), 2)
        lines.append(line)
    return lines


def _real_lines(images: str | Path | None, records: list[Record]) -> list[np.ndarray]:
    if not records:
        return []
    source = open_images(images)

    def readable() -> Iterator[np.ndarray]:
        for record in records[:REAL_LINES_CHECKED]:
            try:
                yield decode_image(source.read(record.name), source.place(record.name))
            except InputError:  # reading it gives an empty text, here as there
                continue

    return list(readable())


def _refuse_difference(found: Verification) -> None:
    for name, difference in found.max_difference.items():
        if not difference <= TOLERANCE:
            raise RunError(
                f"The exported files compute something else than the network: {name} differs by {difference:.1e} of a "
                f"probability where {TOLERANCE:.0e} is allowed, so nothing was written."
            )


def _compare(report: ExportReport, records: list[Record], trained: list[str], exported: list[str]) -> None:
    """Adds both accuracies and the lines that changed to the report."""
    targets = [record.text for record in records]
    for name, texts in (("trained", trained), ("exported", exported)):
        report.accuracy[name] = score(texts, targets).as_dict()
    report.differences = [
        LineDifference(record.name, record.text, before, after)
        for record, before, after in zip(records, trained, exported, strict=True)
        if before != after
    ]
