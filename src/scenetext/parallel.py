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
from dataclasses import replace

import paddle
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from scenetext.data.batches import BatchPlan

BATCH_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D)


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
    def backward(ctx, slope, _mean, _variance):
        unit, factor, count = ctx.saved_tensor()
        own, own_along = slope.sum(ctx.axes), (slope * unit).sum(ctx.axes)
        total, along = _sums_of_all([own, own_along], ctx.group)
        total, along = (total / count).reshape(ctx.by_channel), (along / count).reshape(ctx.by_channel)
        slopes = ((slope - total - unit * along) * factor.reshape(ctx.by_channel), own_along, own)
        return tuple(None if frozen else slope for frozen, slope in zip(ctx.frozen, slopes, strict=True))


def _sums_of_all(tensors: list[Tensor], group) -> list[Tensor]:
    """Sums over the processes, in one message."""
    together = paddle.concat(tensors)
    paddle.distributed.all_reduce(together, group=group)
    return paddle.split(together, [tensor.shape[0] for tensor in tensors])
