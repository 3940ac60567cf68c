"""What a training leaves in its run's folder, and how a former training's files there are kept.

Nothing of a former training is touched before this one has weights to save. Then the former one's files are moved to
`former_1` (2, 3, ...) inside the folder, the configuration and the dictionary of this one are written, and its weights
follow, in this order: weights never stand beside a dictionary or a configuration that is not theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from paddle import nn
from paddle.optimizer import Optimizer

from scenetext.config import Config, write_config
from scenetext.models.completion import complete_architecture
from scenetext.runs.folders import BEST, FORMER, LATEST, RESOLVED, former_folders, has_weights
from scenetext.runs.history import ENDED, HISTORY, SCORED, read_history
from scenetext.runs.manifest import write_manifest
from scenetext.system.files import link_or_copy, replacing, replacing_folder, sha256_file, write_text
from scenetext.system.locks import only_writer
from scenetext.text.charset import Charset
from scenetext.train import parallel
from scenetext.train.checkpoint import Resumed, save_checkpoint, save_state, save_weights
from scenetext.train.checkpoint_files import (
    SUFFIXES,
    WEIGHTS,
    Hashes,
    finish_saving,
    is_whole,
    read_states,
)
from scenetext.train.divergence import check_weights
from scenetext.train.identity import Identity
from scenetext.train.precision import Precision
from scenetext.train.state import TrainingState, state_from
from scenetext.train.weight_average import WeightAverage
from scenetext.weights.sources import DICTIONARY_BESIDE_WEIGHTS

MANIFEST, CURVES = "manifest.json", "vdl"
NEW_HISTORY = ".history.next.jsonl"  # the rows of a training whose first weights are not saved yet
NUMBERED = "iter_epoch_"  # and the epoch: the checkpoints of Global.save_epoch_step


@contextmanager
def only_training(folder: Path) -> Iterator[None]:
    """Lets one training at a time use a run's folder.

    Raises:
        RunError: another process trains into it.
    """
    with only_writer(folder) if parallel.is_first() else nullcontext():
        yield


class RunFolder:
    """The files of one training; only the first of several processes writes them.

    Args:
        path: the folder; it is made when missing.
        config: the configuration.
        charset: the network's classes; None of a detector.
        identity: what it is a training of.
        resumed: the checkpoint that is resumed, if one is.
        state: how far training has come; `best` is forgotten where the weights with that score are gone.

    Attributes:
        path: the folder.
        history: the file of the logged rows.
        notes: sentences for the user.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        charset: Charset | None,
        identity: Identity,
        resumed: Resumed | None,
        state: TrainingState,
    ):
        self.path = path
        self.config = config
        self.charset = charset
        self.identity = identity
        self.state = state
        self.notes: list[str] = []
        self.writes = parallel.is_first()
        self._latest_of: tuple[int, Hashes] | None = None  # the step of the latest checkpoint of this call, its hashes
        self._is_begun = False
        former = resumed.identity if resumed else None
        is_changed = former is not None and not former.means_the_same(identity)
        goes_on = resumed is not None and not is_changed and _same(resumed.prefix, path / LATEST)
        self._has_former = not goes_on and holds_weights(path)
        self._former_curves = curve_files(path)
        self._best_source = self._find_best(resumed, is_changed)
        if self._has_former:
            self.notes.append(
                f"{path} holds the weights of a former training{_best_score(path)}: they move to "
                f"{next_former(path)} when this training saves its first ones"
            )
        self.history = path / (NEW_HISTORY if self._has_former else HISTORY)
        if self.writes:
            path.mkdir(parents=True, exist_ok=True)
            (path / NEW_HISTORY).unlink(missing_ok=True)  # of a training that ended before it had weights
            rows = _rows_up_to(resumed.prefix.parent / HISTORY, state) if resumed else []
            write_text(self.history, "".join(rows))

    @property
    def is_saved(self) -> bool:
        """Whether the latest checkpoint is of the step that has been reached."""
        return self._latest_of is not None and self._latest_of[0] == self.state.global_step

    def save_latest(self, model: nn.Layer, optimiser: Optimizer, precision: Precision, average: WeightAverage) -> None:
        """Writes the latest checkpoint.

        Raises:
            RunError: the weights have diverged, or the disk is full or refuses; the former checkpoint is unchanged.
        """
        prefix, state = self.path / LATEST, self.state
        if self.is_saved:
            if self.writes:
                save_state(state, prefix, self._latest_of[1], self.identity)
            return
        check_weights(model, optimiser, state.global_step, prefix)
        hashes: Hashes = {}
        if self.writes:
            self._begin()
            state.loss_scaling = precision.state()
            hashes = save_checkpoint(model, optimiser, state, prefix, self.identity, average)
        self._latest_of = (state.global_step, hashes)

    def save_numbered(
        self, model: nn.Layer, optimiser: Optimizer, precision: Precision, average: WeightAverage
    ) -> None:
        """Writes the checkpoint of the epoch that has just ended, which is kept.

        Raises:
            RunError: see `save_latest`, which has to be called after this: a kill in between then repeats both.
        """
        prefix, state = self.path / f"{NUMBERED}{self.state.epoch}", self.state
        check_weights(model, optimiser, state.global_step, self.path / LATEST)
        if self.writes:
            self._begin()
            state.loss_scaling = precision.state()
            save_checkpoint(model, optimiser, state, prefix, self.identity, average)

    def save_best(self, model: nn.Layer) -> None:
        """Writes the weights with the best score, after the latest checkpoint of their step."""
        if self.writes:
            self._begin()
            self.state.best_sha256 = sha256_file(save_weights(model, self.path / BEST))

    def _find_best(self, resumed: Resumed | None, is_changed: bool) -> Path | None:
        """The weights that `state.best` is the score of, if they have to be copied into this folder."""
        state = self.state
        if resumed is None or state.best < 0:
            return None
        path = resumed.prefix.parent / f"{BEST}{WEIGHTS}"
        if not is_changed and path.is_file() and state.best_sha256 in ("", sha256_file(path)):
            return None if _same(path, self.path / path.name) and not self._has_former else path
        if not state.evaluation_pending:
            self.notes.append(
                f"the weights with the best score of {resumed.prefix}, {state.best:.4f}, are not beside it or were "
                "scored otherwise: the best score is counted anew"
            )
        state.best, state.best_sha256 = -1.0, ""
        return None

    def _begin(self) -> None:
        """Makes the folder this training's, once, before its first weights are saved."""
        if self._is_begun:
            return
        self._is_begun = True
        finish_saving(self.path / LATEST)
        best = self._best_source.read_bytes() if self._best_source else None
        if self._has_former:
            move_aside(self.path, self._former_curves)
        config, files = complete_architecture(self.config), []
        write_config(config, self.path / RESOLVED)
        if self.charset is not None:
            files.append(self.path / DICTIONARY_BESIDE_WEIGHTS)
            self.charset.write(files[0])
        for section in ("Train", "Eval"):
            files += getattr(config, section).dataset.label_files
        write_manifest(self.path, config, files)
        if self.history.name == NEW_HISTORY:
            os.replace(self.history, self.path / HISTORY)
            self.history = self.path / HISTORY
        if best is not None:
            with replacing(self.path / f"{BEST}{WEIGHTS}") as file:
                file.write(best)


