"""Data-parallel training through Paddle's own launcher: `python -m paddle.distributed.launch ... scenetext train ...`.

A batch holds `batch_size_per_card` lines for each process (pixels_per_batch and first_bs likewise). Every process
plans the same batches and trains every n-th line of each; gradients, losses and the statistics of batch normalisations
are those of the whole batch (gloo on CPU, NCCL on GPU), so that n processes train as one does with batches n times as
large. The learning rate belongs to the whole batch: whoever adds processes chooses it anew, as with any larger batch.
Networks that draw dropout masks draw other ones, and a mean over characters (NRTR's, distillation's) counts a process
by its lines. With one process nothing of this is active.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from scenetext.config import Config
from scenetext.config.yaml_text import dump
from scenetext.data.batches import BatchPlan, Sampler
from scenetext.data.dataset import Lines
from scenetext.errors import InputError
from scenetext.text.records import RecordTable

BATCH_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D)
OF_EACH_HOST = {
    *("save_model_dir", "pretrained_model", "checkpoints", "character_dict_path", "data_dir", "label_file_list"),
    *("cache_dir", "num_workers", "use_visualdl", "print_batch_step", "log_smooth_window"),
}
"""Settings that may differ from process to process."""


def world_size() -> int:
    """Number of processes that train together."""
    return int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))


def rank() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("PADDLE_TRAINER_ID", "0"))


def join_processes(model: nn.Layer) -> nn.Layer:
    """Wraps a network so that gradients and batch statistics are those of all processes; with one gives it back."""
    if world_size() == 1:
        return model
    paddle.distributed.init_parallel_env()
    if paddle.is_compiled_with_cuda() and paddle.device.get_device().startswith("gpu"):
        return paddle.DataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(model))
    # a group of its own keeps its sums out of DataParallel's
    group = paddle.distributed.new_group(list(range(world_size())), backend="gloo")
    for layer in model.sublayers():
        if isinstance(layer, BATCH_NORMS):
            layer.forward = _SharedBatchNorm(layer, group)
    return paddle.DataParallel(model)


def own_part(plan: BatchPlan, added_up: bool = False) -> tuple[BatchPlan, float]:
    """This process's lines of a batch, and what its loss counts in the mean over all processes.

    A batch of fewer lines than processes gives the others its first line, which counts nothing.

    Args:
        plan: of the whole batch.
        added_up: the loss is a sum over the lines, not their mean.
    """
    size = world_size()
    if size == 1:
        return plan, 1.0
    own = plan.indices[rank() :: size]
    if added_up:
        weight = float(size) if len(own) else 0.0
    else:
        weight = len(own) * size / len(plan.indices)
    return replace(plan, indices=own if len(own) else plan.indices[:1]), weight


def mean_over_processes(values: dict[str, float]) -> dict[str, float]:
    """Each value's mean over all processes."""
    if world_size() == 1:
        return values
    both = paddle.to_tensor(list(values.values()), "float64")
    paddle.distributed.all_reduce(both)
    return dict(zip(values, (both / world_size()).tolist(), strict=True))


def check_agreement(config: Config, lines: Lines, sampler: Sampler, evaluation: RecordTable, step: int) -> None:
    """Checks that all processes, perhaps of several hosts, train the same; each may have its data at other paths.

    Args:
        config: the configuration.
        lines, sampler: the training set and how it is batched.
        evaluation: the records of the Eval section.
        step: that the training goes on from.

    Raises:
        InputError: in every process, when one differs from the others.
    """
    if world_size() == 1:
        return
    facts = {
        **{section: dump(_without_places(settings)).encode() for section, settings in config.model_dump().items()},
        "the dictionary": "".join(lines.charset.characters).encode(),
        "the lines of Train": lines.records.digest(),
        "the widths of their pictures": getattr(sampler, "widths_px", np.empty(0)).tobytes(),
        "the lines of Eval": evaluation.digest(),
        "the step that the checkpoint goes on from": str(step).encode(),
    }
    own = [int.from_bytes(sha256(fact).digest()[:7], "big") for fact in facts.values()]  # below 2 ** 63
    least, most = (paddle.to_tensor(own, "int64") for _ in range(2))
    paddle.distributed.all_reduce(least, paddle.distributed.ReduceOp.MIN)
    paddle.distributed.all_reduce(most, paddle.distributed.ReduceOp.MAX)
    differ = [name for name, low, high in zip(facts, least.tolist(), most.tolist(), strict=True) if low != high]
    if differ:
        raise InputError(
            f"The processes that should train together differ in {', '.join(differ)}: start all of them with the same "
            "configuration, overrides and data; only paths may be each host's own."
        )


