"""The readers of strangers' files, each as one call for the fuzz campaign, and the valid files that it starts from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_bases as bases

Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        suffix: of its files.
        load: imports what it needs and returns the function that is called on a file.
        bases: makes the valid files, as bytes, from which inputs are derived.
        words: pieces that are inserted into them.
        is_text: whether the files are text, whose numbers are replaced as text.
    """

    suffix: str
    load: Callable[[], Read]
    bases: Callable[[], Sequence[bytes]]
    words: Sequence[bytes] = ()
    is_text: bool = False


def _csv() -> Read:
    from scenetext.text.label_files import read_label_table

    return read_label_table


def _labels() -> Read:
    from scenetext.text.label_files import read_label_file, read_label_table

    def read(path: Path) -> None:
        read_label_table(path)
        read_label_file(path)

    return read


def _predictions() -> Read:
    from scenetext.evaluate.prediction_files import read_predictions

    return read_predictions


def _yaml() -> Read:
    from scenetext.config import load_config

    return load_config


def _dictionary() -> Read:
    from scenetext.text.charset import Charset

    return Charset.from_file


def _zip() -> Read:
    from scenetext.data.sources.zips import Zips
    from scenetext.system.archives import open_zip, zip_entries

    def read(path: Path) -> None:
        with open_zip(path) as archive:
            zip_entries(archive)
        images = Zips(path, [path])
        for name in list(images.names())[:100]:
            images.read(name)

    return read


def _tar() -> Read:
    from scenetext.system.archives import safe_untar

    return lambda path: safe_untar(path, Path("unpacked"), progress=False)


def _lmdb() -> Read:
    from scenetext.data.sources.lmdbs import Lmdbs

    def read(path: Path) -> None:
        folder = path.with_suffix("")  # bears the file's name, which messages have to hold
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copyfile(path, folder / "data.mdb")
        images = Lmdbs(folder)
        for name in list(images.names())[:100]:
            images.read(name)
        for part in images.parts:
            list(part.table())[:100]

    return read


def _picture() -> Read:
    from PIL import UnidentifiedImageError

    from scenetext.data.image_size import image_size
    from scenetext.data.transforms import decode_image
    from scenetext.errors import InputError

    def read(path: Path) -> None:
        data = path.read_bytes()
        try:
            image_size(data)
        except UnidentifiedImageError as error:  # the one that it documents
            raise InputError(f"{path.name}: {error}") from None
        finally:
            decode_image(data, path.name)

    return read


def _pdparams() -> Read:
    from scenetext.weights.pdparams import read_parameter_names, read_pdparams, unpickle_arrays

    def read(path: Path) -> None:
        unpickle_arrays(path)
        read_parameter_names(path)
        read_pdparams(path)

    return read


def _pth() -> Read:
    from scenetext.weights.torch_file import read_pth

    return read_pth


def _inference() -> Read:
    from scenetext.predict.model_folder import read_inference_yml

    def read(path: Path) -> None:
        folder = path.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copyfile(path, folder / "inference.yml")
        read_inference_yml(folder)

    return read


def _onnx() -> Read:
    from scenetext.weights.onnx import read_onnx

    return read_onnx


def _ngram() -> Read:
    from scenetext.predict.ngram import NGramModel

    return lambda path: NGramModel.load(path).score("中a")


def _careless() -> Read:
    """Does what its file says; the campaign's own test sees whether each is noticed."""
    import os
    import time

    from scenetext.errors import InputError

    def read(path: Path) -> None:
        what = path.read_text(encoding="utf-8")
        if what == "own":
            raise InputError(f"{path.name} is wrong.")
        if what == "nameless":
            raise InputError("Something is wrong.")
        if what == "foreign":
            raise KeyError("x")
        if what == "crash":
            os.kill(os.getpid(), 11)
        if what == "loop":
            while True:
                pass
        if what == "wait":
            time.sleep(1000)
        if what == "memory":
            bytearray(3_000_000_000)
        if what == "hidden memory":
            try:
                bytearray(3_000_000_000)
            except MemoryError as error:
                raise InputError(f"{path.name} is wrong.") from error
        if what == "command":
            os.system("true")
        if what == "file":
            (path.parent.parent / "elsewhere").touch()
        if what == "code":
            exec(compile("1", str(path), "exec"))

    return read


READERS = {
    "csv": Reader(".csv", _csv, bases.csv, bases.TEXT_WORDS, is_text=True),
    "labels": Reader(".txt", _labels, bases.labels, bases.TEXT_WORDS, is_text=True),
    "predictions": Reader(".txt", _predictions, bases.predictions, bases.TEXT_WORDS, is_text=True),
    "evaluation": Reader(".csv", _predictions, bases.evaluations, bases.TEXT_WORDS, is_text=True),
    "yaml": Reader(".yml", _yaml, bases.yaml, bases.YAML_WORDS, is_text=True),
    "dictionary": Reader(".txt", _dictionary, bases.dictionary, bases.TEXT_WORDS, is_text=True),
    "zip": Reader(".zip", _zip, bases.zips, bases.ZIP_WORDS),
    "tar": Reader(".tar", _tar, bases.tars, bases.TAR_WORDS),
    "lmdb": Reader(".mdb", _lmdb, bases.lmdbs, bases.LMDB_WORDS),
    "picture": Reader(".png", _picture, bases.pictures, bases.PICTURE_WORDS),
    "pdparams": Reader(".pdparams", _pdparams, bases.pdparams, bases.PICKLE_WORDS),
    "pth": Reader(".pth", _pth, bases.pth, (*bases.ZIP_WORDS, *bases.PICKLE_WORDS)),
    "inference": Reader(".yml", _inference, bases.inference, bases.YAML_WORDS, is_text=True),
    "onnx": Reader(".onnx", _onnx, bases.onnx, bases.ONNX_WORDS),
    "ngram": Reader(".txt", _ngram, bases.ngram, bases.NGRAM_WORDS, is_text=True),
}
CARELESS = Reader(".txt", _careless, list)
