"""Reads the test sets of the literature with one model, and scores them as papers do.

The lines that were read stay in `OUT/predictions.txt`, which a stopped benchmark resumes. A finished one is not read
again for another protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.data.decoding import checked_size
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.errors import InputError
from scenetext.evaluate.benchmark_table import ScoredSet, csv_text, table
from scenetext.evaluate.opened_model import open_model
from scenetext.evaluate.protocols import protocol as protocol_named
from scenetext.evaluate.suite_scores import score_set
from scenetext.evaluate.suites import FoundSet, find_sets
from scenetext.predict.choices import AUTO
from scenetext.predict.forms import TabForm
from scenetext.predict.images import warn_of_unreadable
from scenetext.predict.prediction_file import origin, warn_of_breaking_characters, write_predictions
from scenetext.system.file_names import shown_path
from scenetext.system.files import read_json, sha256_file, write_json, write_text
from scenetext.system.locks import only_writer
from scenetext.system.process import share_one_heap
from scenetext.system.resumable import ResumableLines
from scenetext.text.charset import Charset

PREDICTIONS, SCORES = "predictions.txt", "benchmark.csv"
_FINISHED = "predictions.json"  # what finished predictions were made from


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The scores of a benchmark.

    Attributes:
        sets: in the order of the table.
        skipped: why a set has no score, by its name: it is broken, or the protocol leaves out all of its labels.
    """

    sets: list[ScoredSet]
    skipped: dict[str, str]

    def __str__(self) -> str:
        skipped = [f"{name} has no score" for name in self.skipped]
        return "\n".join([table(self.sets), *skipped]).rstrip()


def benchmark(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    protocol: str | None = None,
    sets: Sequence[str] = (),
    skip_broken: bool = False,
    engine: str = AUTO,
    batch_size: int = 16,
    progress: bool = True,
) -> Benchmark:
    """Reads the test sets below a folder and writes `benchmark.csv` and `predictions.txt`.

    Every line of every set counts; a picture that cannot be read counts as an empty text and is named on stderr. So is
    a known set that has another number of lines than the published one.

    Args:
        model: an exported folder, or the folder of a run.
        data: a folder of LMDBs, or one LMDB.
        out: the folder to write.
        protocol: the name of a protocol for all sets; by default each suite's own.
        sets: names of the sets to read; by default all that are found.
        skip_broken: leave out sets that cannot be opened instead of refusing all.
        engine, batch_size: see Recognizer.
        progress: show a bar.

    Raises:
        InputError: there is no set, one is broken and not to be skipped, or the protocol does not exist.
        RunError: another process writes `out` now, or the disk is full or broken.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{shown_path(out)} is a file; give the name of a folder to write.")
    if protocol is not None:
        protocol_named(protocol)  # a wrong name is told before anything is read
    found, broken = find_sets(data, sets)
    if broken and (not skip_broken or not found):
        listed = "; ".join(f"{name}: {reason}" for name, reason in broken.items())
        remedy = "" if skip_broken else " Mend them, or leave them out by --skip-broken."
        raise InputError(f"{len(broken)} of {len(broken) + len(found)} test sets cannot be read: {listed}{remedy}")
    _warn_of(found, broken)
    share_one_heap()
    skipped = dict(broken)
    scored = []
    with only_writer(out / PREDICTIONS):
        charset = _read(model, Lmdbs(Path(data), [each.lmdb for each in found]), out, engine, batch_size, progress)
        texts = _texts(out / PREDICTIONS)
        for each in found:
            try:
                scored.append(_scored(each, texts, protocol or each.suite.protocol, charset))
            except InputError as error:  # the protocol leaves out all of this set: the others have their scores
                skipped[each.name] = str(error)
                print(f"{each.name} has no score: {error}", file=sys.stderr)
        if not scored:
            raise InputError(f"No test set has a score; the first: {next(iter(skipped.values()))}")
        write_text(out / SCORES, csv_text(scored))
    return Benchmark(scored, skipped)


def benchmark_command(*, out: str, **options: Any) -> None:
    """`scenetext benchmark`: prints the table; the arguments are those of `benchmark`."""
    found = benchmark(out=out, **options)
    print(f"{found}\n{shown_path(out)}: {SCORES} and {PREDICTIONS}")
    if not found.skipped and not options["sets"]:
        scored = f"--predictions {shown_path(Path(out, PREDICTIONS))} --labels {shown_path(options['data'])}"
        print(f"scenetext score {scored} tells what each rule forgives.")


def _warn_of(found: Sequence[FoundSet], broken: dict[str, str]) -> None:
    for name, reason in broken.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    for each in found:
        if each.lines not in (None, each.lmdb.count):
            print(
                f"{each.name} has {each.lmdb.count:,} lines and the published set {each.lines:,}: its scores cannot be "
                "compared with papers.",
                file=sys.stderr,
            )


def _read(model: str | Path, source: Lmdbs, out: Path, engine: str, batch_size: int, progress: bool) -> Charset:
    """Writes the predictions, unless those of the same model and sets are there already; returns the characters."""
    opened = open_model(model, engine, batch_size)
    names = source.names()
    made_from = origin(opened.files, opened.reader, source, names)
    path, finished = out / PREDICTIONS, out / _FINISHED
    if path.is_file() and _note(finished) == {"made_from": made_from, "sha256": sha256_file(path)}:
        print(f"{shown_path(path)} holds what this model reads on these sets: it is not read again.", file=sys.stderr)
        return opened.reader.charset
    finished.unlink(missing_ok=True)
    warn_of_breaking_characters(opened.reader, model)
    lines = ResumableLines(path, made_from)
    warn_of_unreadable(write_predictions(lines, opened.reader, source, names, TabForm(), progress=progress))
    write_json(finished, {"made_from": made_from, "sha256": sha256_file(path)})
    return opened.reader.charset


def _note(path: Path) -> Any:
    try:
        return read_json(path)
    except InputError:  # missing or damaged: it is not known what the predictions were made from
        return None


def _texts(path: Path) -> dict[str, str]:
    """What was read, by the line's name."""
    with open(path, encoding="utf-8", newline="\n") as file:
        rows = (line.rstrip("\n").split("\t") for line in file)
        return {name: text for name, text, _ in rows}


def _scored(each: FoundSet, texts: dict[str, str], protocol: str, charset: Charset) -> ScoredSet:
    predictions, targets = [texts[name] for name in each.lmdb.names()], list(each.records.texts())
    scores = score_set(predictions, targets, _sizes(each), protocol_named(protocol), charset)
    return ScoredSet(each.name, each.suite, protocol, scores)


def _sizes(each: FoundSet) -> np.ndarray:
    """(N, 2) int64 width and height of every picture, 0 by 0 for one that cannot be read."""
    sizes = np.zeros((each.lmdb.count, 2), np.int64)
    for index in range(each.lmdb.count):
        number = f"{index + 1:09d}"
        try:
            sizes[index] = checked_size(each.lmdb.image(number) or b"", number)
        except InputError:  # reading it has named the problem
            continue
    return sizes
