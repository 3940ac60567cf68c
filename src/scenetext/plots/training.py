"""Figures on training: the planned learning rate, and the curves of loss and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scenetext.plots.style import BLUE, GREEN, GREY, ORANGE, RED, interval_errors, new_figure, wilson_interval

CTC_LOSS = "CTC loss per line, nats"
EVENT_STYLES = {"resumed": (GREEN, "--"), "interrupted": (GREY, ":"), "early stop": (GREY, "-."), "failed": (RED, "-")}
Event = tuple[int, str]
"""The step at which something happened to a training, and what: a name in EVENT_STYLES."""


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
    _draw_loss(left, steps, loss, CTC_LOSS)
    _draw_accuracy(right, scored_steps, raw, normalised, lines)
    for panel in (left, right):
        _limit_steps(panel, [*steps, *scored_steps])
    return figure


def loss_curve(
    steps: Sequence[int], loss: Sequence[float], events: Sequence[Event] = (), name: str = CTC_LOSS
) -> Figure:
    """The smoothed training loss by step, and what happened to the training.

    Args:
        steps, loss: one per logged row.
        events: (step, name in EVENT_STYLES).
        name: of the loss.
    """
    figure, (panel,) = new_figure(1)
    _draw_loss(panel, steps, loss, name)
    _draw_events(panel, events)
    _limit_steps(panel, [*steps, *(step for step, _ in events)])
    return figure


def accuracy_curve(
    steps: Sequence[int],
    raw: Sequence[float],
    normalised: Sequence[float],
    lines: int | None,
    events: Sequence[Event] = (),
) -> Figure:
    """Validation accuracy by step with the 95 % interval (Wilson) of the normalised one.

    Args:
        steps, raw, normalised: accuracies in [0, 1], and the steps at which they were measured.
        lines: the number of validation lines; None draws no interval.
        events: (step, name in EVENT_STYLES).
    """
    figure, (panel,) = new_figure(1)
    _draw_accuracy(panel, steps, raw, normalised, lines)
    _draw_events(panel, events)
    _limit_steps(panel, [*steps, *(step for step, _ in events)])
    return figure


def _draw_loss(panel: Axes, steps: Sequence[int], loss: Sequence[float], name: str) -> None:
    panel.plot(steps, loss, color=BLUE, marker="." if len(steps) < 50 else None)
    panel.set(xlabel="step", ylabel=name, ylim=(0, 1.08 * max(loss, default=1.0)))


def _draw_accuracy(
    panel: Axes, steps: Sequence[int], raw: Sequence[float], normalised: Sequence[float], lines: int | None
) -> None:
    value = np.asarray(normalised, float)
    errors = None if lines is None else 100 * interval_errors(value, *wilson_interval(value, lines))
    style = {"color": ORANGE, "markersize": 4, "capsize": 2, "elinewidth": 0.8}
    name = "normalised" if lines is None else "normalised, with 95 % interval"
    panel.errorbar(steps, 100 * value, errors, fmt="o-", label=name, **style)
    panel.plot(steps, 100 * np.asarray(raw), "o-", color=BLUE, markersize=4, label="raw")
    panel.set(xlabel="step", ylabel="validation lines read right, %")
    panel.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))


def _draw_events(panel: Axes, events: Sequence[Event]) -> None:
    """A line across the panel per event; a legend names each kind."""
    named = set()
    for step, name in events:
        colour, style = EVENT_STYLES[name]
        panel.axvline(step, color=colour, linestyle=style, linewidth=1, label=None if name in named else name)
        named.add(name)
    if named:
        panel.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98))


def _limit_steps(panel: Axes, steps: Sequence[int]) -> None:
    panel.set_xlim(0, 1.02 * max(steps, default=1))
    panel.xaxis.get_major_locator().set_params(integer=True)
