"""Passes of a network over several batches that go from one layer to the next together.

What changes in a layer while all of them stand before it is what all of them compute with, and nothing before it is
computed again: one pass for each batch, however many layers there are.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import paddle
from paddle import nn


class Lockstep:
    """Passes over batches, each in a thread of its own, of which only one computes at a time.

    Use it in a `with` block; the passes end with it, wherever they are.

    Args:
        model: the network, in evaluation mode.
        layers: where the passes stop, each called once in a pass, in the order of the calls.
        batches: (B, 3, H, W) float32 each.
    """

    def __init__(self, model: nn.Layer, layers: Sequence[nn.Layer], batches: Sequence[np.ndarray]):
        self._passes = [_Pass(model, batch) for batch in batches]
        self._hooks = [layer.register_forward_pre_hook(_stop_before) for layer in layers]

    def __enter__(self) -> Lockstep:
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        for one in self._passes:
            one.end()

    def next_inputs(self) -> list[np.ndarray]:
        """What the next layer gets for each batch; before the first call the passes have not begun."""
        return [one.next_input() for one in self._passes]


class _Ended(BaseException):
    """The pass is not needed any further."""


class _Pass(threading.Thread):
    """One pass, which waits to be told before it begins and after each stop."""

    def __init__(self, model: nn.Layer, batch: np.ndarray):
        super().__init__(daemon=True)
        self.model, self.batch = model, batch
        self.input: np.ndarray | None = None  # while it stands before a layer
        self.problem: BaseException | None = None
        self.ending = False
        self.may_go, self.stands = threading.Semaphore(0), threading.Semaphore(0)
        self.start()

    def run(self) -> None:
        try:
            self.wait()
            with paddle.no_grad():
                self.model(paddle.to_tensor(self.batch))
        except _Ended:
            pass
        except BaseException as problem:  # raised again where the input was asked for
            self.problem = problem
        finally:
            self.input = None
            self.stands.release()

    def wait(self) -> None:
        self.may_go.acquire()
        if self.ending:
            raise _Ended

    def stop(self, value: np.ndarray) -> None:
        self.input = value
        self.stands.release()
        self.wait()

    def next_input(self) -> np.ndarray:
        self.may_go.release()
        self.stands.acquire()  # also once it is over
        if self.problem is not None:
            raise self.problem
        if self.input is None:
            self.stands.release()
            raise RuntimeError("the pass is over: there is no further layer that it stops before")
        return self.input

    def end(self) -> None:
        self.ending = True
        self.may_go.release()
        self.join()


def _stop_before(_: nn.Layer, inputs: tuple) -> None:
    one = threading.current_thread()
    if isinstance(one, _Pass):  # others may compute with the layer meanwhile
        one.stop(inputs[0].numpy())
