"""Train.replay and Train.repeats (ours): what else a finetuning sees, so that it learns without forgetting."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scenetext.config.kinds import FILES, FLOAT, Share, Text, between, optional
from scenetext.config.section import Operations, Section

MOST_REPEATS = 100


class Replayed(Section):
    """What both kinds of replayed lines share."""

    data_dir: Text = Field(description="folder, zip, folder of zips or LMDB of the pictures")
    ratio: Annotated[float, between(FLOAT, 0.001, 1000)] = Field(
        1.0, description="lines of it in an epoch for each labelled line; every epoch takes others in turn"
    )


class LabelledLines(Replayed):
    """Lines with labels, such as those that `scenetext synth` draws."""

    label_file_list: Annotated[str | list[str] | None, optional(FILES)] = Field(
        None, description="their label files; none = an LMDB's own labels"
    )

    @property
    def label_files(self) -> list[str]:
        """The label files; none where an LMDB holds the labels."""
        given = self.label_file_list
        return [given] if isinstance(given, str) else given or []


class PretrainedAnswers(Replayed):
    """Pictures without labels: what the pretrained network reads on them is their label."""

    min_confidence: Share = Field(0.0, description="pictures that it reads with less are left out")


class PseudoLabels(Replayed):
    """Pictures without labels that the pretrained network reads surely, and alike when they are cropped more loosely.

    These readings are taken for labels, which is self-training: off unless it is asked for.
    """

    min_confidence: Share = Field(0.95, description="pictures of which either reading has less are left out")


Replay = Annotated[list[Section], Operations(LabelledLines, PretrainedAnswers, PseudoLabels)]


class Repeats(Section):
    """Lines with rare characters are repeated in an epoch (repeat factor sampling)."""

    below: Annotated[float, between(FLOAT, 1e-6, 1)] = Field(
        0.005, description="share of the lines; a character that fewer of them hold is rare"
    )
    most: Annotated[float, between(FLOAT, 1, MOST_REPEATS)] = Field(
        3.0, description="times that a line is seen in an epoch at most, on average"
    )
