"""What a crash campaign tries: one class for each job that writes a product.

A scenario's methods run in forks of a warm process, see crash_points.py; only `product` and `service` run in the
campaign. A command is the public one, called as the command line calls it. Where the command line has no verb for a
job, a function is called and its exceptions end as the command line would end them.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CACHED = 40  # pictures
TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.+:Z]*")


class Scenario:
    """A job that writes a product.

    A world begins with the act `old`, which leaves an older product of other content. Where `cut_short` names an act,
    that act is then run and killed at the middle one of its calls of the kind `cut_call`, so that a stopped job's
    remains lie there, too.

    Args:
        inputs: a folder for what the acts read.
        world: the folder in which the acts work.
        parameters: what `service` yielded.

    Attributes:
        product_path: of the product below the world, or of the folder that holds all of it.
        late: files of the product that may still be old, or absent, when the rest is new.
        absent: files of the product that may be absent, but never belong to another product than the rest.
        verb: what a message begins with, `scenetext VERB: `.
        places: what a message may name: one of these has to be in it.
        read_always: whether the state is told by `read`, not by the files' bytes.
        claims: whether the state tells that a message's "unchanged" is true.
        may_refuse: whether a reader may refuse what a crash left, because nothing is lost by that.
        may_remain: endings of remains that the repeated job need not remove.
    """

    name = ""
    product_path = "out"
    late: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    verb = ""
    cut_short: str | None = None
    cut_call = "write"
    read_always = False
    claims = True
    may_refuse = False
    may_remain: tuple[str, ...] = ()

    def __init__(self, inputs: Path, world: Path, parameters: dict[str, Any]):
        self.inputs, self.world, self.parameters = inputs, world, parameters

    @property
    def places(self) -> tuple[str, ...]:
        return (str(self.world / self.product_path),)

    @contextmanager
    def service(self) -> Iterator[dict[str, Any]]:
        """What has to run beside the steps; yields what they need to know of it."""
        yield {}

    def warm(self) -> None:
        """Runs once in the warm process: imports."""

    def make(self) -> None:
        """Makes the inputs."""

    def old(self) -> int | None:
        """Leaves the older product."""

    def command(self) -> int:
        """The job; returns its exit status."""
        raise NotImplementedError

    def command_again(self) -> int:
        """The job as the user repeats it after a crash."""
        return self.command()

    def read(self) -> str:
        """What a reader of the product finds: "old", "new", "refused: ..." or anything else, which is a fault."""
        return "mixed: no reader checks it"

    def product(self) -> dict[str, str]:
        """The product's files that a user would see, and the hashes of their bytes without times."""
        path = self.world / self.product_path
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        seen = {str(file.relative_to(path.parent)): file for file in files}
        return {
            name: hashlib.sha256(TIME.sub(b"TIME", file.read_bytes())).hexdigest()[:16]
            for name, file in seen.items()
            if not any(part.startswith(".") for part in Path(name).parts) and ".part" not in name
        }


def as_command(verb: str, work: Callable[[], Any]) -> int:
    """Runs a function as the command line runs a verb's; returns the exit status."""
    from scenetext.errors import InputError, RunError

    try:
        work()
    except (InputError, RunError) as error:
        print(f"scenetext {verb}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except OSError as error:
        print(f"scenetext {verb}: {error.strerror} ({error.filename}).", file=sys.stderr)
        return 1
    return 0


def cli(*arguments: object) -> int:
    """Runs the command line in this process."""
    from scenetext.cli import main

    return main([str(argument) for argument in arguments])


def draw_blocks(path: Path, seed: int, blocks: int = 6) -> None:
    """A picture of coloured blocks, (32, 8 blocks, 3), as PNG."""
    import cv2
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 256, (1, blocks, 3), dtype=np.uint8)
    cv2.imwrite(str(path), np.repeat(np.repeat(colours, 32, 0), 8, 1))


