"""From logits to text: CTC greedy decoding by PaddleOCR's rule.

Paper: Graves et al., Connectionist Temporal Classification, ICML 2006, section 3.2 (best path decoding).
"""

from __future__ import annotations

import numpy as np

from scenetext.charset import BLANK, Charset


def ctc_greedy(scores: np.ndarray, charset: Charset, probabilities: bool = False) -> list[tuple[str, float]]:
    """Best path decoding: the best class per step, repeats merged, blanks dropped.

    Args:
        scores: (B, T, C) float; raw logits, or probabilities when `probabilities` is true.
        charset: the characters of the classes.
        probabilities: the scores are already probabilities.

    Returns:
        Per line the text and its confidence, the mean of the best probability over the first step of each kept
        character (0.0 for an empty text), as PaddleOCR reports it.
    """
    best = scores.argmax(axis=2)  # (B, T)
    peak = np.take_along_axis(scores, best[:, :, None], axis=2)[:, :, 0]  # (B, T)
    if not probabilities:
        peak = 1.0 / np.exp(scores - peak[:, :, None]).sum(axis=2)
    return decode_best(best, peak, charset)


def decode_best(best: np.ndarray, peak: np.ndarray, charset: Charset) -> list[tuple[str, float]]:
    """The second half of `ctc_greedy`, from the best class (B, T) int and its probability (B, T) of every step."""
    previous = np.concatenate([np.full_like(best[:, :1], BLANK), best[:, :-1]], axis=1)
    kept = (best != previous) & (best != BLANK)  # (B, T)
    lines = []
    for ids, probability, keep in zip(best, peak, kept, strict=True):
        text = charset.decode(ids[keep].tolist())
        lines.append((text, float(probability[keep].mean()) if text else 0.0))
    return lines
