"""What the network looked at on wrong lines: CTC's alignment over the picture, and attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scenetext import plots
from scenetext.errors import InputError
from scenetext.predict.alignment import align
from scenetext.predict.attention import attention_maps, has_attention
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.recognizer import Recognizer
from scenetext.predict.trained_model import load_reader
from scenetext.report.inline import photo_figure_uri
from scenetext.report.lines_part import ShownLine
from scenetext.report.run_files import RunFiles
from scenetext.runs.folders import BEST, LATEST

SHOWN = 8  # lines
LONGEST = 24  # characters: figures of longer lines are too wide to be read on a page
SHEET_PX = 640  # width of the maps of a line


@dataclass(frozen=True, slots=True)
class LookedAt:
    """One line, read again.

    Attributes:
        label: its label.
        text: what is read now; the evaluation may be that of other weights.
        confidence: of the text.
        alignment, attention: pictures as data URIs; None where the network has no such thing.
    """

    label: str
    text: str
    confidence: float
    alignment: str | None
    attention: str | None


@dataclass(frozen=True, slots=True)
class AttentionPart:
    """What the network looked at.

    Attributes:
        lines: those that were read again.
        source: the weights or the folder that they were read with.
        problem: why there are none; "" if there are.
    """

    lines: list[LookedAt]
    source: str
    problem: str


def attention_part(run: RunFiles, lines: Sequence[ShownLine]) -> AttentionPart:
    """Reads some lines again, with the run's weights or else with an exported folder.

    Args:
        run: the run.
        lines: wrong lines. Of those that have a picture the ones with the longest texts are taken, up to LONGEST: on a
            single character there is little to see.
    """
    seen = [line for line in lines if line.image is not None and len(line.line.prediction) <= LONGEST]
    shown = sorted(seen, key=lambda line: -len(line.line.prediction))[:SHOWN]
    if not shown:
        return AttentionPart([], "", "")
    try:
        reader, source = _open(run)
    except InputError as error:  # the page is worth having without this part, which says what is missing
        return AttentionPart([], "", str(error))
    return AttentionPart([_look(reader, line) for line in shown], source, "")


def _open(run: RunFiles) -> tuple[LineReader, str]:
    """The reader of a run and where it comes from.

    Raises:
        InputError: the run has neither weights nor an exported folder, or they cannot be read.
    """
    for prefix in (run.folder / BEST, run.folder / LATEST):
        if prefix.with_name(f"{prefix.name}.pdparams").is_file():
            return load_reader(run.config, prefix, strict=False), prefix.as_posix()
    for name in run.exports:
        if (run.folder / name).is_dir():
            return Recognizer(run.folder / name), (run.folder / name).as_posix()
    raise InputError(f"{run.folder} holds neither weights nor an exported folder: train or export it again.")


def _look(reader: LineReader, line: ShownLine) -> LookedAt:
    alignment = attention = None
    text, confidence = line.line.prediction, line.line.confidence or 0.0
    if reader.decoding == "ctc":
        (aligned,) = align(reader, [line.image])
        path = aligned.path
        text, confidence = path.text, path.confidence
        figure = plots.ctc_alignment(aligned.picture, path.edges_px, path.characters, path.probabilities, path.kept)
        alignment = photo_figure_uri(figure)
    if isinstance(reader, ModelReader) and has_attention(reader.model):
        (maps,) = attention_maps(reader, [line.image])
        text, confidence = maps.text, maps.confidence
        if maps.text:
            figure = plots.attention_maps(maps.picture, maps.width_px, maps.text, maps.maps, SHEET_PX)
            attention = photo_figure_uri(figure)
    return LookedAt(line.line.target, text, confidence, alignment, attention)
