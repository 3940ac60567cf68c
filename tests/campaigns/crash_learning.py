"""The scenarios of a crash campaign that need a network: a checkpoint's saving, a whole training, an export."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from crash_jobs import Scenario, as_command, cli, export_tiny, make_tiny_model

from scenetext.runs.history import SCORED, TRAINED


class Checkpoint(Scenario):
    """A checkpoint's saving over an older one, told apart by loading it."""

    name, verb = "checkpoint", "train"
    product_path = "out/run"
    read_always = True

    def warm(self) -> None:
        """Builds a small network and an optimiser that holds moments; every act sets them to values of its own."""
        import numpy as np
        import paddle
        from paddle import nn

        import scenetext.train.checkpoint  # noqa: F401
        from scenetext.text.charset import Charset

        self.model = nn.Sequential(nn.Linear(100, 100), nn.BatchNorm1D(100))
        self.model.charset = Charset(("a", "b"))
        schedule = paddle.optimizer.lr.LambdaDecay(1e-3, lambda step: 1.0)
        self.optimiser = paddle.optimizer.Adam(schedule, parameters=self.model.parameters())
        rows = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
        self.model(paddle.to_tensor(rows)).mean().backward()
        self.optimiser.step()
        self.optimiser.clear_grad()

    def _set(self, k: int) -> Any:
        """Sets weights and moments to values that k decides, and returns the training's state."""
        from scenetext.train.state import TrainingState

        self.model.set_state_dict({key: tensor * 0 + k for key, tensor in self.model.state_dict().items()})
        moments = self.optimiser.state_dict()
        self.optimiser.set_state_dict(
            {key: value * 0 + k if "moment" in key else value for key, value in moments.items()}
        )
        return TrainingState(epoch=k, global_step=10 * k, best=0.1 * k)

    def _save(self, k: int) -> int:
        from scenetext.train.checkpoint import save_checkpoint

        state = self._set(k)
        folder = self.world / self.product_path
        folder.mkdir(exist_ok=True)
        return as_command("train", lambda: save_checkpoint(self.model, self.optimiser, state, folder / "latest"))

    def old(self) -> int:
        return self._save(1)

    def command(self) -> int:
        return self._save(2)

    def read(self) -> str:
        from scenetext.errors import InputError
        from scenetext.train.checkpoint import load_checkpoint

        self._set(7)
        try:
            state = load_checkpoint(self.model, self.optimiser, self.world / self.product_path / "latest")
        except InputError as error:
            return f"refused: {error}"
        weights = {float(tensor.flatten()[0]) for tensor in self.model.state_dict().values()}
        moments = {float(value.flatten()[0]) for key, value in self.optimiser.state_dict().items() if "moment" in key}
        found = {state.epoch} | weights | moments
        names = {1: "old", 2: "new", 3: "old"}
        if len(found) == 1 and found <= set(names):
            return names[found.pop()]
        return f"mixed: states of save {state.epoch}, weights of {sorted(weights)}, moments of {sorted(moments)}"


class CheckpointAgain(Checkpoint):
    """The same after a save that was killed between its renames."""

    name, cut_short, cut_call = "checkpoint-again", "command_cut", "rename"

    def command_cut(self) -> int:
        return self._save(3)


class Training(Scenario):
    """A whole `scenetext train` of three short epochs; what is repeated is its resumption, where it can be resumed."""

    name, verb = "train", "train"
    product_path = "out/run"
    claims = False

    def warm(self) -> None:
        import paddle  # noqa: F401

        import scenetext.evaluate.evaluation
        import scenetext.train.trainer  # noqa: F401

    def make(self) -> None:
        make_tiny_model(self.inputs)

    def _train(self, *more: str) -> int:
        options = (f"Global.save_model_dir={self.world / 'out/run'}", "Global.save_epoch_step=100", *more)
        return cli("train", "-c", self.inputs / "tiny.yml", "-o", *options)

    def command(self) -> int:
        return self._train()

    def command_again(self) -> int:
        from scenetext.train.checkpoint_files import committed_files

        latest = self.world / "out/run/latest"
        whole = all(path.is_file() for path in committed_files(latest).values())
        return self._train(f"Global.checkpoints={latest}") if whole else self._train()

    def read(self) -> str:
        return "old"  # what counts is that the resumed training ends like the undisturbed one

    def product(self) -> dict[str, str]:
        """What a training is judged by: its weights, what gives them their meaning, and which steps its history has."""
        names = ("latest.pdparams", "best_accuracy.pdparams", "charset.txt")
        files = (self.world / "out/run" / name for name in names)
        hashes = {p.name: hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in files if p.is_file()}
        history = self.world / "out/run/history.jsonl"
        lines = history.read_text().splitlines(keepends=True) if history.is_file() else []
        rows = [json.loads(line) for line in lines if line.endswith("\n")]  # a torn write leaves half a line at the end
        return {
            **hashes,
            "history.jsonl": str([(row["kind"], row["step"]) for row in rows if row["kind"] in (TRAINED, SCORED)]),
        }


class Export(Scenario):
    """`scenetext export` over an older export of other weights."""

    name, verb = "export", "export"
    product_path = "out"

    def warm(self) -> None:
        import paddle  # noqa: F401

        import scenetext.export.exporter  # noqa: F401

    def make(self) -> None:
        make_tiny_model(self.inputs)

    def old(self) -> int:
        return export_tiny(self.inputs, "tiny_old", self.world / "out/model")

    def command(self) -> int:
        return export_tiny(self.inputs, "tiny_new", self.world / "out/model")