class Prepare(Scenario):
    """`scenetext prepare` over an older data set of the same picture names, but other pictures and labels."""

    name, verb = "prepare", "prepare"
    product_path = "out/data"
    may_refuse = True

    def warm(self) -> None:
        import scenetext.prepare.preparation  # noqa: F401

    def make(self) -> None:
        for k, part in enumerate(("raw_old", "raw_new")):
            folder = self.inputs / part
            for kind, count in (("train", 8), ("test", 3)):
                for i in range(count):
                    draw_blocks(folder / f"{kind}_images" / f"{i}.png", 100 * k + 10 * count + i)
                with zipfile.ZipFile(folder / f"{kind}_images.zip", "w") as archive:
                    for path in sorted((folder / f"{kind}_images").iterdir()):
                        archive.write(path, path.name)
                shutil.rmtree(folder / f"{kind}_images")
            with open(folder / "train_label.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("name", "value"), *((f"{i}.png", f"{'北海'[k]}{i}") for i in range(8))])

    def _prepare(self, raw: str) -> int:
        return cli("prepare", "--raw", self.inputs / raw, "--out", self.world / "out/data", "--val", "2")

    def old(self) -> int:
        return self._prepare("raw_old")

    def command(self) -> int:
        return self._prepare("raw_new")

    def read(self) -> str:
        """Whether a training takes the data set as it lies there."""
        from drawn import tiny_config

        from scenetext.config import load_config
        from scenetext.train.trainer import train

        data, run = self.world / "out/data", self.world / "tmp/run"
        config = tiny_config(data, epoch_num=1)
        for section in ("Train", "Eval"):
            config[section]["dataset"] = {**config[section]["dataset"], "data_dir": str(data / "images")}
        status = as_command("train", lambda: train(load_config(config), run, progress=False))
        return "mixed: a training takes it" if status == 0 else f"refused: {status}"


class Cache(Scenario):
    """The image cache of a training, beside the older cache of other pictures and the remains of a killed build."""

    name, verb = "cache", "train"
    product_path = "out/cache"
    cut_short = "command"
    may_remain = (".lock",)  # an empty file; who finds a whole cache takes no lock

    def warm(self) -> None:
        import scenetext.data.cache  # noqa: F401

    def make(self) -> None:
        for k, part in enumerate(("old", "new")):
            for i in range(CACHED):
                draw_blocks(self.inputs / part / f"{i}.png", 1000 * k + i, 40)

    def _open(self, part: str) -> str:
        from scenetext.data.cache import open_cache
        from scenetext.data.sources.images import open_images

        source = open_images(self.inputs / part)
        cache = open_cache(
            self.world / "out/cache", source, [f"{i}.png" for i in range(CACHED)], 32, 640, False, say=lambda text: None
        )
        return hashlib.sha256(b"".join(cache.load(i).tobytes() for i in range(len(cache)))).hexdigest()

    def old(self) -> None:
        self._open("old")

    def command(self) -> int:
        return as_command(self.verb, lambda: self._open("new"))

    def read(self) -> str:
        import cv2

        expected = hashlib.sha256()
        for i in range(CACHED):
            expected.update(cv2.imread(str(self.inputs / "new" / f"{i}.png")).tobytes())
        return "new" if self._open("new") == expected.hexdigest() else "mixed: other pixels than the pictures'"


class Predict(Scenario):
    """`scenetext predict` over the older file of another model, and over the remains of that model's stopped job."""

    name, verb = "predict", "predict"
    product_path = "out/predictions.txt"
    cut_short = "command_old"
    pictures = 150
    engine = "onnxruntime"

    def warm(self) -> None:
        import onnxruntime  # noqa: F401

        import scenetext.predict.recognizer  # noqa: F401

    def make(self) -> None:
        make_onnx_model(self.inputs / "model_new")
        another_dictionary(self.inputs / "model_new", self.inputs / "model_old")
        make_lines(self.inputs / "images", self.pictures)

    def _predict(self, model: str) -> int:
        return cli(
            *("predict", "--model", self.inputs / model, "--images", self.inputs / "images"),
            *("--out", self.world / self.product_path, "--engine", self.engine),
        )

    def old(self) -> int:
        return self._predict("model_old")

    command_old = old

    def command(self) -> int:
        return self._predict("model_new")


class PredictAgain(Predict):
    """The same over the remains of a stopped job of the same model, which is resumed."""

    name = "predict-resumed"
    cut_short = "command"


class PredictPaddle(PredictAgain):
    """The same with a convolutional network in Paddle's own engine, whose last digits may depend on the batch."""

    name, engine, pictures = "predict-paddle", "paddle", 150

    def warm(self) -> None:
        import paddle  # noqa: F401

        import scenetext.predict.recognizer  # noqa: F401

    def make(self) -> None:
        make_tiny_model(self.inputs)
        export_tiny(self.inputs, "tiny_new", self.inputs / "model_new")
        another_dictionary(self.inputs / "model_new", self.inputs / "model_old")
        make_lines(self.inputs / "images", self.pictures)


class Submit(Predict):
    """A submission over an older one of another model, with its row in the table of submissions."""

    name, verb = "submit", "submit"
    product_path = "out/submissions"
    late = ("submissions/README.md",)
    cut_short = None
    pictures = 40

    def warm(self) -> None:
        import onnxruntime  # noqa: F401

        import scenetext.submit.submission  # noqa: F401

    def _submit(self, model: str) -> int:
        from scenetext.submit.submission import submit

        out = self.world / self.product_path / "first"
        options = {"engine": self.engine, "progress": False}
        return as_command(self.verb, lambda: submit(self.inputs / model, self.inputs / "images", out, **options))

    def old(self) -> int:
        return self._submit("model_old")

    def command(self) -> int:
        return self._submit("model_new")


def make_lines(folder: Path, count: int) -> None:
    """Pictures with names so long that a file of predictions is written in several pieces."""
    for i in range(count):
        draw_blocks(folder / f"{i}-{'x' * 150}.png", i, 4 + i % 7)


LETTERS = [chr(ord("a") + i) for i in range(26)]


def make_onnx_model(folder: Path) -> None:
    """A folder for inference whose network reads a letter for every 8 columns, by their mean colour."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    from scenetext.data.transforms import Canvas
    from scenetext.predict.model_folder import InferenceSettings
    from scenetext.text.charset import SPACE, Charset

    folder.mkdir(parents=True)
    classes = len(LETTERS) + 2  # with blank and space
    weights = np.random.default_rng(0).normal(0, 9, (3, classes)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[32, 8], strides=[32, 8]),  # (B, 3, 1, T)
        helper.make_node("Transpose", ["p"], ["t"], perm=[0, 3, 1, 2]),  # (B, T, 3, 1)
        helper.make_node("Reshape", ["t", "shape"], ["r"]),  # (B, T, 3)
        helper.make_node("MatMul", ["r", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    constants = {"shape": np.array([0, 0, 3], np.int64), "weights": weights}
    graph = helper.make_graph(
        nodes,
        "letters",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 3, 32, "W"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", "T", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    save(model, str(folder / "inference.onnx"))
    charset = Charset((*LETTERS, SPACE), use_space_char=True)
    InferenceSettings("PP-OCRv4_mobile_rec", Canvas(32, 64), charset).write(folder)


def another_dictionary(folder: Path, out: Path) -> None:
    """Copies a folder for inference, its dictionary reversed, so that it reads other texts."""
    import yaml

    shutil.copytree(folder, out)
    path = out / "inference.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["PostProcess"]["character_dict"].reverse()
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")


def make_tiny_model(inputs: Path) -> None:
    """Drawn digits, a configuration, and `tiny_old.pdparams` and `tiny_new.pdparams` of random weights."""
    import numpy as np
    import paddle
    from drawn import draw_digits, tiny_config

    from scenetext.config import load_config, write_config
    from scenetext.models import build_model

    draw_digits(inputs / "digits", 24)
    config = load_config(tiny_config(inputs / "digits", epoch_num=3))
    write_config(config, inputs / "tiny.yml")
    for k, part in enumerate(("tiny_old", "tiny_new")):
        paddle.seed(k)
        model, rng = build_model(config), np.random.default_rng(k)
        for key, tensor in model.state_dict().items():
            if key.endswith("_variance"):
                tensor.set_value(rng.uniform(0.02, 0.1, tensor.shape).astype(np.float32))
        head = model.head.classifier
        head.weight.set_value(rng.normal(0, 8, head.weight.shape).astype(np.float32))
        paddle.save(model.state_dict(), str(inputs / f"{part}.pdparams"))


def export_tiny(inputs: Path, weights: str, out: Path) -> int:
    """Exports one of the two by the command line."""
    config, prefix = inputs / "tiny.yml", inputs / weights
    return cli("export", "-c", config, "--weights", prefix, "--out", out, "--storage", "float32")
