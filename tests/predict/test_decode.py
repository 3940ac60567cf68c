"""From logits to text, greedily."""

from __future__ import annotations

import numpy as np
import pytest

from scenetext.predict.decode import attention_greedy, ctc_greedy
from scenetext.text.charset import Charset

ABC = Charset(("a", "b", "c"))


def one_hot(path, probability=0.7):
    scores = np.full((1, len(path), 4), (1 - probability) / 3, np.float32)
    scores[0, np.arange(len(path)), path] = probability
    return scores


@pytest.mark.parametrize(
    "path, text",
    [
        ([0, 1, 1, 0, 2], "ab"),  # repeats merge
        ([1, 0, 1, 1], "aa"),  # a blank parts equal neighbours
        ([0, 0, 0], ""),  # nothing but blanks
        ([3, 3, 2, 0, 0], "cb"),
    ],
)
def test_best_path_merges_repeats_and_drops_blanks(path, text):
    ((read, confidence),) = ctc_greedy(one_hot(path), ABC, probabilities=True)
    assert read == text
    assert confidence == pytest.approx(0.7 if text else 0.0)


def test_logits_and_their_softmax_read_alike():
    logits = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for (text, sure), (same, equally) in zip(
        ctc_greedy(logits, ABC), ctc_greedy(probabilities, ABC, probabilities=True), strict=True
    ):
        assert text == same and sure == pytest.approx(equally, abs=1e-6)


def test_confidence_is_the_mean_over_the_first_step_of_each_kept_character():
    scores = one_hot([1, 1, 0, 2])
    scores[0, 0] = [0.1, 0.9, 0, 0]
    scores[0, 1] = [0.4, 0.6, 0, 0]  # a repeat does not count
    assert ctc_greedy(scores, ABC, probabilities=True)[0][1] == pytest.approx((0.9 + 0.7) / 2)


@pytest.mark.parametrize(
    "path, text",
    [
        ([1, 1, 2, 4, 3], "aab"),  # repeats stay, and nothing is read after the end
        ([0, 1, 0, 2, 4], "ab"),  # a start stands for nothing, wherever it comes
        ([4, 1, 2], ""),  # ended before it began
        ([1, 2, 3], "abc"),  # never ended
    ],
)
def test_attention_reads_up_to_the_end_of_the_line(path, text):
    scores = np.full((1, len(path), 5), 0.1, np.float32)
    scores[0, np.arange(len(path)), path] = 0.6
    ((read, confidence),) = attention_greedy(scores, ABC, probabilities=True)
    assert read == text
    assert confidence == pytest.approx(0.6 if text else 0.0)
    ((read, confidence),) = attention_greedy(np.log(scores) + 1.0, ABC)
    assert (read, confidence) == (text, pytest.approx(0.6 if text else 0.0))


def test_attention_without_the_class_of_the_space_ends_at_the_networks_last_class():
    scores = np.zeros((1, 3, 4), np.float32)
    scores[0, [0, 1, 2], [1, 3, 2]] = 1.0  # a, the end, b
    assert attention_greedy(scores, Charset(("a", "b", " "), use_space_char=True), probabilities=True) == [("a", 1.0)]
