"""LineAug: what each of its changes does to the picture and the label of a line."""

from __future__ import annotations

import cv2
import numpy as np

from scenetext.data.dataset import Lines
from scenetext.data.line_aug import LineAug, blurred, recropped, shrunk, sideways
from scenetext.data.sources.images import open_images
from scenetext.text.charset import Charset
from scenetext.text.records import Record

OFF = dict.fromkeys(("low_resolution_prob", "blur_prob", "crop_prob", "sideways_prob", "rows_prob"), 0.0)


def striped(height: int, width: int) -> np.ndarray:
    return np.tile((np.arange(width) % 8 < 4).astype(np.uint8)[None, :, None] * 200, (height, 1, 3))


def test_each_change_does_what_its_name_says() -> None:
    rng, line = np.random.default_rng(0), striped(48, 96)
    assert np.array_equal(LineAug(**OFF)(line, "甲乙", rng), line)
    assert 10 <= shrunk(line, rng).shape[0] < 24
    assert blurred(line, rng).std() < line.std()
    shapes = {recropped(line, np.random.default_rng(seed)).shape for seed in range(30)}
    heights = [shape[0] for shape in shapes]
    assert min(heights) < 52 and max(heights) > 56 and max(heights) <= 48 + 2 * 10
    turned = sideways(line, "甲乙", rng)
    assert turned.shape == line.shape and turned[0].std() == 0 and turned[:, 0].std() > 50  # stripes lie across
    for text in ("ab", "甲乙丙丁戊", "甲a"):  # narrow letters, and cells that are no letters
        assert sideways(line, text, rng) is line


def test_a_second_row_brings_its_label(tmp_path) -> None:
    for name, width in (("0.png", 48), ("1.png", 96)):
        cv2.imwrite(str(tmp_path / name), striped(48, width))
    records = [Record("0.png", "甲", "x:1"), Record("1.png", "乙丙", "x:2")]

    def lines(longest: int | None) -> Lines:
        always = LineAug(**{**OFF, "rows_prob": 1.0})
        images, charset = open_images(tmp_path), Charset(tuple("甲乙丙"))
        return Lines(records, images, charset, 48, 960, longest_label=longest, line_aug=always)

    labels = {tuple(lines(None).load(0, epoch)[1]) for epoch in range(8)}
    assert labels == {(1, 1), (1, 2, 3)}
    assert {tuple(lines(2).load(0, epoch)[1]) for epoch in range(8)} == {(1, 1), (1,)}
