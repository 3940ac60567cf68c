"""Draws lines of any texts as training pictures, into a folder or an LMDB.

A line depends on (text, seed, number, fonts) alone: neither the number of processes nor the number of lines changes its
pixels. The geometry is the competition's: 48 pixels high, about as wide as the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from scenetext.errors import InputError, RunError
from scenetext.synth.camera import HEIGHT_PX, jpeg_bytes
from scenetext.synth.draw import STRETCH, WIDEST_COVER, WIDEST_PX, draw_line
from scenetext.synth.fonts import given_fonts, has_ink, lacking
from scenetext.synth.pool import check_numbers, check_replaceable, in_order
from scenetext.synth.texts import width_em
from scenetext.system.file_names import shown_path
from scenetext.system.files import replacing_folder, write_text
from scenetext.system.process import usable_cores
from scenetext.text.label_files import label_lines
from scenetext.text.records import Record

PICTURES, LABELS, LEFT_OUT = "images", "labels.txt", "left_out.txt"
LMDB_ENDING, LMDB_FILE = ".lmdb", "data.mdb"
QUALITY = 92  # of the JPEG files, as in the drawn competition
LONGEST_EM = WIDEST_PX / HEIGHT_PX / STRETCH[0]  # of a text that fits into the widest picture
_CHUNK = 16  # lines that a process draws at a time
_COMMITTED_LINES = 1000  # of an LMDB at a time
_LARGEST_LINE_BYTES = 1 << 18

Write = Callable[[int, str, bytes], None]
"""Takes a line's number from 0, its text and its JPEG file."""


@dataclass(frozen=True, slots=True)
class DrawnLines:
    """What was drawn.

    Attributes:
        lines: the number of pictures.
        texts: the number of different texts that were drawn.
        left_out: why a text was not drawn, by text.
    """

    lines: int
    texts: int
    left_out: dict[str, str]


