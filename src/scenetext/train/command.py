"""The verb `train`: one training, or one for each fold of a cross-validation."""

from __future__ import annotations

from scenetext.config import Config
from scenetext.runs.folders import configured_run_folder
from scenetext.train.folds import train_folds
from scenetext.train.parallel import rank
from scenetext.train.trainer import INTERRUPTED, train


def train_command(config: Config, source: str, allow_changed: bool, folds: int | None) -> None:
    """Trains into the run's folder and says what came of it.

    Args:
        config: the configuration.
        source: its file, after which the run's folder is named where the configuration names none.
        allow_changed: see `train`.
        folds: their number, to cross-validate instead; see `train_folds`.

    Raises:
        KeyboardInterrupt: training was interrupted.
    """
    folder = configured_run_folder(config, source)
    if folds is not None:
        print(train_folds(config, folder, folds))
        return
    result = train(config, folder, allow_changed=allow_changed)
    if result.stopped == INTERRUPTED:
        raise KeyboardInterrupt(f"resume with -o Global.checkpoints={result.latest}")
    if rank():
        return  # the first of several processes wrote the run, perhaps on another host
    never = f"trained, but never evaluated (see Global.eval_batch_step); the weights are {result.latest}"
    best = f"best {config.Metric.main_indicator} {result.best_score:.4f}"
    print(f"{result.folder}: {best if result.best_score >= 0 else never}")