def move_aside(folder: Path, curves: Sequence[Path] = ()) -> Path:
    """Moves a former training's files into a folder of their own inside the run's folder.

    All of them are linked there before the first is removed here, so that a kill loses none; those that a killed
    training has linked already are not linked again.

    Args:
        folder: the run's folder.
        curves: the former training's files for VisualDL, inside it.

    Returns:
        The folder that holds them now.
    """
    files = [path for path in _former_files(folder) if path.is_file()] + list(curves)
    kept, place = former_folders(folder), next_former(folder)
    missing = [path for path in files if not any(_same(path, own / path.relative_to(folder)) for own in kept)]
    if missing:
        with replacing_folder(place) as made:
            for path in missing:
                copy = made / path.relative_to(folder)
                copy.parent.mkdir(exist_ok=True)
                link_or_copy(path, copy)
    for path in files:
        path.unlink()
    return place


def curve_files(folder: Path) -> list[Path]:
    """The files for VisualDL in a run's folder."""
    return sorted(file for file in (folder / CURVES).glob("*") if file.is_file())


def next_former(folder: Path) -> Path:
    """The folder that the files of the training in a run's folder will move to."""
    number = max((int(path.name.removeprefix(FORMER)) for path in former_folders(folder)), default=0) + 1
    return folder / f"{FORMER}{number}"


def _former_files(folder: Path) -> list[Path]:
    """The files of a training that may be in a run's folder: its weights first."""
    weights = [folder / f"{name}{suffix}" for name in (BEST, LATEST) for suffix in SUFFIXES]
    numbered = sorted(path for path in folder.glob(f"{NUMBERED}*") if path.suffix in SUFFIXES)
    return [*weights, *numbered, *(folder / name for name in (DICTIONARY_BESIDE_WEIGHTS, RESOLVED, MANIFEST, HISTORY))]


def holds_weights(folder: Path) -> bool:
    """Whether a run's folder holds weights of a training."""
    return has_weights(folder / LATEST) or any(
        path.is_file() and path.suffix in SUFFIXES for path in _former_files(folder)
    )


def _best_score(folder: Path) -> str:
    """The best score that a folder's latest checkpoint knows, as half a sentence."""
    prefix = folder / LATEST
    best = state_from(read_states(prefix), prefix).best if is_whole(prefix) else -1.0
    return f" (best score {best:.4f})" if best >= 0 else ""


def _rows_up_to(history: Path, state: TrainingState) -> list[str]:
    """The rows that were logged before a checkpoint, and why trainings ended; other rows will be logged again."""
    if not history.is_file():
        return []
    rows = []
    for line, row in read_history(history):
        repeated = row["kind"] == SCORED and row["step"] == state.global_step and state.evaluation_pending
        if row["kind"] == ENDED or (row["step"] <= state.global_step and not repeated):
            rows.append(f"{line}\n")
    return rows


def _same(first: Path, second: Path) -> bool:
    """Whether two paths are one file, or would be one checkpoint's prefix."""
    if first.exists() and second.exists():
        return os.path.samefile(first, second)
    return first.resolve() == second.resolve()
