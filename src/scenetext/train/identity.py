"""What a checkpoint is a training of: settings, dictionary and data, kept in its `.states` and compared on resumption.

A resumed training should end with the weights of one that ran through. That needs the same classes, data and settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from scenetext.config import Config
from scenetext.data.batches import Sampler
from scenetext.errors import InputError
from scenetext.models.completion import complete_architecture
from scenetext.system.untrusted import reading
from scenetext.train.class_order import is_reordered
from scenetext.train.task import Labels, Samples

IDENTITY = "identity"  # the key in `.states`

HOST_SETTINGS = {
    *("save_model_dir", "pretrained_model", "checkpoints", "character_dict_path", "data_dir", "label_file_list"),
    *("data_dir_list", "cache_dir", "num_workers", "use_visualdl", "print_batch_step", "log_smooth_window"),
}
"""Settings that may differ from host to host: paths, and what does not change the trained weights.

Dictionaries and label files are compared by their content instead."""

FREE_SETTINGS = {
    *HOST_SETTINGS,
    *("epoch_num", "save_epoch_step", "eval_batch_step", "eval_batch_epoch", "early_stop_evals"),
    *("use_gpu", "model_name", "use_space_char"),
}
"""Settings that may differ when a training is resumed: also its length, its rhythm, and the device."""

DICTIONARY, LINES_OF_EVAL = "the dictionary", "the lines of Eval"
MEANING = (DICTIONARY, LINES_OF_EVAL, "Architecture", "Eval.", "Metric", "PostProcess")
"""The begins of what gives weights and scores their meaning; other differences change only how training goes on."""

_NOTHING = "nothing"
_LISTED = 12  # differences that a message names


@dataclass(frozen=True)
class Identity:
    """What a training is of.

    Attributes:
        settings: the settings that a resumed training has to share, by dotted name.
        characters: of the classes, in their order.
        data: of each part of the data the SHA-256, by its name.
    """

    settings: dict[str, Any]
    characters: list[str]
    data: dict[str, str]

    @classmethod
    def of(cls, config: Config, samples: Samples, sampler: Sampler, evaluation: Labels) -> Identity:
        """The identity of the training that a configuration and its data define."""
        return cls(compared_settings(config), characters_of(samples), data_hashes(samples, sampler, evaluation))

    @classmethod
    def read(cls, value: Any, location: object) -> Identity:
        """The identity that a `.states` file holds; InputError where it is none."""
        with reading(location, "the state of a training", "take another checkpoint"):
            identity = cls(dict(value["settings"]), list(value["characters"]), dict(value["data"]))
        texts = (*identity.settings, *identity.characters, *identity.data, *identity.data.values())
        if not all(isinstance(text, str) for text in texts):
            raise InputError(f"{location}: {IDENTITY} is not what a training writes; take another checkpoint.")
        return identity

    def as_dict(self) -> dict[str, Any]:
        """The form in which `.states` holds it."""
        return {"settings": self.settings, "characters": self.characters, "data": self.data}

    def differences(self, now: Identity) -> dict[str, str]:
        """What differs between the training of a checkpoint and the one that resumes it: a text for each key."""
        keys = dict.fromkeys([*self.settings, *now.settings])
        pairs = ((key, self.settings.get(key, _NOTHING), now.settings.get(key, _NOTHING)) for key in keys)
        found = {key: f"{key} ({before!r}, now {after!r})" for key, before, after in pairs if before != after}
        if self.characters != now.characters:
            found[DICTIONARY] = _dictionary_difference(self.characters, now.characters)
        names = dict.fromkeys([*self.data, *now.data])
        return found | {name: name for name in names if self.data.get(name) != now.data.get(name)}

    def means_the_same(self, now: Identity) -> bool:
        """Whether weights and scores of both trainings can stand beside one configuration and one dictionary."""
        return not any(key.startswith(MEANING) for key in self.differences(now))


def compared_settings(config: Config) -> dict[str, Any]:
    """The settings that a resumed training has to share, by dotted name, those without effect left out."""
    settings = dict(_settings(complete_architecture(config).model_dump(), ()))
    without_effect = tuple(config.ignored)
    return {
        key: value
        for key, value in settings.items()
        if not any(key == name or key.startswith(f"{name}.") for name in without_effect)
    }


def meaning(config: Config) -> dict[str, Any]:
    """Those of the compared settings that give weights and scores their meaning."""
    return {key: value for key, value in compared_settings(config).items() if key.startswith(MEANING)}


def characters_of(samples: Samples) -> list[str]:
    """The characters of a training's classes, in their order; none of a detector's."""
    return list(samples.charset.characters) if samples.charset else []


def data_hashes(samples: Samples, sampler: Sampler, evaluation: Labels) -> dict[str, str]:
    """The SHA-256 of each part of a training's data, by its name; paths do not enter it."""
    parts = {
        "the lines of Train": samples.records.digest(),
        "the widths of their pictures": getattr(sampler, "widths_px", np.empty(0)).tobytes(),
        LINES_OF_EVAL: evaluation.digest(),
    }
    return {name: sha256(part).hexdigest() for name, part in parts.items()}


def check_identity(former: Identity, now: Identity, prefix: Path, allow_changed: bool) -> list[str]:
    """Checks that a training may resume a checkpoint.

    Args:
        former: of the checkpoint.
        now: of the training that resumes it.
        prefix: of the checkpoint, for messages.
        allow_changed: differences are said instead of refused.

    Returns:
        A sentence for the user, where something differs.

    Raises:
        InputError: something differs and `allow_changed` is false.
    """
    found = former.differences(now)
    if not found:
        return []
    told = list(found.values())
    listed = "; ".join(told[:_LISTED]) + (f"; and {len(told) - _LISTED} more" if len(told) > _LISTED else "")
    can_be_moved = former.characters == now.characters or is_reordered(former.characters, now.characters)
    if allow_changed and not can_be_moved:
        what = _dictionary_difference(former.characters, now.characters)
        raise InputError(
            f"{prefix} has classes for other characters, so training cannot be resumed from it: {what}. Start a new "
            "one from its weights by Global.pretrained_model (and no Global.checkpoints), which keeps the characters "
            "that both have."
        )
    if allow_changed:
        return [f"{prefix} is of another training, which is allowed: {listed}"]
    raise InputError(
        f"{prefix} is of another training; it differs in {listed}. Resume it with the former values, start a new "
        "training from its weights by Global.pretrained_model (and no Global.checkpoints), or resume it with the "
        "changes by --allow-changed."
    )


def _settings(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The settings below a section by dotted name, without those that are free; operations count by their index."""
    if path and path[-1] in FREE_SETTINGS:
        return
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _settings(below, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(below, Mapping) for below in value):
        for index, below in enumerate(value):
            yield from _settings(below, (*path, str(index)))
    else:
        yield ".".join(path), value


def _dictionary_difference(before: list[str], after: list[str]) -> str:
    if len(before) != len(after):
        return f"{DICTIONARY} ({len(before)} characters, now {len(after)})"
    moved = [index for index, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    first = moved[0]
    return (
        f"{DICTIONARY} ({len(moved)} of {len(before)} classes, the first is class {first + 1}: {before[first]!r}, "
        f"now {after[first]!r})"
    )
