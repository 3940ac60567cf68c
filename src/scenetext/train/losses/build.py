"""Builds a training's loss from a config's Loss section, under PaddleOCR's names.

The section's classes in `config.sections.loss` are the names, settings and defaults of the losses; the tables here say
what each of them computes. Reference: ppocr/losses/rec_multi_loss.py, combined_loss.py and distillation_loss.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from paddle import Tensor

from scenetext.config import Config
from scenetext.config.sections import loss as settings
from scenetext.errors import InputError
from scenetext.models.build import reading_config
from scenetext.models.heads.attention_head import TEACHER_FORCING
from scenetext.models.targets import Targets, attention_targets, nrtr_targets
from scenetext.train.losses.answers import answers_loss
from scenetext.train.losses.attention import attention_loss
from scenetext.train.losses.ctc import ctc_loss
from scenetext.train.losses.distillation import ctc_logits_loss, dkd_loss
from scenetext.train.losses.nrtr import nrtr_loss
from scenetext.train.losses.sgm import guidance_loss

Outputs = Mapping[str, Any]  # of a network by head, or of several networks by name
Loss = Callable[[Outputs, Targets], dict[str, Tensor]]


def build_loss(config: Config) -> Loss:
    """Builds the loss of the config's Loss section.

    Args:
        config: loaded by `load_config`.

    Returns:
        A function of a network's training outputs and the targets. It returns "loss", () float32, whose gradient trains
        the network, and the weighted parts of that sum under the names by which PaddleOCR logs them. It raises
        InputError where the network lacks an output that the loss needs.
    """
    section = config.Loss
    if isinstance(section, settings.MultiLoss):
        return partial(_multi_loss, section)
    if isinstance(section, settings.CombinedLoss):
        return partial(_combined_loss, section)
    if isinstance(section, settings.OnlyAttentionLoss):
        return partial(_attention_loss, _starts_with_token(config))
    return lambda outputs, targets: {"loss": _ctc_loss(section, outputs, targets)}


def sums_over_lines(config: Config) -> bool:
    """Whether the config's loss is a sum over the lines of a batch; the others are means."""
    return isinstance(config.Loss, settings.OnlyAttentionLoss)


def keeps_answers(config: Config) -> bool:
    """Whether the config's loss compares the network with what the pretrained network answers."""
    parts = getattr(config.Loss, "loss_config_list", None) or [config.Loss]
    return any(getattr(part, "answers_weight", 0.0) > 0 for part in parts)


def _starts_with_token(config: Config) -> bool:
    """Whether the attention decoder has to output the start token first: PaddleOCR trains it so without forcing."""
    head = reading_config(config).Architecture.Head if config.has("Architecture") else None
    return not (head or {}).get("teacher_forcing", TEACHER_FORCING)


def _attention_loss(start: bool, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    logits = _output(outputs, "attention")
    classes = attention_targets(targets, logits.shape[1], logits.shape[2] - 1, start)
    return {"loss": attention_loss(logits, classes)}


def _ctc_loss(section: settings.CTCLoss, outputs: Outputs, targets: Targets) -> Tensor:
    logits = _output(outputs, "ctc")
    loss = ctc_loss(logits, targets.ids, targets.lengths, section.use_focal_loss)
    return loss + section.answers_weight * answers_loss(logits, targets.answers) if section.answers_weight else loss


def _nrtr_loss(section: settings.NRTRLoss, outputs: Outputs, targets: Targets) -> Tensor:
    return nrtr_loss(_output(outputs, "nrtr"), nrtr_targets(targets)[:, 1:], section.smoothing, count_padding=False)


def _sgm_loss(section: settings.SGMLoss, outputs: Outputs, targets: Targets) -> Tensor:
    return guidance_loss(_output(outputs, "sgm"), targets.ids)


HEAD_LOSSES = {settings.CTCLoss: _ctc_loss, settings.NRTRLoss: _nrtr_loss, settings.SGMLoss: _sgm_loss}
"""The parts of a MultiLoss: (section, outputs, targets) → () float32."""


def _multi_loss(section: settings.MultiLoss, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """The weighted sum of the CTC loss and the auxiliary branch's loss; each part is logged under its own name."""
    parts = {}
    for part in section.loss_config_list:
        weight = section.weight_1 if isinstance(part, settings.CTCLoss) else section.weight_2
        parts[type(part).__name__] = weight * HEAD_LOSSES[type(part)](part, outputs, targets)
    return _with_sum(parts)


def _distillation_dkd(section: settings.DistillationDKDLoss, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """Decoupled distillation from the teachers' auxiliary branches to the students'."""
    tokens = nrtr_targets(targets)[:, 1:]
    return {
        f"{section.name}_{i}": dkd_loss(
            *(_output(_output(outputs, model), "nrtr") for model in pair),
            tokens,
            section.temperature,
            section.alpha,
            section.beta,
            section.count_padding,
        )
        for i, pair in enumerate(section.model_name_pairs)
    }


def _distillation_ctc(section: settings.DistillationCTCLoss, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """The CTC loss of several networks against the labels."""
    plain = settings.CTCLoss()
    return {
        f"{section.name}_{model}_{i}": _ctc_loss(plain, _output(outputs, model), targets)
        for i, model in enumerate(section.model_name_list)
    }


def _distillation_nrtr(section: settings.DistillationNRTRLoss, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """The cross-entropy of several networks' auxiliary branches against the labels."""
    tokens = nrtr_targets(targets)[:, 1:]
    return {
        f"{section.name}_{model}_{i}": nrtr_loss(
            _output(_output(outputs, model), "nrtr"), tokens, section.smoothing, section.count_padding
        )
        for i, model in enumerate(section.model_name_list)
    }


def _distill_ctc_logits(section: settings.DistillCTCLogits, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """Distillation from the teacher's CTC branch to the student's, by the characters found anywhere on a line."""
    return {
        f"{section.name}_{i}": ctc_logits_loss(*(_output(_output(outputs, model), "ctc") for model in pair))
        for i, pair in enumerate(section.model_name_pairs)
    }


DISTILLATION_LOSSES = {
    settings.DistillationDKDLoss: _distillation_dkd,
    settings.DistillationCTCLoss: _distillation_ctc,
    settings.DistillationNRTRLoss: _distillation_nrtr,
    settings.DistillCTCLogits: _distill_ctc_logits,
}
"""The parts of a CombinedLoss: (section, outputs, targets) → losses by the name in the log."""


def _combined_loss(section: settings.CombinedLoss, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """The weighted sum of a distillation's losses."""
    losses: dict[str, Tensor] = {}
    for part in section.loss_config_list:
        for name, value in DISTILLATION_LOSSES[type(part)](part, outputs, targets).items():
            if name in losses:
                raise InputError(f"Two losses of CombinedLoss are called {name}: give one of them another `name`.")
            losses[name] = part.weight * value
    return _with_sum(losses)


def _output(outputs: Outputs, name: str) -> Any:
    if name not in outputs:
        raise InputError(
            f"A loss needs the output {name!r} and the network gives {', '.join(map(repr, outputs))}: choose another "
            "Loss, or give the network that head (a fused network has lost its auxiliary branch)."
        )
    return outputs[name]


def _with_sum(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**losses, "loss": sum(losses.values())}
