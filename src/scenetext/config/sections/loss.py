"""Loss: what is minimised; `train.losses` makes functions of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenetext.config.kinds import Flag, NamePairs, Number, Rate, Text, Texts, UnreadFlag, UnreadText, one_of
from scenetext.config.section import ByName, Named, Operations, Section, wrong_below

COUNT_PADDING = "(ours) padding after the end of a line counts, as it does in PaddleOCR"
SMOOTHING = "smooth the labels by 0.1"


class CTCLoss(Section):
    """CTC."""

    use_focal_loss: Flag = Field(False, description="weight difficult lines more")


class NRTRLoss(Section):
    """Cross-entropy of NRTR's decoder."""

    smoothing: Flag = Field(True, description=SMOOTHING)
    ignore_index: Annotated[int, one_of(0)] = Field(0, description="class of padding")


class SGMLoss(Section):
    """(ours) Cross-entropy of SVTRv2's semantic guidance."""


class DistillationPart(Section):
    """What the losses of a distillation share."""

    weight: Number = Field(1.0, description="factor in the sum")
    key: UnreadText = Field(None, description="which output of the networks")
    multi_head: UnreadFlag = Field(None, description="whether that output is a dict of heads")


class DistillationDKDLoss(DistillationPart):
    """Decoupled knowledge distillation between the auxiliary branches."""

    name: Text = Field("dkd", description="what the log calls it")
    model_name_pairs: NamePairs = Field(description="pairs of student and teacher")
    dis_head: Annotated[str, one_of("gtc")] = Field("gtc", description="the head that is distilled")
    temperature: Rate = Field(1.0, description="divides the logits of both")
    alpha: Number = Field(1.0, description="factor of the target against the rest")
    beta: Number = Field(1.0, description="factor of the distribution among the rest")
    count_padding: Flag = Field(False, description=COUNT_PADDING)


class DistillationCTCLoss(DistillationPart):
    """CTC of several networks against the labels."""

    name: Text = Field("loss_ctc", description="what the log calls it")
    model_name_list: Texts = Field(description="the networks compared with the labels")


class DistillationNRTRLoss(DistillationPart):
    """Cross-entropy of several networks' auxiliary branches against the labels."""

    name: Text = Field("loss_nrtr", description="what the log calls it")
    model_name_list: Texts = Field(description="the networks compared with the labels")
    smoothing: Flag = Field(True, description=SMOOTHING)
    count_padding: Flag = Field(False, description=COUNT_PADDING)


class DistillCTCLogits(DistillationPart):
    """The teachers' CTC logits, averaged over the steps, for the students'."""

    name: Text = Field("ctc_logits", description="what the log calls it")
    model_name_pairs: NamePairs = Field(description="pairs of student and teacher")
    mode: Annotated[str, one_of("mean")] = Field("mean", description="steps are averaged")
    reduction: UnreadText = Field(None, description="over the batch: always the mean")


class OnlyCTCLoss(CTCLoss, Named):
    """`Loss: {name: CTCLoss}`."""

    name: Literal["CTCLoss"] = "CTCLoss"


class OnlyAttentionLoss(Named):
    """`Loss: {name: AttentionLoss}`, the cross-entropy of RARE's decoder."""

    name: Literal["AttentionLoss"] = "AttentionLoss"


class Sum(Named):
    """A sum of losses."""

    @model_validator(mode="after")
    def _check_parts(self) -> Sum:
        if not self.loss_config_list:
            raise wrong_below(f"is empty: name the parts of {self.name}.", "loss_config_list")
        return self


class MultiLoss(Sum):
    """CTC and the loss of an auxiliary branch."""

    name: Literal["MultiLoss"] = "MultiLoss"
    loss_config_list: Annotated[list[Section], Operations(CTCLoss, NRTRLoss, SGMLoss)] = Field(
        description="the parts of the sum"
    )
    weight_1: Number = Field(1.0, description="factor of the CTC loss")
    weight_2: Number = Field(1.0, description="factor of the other loss")


class CombinedLoss(Sum):
    """The losses of a distillation."""

    name: Literal["CombinedLoss"] = "CombinedLoss"
    loss_config_list: Annotated[
        list[DistillationPart],
        Operations(DistillationDKDLoss, DistillationCTCLoss, DistillationNRTRLoss, DistillCTCLogits),
    ] = Field(description="the parts of the sum")


AnyLoss = Annotated[Named | None, ByName(OnlyCTCLoss, OnlyAttentionLoss, MultiLoss, CombinedLoss)]
