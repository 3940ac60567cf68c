"""Decoding every picture once, to find broken ones, sizes and equal pictures."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from scenetext.data.transforms import decode_image
from scenetext.errors import InputError
from scenetext.prepare.raw_pictures import RawPictures
from scenetext.system.files import sha256_bytes
from scenetext.system.process import usable_cores

_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """A picture's size once decoded, the hash of its bytes, and its fault."""

    name: str
    width_px: int
    height_px: int
    sha256: str
    fault: str | None


def check_and_copy(images: RawPictures, folder: Path, progress: bool = True) -> dict[str, ImageFacts]:
    """Decodes every picture fully, since the header of a truncated one is sound, and copies its bytes to `folder`.

    Reading, hashing and decoding release Python's lock, so threads keep all cores busy.

    Args:
        images: the pictures. Broken ones are copied, too, but nothing that only a link brings into the folder.
        folder: an empty folder.
        progress: show a progress bar.

    Returns:
        The facts by name, in the order of `images.names`.
    """
    for parent in {(folder / name).parent for name in images.names} | {folder}:
        parent.mkdir(parents=True, exist_ok=True)

    def check(name: str) -> ImageFacts:
        data, height_px, width_px, fault = b"", 0, 0, None
        try:
            data = images.read(name)
            height_px, width_px = decode_image(data, images.location(name)).shape[:2]
        except InputError as error:
            fault = str(error).rstrip(".")
            if images.leads_elsewhere(name):  # a link to anything at all, such as /etc/passwd
                data = b""
        try:
            (folder / name).write_bytes(data)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            fault = f"the name of {images.location(name)} is longer than the disk allows once it is written as text"
        return ImageFacts(name, width_px, height_px, sha256_bytes(data), fault)

    pool = ThreadPoolExecutor(min(_MOST_THREADS, usable_cores()))
    try:
        results = pool.map(check, images.names)
        bar = tqdm(results, f"checking {images.path.name}", len(images.names), unit="image", disable=not progress)
        return {facts.name: facts for facts in bar}
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C or a full disk: leave the rest
