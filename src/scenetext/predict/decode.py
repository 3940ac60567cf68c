"""From logits to text, greedily: CTC by PaddleOCR's rule, and attention decoders.

Paper: Graves et al., Connectionist Temporal Classification, ICML 2006, section 3.2 (best path decoding).
PaddleOCR's attention decoding never stops at the end of the line and gives an empty text the confidence nan. Here the
text ends at the network's end class, and an empty text has the confidence 0. See `beam_search` for a wider search.
"""

from __future__ import annotations

import numpy as np

from scenetext.text.charset import BLANK, SOS, Charset


def ctc_greedy(logits: np.ndarray, charset: Charset, probabilities: bool = False) -> list[tuple[str, float]]:
    """Best path decoding: the best class per step, repeats merged, blanks dropped.

    Args:
        logits: (B, T, C) float raw logits, or probabilities when `probabilities` is true.
        charset: the characters of the classes.
        probabilities: `logits` are already probabilities.

    Returns:
        Per line the text and its confidence, the mean of the best probability over the first step of each kept
        character (0.0 for an empty text), as PaddleOCR reports it.
    """
    best, peak = _best_classes(logits, probabilities)
    return decode_best(best, peak, charset)


def decode_best(best: np.ndarray, peak: np.ndarray, charset: Charset) -> list[tuple[str, float]]:
    """The second half of `ctc_greedy`, from the best class (B, T) int and its probability (B, T) of every step."""
    return _texts(best, peak, ctc_kept(best), charset)


def ctc_kept(best: np.ndarray) -> np.ndarray:
    """Which steps give a character: those whose class is neither the blank nor the class of the step before.

    Args:
        best: (B, T) int, the class of every step.

    Returns:
        (B, T) bool.
    """
    previous = np.concatenate([np.full_like(best[:, :1], BLANK), best[:, :-1]], axis=1)
    return (best != previous) & (best != BLANK)


def attention_greedy(logits: np.ndarray, charset: Charset, probabilities: bool = False) -> list[tuple[str, float]]:
    """The best class per step, up to the first that ends the line.

    Args:
        logits: (B, T, C) float raw logits, or probabilities when `probabilities` is true. The last class ends a line.
        charset: the characters of the classes.
        probabilities: `logits` are already probabilities.

    Returns:
        Per line the text and its confidence, the mean of the best probability over the characters kept (0.0 for an
        empty text). The class that starts a line gives no character at any step.
    """
    best, peak = _best_classes(logits, probabilities)
    return _texts(best, peak, attention_kept(best, logits.shape[2] - 1), charset)


def attention_kept(best: np.ndarray, end: int) -> np.ndarray:
    """Which steps of an attention decoder give a character.

    Args:
        best: (B, T) int, the class of every step.
        end: the class that ends a line.

    Returns:
        (B, T) bool.
    """
    ended = np.logical_or.accumulate(best == end, axis=1)
    return ~ended & (best != SOS)


# by the heads' DECODING
GREEDY_DECODERS = {"ctc": ctc_greedy, "attention": attention_greedy}


def _best_classes(logits: np.ndarray, probabilities: bool) -> tuple[np.ndarray, np.ndarray]:
    """The best class of every step, (B, T) int, and its probability, (B, T)."""
    best = logits.argmax(axis=2)
    peak = np.take_along_axis(logits, best[:, :, None], axis=2)[:, :, 0]
    return best, peak if probabilities else 1.0 / np.exp(logits - peak[:, :, None]).sum(axis=2)


def _texts(best: np.ndarray, peak: np.ndarray, kept: np.ndarray, charset: Charset) -> list[tuple[str, float]]:
    lines = []
    for ids, probability, keep in zip(best, peak, kept, strict=True):
        text = charset.decode(ids[keep].tolist())
        lines.append((text, float(probability[keep].mean()) if text else 0.0))
    return lines
