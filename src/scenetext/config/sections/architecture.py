"""Architecture: the parts of the network, or of several side by side.

The options of Transform, Backbone, Neck and Head belong to the classes named there, whose constructors check them when
the network is built.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from scenetext.config.kinds import Flag, OptionalText, UnreadFlag, one_of
from scenetext.config.section import ByName, Named, Part, Section, wrong_below


class Network(Section):
    """One network."""

    model_type: Annotated[str, one_of("rec", "det")] = Field("rec", description="recognition or detection")
    algorithm: OptionalText = Field(None, description="PaddleOCR's name of the whole")
    in_channels: Annotated[int, one_of(3)] = Field(3, description="colour channels of the picture")
    Transform: Annotated[dict[str, Any] | None, Part("a network that rectifies the picture, or nothing")] = None
    Backbone: Annotated[dict[str, Any] | None, Part("pictures to features")] = None
    Neck: Annotated[dict[str, Any] | None, Part("features to a sequence, or to one map; or nothing")] = None
    Head: Annotated[dict[str, Any] | None, Part("a sequence to logits, or a map to maps")] = None


class DistilledNetwork(Network):
    """One of the networks of a distillation."""

    model_type: Annotated[str, one_of("rec")] = Field("rec", description="recognition")
    pretrained: OptionalText = Field(None, description="this network's weights")
    freeze_params: Flag = Field(False, description="leave this network's weights unchanged")
    return_all_feats: UnreadFlag = Field(None, description="give the features of every part")

    def alone(self) -> Network:
        """The same network without what only a distillation knows."""
        return Network(**{key: getattr(self, key) for key in Network.model_fields})


class DistillationModel(Named):
    """Several networks side by side."""

    name: Literal["DistillationModel"] = "DistillationModel"
    model_type: Annotated[str, one_of("rec")] = Field("rec", description="recognition")
    algorithm: OptionalText = Field(None, description="PaddleOCR's name of the whole")
    Models: dict[str, DistilledNetwork] = Field(description="the networks by their names")

    @model_validator(mode="after")
    def _check_models(self) -> DistillationModel:
        if not self.Models:
            raise wrong_below("is empty: name the networks.", "Models")
        if all(network.freeze_params for network in self.Models.values()):
            raise wrong_below("are all frozen by freeze_params: one of them has to learn.", "Models")
        return self


AnyArchitecture = Annotated[Network | DistillationModel | None, ByName(Network, DistillationModel)]
