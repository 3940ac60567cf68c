"""Replay: other lines mixed with the labelled ones, so that finetuning does not forget what the network could read.

Robins, Catastrophic forgetting, rehearsal and pseudorehearsal, Connection Science 7 (1995): a network keeps what it
knows if it also trains on its own former answers (`PretrainedAnswers`), or on old lines (`LabelledLines`, for which
drawn lines stand in). A student learns from another network's answers in the same way; see `teacher`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scenetext.config import Config
from scenetext.config.sections.data import SimpleDataSet
from scenetext.config.sections.replay import PretrainedAnswers, PseudoLabels, Repeats, Replayed
from scenetext.data.dataset import Lines
from scenetext.data.draws import MixedDraw, repeat_factors
from scenetext.data.mixture import MixedLines
from scenetext.data.pipeline import Network, canvas_of, lines_of, read_label_files
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.errors import InputError
from scenetext.predict.images import Reader
from scenetext.predict.model_reader import ModelReader
from scenetext.system.file_names import shown_path
from scenetext.text.label_files import read_label_file
from scenetext.text.records import RecordTable
from scenetext.train.answers import answers
from scenetext.train.misread import Readings, misread_classes

NAMED = 5  # lines and characters that a note names


class Mixture(NamedTuple):
    """What training sees.

    Attributes:
        lines: the labelled lines, or these and the replayed ones.
        draw: which of them an epoch sees; None for each of them once.
        classes: the only ones that are trained; None for the whole network.
        notes: sentences for the user.
    """

    lines: Lines
    draw: MixedDraw | None
    classes: list[int] | None
    notes: list[str]


def mixed(config: Config, network: Network, labelled: Lines, teacher: Reader | None, progress: bool) -> Mixture:
    """Adds what Train.replay names to the labelled lines, and repeats lines as Train says.

    Args:
        config: the configuration.
        network: with its pretrained weights.
        labelled: the labelled lines.
        teacher: the network that answers; without one, the pretrained network does.
        progress: show bars.

    Raises:
        InputError: a part of Train.replay has no picture, no label, or no pretrained network to answer; or nothing
            is left to train.
    """
    replay, seed = config.Train.replay, config.Global.seed
    if not replay and config.Train.repeats is None and config.Train.misread_characters is None:
        return Mixture(labelled, None, None, [])
    factors, classes, notes = line_factors(config, network, labelled, progress)
    parts = [labelled]
    for number, part in enumerate(replay):
        records, images, told = _records(config, part, labelled, teacher, number, progress)
        notes.append(told)
        parts.append(lines_of(config, network, records, images, seed + number + 1, progress))
    taken = [max(1, round(part.ratio * len(labelled))) for part in replay]
    draw = MixedDraw(factors, [len(part) for part in parts[1:]], taken, seed)
    return Mixture(MixedLines(parts) if replay else labelled, draw, classes, notes)


def line_factors(
    config: Config, network: Network, labelled: Lines, progress: bool
) -> tuple[np.ndarray, list[int] | None, list[str]]:
    """How often each labelled line is seen in an epoch on average; the only classes to train; sentences for the user.

    Raises:
        InputError: every line is left out, or no character is misread.
    """
    repeats, misread = config.Train.repeats or Repeats(), config.Train.misread_characters
    factors, classes, notes = np.ones(len(labelled)), None, []
    if repeats.below:
        factors = repeat_factors(list(labelled.ids), repeats.below, repeats.most)
        notes.append(f"{(factors > 1).sum()} lines with rare characters are seen {factors.max():.1f} times at most")
    if not config.Train.reads_lines:
        return factors, classes, notes
    reader = ModelReader(network, canvas_of(config, network.input_size))
    readings = Readings.of(labelled, reader, progress)
    notes.append(f"the pretrained network misreads {readings.wrong.sum()} of {len(labelled)} lines")
    factors = np.where(readings.wrong, np.maximum(factors, repeats.misread), factors)
    doubted = readings.doubted(repeats.doubted_from)
    if misread is not None:
        options = (network.charset, misread.least, misread.recall)
        classes = misread_classes(readings, labelled.ids, ~doubted, *options)
        if not classes:
            raise InputError("Train.misread_characters finds none to train: lower least, or raise recall.")
        holds = np.array([not set(classes).isdisjoint(ids) for ids in labelled.ids])
        factors = np.where(holds, np.maximum(factors, misread.times), factors)
        notes.append(f"only {len(classes)} characters are trained: {network.charset.decode(classes)}")
    if doubted.all():
        raise InputError("Train.repeats.doubted_from leaves out every line: raise it.")
    if doubted.any():
        notes.append(f"{doubted.sum()} lines are left out: their labels seem wrong")
    return np.where(doubted, 0.0, factors), classes, notes


def _records(
    config: Config, part: Replayed, labelled: Lines, teacher: Reader | None, number: int, progress: bool
) -> tuple[RecordTable, ImageSource, str]:
    """The lines of a part of Train.replay that the dictionary can write, and a sentence on them."""
    where = f"Train.replay.{number}.{type(part).__name__}"
    if part.data_dir is None:
        images, names, told = labelled.images, list(dict.fromkeys(labelled.records.names)), ""
    else:
        images, told = open_images(part.data_dir), ""
        names = images.names()
    if not len(names):
        raise InputError(f"{where}.data_dir: {shown_path(part.data_dir)} holds no picture to replay.")
    if isinstance(part, (PretrainedAnswers, PseudoLabels)):
        found, told = answers(config, part, teacher, images, names, where, progress)
    elif part.label_files:
        files = SimpleDataSet(data_dir=part.data_dir, label_file_list=part.label_files)
        found = RecordTable.joined(read_label_files(files, where, config.Global.seed, read_label_file))
    elif isinstance(images, Lmdbs):
        found = RecordTable.joined([own.table() for own in images.parts])
    else:
        raise InputError(f"{where}: {shown_path(part.data_dir)} is no LMDB, so its labels need a label_file_list.")
    lacking = [labelled.charset.unknown(text) for text in found.texts()]
    kept = [i for i, text in enumerate(found.texts()) if text and not lacking[i]]
    if not kept:
        raise InputError(f"{where}: the dictionary can write none of its {len(found)} labels: replay other lines.")
    return found.take(kept), images, f"{where}: {len(kept)} lines{told}{_told_of_others(found, lacking)}"


def _told_of_others(found: RecordTable, lacking: Sequence[Sequence[str]]) -> str:
    """Half a sentence on the lines that the dictionary cannot write: how many, which characters, the first ones."""
    others = [i for i, characters in enumerate(lacking) if characters]
    if not others:
        return ""
    counts = Counter(character for characters in lacking for character in set(characters)).most_common()
    characters = ", ".join(f"{character!r} on {count}" for character, count in counts[:NAMED])
    names = ", ".join(found[i].name for i in others[:NAMED])
    return (
        f", {len(others)} more that the dictionary cannot write ({names}{', …' if len(others) > NAMED else ''}): it "
        f"lacks {len(counts)} of their characters ({characters}{', …' if len(counts) > NAMED else ''})"
    )
