"""Cross-validation of a training: k folds, and each line is read once by a network that has not seen it.

Every fold's network is trained on the lines of the others, its last weights count, and no score chooses among its
epochs. It reads its lines at several shares of the way from the pretrained to the trained weights (WiSE-FT); see
`fold_scores` for how a share is chosen. A cross-validation that was stopped resumes where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.config import Config, load_config
from scenetext.config.sections.data import LMDBDataSet
from scenetext.data.pipeline import canvas_of, training_records
from scenetext.data.sources.images import ImageSource
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.device import choose_device
from scenetext.predict.images import Reader, read_records
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.trained_model import load_pretrained_reader
from scenetext.runs.folders import BEST, LATEST, has_weights
from scenetext.system.file_names import shown_path
from scenetext.system.files import read_json, sha256_bytes, write_json
from scenetext.text.label_files import write_label_file
from scenetext.text.records import Record
from scenetext.text.splits import fold_numbers
from scenetext.train import parallel
from scenetext.train.fold_scores import FoldReading, FoldScores, score_folds, write_fold_scores
from scenetext.train.identity import compared_settings
from scenetext.train.trainer import INTERRUPTED, train
from scenetext.train.weight_interpolation import WeightInterpolation
from scenetext.weights.loading import load_weights

FOLDS, PLAN, READINGS, PRETRAINED = "folds", "plan.json", "readings.json", "pretrained.json"
TRAINED_LINES, HELD_OUT = "train.txt", "held_out.txt"
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Of the way from the pretrained to the trained weights, at which a fold's lines are read."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One fold.

    Attributes:
        folder: of its training.
        lines: the numbers of its lines among all lines.
    """

    folder: Path
    lines: np.ndarray


def train_folds(config: Config, folder: str | Path, count: int, *, progress: bool = True) -> FoldScores:
    """Trains a network for each of `count` folds of the Train section's lines, and scores what they read.

    The folds are dealt as `prepare` draws its validation part: equal pictures stay in one fold, and the folds resemble
    each other in lengths and texts. The Eval section is not used. Writes `folder/folds`: a run's folder for each fold,
    and the evaluations that `fold_scores.write_fold_scores` names.

    Args:
        config: the configuration.
        folder: the run's folder.
        count: the number of folds.
        progress: show progress bars.

    Raises:
        InputError: the folds are more than the lines, or `folder/folds` holds those of another training.
        KeyboardInterrupt: training was interrupted; the same call resumes it.
    """
    if parallel.world_size() > 1:
        raise InputError("Folds are trained by one process: start scenetext without paddle.distributed.launch.")
    if config.Architecture.model_type == "det":
        raise InputError("Folds are for recognisers of lines; this configuration is a detector's.")
    if config.Train.dataset.data_dir is None:
        raise InputError("Folds need one Train.dataset.data_dir: give the folder that holds all the LMDBs.")
    records, images = training_records(config)
    records = list(records)
    hashes = {record.name: sha256_bytes(images.read(record.name)) for record in records}
    numbers = fold_numbers(records, count, config.Global.seed, hashes)
    root = Path(folder) / FOLDS
    _claim(root, config, count, records)
    readings = []
    for number in range(count):
        fold = Fold(root / f"fold_{number + 1}", np.flatnonzero(numbers == number))
        readings.append(_reading(config, fold, records, images, progress))
    pretrained = _pretrained_texts(config, root, records, images, progress)
    scores = score_folds(records, readings, pretrained, build_model(config).charset)
    write_fold_scores(scores, root)
    return scores


def _claim(root: Path, config: Config, count: int, records: Sequence[Record]) -> None:
    """Notes what the folds are made from; InputError where the folder holds others."""
    lines = sha256_bytes("".join(f"{record.name}\t{record.text}\n" for record in records).encode())
    settings = {key: repr(value) for key, value in compared_settings(config).items() if not key.startswith("Eval.")}
    settings |= {"Global.epoch_num": repr(config.Global.epoch_num)}
    settings.pop("Global.weight_interpolation", None)  # all shares are read
    plan = {"folds": count, "lines": lines, "settings": settings}
    path = root / PLAN
    if path.is_file() and (former := read_json(path)) != plan:
        keys = {**former.get("settings", {}), **settings}
        names = [name for name in ("folds", "lines") if former.get(name) != plan[name]]
        names += [key for key in keys if former.get("settings", {}).get(key) != settings.get(key)]
        raise InputError(
            f"{shown_path(root)} holds folds of another training ({', '.join(names[:5])} differ): choose another "
            "Global.save_model_dir, or remove that folder."
        )
    root.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)


