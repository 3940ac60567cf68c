"""Figures on training: the planned learning rate, and the curves of loss and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from scenetext.plots.style import BLUE, GREY, ORANGE, RED, interval_errors, new_figure, wilson_interval


def learning_rates(rates: Sequence[float], steps_per_epoch: int) -> Figure:
    """The learning rate of every step.

    Args:
        rates: one per step.
        steps_per_epoch: steps between the marks of epochs.
    """
    figure, (panel,) = new_figure(1, height_in=2.6)
    steps = np.arange(len(rates))
    panel.plot(steps, rates, color=BLUE)
    top = int(np.argmax(rates))
    panel.plot(top, rates[top], "o", color=RED, label=f"highest: {rates[top]:.1e} at step {top}")
    epochs = len(rates) // steps_per_epoch
    for epoch in range(0, epochs + 1, max(1, -(-epochs // 20))):
        panel.axvline(epoch * steps_per_epoch, color=GREY, linewidth=0.4)
    panel.set(xlabel=f"step (grey lines: epochs of {steps_per_epoch} steps)", ylabel="learning rate", ylim=(0, None))
    panel.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    panel.legend(frameon=False, loc="lower center")
    return figure


def training_curves(
    steps: Sequence[int],
    loss: Sequence[float],
    scored_steps: Sequence[int],
    raw: Sequence[float],
    normalised: Sequence[float],
    lines: int,
) -> Figure:
    """Loss by step, and validation accuracy by step with the 95 % interval (Wilson) of the normalised one.

    Args:
        steps, loss: the smoothed training loss.
        scored_steps, raw, normalised: validation line accuracies in [0, 1], and the steps at which they were measured.
        lines: the number of validation lines.
    """
    figure, (left, right) = new_figure(2)
    left.plot(steps, loss, color=BLUE, marker="." if len(steps) < 50 else None)
    left.set(xlabel="step", ylabel="CTC loss per line, nats", ylim=(0, 1.08 * max(loss, default=1.0)))
    value = np.asarray(normalised, float)
    errors = 100 * interval_errors(value, *wilson_interval(value, lines))
    style = {"color": ORANGE, "markersize": 4, "capsize": 2, "elinewidth": 0.8}
    right.errorbar(scored_steps, 100 * value, errors, fmt="o-", label="normalised, with 95 % interval", **style)
    right.plot(scored_steps, 100 * np.asarray(raw), "o-", color=BLUE, markersize=4, label="raw")
    right.set(xlabel="step", ylabel="validation lines read right, %")
    right.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))
    for panel in (left, right):
        panel.set_xlim(0, 1.02 * max([*steps, *scored_steps], default=1))
        panel.xaxis.get_major_locator().set_params(integer=True)
    return figure
