"""Reading photos into a folder: `photos.jsonl`, one JSON object a photo, and pictures of photos with their texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm.auto import tqdm

from scenetext.data.detection.decoding import PhotoSize, decode_photo
from scenetext.data.detection.resize import LONGEST_SIDE_PX
from scenetext.data.prefetch import ahead
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError
from scenetext.plots.photos import draw_photo
from scenetext.predict.choices import AUTO
from scenetext.predict.decoding_settings import GREEDY, Decoding
from scenetext.predict.engines import spread_of_one_process
from scenetext.predict.images import image_names, pictures_hash, warn_of_escaped, warn_of_passed_over
from scenetext.predict.photo_reader import LEAST_CONFIDENCE, PHOTOS_PER_PIECE, PhotoLine, PhotoReader, PhotoTexts
from scenetext.predict.prediction_file import WORKERS
from scenetext.predict.recognizer import Recognizer
from scenetext.system.file_names import shown_path
from scenetext.system.files import replacing
from scenetext.system.launched import ALONE, Process
from scenetext.system.locks import only_writer
from scenetext.system.process import share_one_heap
from scenetext.system.resumable import ResumableLines
from scenetext.system.shared_job import SharedJob

TEXTS = "photos.jsonl"
PICTURES = "pictures"
PHOTOS_PER_SHARED_PIECE = 32  # of a job that several processes share; a multiple of PHOTOS_PER_PIECE
PHOTOS_AHEAD = 2  # decoded meanwhile; a photo takes up to 150 MB
JPEG_QUALITY = 85
JPEG_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class PhotoSummary:
    """What became of a set of photos.

    Attributes:
        photos: how many.
        lines: texts that were read.
        rejected: boxes whose text was empty or not certain enough.
        empty: photos that were read and have no text.
        unreadable: why a photo could not be read, by its name.
    """

    photos: int
    lines: int
    rejected: int
    empty: int
    unreadable: dict[str, str]


class _Photo(NamedTuple):
    """A photo without its pixels: its name and size, and why it could not be read."""

    name: str
    size: PhotoSize = PhotoSize(0, 0)
    problem: str | None = None


def read_photos(
    photos: str | Path,
    detector: str | Path,
    model: str | Path,
    out: str | Path,
    *,
    engine: str = AUTO,
    batch_size: int = 16,
    min_confidence: float = LEAST_CONFIDENCE,
    max_side_px: int = LONGEST_SIDE_PX,
    decoding: Decoding = GREEDY,
    turned: float | None = None,
    pictures: bool = True,
    progress: bool = True,
    process: Process = ALONE,
) -> PhotoSummary | None:
    """Reads photos into a folder.

    `photos.jsonl` is written whole or not at all. A line of it is an object with the photo's name (`photo`), `height`
    and `width` in pixels, and two lists, `lines` in reading order and `rejected`, of `text`, `confidence`, `points` and
    `box_score`; a photo that cannot be read has a `problem`, and is named on stderr. A job that was stopped resumes
    after the last photo that it wrote, or with the pieces that several processes wrote (`photos.jsonl.parts`).

    Args:
        photos: a folder, zip, LMDB or photo.
        detector, model, engine, batch_size, min_confidence, max_side_px: see PhotoReader.
        out: the folder, which all processes share; other files in it stay.
        decoding, turned: of lines; see `recognizer.predict_to_file`.
        pictures: draw each photo with its texts beside it into the folder `pictures`.
        progress: show a bar.
        process: this one of several that read the photos together; see `SharedJob`.

    Returns:
        What became of the photos; None in all processes but the first.

    Raises:
        InputError: there are no photos, none of them can be read, a network's folder is not complete, or `out` cannot
            be a folder.
        RunError: another process writes there now, the first of several processes does not come, or the disk is full or
            broken.
    """
    out = Path(out)
    _check_out(out, photos)
    share_one_heap()
    source = open_images(photos)
    names = image_names(source)
    least, side = dict(min_confidence=min_confidence), dict(max_side_px=max_side_px)
    lines = Recognizer(model, engine, batch_size, process.threads, turned=turned, **decoding.reader_options)
    reader = PhotoReader(detector, lines, engine, threads=process.threads, **least, **side)
    reader.recognizer.spread = spread_of_one_process(reader.recognizer.engine)
    warn_of_passed_over(source)
    warn_of_escaped(names)
    how = dict(batch_size=batch_size, decoding=decoding.facts, turned=turned)
    origin = _origin(reader, source, names, **how, **least, **side, drawn=pictures)
    place, folder = out / TEXTS, out / PICTURES if pictures else None
    with only_writer(place) if process.is_first else nullcontext():
        if SharedJob.is_for(process, place):
            with SharedJob(place, origin, process, names, PHOTOS_PER_SHARED_PIECE, adopted=[WORKERS]) as job:
                summary = _write_together(job, reader, source, names, folder, progress)
        else:
            summary = _write(ResumableLines(place, origin), reader, source, names, folder, progress)
    if summary is not None:
        _warn_of_unreadable(summary)
    return summary


def _origin(reader: PhotoReader, source: ImageSource, names: Sequence[str], **settings: Any) -> dict[str, Any]:
    """What the lines of `photos.jsonl` depend on."""
    return {
        "detector": {name: facts["sha256"] for name, facts in reader.detector.files.items()},
        "model": {name: facts["sha256"] for name, facts in reader.recognizer.files.items()},
        "photos": shown_path(source.path),
        "pictures": pictures_hash(source, names),
        "engines": [reader.detector.engine, type(reader.recognizer.engine).__name__],
        WORKERS: reader.recognizer.spread,
        **settings,
    }


def _warn_of_unreadable(summary: PhotoSummary) -> None:
    if summary.unreadable:
        print(f"{len(summary.unreadable)} of {summary.photos} photos could not be read:", file=sys.stderr)
        for problem in summary.unreadable.values():
            print(f"  {problem}", file=sys.stderr)


def _check_out(out: Path, photos: str | Path) -> None:
    """Refuses what cannot be the folder to write, before anything is read or made."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{shown_path(out)} is a file; give the name of a folder to write.")
    if Path(photos).is_dir() and out.resolve().is_relative_to(Path(photos).resolve()):
        raise InputError(
            f"{shown_path(out)} lies in {shown_path(photos)}, where its pictures would be taken for photos: name a "
            "folder elsewhere."
        )


