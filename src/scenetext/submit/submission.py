"""From an exported folder and the test images to a submission that the competition's server accepts.

The format: UTF-8 without a byte order mark, LF, the header `new_name<TAB>value`, one row per test image with its bare
file name, in natural order of the names. What was written is read back and compared with the test set before it takes
the place of an older file.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, Any

from scenetext.config import Config, load_config
from scenetext.data.sources.images import open_images
from scenetext.errors import InputError
from scenetext.predict.decoding_settings import GREEDY, Decoding
from scenetext.predict.images import (
    Prediction,
    PredictionSummary,
    predict_images,
    warn_of_escaped,
    warn_of_passed_over,
    warn_of_unreadable,
)
from scenetext.predict.model_folder import ONNX, PARAMETERS, PROGRAMS, model_bytes, network_of
from scenetext.predict.recognizer import Recognizer
from scenetext.runs.manifest import environment
from scenetext.submit.score_table import add_submission_row
from scenetext.system.file_names import shown_name, shown_path
from scenetext.system.files import (
    MEGABYTE,
    json_text,
    may_be_replaced,
    read_json,
    replacing,
    replacing_folder,
    sha256_bytes,
    sha256_file,
    write_json,
)
from scenetext.system.locks import only_writer
from scenetext.text.natural_order import natural_key, natural_order

HEADER = "new_name\tvalue"
PREDICTIONS = "predicts.txt"
MANIFEST = "manifest.json"
LEADERBOARD = "leaderboard"  # of the manifest: the score that the user entered
NAMES_SHOWN = 5


def submit(
    model_dir: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    run_manifest: str | Path | None = None,
    scores: Mapping[str, Any] | str | Path | None = None,
    max_mb: float | None = 10.0,
    engine: str = "paddle",
    batch_size: int = 16,
    turned: float | None = None,
    decoding: Decoding = GREEDY,
    add_row: bool = True,
    observe: Callable[[Prediction], None] | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Reads the test images and writes `predicts.txt` and `manifest.json`.

    An image that has no text or cannot be read keeps its row with an empty value. If `out` lies in a folder named
    submissions, the table in the README.md there gets a row, which replaces an earlier one of this name.

    Args:
        model_dir: the exported folder.
        images: the test set: a folder, zip or LMDB.
        out: the submission's folder; other files in it stay.
        config: the configuration of the run, for the manifest.
        run_manifest: the run's manifest.json, for the manifest.
        scores: scores of this model on validation lines (the content or path of scores.json), for the manifest.
        max_mb: refuse a model larger than this, in units of 1,000,000 bytes; None allows any.
        engine, batch_size, turned: see Recognizer.
        decoding: see `load_decoding`.
        add_row: write the table's row.
        observe: called with each prediction, in the order of the rows; they hold what the two files do not: how sure
            the network is.
        progress: show a bar and print a summary.

    Returns:
        The manifest.

    Raises:
        InputError: the model is too large, there are no images or two of one name, or a text cannot be written.
        RunError: another process writes this submission now, or the disk is full or broken.
    """
    model_dir, out = Path(model_dir), Path(out)
    _check_out(out)
    _refuse_too_large(model_dir, model_bytes(model_dir), max_mb)
    origin = _origin(config, run_manifest, scores)  # first, because reading the pictures may take an hour
    place = out.resolve()
    with only_writer(place):
        reader = Recognizer(model_dir, engine, batch_size, turned=turned, **decoding.reader_options)
        _refuse_too_large(model_dir, _counted_bytes(reader), max_mb)
        rows = _read_rows(reader, images, progress)
        if observe is not None:
            for _, prediction in rows:
                observe(prediction)
        model = {**_model_facts(model_dir, reader, engine), "turned": turned, "decoding": decoding.facts}
        facts = {"images": _image_facts(images, rows), "model": model, **origin}
        former = _former(place)
        summary = _write_folder(place, rows, facts, former)
        manifest = read_submission(place)
        if add_row and place.parent.name == "submissions":
            add_submission_row(place.parent / "README.md", manifest)
    warn_of_unreadable(summary)
    if LEADERBOARD in former and LEADERBOARD not in manifest:
        print(
            f"{shown_path(out)}: the leaderboard's score {former[LEADERBOARD]:.10g} was that of other predictions and "
            "is no longer in the table",
            file=sys.stderr,
        )
    if progress:
        counts = f"{summary.lines} rows, {summary.empty} of them empty, valid"
        print(f"{out / PREDICTIONS}: {counts}; the model takes {model['size_bytes']:,} bytes")
    return manifest


