"""The roofline benchmark counts what was worked out by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import paddle
import pytest
from paddle import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from roofline import FLOAT, Machine, Work, layers_work, row

from scenetext.models.blocks.svtr_block import Attention

LAYERS = {  # a layer, its input, its multiplications with addition, and the numbers that it reads and writes
    "convolution": (
        nn.Conv2D(4, 6, 3, padding=1, groups=2),
        [2, 4, 5, 7],
        2 * 6 * 35 * 2 * 9,
        2 * 4 * 35 + 2 * 6 * 35 + 6 * 18 + 6,
    ),
    "linear": (nn.Linear(8, 3), [2, 5, 8], 2 * 5 * 3 * 8, 2 * 5 * (8 + 3) + 8 * 3 + 3),
    "normalisation": (nn.LayerNorm(8), [2, 5, 8], 0, 2 * 80 + 16),
    "activation": (nn.ReLU(), [2, 8], 0, 32),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layers_work_is_that_worked_out_by_hand(kind):
    layer, shape, products, numbers = LAYERS[kind]
    assert layers_work(nn.Sequential(layer), paddle.rand(shape)) == [Work(2 * products, FLOAT * numbers)]


def test_attention_is_two_products_besides_its_linear_layers():
    works = layers_work(nn.Sequential(Attention(8, 2)), paddle.rand([3, 5, 8]))
    linear = [2 * 3 * 5 * 8 * 24, 2 * 3 * 5 * 8 * 8]
    assert sorted(work.operations for work in works) == sorted([*linear, 2 * 2 * 3 * 5 * 5 * 8])


def test_a_layer_takes_the_longer_of_its_two_limits_and_the_table_adds_them_up():
    machine = Machine(operations=100.0, bytes=10.0)
    layers = [Work(200, 5), Work(10, 40)]  # 2 s of operations; 4 s of bytes
    assert [work.seconds(machine) for work in layers] == [2.0, 4.0]
    assert row("a network", layers, 12.0, machine).split()[-4:] == ["6.000", "12.000", "50%", "18%"]
