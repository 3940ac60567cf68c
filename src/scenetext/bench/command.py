"""The command `scenetext bench`: one word for each comparison. Nothing heavy is imported before one is chosen."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from scenetext.predict.choices import AUTO, ENGINE_NAMES

if TYPE_CHECKING:
    from scenetext.config import Config

COMPARISONS = ("train", "predict", "latency", "onnx")
MEASURED = ("accuracy", "performance")  # of `bench onnx`
TIMED_LINES = 64  # by default, of `bench onnx`; its four variants then take about a minute on 2 cores


def add_arguments(parser: argparse.ArgumentParser, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Adds the comparisons and their arguments.

    Args:
        parser: of `scenetext bench`.
        add_config: adds the arguments of a configuration, as other verbs have them.
    """
    what = parser.add_subparsers(dest="what", metavar="|".join(COMPARISONS), required=True)
    train = what.add_parser("train", help="training as configured against a fixed canvas")
    add_config(train)
    predict = what.add_parser("predict", help="engines against each other on an exported folder")
    predict.add_argument("--model", required=True, metavar="DIR", help="an exported folder")
    predict.add_argument("--images", required=True, metavar="DIR|ZIP", help="what to read")
    predict.add_argument("--engine", nargs="+", default=ENGINE_NAMES, choices=ENGINE_NAMES, help="what computes")
    predict.add_argument("--batch-size", type=int, default=16, metavar="N", help="lines read at a time")
    latency = what.add_parser("latency", help="exported folders against each other: time of a line, bytes, accuracy")
    latency.add_argument("--model", nargs="+", required=True, metavar="DIR", help="exported folders")
    _add_lines(latency, "folder for the tables as CSV and, with labels, the figure of accuracy by latency")
    latency.add_argument("--batch-size", nargs="+", type=int, default=[1, 16], metavar="N", help="lines at a time")
    latency.add_argument("--engine", default=AUTO, choices=(AUTO, *ENGINE_NAMES), help="what computes")
    latency.add_argument("--limit", type=int, metavar="N", help="time only the first N pictures")
    onnx = what.add_parser("onnx", help="a network as ONNX against itself: FP32, simplified, FP16, INT8")
    onnx.add_argument("--model", required=True, metavar="DIR", help="an exported folder")
    _add_lines(onnx, "folder for the ONNX files and the table as CSV")
    onnx.add_argument("--batch-size", type=int, default=32, metavar="N", help="lines at a time (default 32)")
    timed = f"time the first N pictures (default {TIMED_LINES}); accuracy is measured on all"
    onnx.add_argument("--limit", type=int, default=TIMED_LINES, metavar="N", help=timed)
    onnx.add_argument("--only", choices=MEASURED, help="measure one of the two")
    for side in (train, predict, latency, onnx):
        side.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each side, in turn")


def run(chosen: argparse.Namespace, load_config: Callable[[argparse.Namespace], Config]) -> None:
    """Runs the chosen comparison and prints its table.

    Args:
        chosen: the arguments.
        load_config: loads the configuration that they name.
    """
    from scenetext import bench

    if chosen.what == "train":
        print(bench.table(bench.bench_train(load_config(chosen), chosen.rounds)))
    elif chosen.what == "predict":
        sides = bench.bench_predict(chosen.model, chosen.images, chosen.engine, chosen.batch_size, chosen.rounds)
        print(bench.table(sides))
    elif chosen.what == "latency":
        options = dict(engine=chosen.engine, limit=chosen.limit, rounds=chosen.rounds)
        lines = dict(labels=chosen.labels, out=chosen.out, batch_sizes=chosen.batch_size)
        print(bench.bench_latency(chosen.model, chosen.images, **lines, **options))
    else:
        lines = dict(labels=chosen.labels, out=chosen.out, batch_size=chosen.batch_size)
        options = dict(rounds=chosen.rounds, limit=chosen.limit, only=chosen.only)
        print(bench.bench_onnx(chosen.model, chosen.images, **lines, **options))


def _add_lines(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--images", required=True, metavar="DIR|ZIP", help="folder, zip or LMDB of lines")
    parser.add_argument("--labels", metavar="FILE", help="labels of the lines to time; an LMDB brings its own")
    parser.add_argument("--out", metavar="DIR", help=out)