def read_photo_texts(path: str | Path) -> Iterator[dict[str, Any]]:
    """The objects of a `photos.jsonl`, one a photo; see `read_photos`."""
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)


def _write(
    lines: ResumableLines,
    reader: PhotoReader,
    source: ImageSource,
    names: Sequence[str],
    pictures: Path | None,
    progress: bool,
) -> PhotoSummary:
    """Writes what is missing of the texts; it starts at a piece's first photo, as a job that was never stopped does."""
    tally = _Tally(names)
    kept = lines.resume(tally.keeps)
    try:
        if kept:
            print(f"{lines.part} holds the first {kept} of {len(names)} photos: resuming there.", file=sys.stderr)
        start = kept - kept % PHOTOS_PER_PIECE
        read = reader.read_pieces(_load(source, names[start:])) if kept < len(names) else iter(())
        with tqdm(total=len(names), initial=kept, unit="photo", desc="read", disable=not progress) as bar:
            for photo, texts in islice(read, kept - start, None):
                record = _recorded(photo, texts, source, pictures)
                lines.write(json.dumps(record, ensure_ascii=False))
                tally.add(record)
                bar.update()
        summary = tally.summary()
        lines.finish()
    finally:
        lines.close()
    return summary


def _write_together(
    job: SharedJob,
    reader: PhotoReader,
    source: ImageSource,
    names: Sequence[str],
    pictures: Path | None,
    progress: bool,
) -> PhotoSummary | None:
    """Writes the texts together with other processes, the same bytes as one process; None in all but the first."""
    reader.recognizer.spread = job.origin[WORKERS]

    def rows(piece: Sequence[str]) -> Iterator[str]:
        for photo, texts in reader.read_pieces(_load(source, piece)):
            yield json.dumps(_recorded(photo, texts, source, pictures), ensure_ascii=False)

    with tqdm(total=len(names), unit="photo", desc="read", disable=not (progress and job.process.is_first)) as bar:
        job.make(rows, bar.update)
    if not job.process.is_first:
        return None
    tally = _Tally(names)
    summary = job.put_together(tally.keeps, tally.summary)
    ResumableLines(job.path, job.origin).discard()
    return summary


