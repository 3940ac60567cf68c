"""Losses on raw logits: one file a paper, and `build_loss`, which reads a config's Loss section."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["attention_loss"],
        "build": ["build_loss", "keeps_answers", "sums_over_lines"],
        "ctc": ["ctc_loss"],
        "distillation": ["ctc_logits_loss", "dkd_loss"],
        "nrtr": ["nrtr_loss"],
        "sgm": ["guidance_loss"],
    },
)
