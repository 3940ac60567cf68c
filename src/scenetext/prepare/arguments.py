"""Arguments of `prepare`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse

from scenetext.text.normalise import CHOICES

LABEL_CHOICES = {
    "width": "full-width letters, digits and punctuation in labels",
    "case": "letters in labels",
    "spaces": "white space in labels",
    "traditional": "traditional characters in labels",
}


def prepare_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `preparation.prepare` takes."""
    parser.add_argument("--raw", required=True, metavar="DIR", help="folder with the competition's files")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--val", default="0.1", help="lines for validation: a fraction (0.1) or a count (500)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")
    for name, choices in CHOICES.items():
        parser.add_argument(f"--{name}", default=choices[0], choices=choices, help=LABEL_CHOICES[name])
    extra = "added to the labels' characters in the charset (default: gb2312-1, 3,755 hanzi; nothing after it: none)"
    parser.add_argument("--extra-characters", nargs="*", default=["gb2312-1"], metavar="NAME|FILE", help=extra)