def read_submission(folder: str | Path) -> dict[str, Any]:
    """The manifest of a submission.

    Raises:
        InputError: a file is missing, or the manifest and the predictions are of two submissions.
    """
    predictions, path = Path(folder) / PREDICTIONS, Path(folder) / MANIFEST
    manifest = read_json(path)
    if not predictions.is_file():
        raise InputError(f"{shown_path(predictions)} does not exist: write the submission again.")
    if not isinstance(manifest, dict) or manifest.get("predictions_sha256") != sha256_file(predictions):
        raise InputError(
            f"{shown_path(path)} does not describe the {PREDICTIONS} beside it, whose SHA-256 is another one: write "
            "the submission again."
        )
    return manifest


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{shown_path(out)} is a file; give the name of a folder to write.")


def _origin(
    config: str | Path | Mapping[str, Any] | Config | None,
    run_manifest: str | Path | None,
    scores: Mapping[str, Any] | str | Path | None,
) -> dict[str, Any]:
    """What the manifest says about where the model comes from, and about this machine."""
    return {
        "scores": read_json(scores) if isinstance(scores, (str, Path)) else scores,
        "config": None if config is None else load_config(config).model_dump(),
        "run": None if run_manifest is None else read_json(run_manifest),
        "environment": environment(),
    }


def _image_facts(images: str | Path, rows: Sequence[tuple[str, Prediction]]) -> dict[str, Any]:
    """What the manifest says about the test set."""
    return {
        "path": shown_path(images),
        "count": len(rows),
        "names_sha256": names_hash(name for name, _ in rows),
    }


def _model_facts(model_dir: Path, reader: Recognizer, engine: str) -> dict[str, Any]:
    """What the manifest says about the exported folder, as it was when it was opened."""
    return {
        "path": shown_path(model_dir),
        "size_bytes": _counted_bytes(reader),
        "network": network_of(model_dir),
        "engine": engine,
        "files": reader.files,
    }


def _refuse_too_large(model_dir: Path, size_bytes: int, max_mb: float | None) -> None:
    if max_mb is not None and size_bytes > max_mb * MEGABYTE:
        raise InputError(
            f"{model_dir} takes {size_bytes:,} bytes and the limit is {max_mb:g} MB: export it smaller, or allow it by "
            "max_mb=None."
        )


def _read_rows(reader: Recognizer, images: str | Path, progress: bool) -> list[tuple[str, Prediction]]:
    """Bare name and prediction of each image, in natural order of the bare names."""
    source = open_images(images)
    names = _bare_names(source.names(), images)
    warn_of_passed_over(source)
    warn_of_escaped(names)
    predictions = predict_images(reader, source, list(names.values()), progress)
    return list(zip(names, predictions, strict=True))


def _former(folder: Path) -> dict[str, Any]:
    """The manifest of the submission that is replaced; empty where there is none, or none that is whole."""
    try:
        return read_submission(folder)
    except InputError:
        return {}


def _write_folder(
    folder: Path, rows: Sequence[tuple[str, Prediction]], facts: Mapping[str, Any], former: Mapping[str, Any]
) -> PredictionSummary:
    """Writes both files, which take their places in one step.

    Where other files lie in the folder, the manifest takes its place first: it holds the checksum of its predictions,
    so that `read_submission` tells a process that was killed between the two.
    """
    if may_be_replaced(folder, (PREDICTIONS, MANIFEST)):
        with replacing_folder(folder) as made:
            with open(made / PREDICTIONS, "w", encoding="utf-8", newline="\n") as file:
                summary = _write_rows(file, rows)
            with open(made / MANIFEST, "w", encoding="utf-8", newline="\n") as file:
                manifest = _manifest(folder.name, made / PREDICTIONS, summary, facts, former)
                file.write(json_text(manifest))
        return summary
    with replacing(folder / PREDICTIONS, "w") as file:
        summary = _write_rows(file, rows)
        write_json(folder / MANIFEST, _manifest(folder.name, Path(file.name), summary, facts, former))
    return summary


def _write_rows(file: IO[str], rows: Sequence[tuple[str, Prediction]]) -> PredictionSummary:
    """Writes the rows (bare name, prediction), and validates what was written."""
    file.write(f"{HEADER}\n")
    for name, prediction in rows:
        _refuse_unwritable(prediction)
        file.write(f"{name}\t{prediction.text}\n")
    file.flush()
    counts = validate_submission(file.name, [name for name, _ in rows])
    return PredictionSummary(counts["rows"], counts["empty"], tuple(p for _, p in rows if p.problem))


