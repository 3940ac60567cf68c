"""The arguments of the verb `train`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse


def train_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `train` takes beside the configuration."""
    changed = "resume (Global.checkpoints) although settings, dictionary or data differ from the checkpoint's"
    parser.add_argument("--allow-changed", action="store_true", help=changed)
    folds = "cross-validate instead: N trainings, each line read once by a network that has not seen it; resumes itself"
    parser.add_argument("--folds", type=int, metavar="N", help=folds)
