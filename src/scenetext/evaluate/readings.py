"""What is compared: what an exported folder, a run, an evaluation or a file of predictions says of labelled lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenetext.errors import InputError
from scenetext.evaluate.evaluation_folder import PREDICTIONS, SCORES, read_evaluation
from scenetext.evaluate.matching import Unmatched, matched
from scenetext.evaluate.prediction_files import PredictionFile, read_predictions
from scenetext.evaluate.results import Evaluation
from scenetext.runs.folders import RESOLVED, run_folder
from scenetext.system.file_names import shown_path
from scenetext.text.records import Record

EVALUATE, SUBMITTED, SETTINGS = "evaluate", "predicts.txt", "inference.yml"

Source = Evaluation | str | Path
"""An Evaluation, or the path of what `open_source` takes."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that has still to read: an exported folder, or the best weights of a run."""

    path: Path

    def read(self, labels: Sequence[Record], images: str | Path) -> PredictionFile:
        """What it reads on the pictures of some labelled lines; see `read_records`.

        Raises:
            InputError: the model is not complete, or not one of the pictures can be read.
        """
        from scenetext.data.sources.images import open_images
        from scenetext.evaluate.opened_model import open_model
        from scenetext.predict.images import read_records

        source = open_images(images)
        print(f"{shown_path(self.path)} reads {len(labels):,} lines", file=sys.stderr)
        predictions = list(read_records(open_model(self.path).reader, labels, source))
        problems = [prediction.problem for prediction in predictions if prediction.problem is not None]
        if len(problems) == len(predictions):
            raise InputError(f"Not one of {len(labels)} pictures can be read; the first: {problems[0]}")
        for problem in problems:
            print(f"counted as empty: {problem}", file=sys.stderr)
        names, texts = [record.name for record in labels], [prediction.text for prediction in predictions]
        return PredictionFile(self.path, names, texts)


def open_source(source: Source, can_read: bool) -> PredictionFile | Model:
    """What a source says of its lines, or the model that has to read them.

    Args:
        source: an Evaluation; a file of predictions; or the folder of an evaluation, a submission, a run (of which the
            evaluation is taken), or an exported model. A run may also be given by its name below runs/.
        can_read: there are labels and pictures: then runs and exported models read them anew.

    Raises:
        InputError: the source is none of these, or a model has to read and cannot.
    """
    if isinstance(source, Evaluation):
        return _of_evaluation(source)
    path = _found(source)
    if path.is_file():
        return read_predictions(path)
    if not path.is_dir():
        raise InputError(f"{shown_path(path)} does not exist: give a run, an exported folder or a file of predictions.")
    is_model, is_run = (path / SETTINGS).is_file(), (path / RESOLVED).is_file()
    if can_read and (is_model or is_run):
        return Model(path)
    for folder in (path, path / EVALUATE):
        if (folder / PREDICTIONS).is_file() or (folder / SCORES).is_file():
            read_evaluation(folder)
            return read_predictions(folder / PREDICTIONS)
    if (path / SUBMITTED).is_file():
        return read_predictions(path / SUBMITTED)
    if is_model:
        raise InputError(f"{shown_path(path)} is a model: give --labels and --images, so that it can read them.")
    if is_run:
        raise InputError(
            f"{shown_path(path)} has no evaluation: run scenetext evaluate, or give --labels and --images, so that its "
            "best weights can read them."
        )
    raise InputError(
        f"{shown_path(path)} is no run, exported folder, evaluation or submission: it holds none of {RESOLVED}, "
        f"{SETTINGS}, {PREDICTIONS}, {SUBMITTED}."
    )


def _found(source: str | Path) -> Path:
    """The path of a source; a bare name that is no path is that of a run."""
    path = Path(source)
    is_run = not path.exists() and len(path.parts) == 1 and run_folder(path.name).is_dir()
    return run_folder(path.name) if is_run else path


def _of_evaluation(evaluation: Evaluation) -> PredictionFile:
    lines = evaluation.lines
    return PredictionFile(
        Path("the evaluation"),
        [line.name for line in lines],
        [line.prediction for line in lines],
        targets=[line.target for line in lines],
    )


@dataclass(frozen=True, slots=True)
class CommonLines:
    """The same lines as several sources read them.

    Attributes:
        names, targets: of the lines.
        texts: what each source says, in the order of the sources.
    """

    names: Sequence[str]
    targets: Sequence[str]
    texts: list[Sequence[str]]


def common_lines(
    sources: Sequence[PredictionFile], labels: Sequence[Record] | None, unmatched: Unmatched = "refuse"
) -> CommonLines:
    """Brings several readings of the same lines into one order.

    Args:
        sources: the readings.
        labels: the labelled lines; None takes those that the sources themselves were scored against.
        unmatched: see Unmatched.

    Raises:
        InputError: there are no labels, two sources have other labels for one line, or they are of other lines.
    """
    records = _own_labels(sources) if labels is None else list(labels)
    labels_are = "the labels" if labels is not None else "the others"
    if unmatched == "leave-out":
        for source in sources:
            kept = set(matched(records, source, unmatched, labels_are).names)
            records = [record for record in records if record.name in kept]
    read = [matched(records, source, "leave-out" if unmatched == "leave-out" else unmatched) for source in sources]
    return CommonLines(read[0].names, read[0].targets, [each.texts for each in read])


def _own_labels(sources: Sequence[PredictionFile]) -> list[Record]:
    """The labels that the sources were scored against."""
    labels: dict[str, Record] = {}
    for source in sources:
        for name, target in zip(source.names, source.targets, strict=False):
            known = labels.setdefault(name, Record(name, target, f"{source.path.name}: {name}"))
            if known.text != target:
                raise InputError(
                    f"{shown_path(source.path)}: the label of {name} is {target!r}, but another source was scored "
                    f"against {known.text!r}: give the labels by --labels."
                )
    if not labels:
        listed = ", ".join(shown_path(source.path) for source in sources)
        raise InputError(f"None of {listed} holds labels: give them by --labels.")
    return list(labels.values())
