"""The numbers that a training step is computed in: float32, or half precision on a GPU that is fast at it.

Paper: Micikevicius et al., Mixed Precision Training, ICLR 2018, arXiv:1710.03740. The keys are PaddleOCR's
(Global.use_amp and those after it); reference: tools/train.py and tools/program.py.
Whatever the keys say, weights, losses, the optimiser and evaluation are float32, and so are all files. With O1 Paddle
computes in half precision the operations that its list allows. With O2 the network also sees its weights in half
precision, so that images in half precision stay so on their way through it; normalisations, the LSTM and rectifiers
keep float32 weights.
Different here: PaddleOCR's O2 turns the network's own weights into half precision, saves them so, and keeps float32
ones in the optimiser. PaddleOCR also scales the loss of bfloat16, which needs it no more than float32's, and never
stops a training whose gradients float16 can no longer hold.
No GPU has run this yet: the tests imitate one on the CPU, where Paddle does not mix precisions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.base import core
from paddle.optimizer import Optimizer

from scenetext.config import Config
from scenetext.errors import InputError, nearest_hint
from scenetext.models.kernels import onednn
from scenetext.models.rectifiers.stn import STN_ON
from scenetext.models.rectifiers.tps import TPS
from scenetext.train import parallel

FLOAT32, FLOAT16 = "float32", "float16"
OLDEST_GPU = {FLOAT16: 7, "bfloat16": 8}  # first compute capability for which Paddle mixes precisions
BATCH_NORMS = (*parallel.BATCH_NORMS, nn.SyncBatchNorm)
# layers whose weights stay float32 under O2: sums over many numbers, the recurrent kernel, which has no half precision,
# and rectifiers, which compute positions in a picture
FLOAT32_LAYERS = (*BATCH_NORMS, nn.LayerNorm, nn.LSTM, STN_ON, TPS)
MAX_LEFT_OUT = 30  # steps in a row; from 2^16 the loss scale has fallen to 2^-14 by then
SMALLEST_SCALE = 2.0**-14  # float16's smallest normal number: scaled by less, gradients of usual size become 0


class Precision:
    """How one training computes its steps.

    Args:
        config: loaded by `load_config`.

    Attributes:
        dtype: "float32", "float16" or "bfloat16", in which the network mostly computes.
        notes: sentences for the user.

    Raises:
        InputError: an operation in a list is unknown, or is in both lists.
    """

    def __init__(self, config: Config):
        black = config.Global.amp_custom_black_list or []
        white = config.Global.amp_custom_white_list or []
        _check_operations("Global.amp_custom_black_list", black)
        _check_operations("Global.amp_custom_white_list", white)
        self.dtype, self.notes = _choose(config)
        self.level = config.Global.amp_level
        lists = {"custom_black_list": black, "custom_white_list": white}
        self.casting = {"level": self.level, "dtype": self.dtype, **lists}
        self.scaler = None
        self.left_out = 0  # steps in a row, the last one included
        if paddle.get_device() == "cpu" and (reason := onednn.why_unused()):
            self.notes.append(f"trains with Paddle's own kernels, because {reason}")
        self.statistics: list[tuple[Tensor, Tensor]] = []  # of batch normalisations, each with its copy before the step
        if self.dtype == FLOAT16:
            scale = config.Global.scale_loss
            dynamic = config.Global.use_dynamic_loss_scaling
            self.scaler = _LossScaler(init_loss_scaling=scale, use_dynamic_loss_scaling=dynamic)
            if scale == 1.0 and not dynamic:
                self.notes.append(
                    "float16 without loss scaling turns small gradients into 0: Global.scale_loss=1024 and "
                    "Global.use_dynamic_loss_scaling=true keep them"
                )

    def forward(self, network: nn.Layer, *inputs: Any) -> Any:
        """The outputs of `network(*inputs)`, computed in this precision and cast to float32 for the losses."""
        if self.dtype == FLOAT32:
            return network(*inputs)
        if self.scaler is not None:
            norms = [layer for layer in network.sublayers() if isinstance(layer, BATCH_NORMS)]
            statistics = [statistic for norm in norms for statistic in (norm._mean, norm._variance)]
            self.statistics = [(statistic, statistic.detach().clone()) for statistic in statistics]
        with paddle.amp.auto_cast(**self.casting), self._half_weights(network):
            outputs = network(*inputs)
        return _in_float32(outputs)

    def backward_and_step(self, loss: Tensor, optimiser: Optimizer) -> bool:
        """Computes the gradient of a loss, () float32, updates the weights by it and clears it.

        Returns:
            Whether the weights were updated. When float16 cannot hold a gradient, all processes leave the step out, and
            the network is again what it was before `forward`.
        """
        if self.scaler is None:
            loss.backward()
            optimiser.step()
        else:
            self._step_scaled(loss, optimiser)
        optimiser.clear_grad()
        return self.left_out == 0

    def _step_scaled(self, loss: Tensor, optimiser: Optimizer) -> None:
        self.scaler.scale(loss).backward()
        self.scaler.step(optimiser)
        with redirect_stdout(None):  # it would print what `train` logs
            self.scaler.update()
        if not self.scaler.overflowed:
            self.left_out = 0
            return
        self.left_out += 1
        for statistic, before in self.statistics:  # a running mean that has been infinite once would stay so
            statistic.set_value(before)

    @property
    def failure(self) -> str | None:
        """Why training cannot continue, or None."""
        if self.left_out >= MAX_LEFT_OUT:
            return f"Float16, unlike bfloat16 (Global.amp_dtype), holds no gradient of {self.left_out} steps in a row"
        scale = self.metrics().get("loss_scale", 1.0)
        if self.left_out and scale < SMALLEST_SCALE:
            return f"Float16, unlike bfloat16 (Global.amp_dtype), holds no gradient even at a loss scale of {scale:.1e}"
        return None

    def metrics(self) -> dict[str, float]:
        """What the log shows beside the losses: the loss scale, when the loss is scaled."""
        return {} if self.scaler is None else {"loss_scale": float(self.scaler.state_dict()["scale"][0])}

    def state(self) -> dict[str, float]:
        """What a checkpoint has to hold: numbers by name, none when the loss is not scaled."""
        if self.scaler is None:
            return {}
        state = self.scaler.state_dict()
        return {**self.metrics(), **{name: state[name] for name in _LossScaler.COUNTS}, "left_out": self.left_out}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restores the numbers that `state` returned.

        The config decides whether the loss is scaled, and by how much if the scale is fixed.
        """
        if self.scaler is None or not state:
            return
        self.left_out = int(state["left_out"])
        if self.scaler.is_use_dynamic_loss_scaling():
            restored = {"scale": [state["loss_scale"]], **{name: state[name] for name in _LossScaler.COUNTS}}
            self.scaler.load_state_dict(self.scaler.state_dict() | restored)

    @contextmanager
    def _half_weights(self, network: nn.Layer) -> Iterator[None]:
        """With O2, gives a network copies of its weights in half precision, through which gradients reach its own."""
        replaced = []
        if self.level == "O2":
            for layer in _half_precision_layers(network):
                weights = layer._parameters
                replaced += [(weights, name, weight) for name, weight in weights.items() if weight is not None]
        for weights, name, weight in replaced:
            weights[name] = weight.astype(self.dtype)
        try:
            yield
        finally:
            for weights, name, weight in replaced:
                weights[name] = weight


