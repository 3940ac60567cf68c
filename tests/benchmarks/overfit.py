"""Checks that every network can overfit eight lines: `python tests/benchmarks/overfit.py LABELS IMAGES [CONFIG ...]`.

LABELS is a file of lines name<TAB>text, IMAGES the folder or zip of its pictures. Each network is initialised randomly
and trained on the same eight short lines until it reads all of them without an error in evaluation mode (Adam; the
learning rate rises and falls as in arXiv:1706.03762, section 5.3). If a network still makes errors after MOST_STEPS, or
if one of its trainable parameters did not change, the table says so and the exit status is 1. Each network reads the
lines on its training canvas, so that padding is the same in training and in reading.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np
import paddle
from networks import configurations, settings
from tqdm import tqdm

from scenetext.data.batches import BatchPlan, make_batch
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import canvas_of
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.data.transforms import decode_image
from scenetext.models import build_model
from scenetext.models.targets import Targets
from scenetext.predict.line_reader import FittedLine
from scenetext.predict.model_reader import ModelReader
from scenetext.text.charset import Charset
from scenetext.text.label_files import read_label_table
from scenetext.text.records import Record
from scenetext.train.losses import build_loss

LINES, MOST_STEPS, CHECK_EVERY = 8, 1500, 25
RATE, WARM_UP = 5e-4, 50  # learning rate, steps; at 1e-3 SVTRv2 overfits and then has errors again
ASPECT_RATIO = 2.0  # preferred width / height of the lines
CHARACTERS = range(2, 6)  # in a label: CTC needs fewer steps to align few characters
CANDIDATES = 400  # the eight lines are chosen from the first CANDIDATES lines


def lines_of_like_shape(records: list[Record], images: ImageSource) -> list[Record]:
    """The LINES records of few characters whose pictures are nearest to ASPECT_RATIO."""

    def distance(record: Record) -> float:
        height, width = decode_image(images.read(record.name), record.location).shape[:2]
        return abs(math.log(width / height / ASPECT_RATIO))

    return sorted((record for record in records if len(record.text) in CHARACTERS), key=distance)[:LINES]


def steps_needed(path: Path, labels: Path, images: Path) -> tuple[int | None, float, list[str]]:
    """Steps until there is no error (None: errors remain), seconds, and trainable parameters that did not change."""
    config = settings(path)
    records = lines_of_like_shape(read_label_table(labels).records[:CANDIDATES], open_images(images))
    charset = Charset.from_labels(record.text for record in records)
    paddle.seed(0)
    decoding = build_model(config).decoding
    model = build_model(config, charset.num_classes + (decoding == "attention"))
    for part in [getattr(model, name) for name in getattr(model, "names", ())] or [model]:
        part.charset = charset
    canvas = canvas_of(config, model.input_size, "Train")
    widest = canvas.width_px if canvas.fixed else 960
    lines = Lines(records, open_images(images), charset, canvas.height_px, widest, canvas.stretched)
    plan = BatchPlan(np.arange(LINES), canvas.height_px, canvas.width_px if canvas.fixed else None)
    batch = make_batch(lines, plan, 0, 8)
    targets = Targets(paddle.to_tensor(batch.ids), paddle.to_tensor(batch.lengths))
    images_tensor = paddle.to_tensor(batch.images)
    loss = build_loss(config)
    trained = {key: p for key, p in model.named_parameters() if not p.stop_gradient}
    start = {key: p.numpy() for key, p in trained.items()}
    optimiser = paddle.optimizer.Adam(RATE, parameters=list(trained.values()))
    reader = ModelReader(model, canvas_of(config, model.input_size))
    seen = [FittedLine(lines.load(index)[0], batch.images.shape[3]) for index in range(LINES)]
    wanted = [record.text for record in records]
    done = None
    started = time.perf_counter()
    model.train()
    for step in range(1, MOST_STEPS + 1):
        optimiser.set_lr(RATE * min(step / WARM_UP, math.sqrt(WARM_UP / step)))
        loss(model(images_tensor, targets), targets)["loss"].backward()
        optimiser.step()
        optimiser.clear_grad()
        if step % CHECK_EVERY == 0 and [text for text, _ in reader.read(seen)] == wanted:
            done = step
            break
    seconds = time.perf_counter() - started
    return done, seconds, [key for key, p in trained.items() if np.array_equal(p.numpy(), start[key])]


def main(labels: str, images: str, *names: str) -> int:
    """Trains and prints a Markdown table."""
    paths = [Path(name) for name in names] or configurations()
    print("| configuration | steps to no error | seconds | unchanged parameters |\n|---|---|---|---|", flush=True)
    failed = False
    for path in tqdm(paths, unit="network"):
        steps, seconds, unmoved = steps_needed(path, Path(labels), Path(images))
        failed |= steps is None or bool(unmoved)
        result = steps or f"errors left after {MOST_STEPS}"
        print(f"| {path.name} | {result} | {seconds:.0f} | {', '.join(unmoved) or 'none'} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
