"""Builds a training's loss from a config's Loss section, under PaddleOCR's names.

Its tables are HEAD_LOSSES, DISTILLATION_LOSSES and SUMS, one for each position in which a config may name a loss.

Reference: ppocr/losses/rec_multi_loss.py, combined_loss.py and distillation_loss.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from paddle import Tensor

from scenetext.config import Config
from scenetext.config.construct import construct, look_up
from scenetext.errors import InputError
from scenetext.models.targets import Targets, attention_targets, nrtr_targets
from scenetext.train.losses.attention import attention_loss
from scenetext.train.losses.ctc import ctc_loss
from scenetext.train.losses.distillation import ctc_logits_loss, dkd_loss
from scenetext.train.losses.nrtr import nrtr_loss
from scenetext.train.losses.sgm import guidance_loss

Outputs = Mapping[str, Any]  # of a network by head, or of several networks by name
Loss = Callable[[Outputs, Targets], dict[str, Tensor]]

# keys by which PaddleOCR finds the heads' outputs and the padding, or that it does not use itself
UNUSED_KEYS = {"ignore_index", "key", "multi_head", "dis_head", "reduction", "mode"}


@dataclass(frozen=True)
class CTCLoss:
    """The CTC loss of the CTC branch.

    Attributes:
        use_focal_loss: weigh hard lines more (focal CTC).
    """

    use_focal_loss: bool = False

    def __call__(self, outputs: Outputs, targets: Targets) -> Tensor:
        return ctc_loss(_output(outputs, "ctc"), targets.ids, targets.lengths, self.use_focal_loss)


@dataclass(frozen=True)
class NRTRLoss:
    """The cross-entropy of the auxiliary (GTC) branch, an NRTR decoder.

    Attributes:
        smoothing: smooth the labels.
        count_padding: padding counts as a token; see `nrtr_loss`.
    """

    smoothing: bool = True
    count_padding: bool = False

    def __call__(self, outputs: Outputs, targets: Targets) -> Tensor:
        tokens = nrtr_targets(targets)[:, 1:]
        return nrtr_loss(_output(outputs, "nrtr"), tokens, self.smoothing, self.count_padding)


@dataclass(frozen=True)
class SGMLoss:
    """The cross-entropy of SVTRv2's semantic guidance module (SGM)."""

    def __call__(self, outputs: Outputs, targets: Targets) -> Tensor:
        return guidance_loss(_output(outputs, "sgm"), targets.ids)


@dataclass(frozen=True)
class AttentionLoss:
    """The cross-entropy of RARE's attention decoder, summed over the lines.

    Attributes:
        start: the decoder has to output the start token first.
    """

    sums_over_lines: ClassVar[bool] = True
    start: bool = False

    def __call__(self, outputs: Outputs, targets: Targets) -> Tensor:
        logits = _output(outputs, "attention")
        return attention_loss(logits, attention_targets(targets, logits.shape[1], logits.shape[2] - 1, self.start))


