"""The arguments of the verb `synth`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse


def synth_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `lines.synth_command`."""
    texts = "what is drawn: texts, one a line, or label files (name<TAB>text, or a CSV)"
    parser.add_argument("--texts", required=True, nargs="+", metavar="FILE", help=texts)
    out = "folder to write: pictures and labels.txt; with a name that ends in .lmdb, an LMDB as PaddleOCR reads it"
    parser.add_argument("--out", required=True, metavar="FOLDER|LMDB", help=out)
    lines = "lines to draw; each text is drawn equally often, to within one"
    parser.add_argument("--lines", required=True, type=int, metavar="N", help=lines)
    fonts = "font files, or folders of them (default: the fonts of the drawn sample)"
    parser.add_argument("--fonts", nargs="+", default=(), metavar="FILE|DIR", help=fonts)
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other lines (default 0)")
    workers = "processes that draw; the pictures do not depend on it (default: one for each core)"
    parser.add_argument("--workers", type=int, metavar="N", help=workers)
