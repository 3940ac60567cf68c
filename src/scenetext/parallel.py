"""Data-parallel training through Paddle's own launcher: `python -m paddle.distributed.launch -m scenetext train ...`.

Every process plans the same batches and trains its share of them; gradients are averaged after each step (gloo on
CPU, NCCL on GPU). With one process nothing of this is active.
"""

from __future__ import annotations

import os

import paddle
from paddle import nn

from scenetext.data.batches import BatchPlan


def world_size() -> int:
    """Number of processes that train together."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def rank() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def join_processes(model: nn.Layer) -> nn.Layer:
    """Wraps a network so that gradients are averaged over all processes; with one process gives it back as it is."""
    if world_size() == 1:
        return model
    paddle.distributed.init_parallel_env()
    return paddle.DataParallel(model)


def own_share(plans: list[BatchPlan]) -> list[BatchPlan]:
    """This process's batches: every world_size-th, the same number for each (the last few may go unused)."""
    size = world_size()
    return plans[rank() : len(plans) - len(plans) % size : size] if size > 1 else plans