def _manifest(
    name: str, predictions: Path, summary: PredictionSummary, facts: Mapping[str, Any], former: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of manifest.json; `predictions` is the file that is to become predicts.txt.

    The leaderboard's score of the former submission is kept if its predictions are the same.
    """
    sha256 = sha256_file(predictions)
    is_kept = LEADERBOARD in former and former["predictions_sha256"] == sha256
    return {
        "name": shown_name(name),
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rows": summary.lines,
        "empty": summary.empty,
        "unreadable": {p.name: p.problem for p in summary.unreadable},
        "predictions_sha256": sha256,
        **({LEADERBOARD: former[LEADERBOARD]} if is_kept else {}),
        **facts,
    }


def _counted_bytes(reader: Recognizer) -> int:
    """The bytes that the competition counts of the files that were read."""
    counted = (*PROGRAMS, PARAMETERS, ONNX)
    return sum(facts["size_bytes"] for name, facts in reader.files.items() if name in counted)


def validate_submission(path: str | Path, names: Iterable[str]) -> dict[str, int]:
    """Checks a submission against the bare names of the test set.

    Returns:
        The number of `rows` and of `empty` values.

    Raises:
        InputError: the encoding, line ends, header, columns or order are wrong, or names are missing, extra or twice.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{data[: error.start].count(10) + 1} is not UTF-8; write the file as UTF-8.") from None
    if text.startswith("\ufeff"):
        raise InputError(f"{path} begins with a byte order mark; write it as UTF-8 without one.")
    if "\r" in text:
        raise InputError(f"{path}:{text[: text.index(chr(13))].count(chr(10)) + 1} holds a CR; lines must end in LF.")
    header, *lines = text.split("\n")
    if header != HEADER:
        raise InputError(f"{path}:1 is {header!r}; the header must be {HEADER!r}.")
    if not lines or lines.pop():
        raise InputError(f"{path} does not end with a line end: it may have been cut short.")
    found = []
    for number, line in enumerate(lines, 2):
        columns = line.split("\t")
        if len(columns) != 2:
            raise InputError(f"{path}:{number} has {len(columns)} columns, not a name, a tab and a value: {line!r}.")
        found.append(columns)
    _compare_names(path, [name for name, _ in found], list(names))
    return {"rows": len(found), "empty": sum(not value for _, value in found)}


def _compare_names(path: Path, found: list[str], wanted: list[str]) -> None:
    repeated = [name for name, count in Counter(found).items() if count > 1]
    missing, extra = set(wanted) - set(found), set(found) - set(wanted)
    for what, names in (("twice", repeated), ("missing", missing), ("not in the test set", extra)):
        if names:
            listed = ", ".join(natural_order(names)[:NAMES_SHOWN])
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            raise InputError(f"{path}: {listed}{more} {'is' if len(names) == 1 else 'are'} {what}.")
    for number, (before, after) in enumerate(pairwise(found), 3):
        if natural_key(before) > natural_key(after):
            raise InputError(f"{path}:{number}: {after} stands after {before}; rows must be in natural order of names.")


def names_hash(names: Iterable[str]) -> str:
    """The SHA-256 of the test set's bare names, one a line."""
    return sha256_bytes("".join(f"{name}\n" for name in names).encode())


def _bare_names(names: list[str], images: str | Path) -> dict[str, str]:
    """Bare name → name in the source, in natural order.

    Raises:
        InputError: there are no images, or two of them have one bare name.
    """
    if not names:
        raise InputError(f"There are no images in {shown_path(images)}.")
    bare: dict[str, str] = {}
    for name in names:
        last = PurePosixPath(name).name
        if last in bare:
            raise InputError(
                f"{shown_path(images)} holds {bare[last]} and {name}; a submission knows images by bare name only."
            )
        bare[last] = name
    return {name: bare[name] for name in natural_order(bare)}


def _refuse_unwritable(prediction: Prediction) -> None:
    """Refuses a tab, and every character that some reader takes for a line end: they would shift all rows after it."""
    if "\t" in prediction.text or prediction.text.splitlines() not in ([], [prediction.text]):
        raise InputError(
            f"The text read on {prediction.name} is {prediction.text!r}: a submission cannot hold a tab or line "
            "end; take that character out of the dictionary."
        )
