"""Prefix beam search against all paths, and the character n-gram model that may weigh its texts."""

from __future__ import annotations

import itertools
import math
import os
from collections import defaultdict

import numpy as np
import pytest

from scenetext.errors import InputError
from scenetext.predict.beam_search import ctc_beam, likely_steps
from scenetext.predict.decode import ctc_greedy
from scenetext.predict.ngram import EDGE, NGramModel
from scenetext.text.charset import Charset

AB = Charset(("a", "b"))
WORDS = ["cat", "cart", "car", "cat", "hat", "heart"]


def random_probabilities(seed, steps, classes, sharpness=1.5):
    logits = np.random.default_rng(seed).normal(size=(1, steps, classes)) * sharpness
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def text_probabilities(probabilities, charset):
    """Every text's probability, by walking all paths of one line (T, C)."""
    sums = defaultdict(float)
    for path in itertools.product(range(probabilities.shape[1]), repeat=len(probabilities)):
        merged = [c for c, _ in itertools.groupby(path)]
        sums[charset.decode(merged)] += math.prod(step[c] for step, c in zip(probabilities, path, strict=True))
    return sums


@pytest.mark.parametrize("seed", range(12))
def test_wide_beam_finds_the_likeliest_text_and_its_probability_over_all_paths(seed):
    probabilities = random_probabilities(seed, steps=5, classes=3)
    sums = text_probabilities(probabilities[0], AB)
    ((text, probability),) = ctc_beam(probabilities, AB, 1000, min_probability=0.0, probabilities=True)
    assert text == max(sums, key=sums.get)
    assert probability == pytest.approx(sums[text], rel=1e-12)


def test_sum_over_paths_can_beat_the_best_path():
    # the best path is two blanks, 0.36; the three paths of "a" have 0.64 together
    probabilities = np.array([[[0.6, 0.4], [0.6, 0.4]]])
    assert ctc_greedy(probabilities, Charset(("a",)), probabilities=True)[0][0] == ""
    ((text, probability),) = ctc_beam(probabilities, Charset(("a",)), 5, probabilities=True)
    assert (text, probability) == ("a", pytest.approx(1 - 0.6**2))


@pytest.mark.parametrize("seed", range(4))
def test_logits_and_their_probabilities_are_read_alike(seed):
    probabilities = random_probabilities(seed, steps=9, classes=4)
    charset = Charset(("a", "b", "c"))
    ((one, p), (other, q)) = (
        ctc_beam(np.log(probabilities) + 3.0, charset, 20)[0],
        ctc_beam(probabilities, charset, 20, probabilities=True)[0],
    )
    assert one == other and p == pytest.approx(q)


def test_lines_are_read_one_by_one():
    batch = np.concatenate([random_probabilities(seed, 6, 3) for seed in range(3)])
    alone = [ctc_beam(batch[i : i + 1], AB, 8, probabilities=True)[0] for i in range(3)]
    assert ctc_beam(batch, AB, 8, probabilities=True) == alone


def test_sure_line_is_read_as_greedily_and_equal_neighbours_need_a_blank():
    scores = np.full((1, 5, 3), 1e-9)
    scores[0, range(5), [1, 0, 1, 1, 2]] = 1.0
    ((text, probability),) = ctc_beam(scores, AB, 3, probabilities=True)
    assert (text, probability) == ("aab", pytest.approx(1.0, abs=1e-6))


def test_language_model_lets_the_likelier_word_win():
    charset = Charset(tuple("acehrt"))
    scores = np.full((1, 5, 7), 1e-6)
    for location, character in enumerate("c?t"):
        if character != "?":
            scores[0, location * 2, charset.encode(character)] = 1.0
    scores[0, 1, 0] = scores[0, 3, 0] = 1.0
    scores[0, 2, charset.encode("ae")] = [0.45, 0.55]  # the picture says "cet", by a little
    assert ctc_beam(scores, charset, 10, probabilities=True)[0][0] == "cet"
    model = NGramModel.train(WORDS, order=3)
    text, probability = ctc_beam(scores, charset, 10, model, probabilities=True)[0]
    assert text == "cat"
    assert probability == pytest.approx(0.45, abs=1e-3)  # still what the network says
    assert ctc_beam(scores, charset, 10, model, lm_weight=0.0, probabilities=True)[0][0] == "cet"


