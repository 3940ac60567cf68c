"""The arguments of `scenetext run`, `demo` and `course`. Light to import: every start of the command does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from scenetext.errors import InputError


def parameter_argument(parser: argparse.ArgumentParser) -> None:
    """Adds -p, the notebooks' parameters."""
    parser.add_argument(
        "-p", "--parameter", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="notebook parameters"
    )


def given_parameters(written: Sequence[str]) -> dict[str, str]:
    """The values of -p by parameter, as they were written.

    Raises:
        InputError: one is not NAME=VALUE.
    """
    given = {}
    for parameter in written:
        name, equals, value = parameter.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"-p {parameter}: write it as NAME=VALUE.")
        given[name] = value
    return given


def course_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `scenetext course` takes."""
    parser.add_argument("--run", default="demo", metavar="NAME", help="the run (default: that of `scenetext demo`)")
    other = "the run that 07_compare lays beside it (default: the pretrained network)"
    parser.add_argument("--other", default="", metavar="NAME", help=other)
    parser.add_argument("--out", default="course", metavar="DIR", help="folder to write (default: course)")