@dataclass(frozen=True)
class MultiLoss:
    """The weighted sum of the CTC loss and the auxiliary branch's loss; each part is logged under its own name.

    Attributes:
        loss_config_list: the parts, a mapping from a loss's name to its options each.
        weight_1: weight of the CTC loss.
        weight_2: weight of every other part.
    """

    loss_config_list: Sequence[Mapping[str, Any]]
    weight_1: float = 1.0
    weight_2: float = 1.0
    parts: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for location, name, options in _entries("MultiLoss", self.loss_config_list):
            self.parts[name] = _build_part(HEAD_LOSSES, name, options, location)

    def __call__(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        weights = {name: self.weight_1 if name == "CTCLoss" else self.weight_2 for name in self.parts}
        return _with_sum({name: weights[name] * part(outputs, targets) for name, part in self.parts.items()})


@dataclass(frozen=True)
class DistillationDKDLoss:
    """Decoupled distillation from the teacher's auxiliary branch to the student's.

    Attributes:
        model_name_pairs: student and teacher each.
        temperature: divides the logits.
        alpha: weight of the label's class against all others.
        beta: weight of the distribution among the other classes.
        count_padding: padding counts as a token; see `dkd_loss`.
        name: under which the loss is logged.
    """

    model_name_pairs: Sequence[Sequence[str]]
    temperature: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0
    count_padding: bool = False
    name: str = "dkd"

    def __call__(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        tokens = nrtr_targets(targets)[:, 1:]
        return {
            f"{self.name}_{i}": dkd_loss(
                *(_output(_output(outputs, model), "nrtr") for model in pair),
                tokens,
                self.temperature,
                self.alpha,
                self.beta,
                self.count_padding,
            )
            for i, pair in enumerate(self.model_name_pairs)
        }


@dataclass(frozen=True)
class DistillationCTCLoss:
    """The CTC loss of several networks against the labels."""

    model_name_list: Sequence[str]
    name: str = "loss_ctc"

    def __call__(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        return _of_each(CTCLoss(), self.name, self.model_name_list, outputs, targets)


@dataclass(frozen=True)
class DistillationNRTRLoss:
    """The cross-entropy of several networks' auxiliary branches against the labels."""

    model_name_list: Sequence[str]
    smoothing: bool = True
    count_padding: bool = False
    name: str = "loss_nrtr"

    def __call__(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        part = NRTRLoss(self.smoothing, self.count_padding)
        return _of_each(part, self.name, self.model_name_list, outputs, targets)


@dataclass(frozen=True)
class DistillCTCLogits:
    """Distillation from the teacher's CTC branch to the student's, by the characters found anywhere on a line."""

    model_name_pairs: Sequence[Sequence[str]]
    name: str = "ctc_logits"

    def __call__(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        return {
            f"{self.name}_{i}": ctc_logits_loss(*(_output(_output(outputs, model), "ctc") for model in pair))
            for i, pair in enumerate(self.model_name_pairs)
        }


@dataclass(frozen=True)
class CombinedLoss:
    """The weighted sum of a distillation's losses."""

    loss_config_list: Sequence[Mapping[str, Any]]
    parts: list[tuple[float, Any]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for location, name, options in _entries("CombinedLoss", self.loss_config_list):
            weight = options.pop("weight", 1.0)
            self.parts.append((weight, _build_part(DISTILLATION_LOSSES, name, options, location)))

    def __call__(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for weight, part in self.parts:
            for name, value in part(outputs, targets).items():
                if name in losses:
                    raise InputError(f"Two losses of CombinedLoss are called {name}: give one of them another `name`.")
                losses[name] = weight * value
        return _with_sum(losses)


# losses of one head, losses between networks, and sums of either
HEAD_LOSSES = {"CTCLoss": CTCLoss, "NRTRLoss": NRTRLoss, "SGMLoss": SGMLoss, "AttentionLoss": AttentionLoss}
DISTILLATION_LOSSES = {
    "DistillationDKDLoss": DistillationDKDLoss,
    "DistillationCTCLoss": DistillationCTCLoss,
    "DistillationNRTRLoss": DistillationNRTRLoss,
    "DistillCTCLogits": DistillCTCLogits,
}
SUMS = {"MultiLoss": MultiLoss, "CombinedLoss": CombinedLoss}


def build_loss(config: Config) -> Loss:
    """Builds the loss of the config's Loss section.

    Args:
        config: loaded by `load_config`.

    Returns:
        A function of a network's training outputs and the targets. It returns "loss", () float32, whose gradient trains
        the network, and the weighted parts of that sum under the names by which PaddleOCR logs them.

    Raises:
        InputError: an unknown loss or key.
    """
    options = config.Loss.model_dump()
    name = options.pop("name")
    if name in HEAD_LOSSES:
        if name == "AttentionLoss":  # without teacher forcing PaddleOCR trains the decoder to output the start token
            head = config.Architecture.Head if config.has("Architecture") else None
            options["start"] = not (head or {}).get("teacher_forcing", True)
        part = _build_part(HEAD_LOSSES, name, options, "Loss")
        return lambda outputs, targets: {"loss": part(outputs, targets)}
    return construct(look_up({**HEAD_LOSSES, **SUMS}, name, "Loss"), "Loss", options)


def sums_over_lines(config: Config) -> bool:
    """Whether the config's loss is a sum over the lines of a batch; the others are means."""
    return getattr(HEAD_LOSSES.get(config.Loss.name), "sums_over_lines", False)


def _entries(name: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Location in the config, name and options of each entry of a loss_config_list."""
    if not entries:
        raise InputError(f"Loss.loss_config_list is empty: name the parts of {name}.")
    for i, entry in enumerate(entries):
        for part, options in entry.items():
            yield f"Loss.loss_config_list.{i}.{part}", part, dict(options or {})


def _build_part(table: Mapping[str, type], name: str, options: Mapping[str, Any], location: str) -> Any:
    options = {key: value for key, value in options.items() if key not in UNUSED_KEYS}
    return construct(look_up(table, name, location), location, options)


def _output(outputs: Outputs, name: str) -> Any:
    if name not in outputs:
        raise InputError(
            f"A loss needs the output {name!r} and the network gives {', '.join(map(repr, outputs))}: choose another "
            "Loss, or give the network that head (a fused network has lost its auxiliary branch)."
        )
    return outputs[name]


def _of_each(
    part: CTCLoss | NRTRLoss, name: str, models: Sequence[str], outputs: Outputs, targets: Targets
) -> dict[str, Tensor]:
    return {f"{name}_{model}_{i}": part(_output(outputs, model), targets) for i, model in enumerate(models)}


def _with_sum(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**losses, "loss": sum(losses.values())}
