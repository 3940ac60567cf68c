"""What a crash campaign tries of the jobs that read, draw or score many pictures."""

from __future__ import annotations

import os
import shutil

from crash_jobs import PredictAgain, Scenario, another_dictionary, cli, make_onnx_model

TEXTS = {"texts_old": "上海 北京 天津", "texts_new": "烤鱼 停车场 入口"}


class PredictShared(PredictAgain):
    """The share of the first of two processes, the other of which never comes, over the remains of the same job."""

    name = "predict-shared"

    def _predict(self, model: str) -> int:
        from scenetext.predict import images, recognizer
        from scenetext.system import shared_job

        images.LINES_PER_PIECE = recognizer.LINES_PER_SHARED_PIECE = 40
        shared_job.GATHERING_S = 0.0
        os.environ |= {"PADDLE_TRAINERS_NUM": "2", "PADDLE_TRAINER_ID": "0"}
        return super()._predict(model)


class Read(Scenario):
    """`scenetext read` over what another recogniser read, and over the remains of a stopped job, which is resumed."""

    name = verb = "read"
    product_path = "out/read/photos.jsonl"
    cut_short = "command"

    @property
    def places(self) -> tuple[str, ...]:
        return (str(self.world / "out/read"),)

    def warm(self) -> None:
        import onnxruntime  # noqa: F401

        import scenetext.evaluate.command
        import scenetext.predict.photo_files  # noqa: F401

    def make(self) -> None:
        import cv2
        from photos import TEXTS, drawn_detector, drawn_photo

        make_onnx_model(self.inputs / "model_new")
        another_dictionary(self.inputs / "model_new", self.inputs / "model_old")
        shutil.copytree(drawn_detector(), self.inputs / "detector")
        (self.inputs / "photos").mkdir()
        for number in range(10):
            cv2.imwrite(str(self.inputs / "photos" / f"{number}.png"), drawn_photo(TEXTS[: number % 3 + 1], 400))

    def _read(self, model: str) -> int:
        return cli(
            *("read", self.inputs / "photos", "--detector", self.inputs / "detector", "--min-confidence", "0"),
            *("--model", self.inputs / model, "--out", self.world / "out/read"),
        )

    def old(self) -> int:
        return self._read("model_old")

    def command(self) -> int:
        return self._read("model_new")


class Synth(Scenario):
    """`scenetext synth` into a folder over other lines."""

    name, verb = "synth", "synth"
    product_path = "out/drawn"

    def warm(self) -> None:
        import scenetext.synth.lines  # noqa: F401

    def make(self) -> None:
        for name, texts in TEXTS.items():
            (self.inputs / f"{name}.txt").write_text(texts.replace(" ", "\n"), encoding="utf-8")

    def _synth(self, texts: str) -> int:
        out = self.world / self.product_path
        return cli("synth", "--texts", self.inputs / f"{texts}.txt", "--out", out, "--lines", 6, "--workers", 1)

    def old(self) -> int:
        return self._synth("texts_old")

    def command(self) -> int:
        return self._synth("texts_new")


class SynthLmdb(Synth):
    """The same into an LMDB, which the library `lmdb` writes."""

    name = "synth-lmdb"
    product_path = "out/drawn.lmdb"
