"""Data-parallel training through Paddle's own launcher: `python -m paddle.distributed.launch ... scenetext train ...`.

A batch holds `batch_size_per_card` lines for each process (pixels_per_batch and first_bs likewise). Every process
plans the same batches and trains on every n-th line of each. Gradients, losses and the statistics of batch
normalisations are those of the whole batch (gloo on CPU, NCCL on GPU), so that n processes train like one process with
batches n times as large. The learning rate belongs to the whole batch: choose it anew when you add processes, as for
any larger batch. Three things differ from one process: every process draws its own dropout masks; a mean over
characters (NRTR's, distillation's) weighs each process by its number of lines, not of characters; and a detector's
loss, a ratio of sums over a batch, is the mean of the processes' own, as in PaddleOCR. With one process nothing of this
is active.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.autograd import PyLayer, PyLayerContext
from paddle.distributed.communication.group import Group

from scenetext.config import Config
from scenetext.config.yaml_text import dump
from scenetext.data.batches import BatchPlan, Sampler
from scenetext.errors import InputError
from scenetext.system.launched import this_process
from scenetext.train.identity import HOST_SETTINGS, characters_of, data_hashes
from scenetext.train.task import Labels, Samples

BATCH_NORMS = (nn.BatchNorm1D, nn.BatchNorm2D)


def world_size() -> int:
    """Number of processes that train together."""
    return this_process().count


def rank() -> int:
    """This process's number among them, from 0."""
    return this_process().rank


def is_first() -> bool:
    """Whether this is the process that shows and writes everything."""
    return this_process().is_first


def join_processes(model: nn.Layer) -> nn.Layer:
    """Wraps a network so that its gradients and batch statistics are those of all processes.

    With one process the network is returned as it is.
    """
    if world_size() == 1:
        return model
    paddle.distributed.init_parallel_env()
    if paddle.is_compiled_with_cuda() and paddle.device.get_device().startswith("gpu"):
        return paddle.DataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(model))
    # a process group of their own keeps these all-reduces apart from DataParallel's
    group = paddle.distributed.new_group(list(range(world_size())), backend="gloo")
    for layer in model.sublayers():
        if isinstance(layer, BATCH_NORMS):
            layer.forward = _SyncBatchNorm(layer, group)
    return paddle.DataParallel(model)


def own_part(plan: BatchPlan, summed: bool = False) -> tuple[BatchPlan, float]:
    """This process's lines of a batch, and the weight of their loss in the mean over all processes.

    When a batch has fewer lines than there are processes, the processes without a line of their own get the first line
    with the weight 0.

    Args:
        plan: of the whole batch.
        summed: the loss is a sum over the lines, not their mean.
    """
    size = world_size()
    if size == 1:
        return plan, 1.0
    own = plan.indices[rank() :: size]
    if not len(own):
        return replace(plan, indices=plan.indices[:1]), 0.0
    return replace(plan, indices=own), float(size) if summed else len(own) * size / len(plan.indices)


def sums_over_processes(values: Sequence[int]) -> list[int]:
    """Each value's sum over all processes."""
    if world_size() == 1:
        return list(values)
    sums = paddle.to_tensor(list(values), "int64")
    paddle.distributed.all_reduce(sums)
    return sums.tolist()


def mean_over_processes(values: dict[str, float]) -> dict[str, float]:
    """Each value's mean over all processes."""
    if world_size() == 1:
        return values
    sums = paddle.to_tensor(list(values.values()), "float64")
    paddle.distributed.all_reduce(sums)
    return dict(zip(values, (sums / world_size()).tolist(), strict=True))


def check_agreement(config: Config, samples: Samples, sampler: Sampler, evaluation: Labels, step: int) -> None:
    """Checks that all processes, perhaps of several hosts, train the same; each may have its data at other paths.

    Args:
        config: the configuration.
        samples, sampler: the training set and how it is batched.
        evaluation: the labels of the Eval section.
        step: the step from which training starts or resumes.

    Raises:
        InputError: in every process, when one differs from the others.
    """
    if world_size() == 1:
        return
    facts = {
        **{
            section: dump(_without_host_settings(settings)).encode()
            for section, settings in config.model_dump().items()
        },
        "the dictionary": "".join(characters_of(samples)).encode(),
        **{name: value.encode() for name, value in data_hashes(samples, sampler, evaluation).items()},
        "the step of the checkpoint": str(step).encode(),
    }
    hashes = [int.from_bytes(sha256(fact).digest()[:7], "big") for fact in facts.values()]  # below 2 ** 63
    least, most = (paddle.to_tensor(hashes, "int64") for _ in range(2))
    paddle.distributed.all_reduce(least, paddle.distributed.ReduceOp.MIN)
    paddle.distributed.all_reduce(most, paddle.distributed.ReduceOp.MAX)
    differ = [name for name, low, high in zip(facts, least.tolist(), most.tolist(), strict=True) if low != high]
    if differ:
        raise InputError(
            f"The processes that should train together differ in {', '.join(differ)}: start all of them with the same "
            "configuration, overrides and data; only paths may differ from host to host."
        )


