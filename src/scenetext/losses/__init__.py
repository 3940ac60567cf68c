"""Losses on raw logits: one file a paper, and `build_loss`, which reads a config's Loss section."""

from scenetext.losses.attention import attention_loss
from scenetext.losses.build import adds_up_lines, build_loss
from scenetext.losses.ctc import ctc_loss
from scenetext.losses.distillation import ctc_logits_loss, dkd_loss
from scenetext.losses.nrtr import nrtr_loss
from scenetext.losses.sgm import guidance_loss

__all__ = [
    "adds_up_lines",
    "attention_loss",
    "build_loss",
    "ctc_logits_loss",
    "ctc_loss",
    "dkd_loss",
    "guidance_loss",
    "nrtr_loss",
]
