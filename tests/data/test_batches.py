"""Batches: who travels with whom, on how wide a canvas, and the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import draw_digits
from paddleocr_resize import resize_norm_img

from scenetext.config.sections import transforms as settings
from scenetext.data.augment import RecAug
from scenetext.data.batches import (
    FixedSampler,
    MultiScaleSampler,
    WidthBucketSampler,
    ctc_steps,
    load_ahead,
    make_batch,
)
from scenetext.data.dataset import JoinLines, Lines
from scenetext.data.sources.images import open_images
from scenetext.data.transforms import canvas_width
from scenetext.errors import InputError
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_file

WIDTHS = np.random.default_rng(0).integers(20, 900, 400)


def bucketed(seed=0, shuffle=True):
    return WidthBucketSampler(WIDTHS, 48, 16 * 48 * 320, shuffle, seed)


SAMPLERS = {
    "buckets": lambda seed, shuffle: bucketed(seed, shuffle),
    "fixed": lambda seed, shuffle: FixedSampler(400, 32, 32, 320, shuffle, False, seed),
    "scales": lambda seed, shuffle: MultiScaleSampler(
        400, [(320, 32), (320, 48), (320, 64)], 32, False, (8, 16), shuffle, seed
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_line_is_planned_exactly_once_an_epoch(name, shuffle):
    members = np.concatenate([plan.indices for plan in SAMPLERS[name](3, shuffle).plan(5)])
    assert sorted(members) == list(range(400))


@pytest.mark.parametrize("name", SAMPLERS)
def test_membership_changes_with_the_epoch_and_repeats_with_the_seed(name):
    def sets(seed, epoch):
        return {frozenset(plan.indices.tolist()) for plan in SAMPLERS[name](seed, True).plan(epoch)}

    assert sets(1, 4) == sets(1, 4)
    assert len(sets(1, 4) & sets(1, 5)) <= 1  # a single very wide line may travel alone twice
    assert len(sets(1, 4) & sets(2, 4)) <= 1


def test_width_buckets_keep_the_pixels_steady_and_waste_little():
    canvases, own = [], 0
    for plan in bucketed().plan(0):
        width = max(canvas_width(int(WIDTHS[i])) for i in plan.indices)
        canvases.append(width * len(plan.indices) * 48)
        own += WIDTHS[plan.indices].sum() * 48
    assert max(canvases) <= 16 * 48 * 320
    assert own / sum(canvases) > 0.8  # a fixed 320 canvas would be half padding for these


def test_drop_last_leaves_out_only_the_short_batch():
    plans = FixedSampler(70, 32, 32, 320, True, True, 0).plan(0)
    assert [len(plan.indices) for plan in plans] == [32, 32]


def test_multi_scale_batches_hold_fewer_lines_at_larger_sizes():
    sizes = {(plan.width_px, plan.height_px): len(plan.indices) for plan in SAMPLERS["scales"](0, False).plan(0)[:3]}
    assert sizes == {(320, 32): 32, (320, 48): 21, (320, 64): 16}


@pytest.fixture
def lines(tmp_path):
    draw_digits(tmp_path, 12)
    return Lines(
        read_label_file(tmp_path / "train.txt"),
        open_images(tmp_path / "images"),
        Charset.from_file(tmp_path / "charset.txt"),
        height_px=32,
        max_width_px=200,
        augment=RecAug(**settings.RecAug().shares),
        join=JoinLines(0.5, 2, 10.0),
        seed=3,
    )


def test_a_line_is_changed_alike_for_the_same_seed_and_epoch_only(lines):
    first, again, later = (lines.load(4, epoch)[0] for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert first.shape != later.shape or not np.array_equal(first, later)


def test_joined_lines_carry_the_joined_label(lines):
    longer = [i for i in range(12) if len(lines.load(i, 0)[1]) > len(lines.ids[i])]
    assert longer, "with a share of one half some line is joined"
    for i in longer:
        assert lines.load(i, 0)[1][: len(lines.ids[i])] == lines.ids[i]


def test_batches_made_ahead_by_threads_equal_those_made_in_turn(lines):
    plans = WidthBucketSampler(lines.widths_px(), 32, 4 * 32 * 160, True, 0).plan(0)
    for ahead, plan in zip(load_ahead(lines, plans, 0, workers=3), plans, strict=True):
        alone = make_batch(lines, plan, 0)
        assert np.array_equal(ahead.images, alone.images) and np.array_equal(ahead.ids, alone.ids)


def test_a_canvas_is_wide_enough_for_ctc_to_spell_every_label(lines):
    plan = WidthBucketSampler(lines.widths_px(), 32, 10**6, False, 0).plan(0)[0]
    step_px = 64
    batch = make_batch(lines, plan, 0, step_px)
    need = max(ctc_steps(row[:n].tolist()) for row, n in zip(batch.ids, batch.lengths, strict=True))
    assert batch.images.shape[3] >= need * step_px


@pytest.mark.parametrize("ids, steps", [([1, 2, 3], 3), ([1, 1], 3), ([2, 2, 2, 5], 6), ([], 0)])
def test_ctc_needs_a_step_a_character_and_one_between_equal_ones(ids, steps):
    assert ctc_steps(ids) == steps


def test_no_lines_at_all_is_an_error(lines):
    with pytest.raises(InputError, match="no labelled lines"):
        Lines([], lines.images, lines.charset, 32, 200)


@pytest.mark.parametrize("shape", [(3, 32, 320), (3, 48, 320), (3, 32, 100)])
def test_resizing_equals_paddleocr_bit_for_bit(shared, shape):
    expected = np.load(shared / "parity" / "expected" / "preprocess.npz")
    key = f"{shape[1]}x{shape[2]}"
    for number in range(sum(name.endswith("_bgr_u8") for name in expected.files)):
        image = expected[f"img{number}_bgr_u8"]
        canvas, share = resize_norm_img(image, shape)
        assert np.array_equal(np.rint((canvas * 0.5 + 0.5) * 255), np.rint(expected[f"img{number}_train_{key}_u8"]))
        assert share == expected[f"img{number}_train_{key}_valid_ratio"]
        wide, _ = resize_norm_img(image, shape, infer=True)
        assert list(wide.shape) == expected[f"img{number}_infer_{key}_shape"].tolist()
        figures = [wide.mean(), wide.std(), wide.min(), wide.max()]
        np.testing.assert_allclose(figures, expected[f"img{number}_infer_{key}_stats"], atol=1e-6)
