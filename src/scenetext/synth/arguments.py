"""The arguments of the verb `synth`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse


def synth_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `command.synth_command`."""
    out = "folder to write: pictures and labels; lines also go to an LMDB as PaddleOCR reads it, NAME.lmdb"
    parser.add_argument("--out", required=True, metavar="FOLDER|LMDB", help=out)
    kinds = parser.add_mutually_exclusive_group(required=True)
    lines = "lines to draw, for a recogniser; each text is drawn equally often, to within one"
    kinds.add_argument("--lines", type=int, metavar="N", help=lines)
    scenes = "photos with several texts each to draw, for a detector; labels as PaddleOCR has them for detection"
    kinds.add_argument("--scenes", type=int, metavar="N", help=scenes)
    texts = "with --lines, what is drawn: texts, one a line, or label files (name<TAB>text, or a CSV)"
    parser.add_argument("--texts", nargs="+", default=(), metavar="FILE", help=texts)
    fonts = "with --lines: font files, or folders of them (default: the fonts of the drawn sample)"
    parser.add_argument("--fonts", nargs="+", default=(), metavar="FILE|DIR", help=fonts)
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others (default 0)")
    workers = "processes that draw; the pictures do not depend on it (default: one for each core)"
    parser.add_argument("--workers", type=int, metavar="N", help=workers)
