"""What a training writes into its run's folder: its inputs before the first step, then its checkpoints."""

from __future__ import annotations

from pathlib import Path

from paddle import nn
from paddle.optimizer import Optimizer

from scenetext.config import Config, write_config
from scenetext.models.completion import complete_architecture
from scenetext.runs.folders import LATEST, RESOLVED
from scenetext.runs.manifest import write_manifest
from scenetext.text.charset import Charset
from scenetext.train import parallel
from scenetext.train.checkpoint import save_checkpoint
from scenetext.train.precision import Precision
from scenetext.train.state import TrainingState
from scenetext.weights.sources import DICTIONARY_BESIDE_WEIGHTS


def write_run_folder(folder: Path, config: Config, charset: Charset) -> None:
    """Writes the complete configuration, the dictionary and the manifest; only the first process does.

    Args:
        folder: the run's folder; it is made when missing.
        config: the configuration; the manifest holds the hashes of its label files.
        charset: the network's classes.
    """
    if not parallel.is_first():
        return
    folder.mkdir(parents=True, exist_ok=True)
    config = complete_architecture(config)
    write_config(config, folder / RESOLVED)
    charset.write(folder / DICTIONARY_BESIDE_WEIGHTS)
    files = [folder / DICTIONARY_BESIDE_WEIGHTS]
    for section in ("Train", "Eval"):
        files += getattr(config, section).dataset.label_files
    write_manifest(folder, config, files)


def save_latest(
    folder: Path,
    config: Config,
    model: nn.Layer,
    optimiser: Optimizer,
    precision: Precision,
    state: TrainingState,
) -> None:
    """Writes the run's latest checkpoint, and after every `Global.save_epoch_step` epochs one that is kept.

    Only the first of several processes writes.

    Args:
        folder: the run's folder.
        config: the configuration.
        model, optimiser: the network and its optimiser.
        precision: its loss scale is saved with `state`.
        state: how far training has come.

    Raises:
        RunError: the disk is full or refuses.
    """
    if not parallel.is_first():
        return
    state.loss_scaling = precision.state()
    save_checkpoint(model, optimiser, state, folder / LATEST)
    if state.step_in_epoch == 0 and state.epoch % config.Global.save_epoch_step == 0:
        save_checkpoint(model, optimiser, state, folder / f"iter_epoch_{state.epoch}")