class _LossScaler(paddle.amp.GradScaler):
    """Paddle's GradScaler, changed so that all processes leave out the same steps.

    Attributes:
        overflowed: whether the last step was left out.
    """

    COUNTS = ("incr_count", "decr_count")  # what changes from step to step in its state, besides the scale
    overflowed = False

    def _unscale(self, optimizer: Optimizer) -> None:
        super()._unscale(optimizer)
        # summed gradients are infinite in all processes; one that is not summed would let the processes diverge
        found = parallel.mean_over_processes({"overflow": float(self._found_inf)})
        self.overflowed = found["overflow"] > 0.0
        self._found_inf = paddle.to_tensor([self.overflowed])


def _choose(config: Config) -> tuple[str, list[str]]:
    """The type to compute in, and a note if it is not the one that the config asks for."""
    dtype = config.Global.amp_dtype
    if not config.Global.use_amp:
        return FLOAT32, []
    reason = _why_unsupported(dtype)
    if reason is None:
        return dtype, []
    return FLOAT32, [f"Global.use_amp: trains in float32, because {reason}"]


def _why_unsupported(dtype: str) -> str | None:
    """Why this device cannot mix float32 with `dtype`, as half a sentence, or None."""
    if not paddle.get_device().startswith("gpu"):
        return "Paddle mixes precisions on GPUs only"
    major, minor = paddle.device.cuda.get_device_capability()
    if major < OLDEST_GPU[dtype]:
        return f"this GPU, of compute capability {major}.{minor}, is too old for {dtype} ({OLDEST_GPU[dtype]}.0)"
    return None


def _check_operations(key: str, names: Sequence[str]) -> None:
    """Raises InputError for a name in the list `key` that is no operation of Paddle's."""
    known = _known_operations() if names else []
    for name in names:
        if name not in known:
            raise InputError(
                f"{key} names {name!r}, which is no operation of Paddle's (such as conv2d, matmul_v2 and "
                f"elementwise_add): {nearest_hint(name, known)}."
            )


def _known_operations() -> list[str]:
    """The names by which Paddle's automatic casting knows operations (`elementwise_add`, not `add`)."""
    listed = core.op_supported_infos("GPU", core.VarDesc.VarType.FP16)[0]
    return sorted({*listed, *core._get_all_register_op_kernels("phi")})


def _half_precision_layers(layer: nn.Layer) -> Iterator[nn.Layer]:
    """The layers within `layer` whose weights O2 shows in half precision."""
    if not isinstance(layer, FLOAT32_LAYERS):
        yield layer
        for part in layer.children():
            yield from _half_precision_layers(part)


def _in_float32(outputs: Any) -> Any:
    """Tensors in dicts of dicts, each cast to float32."""
    if isinstance(outputs, Mapping):
        return {name: _in_float32(part) for name, part in outputs.items()}
    return outputs.astype(FLOAT32)