def _without_places(settings: Any) -> Any:
    """Settings without those that say where something lies or that change nothing of what is learnt."""
    if isinstance(settings, Mapping):
        return {key: _without_places(value) for key, value in settings.items() if key not in OF_EACH_HOST}
    return [_without_places(value) for value in settings] if isinstance(settings, list) else settings


class _SharedBatchNorm:
    """The forward of a batch normalisation whose training statistics are those of all processes' lines.

    Ioffe and Szegedy, arXiv:1502.03167, algorithm 1, over the union of the processes' batches. Paddle's SyncBatchNorm
    is for GPUs only.
    """

    def __init__(self, layer: nn.Layer, group):
        self.layer, self.group = layer, group
        self.alone = layer.forward

    def __call__(self, x: Tensor) -> Tensor:
        layer = self.layer
        if not layer.training:
            return self.alone(x)
        y, mean, variance = _Normalise.apply(x, layer.weight, layer.bias, layer._epsilon, self.group)
        for running, now in ((layer._mean, mean), (layer._variance, variance)):
            running.set_value(running * layer._momentum + now.detach() * (1.0 - layer._momentum))
        return y


class _Normalise(PyLayer):
    """(B, C, ...) → the same normalised, and mean and variance (C,) over all processes' lines."""

    @staticmethod
    def forward(ctx, x, weight, bias, epsilon, group):
        axes = [0, *range(2, x.ndim)]
        by_channel = [1, -1] + [1] * (x.ndim - 2)
        numbers = paddle.to_tensor([float(x.size // x.shape[1])])
        mean, count = _sums_of_all([x.sum(axes), numbers], group)
        mean = mean / count
        centred = x - mean.reshape(by_channel)  # before squaring: a large mean would cost the variance its digits
        (variance,) = _sums_of_all([(centred * centred).sum(axes)], group)
        variance = variance / count
        scale = 1.0 / paddle.sqrt(variance + epsilon)
        unit = centred * scale.reshape(by_channel)
        ctx.save_for_backward(unit, weight * scale, count)
        ctx.axes, ctx.by_channel, ctx.group = axes, by_channel, group
        ctx.frozen = tuple(tensor.stop_gradient for tensor in (x, weight, bias))
        return unit * weight.reshape(by_channel) + bias.reshape(by_channel), mean, variance

    @staticmethod
    def backward(ctx, gradient, _mean, _variance):
        unit, factor, count = ctx.saved_tensor()
        own, own_along = gradient.sum(ctx.axes), (gradient * unit).sum(ctx.axes)
        total, along = _sums_of_all([own, own_along], ctx.group)
        total, along = (total / count).reshape(ctx.by_channel), (along / count).reshape(ctx.by_channel)
        gradients = ((gradient - total - unit * along) * factor.reshape(ctx.by_channel), own_along, own)
        return tuple(None if frozen else gradient for frozen, gradient in zip(ctx.frozen, gradients, strict=True))


def _sums_of_all(tensors: list[Tensor], group) -> list[Tensor]:
    """Sums over the processes, in one message."""
    together = paddle.concat(tensors)
    paddle.distributed.all_reduce(together, group=group)
    return paddle.split(together, [tensor.shape[0] for tensor in tensors])