@pytest.mark.parametrize("seed", range(6))
def test_language_model_ranks_as_the_formula_says(seed):
    probabilities = random_probabilities(seed, steps=4, classes=3)
    model = NGramModel.train(["ab", "abb", "ba"], order=2)
    sums = text_probabilities(probabilities[0], AB)
    ranks = {text: math.log(p) + 0.7 * model.score(text) + 0.3 * len(text) for text, p in sums.items() if p > 0}
    ((text, probability),) = ctc_beam(
        probabilities, AB, 1000, model, lm_weight=0.7, length_bonus=0.3, min_probability=0.0, probabilities=True
    )
    assert text == max(ranks, key=ranks.get)
    assert probability == pytest.approx(sums[text])


@pytest.mark.parametrize("seed", range(6))
def test_language_model_without_weight_and_bonus_changes_nothing(seed):
    # https://github.com/parlance/ctcdecode/issues/173
    batch = np.concatenate([random_probabilities(4 * seed + line, 12, 4, 3.0) for line in range(4)])
    charset, model = Charset(("a", "b", "c")), NGramModel.train(["cab", "abc", "bb"], order=3)
    alone = ctc_beam(batch, charset, 50, probabilities=True)
    assert ctc_beam(batch, charset, 50, model, lm_weight=0.0, length_bonus=0.0, probabilities=True) == alone


@pytest.mark.parametrize("seed", range(6))
def test_pruning_by_a_thousandth_finds_the_text_of_the_whole_search(seed):
    # sharp lines, as of a trained network
    charset, model = Charset(("a", "b", "c")), NGramModel.train(["cab", "abcc", "bb", "acab"], order=3)
    batch = np.concatenate([random_probabilities(50 * seed + line, 9, 4, 4.0) for line in range(8)])
    options = {"lm_weight": 0.3, "length_bonus": 0.5, "probabilities": True}
    whole = ctc_beam(batch, charset, 100_000, model, min_probability=0.0, **options)
    pruned = ctc_beam(batch, charset, 1000, model, **options)
    assert [text for text, _ in pruned] == [text for text, _ in whole]
    for (_, some), (_, every) in zip(pruned, whole, strict=True):
        assert 0.75 * every < some <= every * (1 + 1e-9)


def test_a_step_of_one_class_after_another_counts_once():
    line = np.full((1, 6, 3), 1e-9)
    line[0, range(6), [0, 0, 1, 1, 0, 2]] = 1.0
    assert len(likely_steps(line, probabilities=True)[0]) == 4


def test_class_of_no_chance_is_not_tried_unless_it_is_the_likeliest():
    scores = np.array([[[0.0, 0.0, 1.0], [0.9, 0.1, 0.0]]])
    assert ctc_beam(scores, AB, 5, min_probability=0.5, probabilities=True) == [("b", pytest.approx(0.9))]


def test_beam_of_no_width_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        ctc_beam(np.zeros((1, 2, 3)), AB, 0)


# ---- the n-gram model


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("before", ["", "c", "ca", "zz", "heart"])
def test_probabilities_of_what_may_follow_add_up_to_one(order, before):
    model = NGramModel.train(WORDS, order)
    symbols = [*sorted(set("".join(WORDS))), EDGE, "?"]  # "?" stands for all that was never seen
    assert sum(math.exp(model.log_probability(c, before)) for c in symbols) == pytest.approx(1.0)


def test_witten_bells_formula():
    model = NGramModel.train(["ab", "aa"], order=2)
    # a 3 times, b once, the end twice; the base is a quarter for each and for what was never seen
    single = {"a": (3 + 3 / 4) / 9, "b": (1 + 3 / 4) / 9, EDGE: (2 + 3 / 4) / 9}
    assert math.exp(model.log_probability("b", "a")) == pytest.approx((1 + 3 * single["b"]) / (3 + 3))
    assert math.exp(model.log_probability("a", "")) == pytest.approx((2 + 1 * single["a"]) / (2 + 1))
    assert math.exp(model.log_probability("b", "x")) == pytest.approx(single["b"])  # a context never seen


