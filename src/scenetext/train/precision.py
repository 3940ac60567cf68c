"""The numbers that a training step is computed in: float32, or half precision where a GPU is fast at it.

Paper: Micikevicius et al., Mixed Precision Training, ICLR 2018, arXiv:1710.03740. The keys are PaddleOCR's
(Global.use_amp and those after it); reference: tools/train.py and tools/program.py.
Whatever they say, weights, losses, the optimiser and evaluation are float32, and so are all files. With O1 Paddle
halves what its list of operations allows. With O2 the network also sees halved weights, so that halved pictures stay
halved on their way through it; normalisations, the LSTM and what straightens lines keep theirs.
Different here: PaddleOCR's O2 halves the network's own weights, saves them so, and keeps float32 ones in the optimiser.
PaddleOCR also scales the loss of bfloat16, which needs it no more than float32's, and goes on for ever where float16
holds no gradient any more.
No GPU has run this yet: the tests imitate one on the CPU, where Paddle mixes no precisions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.base import core
from paddle.optimizer import Optimizer

from scenetext.config import Config
from scenetext.errors import InputError
from scenetext.models.rectifiers.stn import STN_ON
from scenetext.models.rectifiers.tps import TPS
from scenetext.models.targets import Targets
from scenetext.train import parallel

FLOAT32, FLOAT16 = "float32", "float16"
OLDEST_GPU = {FLOAT16: 7, "bfloat16": 8}  # first compute capability for which Paddle mixes precisions
BATCH_NORMS = (*parallel.BATCH_NORMS, nn.SyncBatchNorm)
# what keeps its weights under O2: sums over many numbers, the recurrent kernel, which knows nothing less, and what
# finds places in a picture
KEPT = (*BATCH_NORMS, nn.LayerNorm, nn.LSTM, STN_ON, TPS)
MOST_LEFT_OUT = 30  # steps in a row; from 2^16 the scale has fallen to 2^-14 by then
SMALLEST_SCALE = 2.0**-14  # float16's smallest normal number: scaled by less, gradients of usual size are gone


class Precision:
    """How one training computes its steps.

    Args:
        config: loaded by `load_config`.

    Attributes:
        dtype: "float32", "float16" or "bfloat16", what the network mostly computes in.
        notes: what the user should know, sentence by sentence.

    Raises:
        InputError: an operation in a list is unknown, or stands in both lists.
    """

    def __init__(self, config: Config):
        lists = {f"custom_{colour}_list": _operations(config, colour) for colour in ("black", "white")}
        _check_disjoint(*lists.values())
        self.dtype, self.notes = _choose(config)
        self.level = config.Global.amp_level
        self.casting = {"level": self.level, "dtype": self.dtype, **lists}
        self.scaler = None
        self.left_out = 0  # steps in a row until now
        self.statistics: list[tuple[Tensor, Tensor]] = []  # of batch normalisations, and what they were before the step
        if self.dtype == FLOAT16:
            first, moves = config.Global.scale_loss, config.Global.use_dynamic_loss_scaling
            self.scaler = _LossScaler(init_loss_scaling=first, use_dynamic_loss_scaling=moves)
            if first == 1.0 and not moves:
                self.notes.append(
                    "float16 without loss scaling turns small gradients into 0: Global.scale_loss=1024 and "
                    "Global.use_dynamic_loss_scaling=true keep them"
                )

    def outputs(self, network: nn.Layer, images: Tensor, targets: Targets) -> Any:
        """What `network(images, targets)` gives, computed in this precision, as float32 for the losses."""
        if self.dtype == FLOAT32:
            return network(images, targets)
        if self.scaler is not None:
            norms = [layer for layer in network.sublayers() if isinstance(layer, BATCH_NORMS)]
            own = [statistic for norm in norms for statistic in (norm._mean, norm._variance)]
            self.statistics = [(statistic, statistic.detach().clone()) for statistic in own]
        with paddle.amp.auto_cast(**self.casting), self._halved(network):
            outputs = network(images, targets)
        return _in_float32(outputs)

    def learn(self, loss: Tensor, optimiser: Optimizer) -> bool:
        """Moves the weights against the gradient of a loss, () float32, and forgets the gradient.

        Returns:
            Whether they moved: where a gradient is beyond float16, the step is left out, by all processes together, and
            the network is what it was before its outputs were asked for.
        """
        if self.scaler is None:
            loss.backward()
            optimiser.step()
        else:
            self._learn_scaled(loss, optimiser)
        optimiser.clear_grad()
        return self.left_out == 0

    def _learn_scaled(self, loss: Tensor, optimiser: Optimizer) -> None:
        self.scaler.scale(loss).backward()
        self.scaler.step(optimiser)
        with redirect_stdout(None):  # else it prints what `train` says
            self.scaler.update()
        if not self.scaler.overflowed:
            self.left_out = 0
            return
        self.left_out += 1
        for statistic, before in self.statistics:  # a mean that has been infinite once would stay so
            statistic.set_value(before)

    @property
    def failure(self) -> str | None:
        """Why there is no going on, or None."""
        if self.left_out >= MOST_LEFT_OUT:
            return f"Float16, unlike bfloat16 (Global.amp_dtype), holds no gradient of {self.left_out} steps in a row"
        scale = self.figures().get("loss_scale", 1.0)
        if self.left_out and scale < SMALLEST_SCALE:
            return f"Float16, unlike bfloat16 (Global.amp_dtype), holds no gradient even at a loss scale of {scale:.1e}"
        return None

    def figures(self) -> dict[str, float]:
        """What the log should show beside the losses."""
        return {} if self.scaler is None else {"loss_scale": float(self.scaler.state_dict()["scale"][0])}

    def state(self) -> dict[str, float]:
        """What a training that goes on has to know: numbers by name, none where no loss is scaled."""
        if self.scaler is None:
            return {}
        state = self.scaler.state_dict()
        return {**self.figures(), **{name: state[name] for name in _LossScaler.COUNTS}, "left_out": self.left_out}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes over what `state` gave; the config decides whether losses are scaled at all, and a fixed scale."""
        if self.scaler is None or not state:
            return
        self.left_out = int(state["left_out"])
        if self.scaler.is_use_dynamic_loss_scaling():
            moved = {"scale": [state["loss_scale"]], **{name: state[name] for name in _LossScaler.COUNTS}}
            self.scaler.load_state_dict(self.scaler.state_dict() | moved)

    @contextmanager
    def _halved(self, network: nn.Layer) -> Iterator[None]:
        """With O2, shows a network halved copies of its weights, through which gradients reach its own."""
        shown = []
        if self.level == "O2":
            for layer in _layers_to_halve(network):
                weights = layer._parameters
                shown += [(weights, name, own) for name, own in weights.items() if own is not None]
        for weights, name, own in shown:
            weights[name] = own.astype(self.dtype)
        try:
            yield
        finally:
            for weights, name, own in shown:
                weights[name] = own