def _recorded(photo: _Photo, texts: PhotoTexts, source: ImageSource, pictures: Path | None) -> dict[str, Any]:
    """What a line of the file holds, when the picture of the photo is drawn."""
    if pictures is not None and photo.problem is None:
        _draw(picture_path(pictures, photo.name), source, photo.name, texts.lines)
    return _record(photo, texts)


def _load(source: ImageSource, names: Iterable[str]) -> Iterator[tuple[_Photo, np.ndarray | None]]:
    """Photos decoded ahead of the detector."""

    def load(name: str) -> tuple[_Photo, np.ndarray | None]:
        try:
            image, size = decode_photo(source.read(name), source.location(name))
        except InputError as problem:  # its text alone: the error would keep the file's bytes in memory
            return _Photo(name, problem=str(problem)), None
        return _Photo(name, size), image

    return ahead(load, names, PHOTOS_AHEAD, PHOTOS_AHEAD)


def _record(photo: _Photo, texts: PhotoTexts) -> dict[str, Any]:
    """What a line of the file holds."""
    problem = {} if photo.problem is None else {"problem": photo.problem}
    size = {"height": photo.size.height_px, "width": photo.size.width_px}
    listed = {"lines": _listed(texts.lines, photo.size), "rejected": _listed(texts.rejected, photo.size)}
    return {"photo": photo.name, **size, **problem, **listed}


def _listed(lines: Sequence[PhotoLine], size: PhotoSize) -> list[dict[str, Any]]:
    return [
        {
            "text": line.text,
            "confidence": round(line.confidence, 6),
            "points": size.in_photo(line.points).tolist(),
            "box_score": round(line.box_score, 6),
        }
        for line in lines
    ]


def picture_path(folder: Path, name: str) -> Path:
    """The path of the picture of a photo, which lies within the folder whatever the photo is called."""
    inside = Path(folder, *(part for part in PurePosixPath(name).parts if part.strip("/\\") not in ("", "..")))
    return inside if inside.suffix.lower() in JPEG_SUFFIXES else inside.with_name(f"{inside.name}.jpg")


def _draw(path: Path, source: ImageSource, name: str, lines: Sequence[PhotoLine]) -> None:
    """Draws a photo with its texts. It is decoded once more: those of a whole piece would take much memory."""
    image, _ = decode_photo(source.read(name), source.location(name))
    drawn = draw_photo(image, [line.points for line in lines], [line.text for line in lines])
    _, data = cv2.imencode(".jpg", drawn, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    with replacing(path) as file:
        file.write(data.tobytes())


class _Tally:
    """Counts what is in a file of texts, those of a stopped job among them."""

    def __init__(self, names: Sequence[str]):
        self._names = names
        self._lines = self._rejected = self._empty = 0
        self._unreadable: dict[str, str] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Counts a photo."""
        self._lines += len(record["lines"])
        self._rejected += len(record["rejected"])
        if "problem" in record:
            self._unreadable[record["photo"]] = record["problem"]
        else:
            self._empty += not record["lines"]

    def keeps(self, index: int, line: str) -> bool:
        """Whether a line of a stopped job is the one wanted there; then it is counted."""
        try:
            record = json.loads(line)
            is_wanted = index < len(self._names) and record["photo"] == self._names[index]
        except (ValueError, KeyError, TypeError):  # it is damaged
            return False
        if is_wanted:
            self.add(record)
        return is_wanted

    def summary(self) -> PhotoSummary:
        """The counts of all photos; InputError if none could be read."""
        if len(self._unreadable) == len(self._names):
            first = next(iter(self._unreadable.values()))
            raise InputError(f"Not one of {len(self._names)} photos can be read; the first: {first}")
        return PhotoSummary(len(self._names), self._lines, self._rejected, self._empty, self._unreadable)