def test_seen_words_are_likelier_and_unknown_characters_possible():
    model = NGramModel.train(WORDS)
    assert model.score("cat") > model.score("tac") > -math.inf
    assert model.score("cat") > model.score("中文字") > -math.inf
    for before in ("", "ca", "zz"):
        assert all(model.log_probability(c, before) > model.log_probability("中", before) for c in "achrt")


def test_saved_model_is_text_and_reads_back_equal(tmp_path):
    model = NGramModel.train([*WORDS, "中\t文", '\u2028\\"', ""], order=3)
    model.save(tmp_path / "model.txt")
    assert '中\\t文"' in (tmp_path / "model.txt").read_text("utf-8")
    again = NGramModel.load(tmp_path / "model.txt")
    for text in (*WORDS, "中\t文", "unseen", ""):
        assert again.score(text) == model.score(text)
    again.save(tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == (tmp_path / "model.txt").read_bytes()


HEADER = b'{"format": "scenetext character n-grams", "order": 3}\n'


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot be read|does not exist"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "model.txt:1 "),
        (b'{"format": "other", "order": 3}\n', "model.txt:1 "),
        (b'{"format": "scenetext character n-grams", "order": 2}\n1\t"a"\n0\t"ab"\n', "model.txt:3 "),  # count 0
        (b'{"format": "scenetext character n-grams", "order": 2}\n1\t"abc"\n', "model.txt:2 "),  # longer than the order
        (b'{"format": "scenetext character n-grams", "order": 0}\n', "from 1 to 20"),
        (b'{"format": "scenetext character n-grams", "order": 21}\n', "from 1 to 20"),
        (b'{"format": "scenetext character n-grams", "order": Infinity}\n', "model.txt:1 "),
        (b'{"format": "scenetext character n-grams", "order": 1e400}\n', "model.txt:1 "),
        (b'{"format": "scenetext character n-grams", "order": 2.5}\n', "model.txt:1 "),
        (b'{"format": "scenetext character n-grams", "order": true}\n', "model.txt:1 "),
        (b'[["format", "order"]]\n', "model.txt:1 "),
        (b"[" * 100_000, "model.txt:1 "),
        (HEADER + b"1\t" + b"[" * 100_000, "model.txt:2 "),
        (HEADER + b"1\t" + b"[" * 30, "model.txt:2 "),
        (HEADER + b'1\t"' + b"x" * 100_000 + b'"', "model.txt:2 "),
        (HEADER + b"9" * 400 + b'\t"a"', "model.txt:2 "),
        (HEADER + b"9" * 5000 + b'\t"a"', "model.txt:2 "),
        (HEADER + b'1e5\t"a"', "model.txt:2 "),
        (HEADER + b'-1\t"a"', "model.txt:2 "),
        (HEADER + b'1\t"a"\n1 "b"', "model.txt:3 "),
        (HEADER + '\u0663\t"a"'.encode(), "model.txt:2 "),  # a digit, but no number that `save` writes
        (HEADER + b'1\t""', "model.txt:2 "),
        (HEADER + b"1\t5", "model.txt:2 "),
        (HEADER, "holds no n-grams"),
    ],
)
def test_file_that_is_no_model_is_an_error_with_its_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "model.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        NGramModel.load(tmp_path / "model.txt")


def test_n_grams_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("scenetext.predict.ngram.MAX_CONTEXTS", 10)
    (tmp_path / "model.txt").write_bytes(HEADER + b"".join(b'1\t"ab%d"\n' % i for i in range(9)))
    with pytest.raises(InputError, match="model.txt:5: The n-grams up to here have more than 10 contexts"):
        NGramModel.load(tmp_path / "model.txt")


@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_what_is_no_file_of_n_grams_is_not_waited_for(tmp_path, monkeypatch, kind):
    path = tmp_path / "model.txt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.setattr("scenetext.predict.ngram.MAX_BYTES", 10)
        path.write_bytes(HEADER)
    with pytest.raises(InputError, match="model.txt (cannot be read|has 54 bytes)"):
        NGramModel.load(path)


def test_no_texts_make_no_model():
    with pytest.raises(InputError, match="none"):
        NGramModel.train([])
