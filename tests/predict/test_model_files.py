"""The checksums of exported folders, and folders that change while they are opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from exported import tiny_export, tiny_folder

from scenetext.errors import InputError, RunError
from scenetext.predict import recognizer
from scenetext.predict.images import predict_images
from scenetext.predict.recognizer import Recognizer
from scenetext.system.files import replacing_folder, sha256_file


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(tiny_export("json", "float32"), tmp_path / "model")


def settings(folder: Path) -> dict:
    return yaml.safe_load((folder / "inference.yml").read_text(encoding="utf-8"))


def change_settings(folder: Path, **changes) -> None:
    value = {**settings(folder), **changes}
    value = {key: content for key, content in value.items() if content is not None}
    (folder / "inference.yml").write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")


def change_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("format", "storage"), [("json", "float32"), ("pdmodel", "uint8"), ("onnx", "uint8")])
def test_an_export_holds_the_checksums_of_all_its_files(format: str, storage: str) -> None:
    folder = tiny_export(format, storage)
    files = {path.name for path in folder.glob("inference.*")} - {"inference.yml"}
    assert settings(folder)["Checksums"] == {name: sha256_file(folder / name) for name in files}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("inference.pdiparams", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("inference.pdiparams", lambda path: path.write_bytes(path.read_bytes() + b"\0")),
        ("inference.pdiparams", lambda path: path.write_bytes(b"")),
        ("inference.pdiparams", lambda path: change_byte(path, 100)),
        ("inference.pdiparams", lambda path: change_byte(path, -1)),
        ("inference.json", lambda path: change_byte(path, 500)),
    ],
)
def test_a_file_that_is_not_the_exported_one_is_refused(model: Path, name: str, damage) -> None:
    damage(model / name)
    with pytest.raises(InputError, match=rf"model/{name} \([0-9,]+ bytes\) is not the file that was exported"):
        Recognizer(model)


def test_folders_without_checksums_or_with_more_files_are_read(model: Path) -> None:
    images = tiny_folder() / "images"
    expected = list(predict_images(Recognizer(model, "paddle"), images, progress=False))
    (model / "inference.onnx").write_bytes(b"of another tool")
    assert list(predict_images(Recognizer(model, "paddle"), images, progress=False)) == expected
    change_settings(model, Checksums=None)  # as PaddleOCR writes it
    assert list(predict_images(Recognizer(model, "paddle"), images, progress=False)) == expected


@pytest.mark.parametrize("entry", ["text", [1], 0])
def test_checksums_that_are_none_are_told(model: Path, entry: object) -> None:
    change_settings(model, Checksums=entry)
    with pytest.raises(InputError, match=r"inference\.yml: Checksums is not a mapping"):
        Recognizer(model)


def test_a_folder_that_is_replaced_while_it_is_opened_is_refused(model: Path, monkeypatch) -> None:
    other = tiny_export("pdmodel", "uint8")
    open_engine = recognizer.open_engine

    def meanwhile(*arguments):
        with replacing_folder(model) as made:
            shutil.copytree(other, made, dirs_exist_ok=True)
        return open_engine(*arguments)

    monkeypatch.setattr(recognizer, "open_engine", meanwhile)
    with pytest.raises(RunError, match="model was changed while it was being opened"):
        Recognizer(model)
    monkeypatch.undo()
    Recognizer(model, "paddle")
