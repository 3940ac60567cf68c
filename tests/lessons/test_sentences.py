"""Sentences are written from the data: each holds for its data, whichever they are, in both languages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from scenetext.evaluate.breakdown import Confusion, Group
from scenetext.evaluate.comparison import Comparison, compare_texts
from scenetext.lessons import compare, config, data, evaluate, export, submit, train
from scenetext.lessons.layers import Stage
from scenetext.text import Charset

STAGES = [
    Stage("picture", "picture", (3, 48, 320), 0),
    Stage("backbone", "conv", (8, 6, 80), 30),
    Stage("head", "fc", (80, 9), 70),
]
CURVE = [
    {"max_mb": 1, "bits": 2.0, "normalised": 0.5},
    {"max_mb": 2, "bits": 4.0, "normalised": 0.88},
    {"max_mb": None, "bits": 32.0, "normalised": 0.9},
]


def comparison(won: int, lost: int, alike: int = 200) -> Comparison:
    lines = won + lost + alike
    first = ["x"] * won + ["a"] * (lost + alike)
    second = ["a"] * won + ["x"] * lost + ["a"] * alike
    return compare_texts([str(i) for i in range(lines)], ["a"] * lines, first, second, ("pretrained", "finetuned"))


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (data.about_widths([100, 100, 100, 400], 320), "at most 100 pixels wide.*widest has 400: 4.0 times"),
        (data.about_widths([100, 100, 100, 400], 320), "25.0% of the lines are squeezed, and 52% of the pixels"),
        (data.about_characters({"的": 30, " ": 9, "龘": 1}), "3 characters, 的, occurs 30 .* 2 characters occur less"),
        (
            data.about_charsets(["好店", "旧"], Charset.from_labels(["好店"]), Charset.from_labels(["好店旧"])),
            "Of 2 validation labels, 1 can be written .* 2 with .*: 1 more",
        ),
        (config.about_steps(100, 98, 4, 16, 3), "98 of 100 lines in 4 steps of 24.5 .* 3 fewer than the 7 .* 12 steps"),
        (config.about_steps(100, 100, 9, 16, 1), "2 more than the 7"),
        (config.about_steps(96, 96, 6, 16, 1), "as many as the 6"),
        (config.about_canvases({"a": 0.1, "b": 0.0}, {"a": 0.5, "b": 0.06}), "squeezes 10.0% .* run 0.0%; 50%.* 6%"),
        (config.about_network(STAGES), "100 parameters.*48x320 pixels into 80 steps of 9 .* for 4 pixels. fc .* 70%"),
        (train.about_curves([3.0, 1.0], [0.7, 0.9, 0.88], [0.6, 0.8, 0.8], [0.8, 0.95, 0.9]), "from 3 to 1.*number 2"),
        (train.about_curves([3.0, 4.0], [0.7, 0.9, 0.88], [0.6, 0.8, 0.8], [0.8, 0.95, 0.9]), "rose .* 2 of the 3 lie"),
        (train.about_curves([], [0.7], [0.6], [0.8]), "one evaluation, 70.0%: nothing was chosen"),
        (evaluate.about_groups([Group("1", 5, 1, 1, 1, 1)], "长度", "length"), "fewer than two groups"),
        (
            evaluate.about_groups(
                [Group("1", 50, 0, 0.7, 0.6, 0.8), Group("2", 40, 0, 0.95, 0.9, 0.97), Group("9", 3, 0, 0, 0, 0)],
                "长",
                "by",
            ),
            "2 is read best .* and 1 worst .*do not overlap",
        ),
        (
            evaluate.about_groups([Group("1", 50, 0, 0.7, 0.6, 0.8), Group("2", 40, 0, 0.75, 0.7, 0.9)], "长", "by"),
            "overlap, so this may be chance",
        ),
        (
            evaluate.about_confusions([Confusion("a", "A", 2, True), Confusion("b", "", 1, False)]),
            "3 characters differ: 1 were missed, 2 differ only .* 1 of 2 pairs",
        ),
        (export.about_parts({"backbone": 3_000_000, "head": 1_000_000}), "Of 4.00 MB, backbone takes most: 75%"),
        (export.about_bits(["a", "b"], [8.0, 2.0], [100, 300]), "mean is 3.50 bits.* a got most, 8.0; b fewest, 2.0"),
        (export.about_curve(CURVE, [0.4, 0.84, 0.85], [0.6, 0.92, 0.95]), "interval is 2 MB.*At 1 MB .* a loss"),
        (export.about_curve([], [], []), "No budgets"),
        (export.about_rounding(np.ones(4, np.float32), {32: [("a", 1.0)], 4: [("a", 0.9)]}), "stay the same down to 4"),
        (export.about_rounding(np.ones(4), {32: [("a", 1)], 4: [("a", 1)], 3: [("b", 1)]}), "differs .* is at 3 bits"),
        (submit.about_gains(None, comparison(1, 1), 1), r"200|202 test lines.*\+0.0 points.*called none"),
        (
            submit.about_gains(comparison(30, 2), comparison(10, 4), 5),
            r"214 test lines, .* gained \+2.8 .*232 validation lines it was \+12.1.*\+9.3 points .* best of 5",
        ),
        (submit.about_gains(comparison(5, 5), comparison(20, 0), 2), "Here chance went the other way"),
        (compare.about_comparison(comparison(20, 0)), "finetuned is better than pretrained by 9.1 points"),
        (compare.about_comparison(comparison(2, 2)), "No difference shown"),
    ],
)  # fmt: skip
def test_a_sentence_holds_for_its_data(sentence: str, told: str) -> None:
    english, chinese = sentence.split("\n")
    assert re.search(told, english), english
    assert re.search(r"[\u4e00-\u9fff]{4}", chinese) and chinese.rstrip().endswith("。")
    numbers = [set(re.findall(r"\d+\.\d+", text)) for text in (english, chinese)]
    assert numbers[1] <= numbers[0] | {text.removeprefix("-") for text in numbers[0]} or "p = " in chinese


def test_chance_lifts_the_best_of_several_equal_networks() -> None:
    assert submit.lift_of_choice(0.9, 200, 1) == pytest.approx(0, abs=1e-3)
    # the largest of two normal numbers lies 1 / sqrt(pi) standard errors above their mean
    assert submit.lift_of_choice(0.9, 200, 2) == pytest.approx((0.9 * 0.1 / 200) ** 0.5 / np.pi**0.5, rel=0.05)
    assert submit.lift_of_choice(0.9, 200, 10) > submit.lift_of_choice(0.9, 200, 2)
    assert submit.lift_of_choice(0.9, 20_000, 10) < submit.lift_of_choice(0.9, 200, 10) / 5


def test_buckets_are_the_batches_of_the_plan_on_their_canvases() -> None:
    from scenetext.data.batches import FixedSampler, WidthBucketSampler

    widths = np.array([30, 310, 33, 60, 62, 500])
    found = train.buckets(WidthBucketSampler(widths, 48, 48 * 320, False, 0).plan(0), widths)
    assert [bucket.canvas_px for bucket in found] == sorted(bucket.canvas_px for bucket in found)
    assert sorted(int(i) for bucket in found for i in bucket.indices) == list(range(6))
    assert all(bucket.canvas_px % 8 == 0 and (bucket.widths_px <= bucket.canvas_px).all() for bucket in found)
    (one,) = train.buckets(FixedSampler(6, 6, 48, 320, False, False, 0).plan(0), widths)
    assert one.canvas_px == 320 and one.widths_px.max() == 320
    assert one.padding == pytest.approx(1 - np.minimum(widths, 320).sum() / (6 * 320))
    assert "1 batches: 6 lines" in train.about_buckets([one])
