"""Train.replay, Train.teacher and Train.repeats (ours): what else a training sees, and whose answers it learns from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from scenetext.config.kinds import FILES, FLOAT, SHARE, Count, OptionalText, Share, Text, between, optional
from scenetext.config.section import Operations, Section, wrong

MOST_REPEATS = 100


class Teacher(Section):
    """The network that answers in place of the pretrained one, whatever its architecture and its dictionary.

    It is an exported folder, or a configuration and weights.
    """

    model: OptionalText = Field(None, description="an exported folder")
    config: OptionalText = Field(None, description="its configuration, together with weights")
    weights: OptionalText = Field(None, description="its weights: what Global.pretrained_model takes")

    @model_validator(mode="after")
    def _check_source(self) -> Teacher:
        given = [key for key in type(self).model_fields if getattr(self, key)]
        if given not in (["model"], ["config", "weights"]):
            raise wrong(
                f"names {' and '.join(given) or 'nothing'}: give model (an exported folder), or config and weights."
            )
        return self


class Replayed(Section):
    """What all kinds of replayed lines share."""

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
    """Pictures whose label is what the pretrained network reads on them, or Train.teacher if there is one."""

    data_dir: OptionalText = Field(
        None, description="folder, zip, folder of zips or LMDB of the pictures; none = those of the labelled lines"
    )
    min_confidence: Share = Field(0.0, description="pictures that it reads with less are left out")


class PseudoLabels(Replayed):
    """Pictures without labels that the pretrained network reads surely, and alike when they are cropped more loosely.

    These readings are taken for labels, which is self-training: off unless it is asked for.
    """

    min_confidence: Share = Field(0.95, description="pictures of which either reading has less are left out")


Replay = Annotated[list[Section], Operations(LabelledLines, PretrainedAnswers, PseudoLabels)]


class Repeats(Section):
    """Lines are repeated in an epoch: those with rare characters, and those that the pretrained network misreads."""

    below: Annotated[float, between(FLOAT, 0, 1)] = Field(
        0.0, description="share of the lines; a character that fewer of them hold is rare (repeat factor sampling)"
    )
    most: Annotated[float, between(FLOAT, 1, MOST_REPEATS)] = Field(
        3.0, description="times that rare characters let a line be seen in an epoch, at most"
    )
    misread: Annotated[float, between(FLOAT, 1, MOST_REPEATS)] = Field(
        1.0, description="times that a line is seen in an epoch that the pretrained network misreads"
    )
    doubted_from: Annotated[float | None, optional(SHARE)] = Field(
        None,
        description="lines are left out that the pretrained network reads with another number of characters and at "
        "least this confidence: their labels seem wrong",
    )

    @property
    def reads_lines(self) -> bool:
        """Whether the pretrained network has to read the labelled lines."""
        return self.misread > 1 or self.doubted_from is not None


class MisreadCharacters(Section):
    """Only the classes of characters that the pretrained network misreads are trained, and nothing else."""

    least: Count = Field(2, description="labelled lines that hold such a character, at least")
    recall: Share = Field(0.6, description="share of them in whose reading it is found, at most")
    times: Annotated[float, between(FLOAT, 1, MOST_REPEATS)] = Field(
        8.0, description="times that a line with such a character is seen in an epoch"
    )