def draw_lines(
    texts: Sequence[str],
    out: str | Path,
    lines: int,
    *,
    fonts: Sequence[str | Path] = (),
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> DrawnLines:
    """Draws lines into a folder or an LMDB, which takes its place when it is complete.

    A folder holds `images/0.jpg` and so on, `labels.txt` with lines `0.jpg<TAB>text`, and `left_out.txt`. An LMDB,
    whose name ends in `.lmdb`, has the keys `num-samples`, `image-000000001` and `label-000000001` of PaddleOCR.

    Args:
        texts: what is drawn, each equally often to within one; equal texts count as often as they are given.
        out: the folder or LMDB; one that this function wrote before is replaced.
        lines: the number of pictures.
        fonts: see `given_fonts`; without any, the project's own faces draw.
        seed: of the drawing.
        workers: processes; None takes one for each core.
        progress: show a bar.

    Raises:
        InputError: a number is too small, no text can be drawn, a font cannot be read, or `out` holds other things.
        RunError: the disk is full or broken.
    """
    check_numbers(lines=(lines, 1), seed=(seed, 0), workers=(workers or 1, 1))
    out = Path(out)
    as_lmdb = out.suffix.lower() == LMDB_ENDING
    check_replaceable(out, (PICTURES, LABELS, LEFT_OUT, LMDB_FILE))
    faces = given_fonts(fonts)
    left_out = undrawable(texts, faces)
    drawn = [text for text in texts if text not in left_out]
    if not drawn:
        first = next(iter(left_out.items()), None)
        told = f"; the first: {first[0]!r} ({first[1]})" if first else ""
        raise InputError(f"Not one of {len(texts)} texts can be drawn{told}. Give others, or other fonts.")
    chosen = _chosen(drawn, lines, seed)
    with replacing_folder(out) as made:
        with _lmdb(made, lines) if as_lmdb else _folder(made) as write:
            pictures = _pictures(chosen, faces, seed, workers or usable_cores())
            bar = tqdm(pictures, total=lines, desc="drawing lines", unit="line", disable=not progress)
            for number, (text, picture) in enumerate(zip(chosen, bar, strict=True)):
                write(number, text, picture)
        write_text(made / LEFT_OUT, "".join(f"{on_one_line(text)}\t{why}\n" for text, why in left_out.items()))
    return DrawnLines(lines, len(set(chosen)), left_out)


def undrawable(texts: Iterable[str], faces: Sequence[str] = ()) -> dict[str, str]:
    """The texts that cannot be drawn, and why.

    Args:
        texts: any.
        faces: names of `given_fonts`; without any, the project's own faces draw.
    """
    blank = {
        face: {c for c in set().union(*texts) if not c.isspace() and not lacking(face, c) and not has_ink(face, c)}
        for face in faces
    }

    def lacked(face: str, text: str) -> list[str]:
        return [*lacking(face, text), *(c for c in text if c in blank.get(face, ()))]

    found = {}
    for text in dict.fromkeys(texts):
        missing = min((lacked(face, text) for face in faces or (WIDEST_COVER,)), key=len)
        if not text.strip() or not text.replace("\u3000", " ").isprintable():
            found[text] = "it is blank or has control characters"
        elif missing:
            found[text] = f"no font has {' '.join(dict.fromkeys(missing))}"
        elif width_em(text) > LONGEST_EM:
            found[text] = f"it is too long for a picture of {WIDEST_PX} pixels"
    return found


def _chosen(texts: Sequence[str], lines: int, seed: int) -> list[str]:
    """As many texts as lines: all in random order, again and again."""
    rng = np.random.default_rng(seed)
    chosen: list[str] = []
    while len(chosen) < lines:
        chosen += [texts[i] for i in rng.permutation(len(texts))[: lines - len(chosen)]]
    return chosen


def _pictures(texts: Sequence[str], faces: Sequence[str], seed: int, workers: int) -> Iterator[bytes]:
    """The JPEG file of each line, in order."""
    chunks = ((start, texts[start : start + _CHUNK]) for start in range(0, len(texts), _CHUNK))
    for drawn in in_order(partial(_draw_chunk, faces=tuple(faces), seed=seed), chunks, workers):
        yield from drawn


def _draw_chunk(chunk: tuple[int, Sequence[str]], faces: tuple[str, ...], seed: int) -> list[bytes]:
    """Draws lines of successive numbers from the first on."""
    first, texts = chunk
    pictures = []
    for number, text in enumerate(texts, first):
        image = draw_line(text, np.random.default_rng((seed, number)), faces=faces)
        pictures.append(jpeg_bytes(image, QUALITY).tobytes())
    return pictures


@contextmanager
def _folder(made: Path) -> Iterator[Write]:
    (made / PICTURES).mkdir()
    records: list[Record] = []

    def write(number: int, text: str, picture: bytes) -> None:
        name = f"{number}.jpg"
        (made / PICTURES / name).write_bytes(picture)
        records.append(Record(name, text, name))

    yield write
    write_text(made / LABELS, label_lines(records))


@contextmanager
def _lmdb(made: Path, lines: int) -> Iterator[Write]:
    import lmdb

    waiting: list[tuple[bytes, bytes]] = [(b"num-samples", str(lines).encode())]

    def commit() -> None:
        with environment.begin(write=True) as transaction:
            for entry in waiting:
                transaction.put(*entry)
        waiting.clear()

    def write(number: int, text: str, picture: bytes) -> None:
        waiting.append((f"image-{number + 1:09d}".encode(), picture))
        waiting.append((f"label-{number + 1:09d}".encode(), text.encode()))
        if len(waiting) >= 2 * _COMMITTED_LINES:
            commit()

    try:
        size = (1 << 24) + lines * _LARGEST_LINE_BYTES  # of addresses; the file grows with what is written
        with lmdb.open(str(made), map_size=size, lock=False) as environment:
            yield write
            commit()
    except lmdb.Error as error:
        raise RunError(f"The LMDB in {shown_path(made)} cannot be written: {error}.") from error


def on_one_line(text: str) -> str:
    """A text with its control characters as escapes."""
    return "".join(c if c.isprintable() or c == "\u3000" else repr(c)[1:-1] for c in text)