def _without_host_settings(settings: Any) -> Any:
    """Settings without those that may differ from host to host."""
    if isinstance(settings, Mapping):
        return {key: _without_host_settings(value) for key, value in settings.items() if key not in HOST_SETTINGS}
    return [_without_host_settings(value) for value in settings] if isinstance(settings, list) else settings


class _SyncBatchNorm:
    """The forward of a batch normalisation whose training statistics are those of all processes' lines.

    Ioffe and Szegedy, arXiv:1502.03167, algorithm 1, over the union of the processes' batches. Paddle's SyncBatchNorm
    is for GPUs only.

    Args:
        layer: the batch normalisation whose `forward` this replaces.
        group: Paddle's group of the processes.
    """

    def __init__(self, layer: nn.Layer, group: Group):
        self.layer, self.group = layer, group
        self.plain_forward = layer.forward

    def __call__(self, x: Tensor) -> Tensor:
        layer = self.layer
        if not layer.training:
            return self.plain_forward(x)
        y, mean, variance = _SyncBatchNormFunction.apply(x, layer.weight, layer.bias, layer._epsilon, self.group)
        for running, now in ((layer._mean, mean), (layer._variance, variance)):
            running.set_value(running * layer._momentum + now.detach() * (1.0 - layer._momentum))
        return y


class _SyncBatchNormFunction(PyLayer):
    """(B, C, ...) → the same normalised, and mean and variance (C,) over all processes' lines."""

    @staticmethod
    def forward(
        ctx: PyLayerContext, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float, group: Group
    ) -> tuple[Tensor, Tensor, Tensor]:
        axes = [0, *range(2, x.ndim)]
        by_channel = [1, -1] + [1] * (x.ndim - 2)
        own_count = paddle.to_tensor([float(x.size // x.shape[1])])
        mean, count = _sums_over_processes([x.sum(axes), own_count], group)
        mean = mean / count
        centred = x - mean.reshape(by_channel)  # before squaring: a large mean would cost the variance its digits
        (variance,) = _sums_over_processes([(centred * centred).sum(axes)], group)
        variance = variance / count
        inverse_std = 1.0 / paddle.sqrt(variance + epsilon)
        normalised = centred * inverse_std.reshape(by_channel)
        ctx.save_for_backward(normalised, weight * inverse_std, count)
        ctx.axes, ctx.by_channel, ctx.group = axes, by_channel, group
        ctx.frozen = tuple(tensor.stop_gradient for tensor in (x, weight, bias))
        return normalised * weight.reshape(by_channel) + bias.reshape(by_channel), mean, variance

    @staticmethod
    def backward(ctx: PyLayerContext, gradient: Tensor, _mean: Tensor, _variance: Tensor) -> tuple[Tensor | None, ...]:
        normalised, factor, count = ctx.saved_tensor()
        bias_gradient, weight_gradient = gradient.sum(ctx.axes), (gradient * normalised).sum(ctx.axes)
        total, projected = _sums_over_processes([bias_gradient, weight_gradient], ctx.group)
        total, projected = (total / count).reshape(ctx.by_channel), (projected / count).reshape(ctx.by_channel)
        x_gradient = (gradient - total - normalised * projected) * factor.reshape(ctx.by_channel)
        gradients = (x_gradient, weight_gradient, bias_gradient)
        return tuple(None if frozen else gradient for frozen, gradient in zip(ctx.frozen, gradients, strict=True))


def _sums_over_processes(tensors: list[Tensor], group: Group) -> list[Tensor]:
    """Each tensor's sum over the processes, in one message."""
    joined = paddle.concat(tensors)
    paddle.distributed.all_reduce(joined, group=group)
    return paddle.split(joined, [tensor.shape[0] for tensor in tensors])
