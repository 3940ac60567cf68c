"""DistillationModel: a student and its teachers, side by side.

Reference: ppocr/modeling/architectures/distillation_model.py; the losses are in `scenetext.train.losses`.
Different here: a frozen network stays in evaluation mode, whatever the whole is put to. PaddleOCR leaves it in training
mode, where its batch statistics move and its dropout teaches noise. Reading uses the student alone. The networks' own
`pretrained` weights are not loaded here, so that a trained student can be read without the teacher's file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import paddle
from paddle import Tensor, nn

from scenetext.errors import InputError
from scenetext.models.blocks.layers import freeze
from scenetext.models.recognition_model import RecognitionModel
from scenetext.models.targets import Targets
from scenetext.text.charset import Charset


def student_name(models: Collection[str], frozen: Collection[str]) -> str:
    """Which of the networks reads: "Student", or else the first that is trained.

    Raises:
        InputError: none is trained.
    """
    trained = [name for name in models if name not in frozen]
    if not trained:
        raise InputError("Architecture.Models holds no network to train: each one has freeze_params: true.")
    return "Student" if "Student" in trained else trained[0]


class DistillationModel(nn.Layer):
    """Several recognisers under their names; stands for its student wherever a recogniser is wanted.

    Args:
        models: the networks, by name, in the order of the config.
        frozen: names of those that stay as they are.
        pretrained: where each network's weights come from, for those that have any.

    Attributes:
        names: of the networks.
        frozen: as given.
        pretrained: as given; whoever trains loads them, `load_weights(getattr(model, name), source)`.
        student: the student, the network that reads: "Student", or else the first that is trained.
    """

    def __init__(
        self,
        models: Mapping[str, RecognitionModel],
        frozen: Collection[str] = (),
        pretrained: Mapping[str, str] | None = None,
    ):
        super().__init__()
        self.names = list(models)
        self.frozen = [name for name in models if name in frozen]
        self.pretrained = dict(pretrained or {})
        self.student_name = student_name(models, frozen)
        for name, model in models.items():
            self.add_sublayer(name, model)
            if name in self.frozen:
                freeze(model)
                model.eval()

    @property
    def student(self) -> RecognitionModel:
        return getattr(self, self.student_name)

    @property
    def charset(self) -> Charset | None:
        """The characters of the classes."""
        return self.student.charset

    @property
    def head(self) -> nn.Layer:
        """The student's head."""
        return self.student.head

    @property
    def decoding(self) -> str:
        """How the student's logits become text."""
        return self.student.decoding

    @property
    def fused(self) -> bool:
        """Whether the student is fused."""
        return self.student.fused

    @property
    def input_size(self) -> tuple[int, int | None] | None:
        """(height, width) in pixels where one of the networks works at one size only; the width may be None."""
        sizes = (getattr(self, name).input_size for name in self.names)
        return next((size for size in sizes if size), None)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) in pixels of the pictures that the config lays lines on, where it says so."""
        return self.student.image_size

    @property
    def longest_label(self) -> int | None:
        """Characters of the longest line that the student's head can say, where it has a limit of its own."""
        return self.student.longest_label

    def train(self) -> None:
        """Puts all but the frozen networks to training."""
        super().train()
        for name in self.frozen:
            getattr(self, name).eval()

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | dict[str, dict[str, Tensor]]:
        """The student's logits, or with targets the training outputs of every network, by name.

        Args:
            images: (B, 3, H, W) float32 in [-1, 1].
            targets: labels, in training.
        """
        if targets is None:
            return self.student(images)  # (B, T, C)
        return {name: self._outputs(name, images, targets) for name in self.names}

    def fuse(self) -> None:
        """Fuses the student."""
        self.student.fuse()

    def _outputs(self, name: str, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        model = getattr(self, name)
        if name not in self.frozen:
            return model(images, targets)
        with paddle.no_grad():
            return model(images, targets)
