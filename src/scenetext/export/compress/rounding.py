"""Rounding a weight matrix to a few levels with the least error at the layer's output.

Rows are output channels, columns inputs. Scales: of least squared error, each input weighted by its mean square on real
lines (Banner et al., arXiv:1810.05723, section 3, without the weighting). Codes: column after column, and the error of
each column is compensated in the columns that are not rounded yet (GPTQ: Frantar et al., arXiv:2210.17323, algorithm 1,
in the order of the Hessian's diagonal, the largest first).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

SEARCH_STEPS = 40  # scales tried between the largest magnitude's and SMALLEST_SCALE times that
SMALLEST_SCALE = 0.25
DAMPING = 0.01  # of the mean of the diagonal, added to the diagonal: as in the paper
BLOCK = 128  # columns whose errors are passed on together
CACHED = 32_768  # weights whose scales are searched together: the search's arrays of so many stay in the cache


def least_error_scales(weight: np.ndarray, importance: np.ndarray, levels: int) -> np.ndarray:
    """Scales s that make the weighted squared error of rounding to s * (-(levels-1)/2 ... (levels-1)/2) least.

    Clipping a few large weights can cost less than the coarser steps that they force on all others, so scales below
    the largest magnitude's are tried, and each is refined to the least-squares scale of its own levels.

    Args:
        weight: float32 (..., N), a scale for each row of N.
        importance: float32, broadcast against weight; the factor on each squared error.
        levels: 2 or more.

    Returns:
        float32 (..., 1); 1.0 for a row of zeros.
    """
    at_once = max(1, CACHED // max(1, weight[0].size))
    importance = np.broadcast_to(importance, weight.shape)
    parts = range(0, len(weight), at_once)
    return np.concatenate([_search(weight[i : i + at_once], importance[i : i + at_once], levels) for i in parts])


def _search(weight: np.ndarray, importance: np.ndarray, levels: int) -> np.ndarray:
    """What least_error_scales finds, for a few rows."""
    largest = np.abs(weight).max(axis=-1, keepdims=True).astype(np.float32)
    start = np.where(largest > 0, largest / np.float32((levels - 1) / 2), np.float32(1.0))
    best, least = start, np.full(start.shape, np.inf, np.float32)
    weighted = importance * weight
    for factor in np.linspace(1.0, SMALLEST_SCALE, SEARCH_STEPS, dtype=np.float32):
        scale = start * factor
        value = round_to_levels(weight / scale, levels)
        energy = (importance * value * value).sum(axis=-1, keepdims=True)
        fitted = (weighted * value).sum(axis=-1, keepdims=True) / np.where(energy > 0, energy, 1)
        fitted = np.where((energy > 0) & (fitted > 0), fitted, scale).astype(np.float32)
        for candidate, rounded in ((scale, value), (fitted, round_to_levels(weight / fitted, levels))):
            difference = weight - rounded * candidate
            error = (importance * difference * difference).sum(axis=-1, keepdims=True)
            best = np.where(error < least, candidate, best)
            least = np.minimum(error, least)
    return best


def round_to_levels(steps: np.ndarray, levels: int) -> np.ndarray:
    """The nearest of the levels -(levels-1)/2 ... (levels-1)/2 of a weight in units of its scale."""
    middle = np.float32((levels - 1) / 2)
    level = steps + middle
    np.rint(level, out=level)
    return np.subtract(np.clip(level, 0, levels - 1, out=level), middle, out=level)


class InputHessian:
    """The Hessian of a layer's squared output error: the mean products of its inputs (GPTQ's H = 2 X Xᵀ).

    The importance and the Cholesky factor are computed once for all roundings.

    Args:
        matrix: float32 (inputs, inputs), up to a factor.
    """

    def __init__(self, matrix: np.ndarray):
        self.matrix = matrix

    @cached_property
    def importance(self) -> np.ndarray:
        """The diagonal, the mean squares of the inputs, none quite 0, float32 (inputs,)."""
        squares = np.diag(self.matrix)
        return np.maximum(squares, 1e-6 * squares.max(initial=1e-30)).astype(np.float32)

    @cached_property
    def inverse_cholesky(self) -> tuple[np.ndarray, np.ndarray]:
        """The order of columns, the largest diagonal first, int64 (inputs,), and the Cholesky factor of the inverse.

        The factor is float32 U (inputs, inputs), upper triangular: Uᵀ U is the inverse of the damped matrix in that
        order. For thousands of inputs this takes much longer than a rounding.
        """
        damped = self.matrix.astype(np.float64)
        silent = np.diag(damped) <= 0
        damped[silent, silent] = 1.0  # an input that was never anything but zero
        damped[np.diag_indices_from(damped)] += DAMPING * np.diag(damped).mean()
        order = np.argsort(-np.diag(damped), kind="stable")
        inverse = np.linalg.inv(damped[np.ix_(order, order)])
        return order, np.linalg.cholesky(inverse).T.astype(np.float32)


def gptq_codes(weight: np.ndarray, scales: np.ndarray, levels: int, hessian: InputHessian) -> np.ndarray:
    """Rounds a matrix so that the layer's output on its usual inputs changes little.

    Args:
        weight: float32 (outputs, inputs).
        scales: float32 (outputs, inputs), the step of each weight.
        levels: how many multiples of the step there are, symmetric about zero.
        hessian: of the layer's inputs.

    Returns:
        uint8 (outputs, inputs): the codes, 0 the lowest level.
    """
    order, upper = hessian.inverse_cholesky
    work, steps = weight[:, order].astype(np.float32), scales[:, order]
    middle = np.float32((levels - 1) / 2)
    codes = np.empty(work.shape, np.uint8)
    inputs = work.shape[1]
    for start in range(0, inputs, BLOCK):
        end = min(start + BLOCK, inputs)
        block, errors = work[:, start:end].copy(), np.empty((len(work), end - start), np.float32)
        inner = upper[start:end, start:end]
        for column in range(end - start):
            code = np.clip(np.rint(block[:, column] / steps[:, start + column] + middle), 0, levels - 1)
            codes[:, start + column] = code
            error = (block[:, column] - (code - middle) * steps[:, start + column]) / inner[column, column]
            block[:, column + 1 :] -= error[:, None] * inner[column, column + 1 :]
            errors[:, column] = error
        work[:, end:] -= errors @ upper[start:end, end:]
    back = np.empty_like(order)
    back[order] = np.arange(inputs)
    return codes[:, back]


def output_error(difference: np.ndarray, hessian: InputHessian) -> float:
    """The mean squared change of the outputs, summed over them, for a change (outputs, inputs) of the weights.

    It has the factor that `hessian` has.
    """
    return float(((difference @ hessian.matrix) * difference).sum())
