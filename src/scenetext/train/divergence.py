"""A training that has diverged: its weights are never saved over good ones, and the batch that showed it is kept."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle
from paddle import nn
from paddle.optimizer import Optimizer

from scenetext.data.batches import BatchPlan
from scenetext.errors import RunError
from scenetext.system.file_names import shown_path
from scenetext.system.files import replacing_folder, write_text
from scenetext.train import parallel
from scenetext.train.checkpoint import trainable
from scenetext.train.checkpoint_files import committed_files, is_whole, read_states
from scenetext.train.state import state_from
from scenetext.train.task import Samples

LARGEST_WEIGHT = 1e5  # trained weights are below 1e3; a network that learns has no use for more
NAMED = 3  # pictures of a batch that a message names
BATCH, LABELS, PICTURES = "batch.npz", "labels.txt", "images"


def check_weights(model: nn.Layer, optimiser: Optimizer, step: int, prefix: Path) -> None:
    """Checks that weights and moments are numbers that can be saved over former ones.

    Args:
        model, optimiser: the network and its optimiser.
        step: that has been trained.
        prefix: of the checkpoint that would be replaced.

    Raises:
        RunError: a number is not finite, or a trained weight is larger than LARGEST_WEIGHT.
    """
    trained = trainable(model)
    for key, tensor in model.state_dict().items():
        values = tensor.numpy()
        problem = None if _is_finite(values) else "is not finite"
        if problem is None and key in trained and values.size and np.abs(values).max() > LARGEST_WEIGHT:
            problem = f"has grown to {np.abs(values).max():.1e}"
        if problem:
            raise _diverged(f"{key} {problem}", step, optimiser, prefix)
    for name, tensor in optimiser.state_dict().items():
        if isinstance(tensor, paddle.Tensor) and not _is_finite(tensor.numpy()):
            raise _diverged(f"the optimiser's {name} is not finite", step, optimiser, prefix)


def last_checkpoint(prefix: Path) -> str:
    """Half a sentence on the checkpoint to go back to, said only of one that is there and whole."""
    if not is_whole(prefix):
        return "no checkpoint had been saved before"
    states, path = read_states(prefix), committed_files(prefix)[".states"]
    step = state_from(states, path).global_step
    return f"the checkpoint {prefix} of step {step}, whose weights are finite and whose files are whole, is unchanged"


def save_batch(folder: Path, samples: Samples, plan: BatchPlan, batch: Any, step: int, unit: str) -> str:
    """Keeps the batch on which a training stopped: its arrays, its pictures as the network got them, and its labels.

    Args:
        folder: the run's folder.
        samples: the training set.
        plan: which samples of it the batch holds.
        batch: what this process's network got, a dataclass of arrays.
        step: of the batch, from 1.
        unit: what a sample is called.

    Returns:
        Half a sentence on where it is and what it holds.

    Raises:
        RunError: the disk is full or refuses.
    """
    number = f"_process_{parallel.rank()}" if parallel.world_size() > 1 else ""
    path = folder / f"stopped_at_step_{step}{number}"
    records = [samples.records[int(index)] for index in plan.indices]
    with replacing_folder(path) as made:
        arrays = {part.name: getattr(batch, part.name) for part in fields(batch)}
        np.savez(made / BATCH, **arrays, indices=plan.indices)
        (made / PICTURES).mkdir()
        for index, image in enumerate(batch.images):
            _, encoded = cv2.imencode(".png", samples.pixels(image))
            (made / PICTURES / f"{index}.png").write_bytes(encoded.tobytes())
        rows = (f"{PICTURES}/{i}.png\t{record.text}\t{record.location}\n" for i, record in enumerate(records))
        write_text(made / LABELS, "".join(rows))
    named = ", ".join(record.name for record in records[:NAMED]) + (", …" if len(records) > NAMED else "")
    return f"the batch ({len(records)} {unit}s: {named}) is in {shown_path(path)}"


def _is_finite(values: np.ndarray) -> bool:
    return values.dtype.kind not in "f" or bool(np.isfinite(values).all())


def _diverged(what: str, step: int, optimiser: Optimizer, prefix: Path) -> RunError:
    return RunError(
        f"The training has diverged by step {step}: {what}. Its weights are not saved; {last_checkpoint(prefix)}. "
        f"Lower Optimizer.lr.learning_rate (now {optimiser.get_lr():.1e})."
    )
