"""CTC with its gradient: Graves et al., Connectionist Temporal Classification, ICML 2006, section 4.

Paddle's CPU kernel spends its time on the softmax over all classes, number by number; with 6,625 classes it takes 24
times as long as this one (tests/benchmarks/LOG.md). Here one line at a time stays in the processor's cache, and only
the classes of its label enter the recursions, which run in float64.
"""

from __future__ import annotations

import numpy as np
import paddle
from numba import njit
from paddle import Tensor
from paddle.autograd import PyLayer

from scenetext.models.kernels.arrays import array_of, in_threads, is_eager_float32_on_cpu, new_tensor

BLANK = 0


def is_supported(logits: Tensor) -> bool:
    """Whether `ctc_of_lines` computes this loss: float32, CPU, eager mode."""
    return is_eager_float32_on_cpu(logits)


def ctc_of_lines(logits: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
    """Computes -log p(label | line) for each line; it can be differentiated once with respect to the logits.

    A label that needs more time steps than there are costs 0 and contributes no gradient, as in Paddle's kernel.

    Args:
        logits: (B, T, C) float32, raw; class 0 is blank.
        ids: (B, L) int32, padded.
        lengths: (B,) int64, characters per label.

    Returns:
        (B, 1) float32.
    """
    return _Ctc.apply(logits, ids.numpy(), lengths.numpy())


class _Ctc(PyLayer):
    @staticmethod
    def forward(ctx, logits, ids, lengths):
        logits = array_of(logits)
        ctx.result, gradient = new_tensor(logits.shape)
        losses = in_threads(lambda b: _line(logits[b], ids[b, : lengths[b]], gradient[b]), range(len(logits)))
        ctx.gradient = gradient
        return paddle.to_tensor(np.array(losses, np.float32)[:, None])

    @staticmethod
    def backward(ctx, weights):
        ctx.gradient *= weights.numpy()[:, :, None]
        return ctx.result


def _line(logits: np.ndarray, ids: np.ndarray, gradient: np.ndarray) -> float:
    """The loss of one line of logits (T, C); writes its gradient into `gradient`, (T, C)."""
    greatest = logits.max(1, keepdims=True)
    np.subtract(logits, greatest, out=gradient)
    np.exp(gradient, out=gradient)
    total = gradient.sum(1, keepdims=True)
    states = np.full(2 * len(ids) + 1, BLANK, np.int64)  # a blank before, between and after the characters
    states[1::2] = ids
    log_p = logits[:, states].astype(np.float64) - greatest - np.log(total)
    loss, posterior = _forward_backward(log_p, states)
    if loss == np.inf:
        gradient[:] = 0
        return 0.0
    gradient *= 1 / total
    for state, column in zip(states, posterior.T, strict=True):
        gradient[:, state] -= column
    return loss


@njit(cache=True, nogil=True)
def _log_add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    high, low = max(a, b), min(a, b)
    return high if low == -np.inf else high + np.log1p(np.exp(low - high))


@njit(cache=True, nogil=True)
def _forward_backward(log_p: np.ndarray, states: np.ndarray) -> tuple[float, np.ndarray]:
    """-log p of the label, infinite if the steps are too few, and p(state at time | label), (T, S) float32."""
    times, count = log_p.shape
    skips = np.zeros(count, np.bool_)  # a state may follow the one before the last: no blank, no repetition
    for s in range(2, count):
        skips[s] = states[s] != BLANK and states[s] != states[s - 2]
    alpha = np.full((times, count), -np.inf)  # log p of all paths that are in state s at step t
    alpha[0, :2] = log_p[0, :2]
    for t in range(1, times):
        for s in range(count):
            paths = alpha[t - 1, s]
            if s > 0:
                paths = _log_add(paths, alpha[t - 1, s - 1])
            if skips[s]:
                paths = _log_add(paths, alpha[t - 1, s - 2])
            alpha[t, s] = paths + log_p[t, s]
    total = alpha[-1, -1] if count == 1 else _log_add(alpha[-1, -1], alpha[-1, -2])
    posterior = np.zeros((times, count), np.float32)
    if total == -np.inf:
        return np.inf, posterior
    beta = np.full(count, -np.inf)  # log p of all paths from s at t to the end, without step t itself
    beta[-2:] = 0.0
    for t in range(times - 1, -1, -1):
        for s in range(count):
            posterior[t, s] = np.exp(alpha[t, s] + beta[s] - total)
        coming = beta + log_p[t]
        for s in range(count):
            paths = coming[s]
            if s + 1 < count:
                paths = _log_add(paths, coming[s + 1])
            if s + 2 < count and skips[s + 2]:
                paths = _log_add(paths, coming[s + 2])
            beta[s] = paths
    return -total, posterior
