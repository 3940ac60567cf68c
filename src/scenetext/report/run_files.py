"""What a run's folder holds: its configuration, its log, its evaluation and its exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenetext.config import Config, load_config
from scenetext.errors import InputError, nearest_hint
from scenetext.evaluate.evaluation_folder import PREDICTIONS, SCORES, read_evaluation
from scenetext.evaluate.prediction_files import read_predictions
from scenetext.evaluate.results import Evaluation, ReadLines, score_lines
from scenetext.runs.folders import RESOLVED, former_folders, run_folder
from scenetext.runs.history import HISTORY, Row, read_history
from scenetext.system.file_names import shown_path
from scenetext.system.files import read_json

EVALUATION, PRETRAINED = "evaluate", "pretrained"  # the folder of the scores, and in it those before finetuning
EXPORT_REPORTS = "*/report.json"  # in each exported folder
RUNS = "runs"
OF_SCORES = ("lines", "raw", "normalised", "one_minus_ned")  # keys that a page or table cannot do without
OF_EXPORT = (
    *("size_bytes", "max_bytes", "format", "storage", "classes"),
    *("bytes_by_part", "curve", "accuracy", "differences"),
)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """A run as its folder tells it; what a run lacks is empty.

    Attributes:
        folder: the run's folder.
        config: its configuration.
        manifest: environment and hashes; see `runs.manifest`.
        rows: of its history.
        former: trainings whose files later ones moved aside.
        exports: the report of each exported folder, by the folder's name.
    """

    folder: Path
    config: Config
    manifest: Mapping[str, Any]
    rows: list[Row]
    former: int
    exports: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.resolve().name


def find_run(run: str | Path) -> Path:
    """The folder of a run.

    Args:
        run: its folder, or its name below runs/.

    Raises:
        InputError: there is no such folder, or it is no run's.
    """
    folder = Path(run) if Path(run).is_dir() else run_folder(str(run))
    if not folder.is_dir():
        known = sorted(path.parent.name for path in Path(RUNS).glob(f"*/{RESOLVED}"))
        hint = f": {nearest_hint(run, known)}" if known else ", and there are no runs in runs/"
        raise InputError(f"There is no run {shown_path(run)}{hint}.")
    if not (folder / RESOLVED).is_file():
        raise InputError(f"{shown_path(folder)} holds no {RESOLVED}: give the folder of a training.")
    return folder


def read_run(folder: Path) -> RunFiles:
    """Reads the folder of a run, without its evaluation.

    Raises:
        InputError: one of its files is damaged.
    """
    history, manifest = folder / HISTORY, folder / "manifest.json"
    exports = {}
    for path in sorted(folder.glob(EXPORT_REPORTS)):
        exports[path.parent.name] = _json_object(path, OF_EXPORT)
    return RunFiles(
        folder,
        load_config(folder / RESOLVED),
        _json_object(manifest) if manifest.is_file() else {},
        [row for _, row in read_history(history)] if history.is_file() else [],
        len(former_folders(folder)),
        exports,
    )


@dataclass(frozen=True, slots=True)
class RunEvaluation:
    """The evaluation of a run.

    Attributes:
        scores: what scores.json says, completed by what can be computed from the predictions.
        evaluation: the lines, and how they compare with their labels.
    """

    scores: dict[str, Any]
    evaluation: Evaluation


def read_scores(folder: Path) -> dict[str, Any] | None:
    """What an evaluation wrote of its scores; None where there is none.

    Args:
        folder: of the evaluation.

    Raises:
        InputError: the file is damaged, or is that of other predictions.
    """
    if not (folder / SCORES).is_file():
        return None
    scores = read_evaluation(folder)
    if not isinstance(scores, dict) or not set(OF_SCORES) <= scores.keys():
        raise InputError(f"{shown_path(folder / SCORES)} holds no scores: score the run again.")
    return scores


def read_run_evaluation(folder: Path) -> RunEvaluation | None:
    """Reads an evaluation with its lines; None where there is none.

    Args:
        folder: of the evaluation.

    Raises:
        InputError: a file is damaged, or the predictions have no labels beside them.
    """
    written = read_scores(folder)
    if written is None:
        return None
    read = read_predictions(folder / PREDICTIONS)
    if len(read.targets) != len(read.names):
        raise InputError(f"{shown_path(folder / PREDICTIONS)} has no column target: score the run again.")
    lines = ReadLines(
        read.names,
        read.targets,
        read.texts,
        read.confidences or None,
        read.widths_px or None,
        read.heights_px or None,
        written.get("unreadable") or {},
    )
    rules = {"rules": tuple(written["rules"])} if written.get("rules") else {}
    evaluation = score_lines(lines, **rules)
    known = {key: value for key, value in written.items() if value is not None}
    return RunEvaluation({**evaluation.as_dict(), **known}, evaluation)


def _json_object(path: Path, keys: Sequence[str] = ()) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{shown_path(path)} holds no JSON object: it is not the file that scenetext wrote.")
    missing = [key for key in keys if key not in content]
    if missing:
        raise InputError(f"{shown_path(path)} lacks {', '.join(missing)}: export again, or remove the file.")
    return content
