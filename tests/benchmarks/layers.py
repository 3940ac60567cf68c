"""Compares our layers with Paddle's own, forward and backward, in turn: `python tests/benchmarks/layers.py [ROUNDS]`.

Prints medians in milliseconds and the ratio of Paddle's time to ours. The inputs have the shapes of PP-OCRv6 small in
training (16 lines of 48x320); for CTC and its linear layer, those of CRNN mobile (32 lines of 32x320). GELU also gets
saturated inputs, such as those in a trained or fused network.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

from scenetext.system.process import prepare_process

prepare_process()

import paddle  # noqa: E402

from scenetext.models.blocks.layers import GELU, Conv2D, Linear  # noqa: E402
from scenetext.models.kernels.ctc import ctc_of_lines  # noqa: E402

REPEATS = 5


def milliseconds(layer: Callable, images: paddle.Tensor) -> float:
    """Time of one forward and backward pass of a layer, mean of REPEATS."""
    started = time.perf_counter()
    for _ in range(REPEATS):
        own = images.clone()
        own.stop_gradient = False
        (layer(own * 1.0) * 1.0).sum().backward()
    return (time.perf_counter() - started) / REPEATS * 1e3


def comparisons() -> dict[str, tuple[Callable, Callable, paddle.Tensor]]:
    """Name → Paddle's layer, ours, input."""
    paddle.seed(0)
    pointwise = dict(in_channels=192, out_channels=384, kernel_size=1)
    depthwise = dict(in_channels=192, out_channels=192, kernel_size=3, padding=1, groups=192)
    map_192 = paddle.randn([16, 192, 6, 80])
    wide = paddle.randn([16, 384, 6, 80])
    features = paddle.randn([32, 80, 96])
    classes = dict(in_features=96, out_features=6625)
    strings = paddle.randint(1, 6625, [32, 6]).astype("int32")
    lengths = paddle.full([32], 6, "int64")
    steps = paddle.full([32], 80, "int64")

    def paddles_ctc(logits: paddle.Tensor) -> paddle.Tensor:
        return paddle.nn.functional.ctc_loss(logits.transpose([1, 0, 2]), strings, steps, lengths, reduction="none")

    return {
        "linear, 6,625 classes": (paddle.nn.Linear(**classes), Linear(**classes), features),
        "CTC, 6,625 classes": (
            paddles_ctc,
            lambda logits: ctc_of_lines(logits, strings, lengths),
            paddle.randn([32, 80, 6625]),
        ),
        "1x1 convolution with bias": (paddle.nn.Conv2D(**pointwise), Conv2D(**pointwise), map_192),
        "depthwise 3x3 with bias": (paddle.nn.Conv2D(**depthwise), Conv2D(**depthwise), map_192),
        "GELU, deviation 1": (paddle.nn.functional.gelu, GELU(), wide),
        "GELU, deviation 30": (paddle.nn.functional.gelu, GELU(), wide * 30.0),
    }


def main(rounds: int) -> None:
    """Measures and prints a table."""
    print(f"{'':28}{'Paddle, ms':>12}{'ours, ms':>12}{'ratio':>8}{'min':>8}{'max':>8}")
    for name, (theirs, ours, images) in comparisons().items():
        pairs = [(milliseconds(theirs, images), milliseconds(ours, images)) for _ in range(rounds + 1)][1:]
        ratios = [theirs_ms / ours_ms for theirs_ms, ours_ms in pairs]
        medians = [median(side) for side in zip(*pairs, strict=True)]
        print(f"{name:28}{medians[0]:12.1f}{medians[1]:12.1f}{median(ratios):8.2f}{min(ratios):8.2f}{max(ratios):8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
