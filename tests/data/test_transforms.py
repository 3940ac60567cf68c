"""The widths of lines at a network's height, one by one and many at once."""

from __future__ import annotations

import numpy as np

from scenetext.data.transforms import resized_width, resized_widths


def test_many_widths_are_those_of_each_image() -> None:
    rng = np.random.default_rng(0)
    sizes = np.concatenate([rng.integers(1, 3000, (2000, 2)), [[1, 3000], [50_000_000, 1], [320, 48], [319, 48]]])
    for height_px, most_px in ((48, 3200), (32, 320), (48, 10**10)):
        one_by_one = [resized_width((int(h), int(w)), height_px, most_px) for w, h in sizes]
        assert resized_widths(sizes.astype(np.int32), height_px, most_px).tolist() == one_by_one