def _reading(config: Config, fold: Fold, records: Sequence[Record], images: ImageSource, progress: bool) -> FoldReading:
    """What the network of a fold reads on its lines; it is trained first, unless that has been done already."""
    path = fold.folder / READINGS
    if not path.is_file():
        own = _fold_config(config, fold, records)
        if train(own, fold.folder, progress=progress).stopped == INTERRUPTED:
            raise KeyboardInterrupt("the same command resumes it")
        held_out = [records[i] for i in fold.lines]
        write_json(path, _read_at_shares(own, fold.folder / BEST, held_out, images))
    content = read_json(path)
    texts = {float(share): list(map(tuple, read)) for share, read in content["texts"].items()}
    return FoldReading(fold.lines, texts, list(map(tuple, content["sizes_px"])))


def _fold_config(config: Config, fold: Fold, records: Sequence[Record]) -> Config:
    """The configuration of a fold's training, and its label files."""
    fold.folder.mkdir(parents=True, exist_ok=True)
    held_out = set(fold.lines.tolist())
    files = {name: (fold.folder / name).as_posix() for name in (TRAINED_LINES, HELD_OUT)}
    write_label_file(files[TRAINED_LINES], (r for i, r in enumerate(records) if i not in held_out))
    write_label_file(files[HELD_OUT], (records[i] for i in fold.lines))
    train_set = config.Train.dataset
    latest = fold.folder / LATEST
    changes: dict[str, Any] = {
        "Global.save_model_dir": fold.folder.as_posix(),
        "Global.weight_interpolation": 1.0,
        "Global.eval_batch_epoch": config.Global.epoch_num,  # once, at the end: nothing is chosen by it
        "Global.checkpoints": latest.as_posix() if has_weights(latest) else None,
        "Eval.dataset.name": "SimpleDataSet",
        "Eval.dataset.data_dir": train_set.data_dir,
        "Eval.dataset.label_file_list": [files[HELD_OUT]],
        "Eval.dataset.ratio_list": [1.0],
    }
    if isinstance(train_set, LMDBDataSet):
        changes["Train.dataset.name"] = "SimpleDataSet"
    changes |= {"Train.dataset.label_file_list": [files[TRAINED_LINES]], "Train.dataset.ratio_list": [1.0]}
    return load_config(config, _overrides(changes))


def _overrides(changes: dict[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changes.items()]


def _read_at_shares(config: Config, weights: Path, records: Sequence[Record], images: ImageSource) -> dict[str, Any]:
    """What the weights of a training read, and those between them and the pretrained ones; see READINGS."""
    choose_device(config.Global.use_gpu)
    model = build_model(config)
    source = config.Global.pretrained_model
    if source:
        load_weights(model, source)
    ways = [WeightInterpolation(model, share) for share in (SHARES if source else (1.0,))]
    load_weights(model, weights, strict=True)
    reader = ModelReader(model, canvas_of(config, model.input_size))
    content: dict[str, Any] = {"texts": {}}
    for way in ways:
        with way.applied():
            content["texts"][str(way.alpha)], content["sizes_px"] = _read(reader, records, images, progress=False)
    return content


def _read(
    reader: Reader, records: Sequence[Record], images: ImageSource, progress: bool
) -> tuple[list[tuple[str, float]], list[tuple[int, int]]]:
    """Text and confidence of each line, and the width and height of its picture."""
    predictions = list(read_records(reader, records, images, progress))
    for prediction in predictions:
        if prediction.problem is not None:
            raise InputError(prediction.problem)
    return [(p.text, p.confidence) for p in predictions], [(p.width_px, p.height_px) for p in predictions]


def _pretrained_texts(
    config: Config, root: Path, records: Sequence[Record], images: ImageSource, progress: bool
) -> list[str] | None:
    """What the pretrained network reads on all lines, with all of its own characters; None without one."""
    if not config.Global.pretrained_model:
        return None
    path = root / PRETRAINED
    if not path.is_file():
        write_json(path, _read(load_pretrained_reader(config), records, images, progress)[0])
    return [text for text, _ in read_json(path)]
