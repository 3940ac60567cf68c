"""DistillationModel: a student and its teachers, side by side.

Reference: ppocr/modeling/architectures/distillation_model.py; the losses are in `scenetext.train.losses`.
Different here: a frozen network stays in evaluation mode, also when the whole is set to training. PaddleOCR leaves it
in training mode, in which its batch statistics change and its dropout adds noise to the targets. Reading uses the
student alone. The networks' `pretrained` weights are not loaded here, so that a trained student can be loaded without
the teacher's file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import paddle
from paddle import Tensor, nn

from scenetext.models.blocks.layers import freeze
from scenetext.models.recognition_model import RecognitionModel
from scenetext.models.targets import Targets
from scenetext.text.charset import Charset


def student_name(models: Collection[str], frozen: Collection[str]) -> str:
    """The name of the network that reads: "Student" if that one is trained, else the first trained one.

    Args:
        models: names of all networks.
        frozen: names of those that are not trained; the configuration has checked that this is not all of them.
    """
    trained = [name for name in models if name not in frozen]
    return "Student" if "Student" in trained else trained[0]


class DistillationModel(nn.Layer):
    """Several recognition models by name; it has the interface of a RecognitionModel and reads with its student.

    Args:
        models: the networks, by name, in the order of the config.
        frozen: names of those that are not trained.
        pretrained: the sources of pretrained weights, by name, of those networks that have one.

    Attributes:
        names: names of the networks.
        frozen: as given.
        pretrained: as given; training loads them by `load_weights(getattr(model, name), source)`.
        student_name: name of the student, the network that reads; see the function of this name.
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
        """The network that reads."""
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
        """Which decoder turns the student's logits into text."""
        return self.student.decoding

    @property
    def fused(self) -> bool:
        """Whether the student is fused."""
        return self.student.fused

    @property
    def input_size(self) -> tuple[int, int | None] | None:
        """(height, width) in pixels if a network works at one size only, else None; a width of None is free."""
        sizes = (getattr(self, name).input_size for name in self.names)
        return next((size for size in sizes if size), None)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) in pixels of the pictures that the config lays lines on, where it says so."""
        return self.student.image_size

    @property
    def longest_label(self) -> int | None:
        """Characters of the longest line that the student's head can spell, if it has such a limit, else None."""
        return self.student.longest_label

    def train(self) -> None:
        """Sets all networks but the frozen ones to training mode."""
        super().train()
        for name in self.frozen:
            getattr(self, name).eval()

    def forward(self, images: Tensor, targets: Targets | None = None) -> Tensor | dict[str, dict[str, Tensor]]:
        """Computes the student's logits, or with targets the training outputs of every network.

        Args:
            images: (B, 3, H, W) float32 in [-1, 1].
            targets: labels, in training.

        Returns:
            (B, T, C) raw logits of the student; with targets a dict of every network's dict of outputs, by name.
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
