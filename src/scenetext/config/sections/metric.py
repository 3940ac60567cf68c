"""Metric, which chooses the best checkpoint, and PostProcess: of a recogniser the head decides here what it does."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from scenetext.config.kinds import TEXT_OR_TEXTS, UNREAD, UnreadFlag, UnreadText, one_of, optional
from scenetext.config.section import ByName, Named
from scenetext.config.sections.detection import DBPostProcess, DetMetric


class RecMetric(Named):
    """Scores of one network."""

    name: Literal["RecMetric"] = "RecMetric"
    main_indicator: Annotated[str, one_of("acc", "norm_edit_dis")] = Field(
        "acc", description="the score of which the best checkpoint has most"
    )
    ignore_space: UnreadFlag = Field(
        None, description="scores are given raw and normalised, and spaces count in the former only"
    )
    is_filter: UnreadFlag = Field(None, description="the same")


class DistillationMetric(RecMetric):
    """Scores of a distillation's student."""

    name: Literal["DistillationMetric"] = "DistillationMetric"
    base_metric_name: Annotated[str, one_of("RecMetric")] = Field("RecMetric", description="the score itself")
    key: UnreadText = Field(None, description="the network that counts: always the student")


AnyMetric = Annotated[RecMetric | DetMetric, ByName(RecMetric, DistillationMetric, DetMetric, default="RecMetric")]


class PostProcessSettings(Named):
    """How PaddleOCR makes texts of logits. Here the head says how its logits are decoded."""

    UNREAD: ClassVar[bool] = True


class CTCLabelDecode(PostProcessSettings):
    """Of CTC."""

    name: Literal["CTCLabelDecode"] = "CTCLabelDecode"


class AttnLabelDecode(PostProcessSettings):
    """Of an attention decoder."""

    name: Literal["AttnLabelDecode"] = "AttnLabelDecode"


class DistillationCTCLabelDecode(PostProcessSettings):
    """Of several networks' CTC branches."""

    name: Literal["DistillationCTCLabelDecode"] = "DistillationCTCLabelDecode"
    model_name: Annotated[str | list[str] | None, optional(TEXT_OR_TEXTS), UNREAD] = Field(
        None, description="the networks whose text is read"
    )
    key: UnreadText = Field(None, description="which output of the networks")
    multi_head: UnreadFlag = Field(None, description="whether that output is a dict of heads")


AnyPostProcess = Annotated[
    PostProcessSettings | DBPostProcess | None,
    ByName(CTCLabelDecode, AttnLabelDecode, DistillationCTCLabelDecode, DBPostProcess),
]
