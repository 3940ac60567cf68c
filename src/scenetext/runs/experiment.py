"""From the parameters of a notebook to the whole configuration of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenetext.config import Config, load_config
from scenetext.errors import InputError
from scenetext.runs.folders import LATEST, RESOLVED, has_weights, run_folder

DEFAULT_CONFIG = "configs/ppocrv6_small.yml"
DEFAULT_PREPARED = "data/prepared"


def starting_config(config: str | Path | None, run: str) -> Path:
    """The file that a run's configuration starts from: `config`, else the run's own file, else the default."""
    if config:
        return Path(config)
    own = run_folder(run) / RESOLVED
    return own if own.is_file() else Path(DEFAULT_CONFIG)


def configure(
    config: str | Path | None,
    run: str,
    *,
    prepared: str | None = None,
    weights: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    resume: bool = False,
    overrides: Sequence[str] = (),
) -> Config:
    """The resolved configuration of a run; arguments that are None leave the file's settings unchanged.

    The same values give the same configuration. So two notebooks with the same parameters agree, and a notebook with
    default parameters uses the configuration that an earlier notebook wrote.

    Args:
        config: the file to start from; None takes `starting_config`'s.
        run: the run's name; everything goes to `runs/<run>`.
        prepared: the folder that `prepare` wrote: pictures, labels and charset. None leaves the paths of the run's own
            file unchanged and means "data/prepared" for any other file; "" leaves the paths of every file unchanged.
        weights: the pretrained weights to start from, "" for none.
        epochs: how often the training set is seen.
        batch_size: lines per step and process.
        learning_rate: the highest one of the schedule.
        seed: of weights, order and augmentation.
        resume: resume from the run's latest checkpoint; otherwise a checkpoint that the file names is ignored.
        overrides: `KEY.KEY=VALUE`, applied last.

    Raises:
        InputError: a setting is wrong, or there is no checkpoint to resume from.
    """
    folder = run_folder(run)
    latest = folder / LATEST
    if resume and not has_weights(latest):
        raise InputError(f"resume=True, but {latest}.pdparams does not exist: train this run without resume first.")
    changes: dict[str, Any] = {
        "Global.save_model_dir": folder.as_posix(),
        "Global.pretrained_model": weights,
        "Global.epoch_num": epochs,
        "Global.seed": seed,
        "Train.loader.batch_size_per_card": batch_size,
        "Optimizer.lr.learning_rate": learning_rate,
    }
    start = starting_config(config, run)
    if prepared is None and start != folder / RESOLVED:
        prepared = DEFAULT_PREPARED
    if prepared:
        changes["Global.character_dict_path"] = f"{prepared}/charset.txt"
        for section, labels in (("Train", "train.txt"), ("Eval", "val.txt")):
            changes[f"{section}.dataset.data_dir"] = f"{prepared}/images"
            changes[f"{section}.dataset.label_file_list"] = [f"{prepared}/{labels}"]
    given = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changes.items() if value is not None]
    checkpoint = f"Global.checkpoints={json.dumps(latest.as_posix() if resume else None)}"
    return load_config(start, [*given, checkpoint, *overrides])
