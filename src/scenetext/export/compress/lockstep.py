"""Forward passes of a network over several batches that go from one layer to the next together.

When all passes wait before a layer, the caller may change it: all of them then compute with the changed layer, and
nothing before it is computed again. So there is one pass for each batch, however many layers are changed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import paddle
from paddle import nn


class Lockstep:
    """Forward passes over batches, each in a thread of its own; only one of them computes at a time.

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
        for forward_pass in self._passes:
            forward_pass.end()

    def next_inputs(self) -> list[np.ndarray]:
        """The inputs of the next layer, one for each batch; the first call starts the passes.

        Raises:
            RuntimeError: there is no further layer.
        """
        return [forward_pass.next_input() for forward_pass in self._passes]


class _Ended(BaseException):
    """Ends a pass that is not needed any further."""


class _Pass(threading.Thread):
    """One forward pass; it waits for permission before it begins and after each stop."""

    def __init__(self, model: nn.Layer, batch: np.ndarray):
        super().__init__(daemon=True)
        self.model, self.batch = model, batch
        self.input: np.ndarray | None = None  # while it waits before a layer
        self.problem: BaseException | None = None
        self.ending = False
        self.may_run, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.start()

    def run(self) -> None:
        try:
            self.wait()
            with paddle.no_grad():
                self.model(paddle.to_tensor(self.batch))
        except _Ended:
            pass
        except BaseException as problem:  # next_input raises it again in the caller's thread
            self.problem = problem
        finally:
            self.input = None
            self.stopped.release()

    def wait(self) -> None:
        self.may_run.acquire()
        if self.ending:
            raise _Ended

    def stop(self, value: np.ndarray) -> None:
        self.input = value
        self.stopped.release()
        self.wait()

    def next_input(self) -> np.ndarray:
        self.may_run.release()
        self.stopped.acquire()  # the end of the pass releases it too
        if self.problem is not None:
            raise self.problem
        if self.input is None:
            self.stopped.release()
            raise RuntimeError("The pass is over: there is no further layer to stop before.")
        return self.input

    def end(self) -> None:
        self.ending = True
        self.may_run.release()
        self.join()


def _stop_before(_: nn.Layer, inputs: tuple) -> None:
    thread = threading.current_thread()
    if isinstance(thread, _Pass):  # other threads may compute with the layer meanwhile
        thread.stop(inputs[0].numpy())
