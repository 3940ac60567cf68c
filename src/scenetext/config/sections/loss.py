"""Loss: what is minimised; `train.losses` makes functions of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenetext.config.kinds import Factor, Flag, NamePairs, Rate, SomeTexts, Text, UnreadFlag, UnreadText, one_of
from scenetext.config.section import ByName, Named, Operations, Section, wrong_below
from scenetext.config.sections.detection import DBLoss

COUNT_PADDING = "(ours) padding after the end of a line counts, as it does in PaddleOCR"
SMOOTHING = "smooth the labels by 0.1"


class CTCLoss(Section):
    """CTC."""

    use_focal_loss: Flag = Field(False, description="weight difficult lines more")
    answers_weight: Rate = Field(
        0.0, description="(ours) factor of the divergence from the answers of the pretrained network or Train.teacher"
    )


class NRTRLoss(Section):
    """Cross-entropy of NRTR's decoder."""

    smoothing: Flag = Field(True, description=SMOOTHING)
    ignore_index: Annotated[int, one_of(0)] = Field(0, description="class of padding")


class SGMLoss(Section):
    """(ours) Cross-entropy of SVTRv2's semantic guidance."""


class DistillationPart(Section):
    """What the losses of a distillation share."""

    weight: Rate = Field(1.0, description="factor in the sum")
    key: UnreadText = Field(None, description="which output of the networks")
    multi_head: UnreadFlag = Field(None, description="whether that output is a dict of heads")


class DistillationDKDLoss(DistillationPart):
    """Decoupled knowledge distillation between the auxiliary branches."""

    name: Text = Field("dkd", description="what the log calls it")
    model_name_pairs: NamePairs = Field(description="pairs of student and teacher")
    dis_head: Annotated[str, one_of("gtc")] = Field("gtc", description="the head that is distilled")
    temperature: Factor = Field(1.0, description="divides the logits of both")
    alpha: Rate = Field(1.0, description="factor of the target against the rest")
    beta: Rate = Field(1.0, description="factor of the distribution among the rest")
    count_padding: Flag = Field(False, description=COUNT_PADDING)


class DistillationCTCLoss(DistillationPart):
    """CTC of several networks against the labels."""

    name: Text = Field("loss_ctc", description="what the log calls it")
    model_name_list: SomeTexts = Field(description="the networks compared with the labels")


class DistillationNRTRLoss(DistillationPart):
    """Cross-entropy of several networks' auxiliary branches against the labels."""

    name: Text = Field("loss_nrtr", description="what the log calls it")
    model_name_list: SomeTexts = Field(description="the networks compared with the labels")
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
    weight_1: Rate = Field(1.0, description="factor of the CTC loss")
    weight_2: Rate = Field(1.0, description="factor of the other loss")

    @model_validator(mode="after")
    def _check_weights(self) -> MultiLoss:
        kinds = [type(part) for part in self.loss_config_list]
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise wrong_below(f"holds {kind.__name__} {kinds.count(kind)} times: keep one.", "loss_config_list")
        if not any(self.weight_1 if kind is CTCLoss else self.weight_2 for kind in kinds):
            key = "weight_1" if CTCLoss in kinds else "weight_2"
            raise wrong_below("is 0, and so is every part of the loss: nothing would be learned.", key)
        return self


class CombinedLoss(Sum):
    """The losses of a distillation."""

    name: Literal["CombinedLoss"] = "CombinedLoss"
    loss_config_list: Annotated[
        list[DistillationPart],
        Operations(DistillationDKDLoss, DistillationCTCLoss, DistillationNRTRLoss, DistillCTCLogits),
    ] = Field(description="the parts of the sum")

    @model_validator(mode="after")
    def _check_weights(self) -> CombinedLoss:
        if not any(part.weight for part in self.loss_config_list):
            raise wrong_below("has the weight 0 for every part: nothing would be learned.", "loss_config_list")
        return self

    @property
    def networks(self) -> dict[str, list[str]]:
        """The networks that each part names, by the part's class."""
        return {
            type(part).__name__: [name for pair in part.model_name_pairs for name in pair]
            if hasattr(part, "model_name_pairs")
            else part.model_name_list
            for part in self.loss_config_list
        }


AnyLoss = Annotated[Named | None, ByName(OnlyCTCLoss, OnlyAttentionLoss, MultiLoss, CombinedLoss, DBLoss)]
