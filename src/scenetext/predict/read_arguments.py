"""The arguments of `scenetext read`; nothing heavy is imported here, so that `--help` answers at once."""

from __future__ import annotations

import argparse


def read_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `read` takes beside the engine."""
    parser.add_argument("photos", metavar="PHOTO|FOLDER|ZIP", help="what to read")
    detector = "an exported detector, or wheel:PP-OCRv6_det_small, wheel:ch_PP-OCRv4_det"
    parser.add_argument("--detector", required=True, metavar="DIR|wheel:NAME", help=detector)
    parser.add_argument("--model", required=True, metavar="DIR", help="an exported recogniser")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for photos.jsonl and pictures/")
    least = "reject texts that are less probable (default 0.5)"
    parser.add_argument("--min-confidence", type=float, default=0.5, metavar="P", help=least)
    side = "search at no larger size (default 4000)"
    parser.add_argument("--max-side", type=int, default=4000, metavar="PX", help=side)
    parser.add_argument("--no-pictures", action="store_true", help="do not draw the texts beside the photos")
    parser.add_argument("--labels", metavar="FILE", help="PaddleOCR's labels of text detection: score what was read")
