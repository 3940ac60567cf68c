"""From a configuration and its trained weights to a folder for inference that fits a byte budget.

Steps: fuse the re-parameterisable blocks, keep the characters in use, choose how the weights are stored, trace, count
the bytes on disk, check the result in a fresh process, and only then let it take the place of an older one.
1 MB is 1,000,000 bytes; the program and its parameters count, as in the competition's rule.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scenetext.config import Config, load_config
from scenetext.config.network_name import network_name
from scenetext.errors import RunError
from scenetext.export.budget import Storage, store_within
from scenetext.export.detector import DetectorExport
from scenetext.export.fitting import Fitting
from scenetext.export.folder_writer import FolderWriter
from scenetext.export.network import ExportedNetwork
from scenetext.export.options import ExportOptions
from scenetext.export.recogniser import RecogniserExport
from scenetext.export.report import ExportReport, bytes_by_part, weight_plan
from scenetext.export.trace import Tracer
from scenetext.export.verify import Verification, verify
from scenetext.predict.model_files import checksums
from scenetext.predict.model_folder import REPORT
from scenetext.system.files import replacing_folder, write_json, writing
from scenetext.system.locks import only_writer
from scenetext.system.process import prepare_process

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
    """Writes a folder for inference.

    The folder holds the program (`inference.json`, `inference.pdmodel` with `inference.pdiparams`, or
    `inference.onnx`), `inference.yml`, the report of the export as `report.json`, and the model card `README.md`. Only
    the program and its parameters count for the budget.

    Args:
        config: the configuration that the network was trained with.
        weights: its weights; see `weights.load_weights`.
        out: the folder; an earlier export there is replaced at the end, anything else is refused.
        max_mb: the budget for program and parameters, in units of 1,000,000 bytes.
        format: "json" (Paddle 3's representation), "pdmodel" (the old one) or "onnx".
        storage: "float32", "float16", "uint8" (both for convolutions and linear layers, for recurrent layers too if
            the budget asks for it), "fitted" (the bit allocator: every weight in the bits that real lines show it to
            need), or "auto": the first of the four that fits, with a mixture between float16 and uint8.
        characters: keep only the classes of these (and blank and space); by default all of the dictionary. The report
            lists those that the network does not know.
        labels, images: labelled lines, or photos for a detector; both networks read them and the report has both
            accuracies.
        finetune_steps: batches of the training set to finetune the weights on that the bit allocator quantised.
        budgets_mb: read the labelled pictures at these budgets too, in memory, for the curve of accuracy over size.
        progress: show bars and print the report.

    Returns:
        The report.

    Raises:
        InputError: the weights do not fit the network, or the budget cannot be met; nothing is written.
        RunError: the written files compute something else than the network, another process exports there now, or the
            disk is full or broken; nothing is written.
    """
    config, kept = load_config(config), None if characters is None else tuple(characters)
    options = ExportOptions(
        Path(out), max_mb, format, storage, kept, labels, images, finetune_steps, tuple(budgets_mb), progress
    )
    # on CPU, for a GPU rounds differently, and what the files are checked against must be exact
    traced = "json" if format == "onnx" else format
    with only_writer(options.out), _naming(options.out), _on_cpu(), Tracer(traced) as tracer:
        report = _export(config, weights, options, tracer)
    if progress:
        print(report)
        if finetune_steps and not report.finetune_steps:
            print("The network was not finetuned: the bit allocator quantised no weight.")
    return report


def report_path(out: str | Path) -> Path:
    """The path of an export's report, in its folder."""
    return Path(out) / REPORT


def _export(config: Config, weights: str | Path, options: ExportOptions, tracer: Tracer) -> ExportReport:
    """Loads the network, reads the labelled pictures with it, writes and checks the folder, and fills in the report."""
    from scenetext.export.compress import tensor_sizes

    kind = DetectorExport if config.Architecture.model_type == "det" else RecogniserExport
    network: ExportedNetwork = kind(config, weights, options)
    found = {"trained": network.read()}
    if options.characters is not None:
        network.keep(options.characters)
        found["sliced"] = network.read()
    network.model.fuse()
    float32_sizes = tensor_sizes(network.model, {})
    with replacing_folder(options.out.resolve()) as folder:
        written = _write_folder(folder, network, options, tracer)
        storage, checked = written.storage, written.verification
        found = {**found, "exported": checked.found} if network.names else {}
        report = ExportReport(
            folder=str(options.out),
            network=network_name(network.config.Architecture),
            format=options.format,
            storage=storage.name,
            files=written.files,
            size_bytes=storage.size_bytes,
            max_bytes=options.budget_bytes,
            largest=[asdict(entry) for entry in storage.sizes[:LISTED_TENSORS]],
            bytes_by_part={"float32": bytes_by_part(float32_sizes), storage.name: bytes_by_part(storage.sizes)},
            plan=written.plan,
            calibration=written.calibration,
            finetune_steps=options.finetune_steps if storage.losses else 0,
            max_difference=checked.max_difference,
            lines_checked=checked.lines,
            stable_ratio=checked.stable_ratio,
            curve=written.curve,
            accuracy={stage: network.scores(own) for stage, own in found.items()},
            unit=network.unit,
            **network.details(found),
        )
        write_json(folder / REPORT, report.as_dict())
        network.write_card(folder, report)
    return report


@dataclass(frozen=True, slots=True)
class _WrittenFolder:
    """What writing the folder gives for the report; `files` are their sizes in bytes."""

    storage: Storage
    plan: list[dict[str, Any]]
    calibration: str | None
    curve: list[dict[str, Any]]
    verification: Verification
    files: dict[str, int]


def _write_folder(folder: Path, network: ExportedNetwork, options: ExportOptions, tracer: Tracer) -> _WrittenFolder:
    """Quantises, writes and verifies the program with its parameters and its settings, in an empty folder."""
    from scenetext.export.compress import replace_with_quantised

    model = network.model
    scratch = folder / "scratch"  # on the disk that has to hold the export, and removed with the folder
    scratch.mkdir()
    network.write_settings(folder)
    writer = FolderWriter(network, tracer, options.format, folder, scratch)
    fitting = Fitting(network, options.progress)
    storage = store_within(
        model, options.budget_bytes, options.storage, writer.write, fitting.allocator, str(options.out)
    )
    curve = []
    if options.budgets_mb:
        curve = fitting.curve(options.budgets_mb, storage.program_bytes)
    if storage.losses:  # the bit allocator chose
        quantised = fitting.quantise_sequentially(storage.quantised, options.finetune_steps)
        storage = replace(storage, quantised=quantised, size_bytes=writer.write(quantised))
    plan = weight_plan(model, storage.sizes, storage.losses)
    replace_with_quantised(model, storage.quantised)
    network.write_settings(folder, checksums(folder))
    verification = _verify(network, options, folder, scratch)
    shutil.rmtree(scratch)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return _WrittenFolder(storage, plan, fitting.source, curve, verification, files)


def _verify(network: ExportedNetwork, options: ExportOptions, folder: Path, scratch: Path) -> Verification:
    """Compares the folder, opened in a fresh process, with the quantised network in memory.

    Raises:
        RunError: they compute different probabilities.
    """
    samples = network.samples()
    job = scratch / "verify"
    job.mkdir()
    engine = "onnxruntime" if options.format == "onnx" else "paddle"
    verification = verify(folder, job, engine, samples, options.images, network.names, options.progress)
    for name, difference in verification.max_difference.items():
        if not difference <= network.tolerance:
            raise RunError(
                f"The exported files compute something else than the network: {name} differs by {difference:.1e} of a "
                f"probability where {network.tolerance:.0e} is allowed, so nothing was written."
            )
    return verification


@contextmanager
def _naming(out: Path) -> Iterator[None]:
    """Lets every failure name the folder to write, also those of helper processes, which know hidden names only."""
    try:
        with writing(out):
            yield
    except OSError as error:  # of a helper's file, such as one in the folder for temporary files
        raise RunError(
            f"{out} could not be exported, because {error.filename} could not be written or read "
            f"({error.strerror or error}): make room there, or check that disk."
        ) from error
    except RunError as error:
        if str(out) in str(error):
            raise
        raise RunError(f"{out} could not be exported: {error}") from error


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
