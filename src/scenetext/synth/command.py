"""The verb `synth`: lines of given texts, or whole photos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from scenetext.errors import InputError
from scenetext.synth.lines import LEFT_OUT, LMDB_ENDING, draw_lines, on_one_line
from scenetext.synth.scenes import draw_scenes
from scenetext.text.text_files import read_texts

TEXTS_SHOWN = 5


def synth_command(
    *,
    out: str,
    lines: int | None = None,
    scenes: int | None = None,
    texts: Sequence[str] = (),
    fonts: Sequence[str] = (),
    seed: int = 0,
    workers: int | None = None,
) -> None:
    """`scenetext synth`: see `draw_lines` and `draw_scenes`; texts that cannot be drawn are named on stderr."""
    if scenes is None:
        _draw_lines(texts, out, lines, fonts, seed, workers)
        return
    if texts or fonts:
        raise InputError("--scenes draws texts and letters of its own: leave --texts and --fonts out.")
    if Path(out).suffix.lower() == LMDB_ENDING:
        raise InputError(f"--out {out} would be an LMDB, which holds lines; scenes go to a folder: name one.")
    drawn = draw_scenes(out, scenes, seed=seed, workers=workers)
    print(f"{out}: {drawn.scenes} scenes with {drawn.texts} texts")


def _draw_lines(
    texts: Sequence[str], out: str, lines: int, fonts: Sequence[str], seed: int, workers: int | None
) -> None:
    if not texts:
        raise InputError("--lines needs --texts: name files with the texts that are drawn.")
    every = [text for path in texts for text in read_texts(path)]
    drawn = draw_lines(every, out, lines, fonts=fonts, seed=seed, workers=workers)
    if drawn.left_out:
        print(f"{len(drawn.left_out)} texts were left out ({Path(out) / LEFT_OUT} lists all):", file=sys.stderr)
        for text, why in islice(drawn.left_out.items(), TEXTS_SHOWN):
            print(f"  {on_one_line(text)}: {why}", file=sys.stderr)
    print(f"{out}: {drawn.lines} lines of {drawn.texts} texts")
