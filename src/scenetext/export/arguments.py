"""The arguments of the verb `export`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse

from scenetext.export.choices import FORMATS, STORAGES


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `exporter.export_model` beside the configuration."""
    parser.add_argument("--weights", required=True, metavar="PREFIX", help="trained weights")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--max-mb", type=_positive, default=10.0, help="budget, 1 MB = 1,000,000 bytes (default 10)")
    parser.add_argument("--format", default="json", choices=FORMATS, help="kind of program")
    parser.add_argument(
        "--storage", default="auto", choices=STORAGES, help="how weights are stored (default: the most exact that fits)"
    )
    parser.add_argument(
        "--characters", nargs="+", metavar="FILE", help="keep only the classes of these dictionaries' characters"
    )
    budgets = "with --labels: accuracy at these budgets"
    parser.add_argument("--budgets", nargs="+", type=_positive, default=[], metavar="MB", help=budgets)
    finetune = "finetune the quantised weights on N batches of the training set"
    parser.add_argument("--finetune-steps", type=int, default=0, metavar="N", help=finetune)
    parser.add_argument("--labels", metavar="FILE", help="with --images: report the accuracy before and after")
    parser.add_argument("--images", metavar="DIR", help="pictures of --labels")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