class _LossScaler(paddle.amp.GradScaler):
    """Paddle's own, of which all processes leave out the same steps.

    Attributes:
        overflowed: whether the last step was left out.
    """

    COUNTS = ("incr_count", "decr_count")  # of its state, beside the scale, what changes from step to step
    overflowed = False

    def _unscale(self, optimizer: Optimizer) -> None:
        super()._unscale(optimizer)
        # gradients that were summed over the processes are infinite in all of them; one that is not would part them
        found = parallel.mean_over_processes({"overflow": float(self._found_inf)})
        self.overflowed = found["overflow"] > 0.0
        self._found_inf = paddle.to_tensor([self.overflowed])


def _choose(config: Config) -> tuple[str, list[str]]:
    """What to compute in, and a note where that is not what the config asks for."""
    dtype = config.Global.amp_dtype
    if not config.Global.use_amp:
        return FLOAT32, []
    lack = _lack(dtype)
    if lack is None:
        return dtype, []
    return FLOAT32, [f"Global.use_amp: trains in float32, as {lack}"]


def _lack(dtype: str) -> str | None:
    """What Paddle misses here for mixed precision with `dtype`, as half a sentence, or None."""
    if not paddle.get_device().startswith("gpu"):
        return "Paddle mixes precisions on GPUs only"
    major, minor = paddle.device.cuda.get_device_capability()
    if major < OLDEST_GPU[dtype]:
        return f"this GPU, of compute capability {major}.{minor}, is too old for {dtype} ({OLDEST_GPU[dtype]}.0)"
    return None


def _operations(config: Config, colour: str) -> list[str]:
    """Global.amp_custom_black_list or its white counterpart, its names checked."""
    key = f"Global.amp_custom_{colour}_list"
    names = getattr(config.Global, f"amp_custom_{colour}_list") or []
    known = _known_operations() if names else []
    for name in names:
        if name not in known:
            nearest = "".join(f": the nearest is {other}" for other in difflib.get_close_matches(name, known, 1, 0.5))
            raise InputError(
                f"{key} names {name!r}, which is no operation of Paddle's (such as conv2d, matmul_v2 and "
                f"elementwise_add){nearest}."
            )
    return names


def _known_operations() -> list[str]:
    """The names by which Paddle's automatic casting knows operations (`elementwise_add`, not `add`)."""
    listed = core.op_supported_infos("GPU", core.VarDesc.VarType.FP16)[0]
    return sorted({*listed, *core._get_all_register_op_kernels("phi")})


def _check_disjoint(black: list[str], white: list[str]) -> None:
    for name in black:
        if name in white:
            raise InputError(
                f"{name!r} stands in Global.amp_custom_black_list and in Global.amp_custom_white_list: "
                "take it out of one."
            )


def _layers_to_halve(layer: nn.Layer) -> Iterator[nn.Layer]:
    if not isinstance(layer, KEPT):
        yield layer
        for part in layer.children():
            yield from _layers_to_halve(part)


def _in_float32(outputs: Any) -> Any:
    """Tensors in dicts of dicts, each as float32."""
    if isinstance(outputs, Mapping):
        return {name: _in_float32(part) for name, part in outputs.items()}
    return outputs.astype(FLOAT32)
