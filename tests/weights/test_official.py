"""Official weights: fetched once, checked before they are kept, and compared with what came the first time."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from local_server import FlakyServer, says, serving

from scenetext.errors import InputError, RunError
from scenetext.system.download import DownloadError
from scenetext.weights.official import OFFICIAL_WEIGHTS, cache_folder, fetch_official
from scenetext.weights.pdparams import read_pdparams


def weights(value: float) -> bytes:
    return pickle.dumps({"head.fc.weight": np.full((3, 2), value, np.float32)})


def tar_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


TRAINING = tar_of({"rec_train/latest.pdparams": weights(1), "rec_train/best_accuracy.pdparams": weights(2)})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test here cuts the power, and a busy disk takes its time
    with serving() as running:
        running.files = {"/x.pdparams": weights(3), "/rec_train.tar": TRAINING}
        yield running


def fetch(server: FlakyServer, path: str, folder: Path) -> float:
    """The value of the fetched weights."""
    file = fetch_official(server.url(path), folder, progress=False)
    return float(read_pdparams(file)["head.fc.weight"][0, 0])


@pytest.mark.parametrize(("path", "value"), [("/x.pdparams", 3), ("/rec_train.tar", 2)])
def test_weights_are_fetched_once_and_their_checksum_is_recorded(server, tmp_path, capsys, path, value) -> None:
    for _ in range(2):
        assert fetch(server, path, tmp_path) == value
    assert len(server.requests) == 1
    told = capsys.readouterr().err
    (record,) = tmp_path.glob("*.json")
    assert json.loads(record.read_text())["sha256"] in told and "no checksum is published" in told


@pytest.mark.parametrize("path", ["/x.pdparams", "/rec_train.tar"])
@pytest.mark.parametrize(
    "wrong",
    [
        b"<!DOCTYPE html><title>Log in</title>",  # answered once, with status 200
        b"",
        weights(3)[:-20],
        TRAINING[:1800],
        TRAINING[:2048],
        pickle.dumps([1, 2]),
        tar_of({"readme": b"1"}),
        tar_of({"._x.pdparams": b"1", "__MACOSX/x.pdparams": b"2"}),
        tar_of({"x.pdparams": b"<html>"}),
        tar_of({"../x.pdparams": weights(1)}),
    ],
    ids=["page", "empty", "half weights", "half tar", "no end", "list", "no weights", "macOS", "page in tar", "climbs"],
)
def test_what_is_no_weights_is_not_kept_and_the_next_call_fetches_again(server, tmp_path, path, wrong) -> None:
    right = server.files[path]
    server.scripts = [says("HTTP/1.1 200 OK", body=wrong)]
    with pytest.raises((RunError, InputError)):
        fetch(server, path, tmp_path)
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".lock")] == []
    server.scripts = []
    server.files[path] = right
    assert fetch(server, path, tmp_path) > 1


@pytest.mark.parametrize("path", ["/x.pdparams", "/rec_train.tar"])
def test_a_spoilt_file_that_an_earlier_version_has_kept_is_fetched_again(server, tmp_path, path) -> None:
    fetch(server, path, tmp_path)
    (record,) = tmp_path.glob("*.json")
    record.unlink()  # earlier versions wrote none
    kept = tmp_path / record.name.removesuffix(".json")
    kept.write_bytes(b"<html>")
    assert fetch(server, path, tmp_path) > 1


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"sha256": 5}'])
def test_a_damaged_record_is_written_anew(server, tmp_path, record) -> None:
    fetch(server, "/x.pdparams", tmp_path)
    (file,) = tmp_path.glob("*.json")
    file.write_text(record)
    assert fetch(server, "/x.pdparams", tmp_path) == 3
    assert len(json.loads(file.read_text())["sha256"]) == 64


@pytest.mark.parametrize("path", ["/x.pdparams", "/rec_train.tar"])
def test_weights_that_were_changed_in_the_cache_are_put_right(server, tmp_path, path) -> None:
    value = fetch(server, path, tmp_path)
    file = fetch_official(server.url(path), tmp_path, progress=False)
    file.write_bytes(weights(9))
    assert fetch(server, path, tmp_path) == value
    assert len(server.requests) == (1 if path.endswith(".tar") else 2)  # the tar is still there and right


def test_a_file_that_is_another_one_than_at_the_first_time_is_refused_with_the_way_out(server, tmp_path) -> None:
    fetch(server, "/x.pdparams", tmp_path)
    (record,) = tmp_path.glob("*.json")
    (tmp_path / record.name.removesuffix(".json")).unlink()
    server.files["/x.pdparams"] = weights(8)
    with pytest.raises(DownloadError, match=f"SHA-256 .* of the first download, on 20.*: .*remove {record}"):
        fetch(server, "/x.pdparams", tmp_path)
    record.unlink()
    assert fetch(server, "/x.pdparams", tmp_path) == 8


def test_a_tar_may_be_removed_once_its_weights_are_there(server, tmp_path) -> None:
    fetch(server, "/rec_train.tar", tmp_path)
    next(tmp_path.glob("*.tar")).unlink()
    assert fetch(server, "/rec_train.tar", tmp_path) == 2 and len(server.requests) == 1


def test_a_file_that_was_fetched_by_other_means_and_saved_where_the_message_says_is_taken(server, tmp_path) -> None:
    server.failures = [404]
    with pytest.raises(DownloadError) as error:
        fetch(server, "/rec_train.tar", tmp_path)
    Path(str(error.value).rpartition(" as ")[2].rstrip(".")).write_bytes(TRAINING)
    assert fetch(server, "/rec_train.tar", tmp_path) == 2 and len(server.requests) == 1


def test_two_at_once_fetch_and_unpack_once(server, tmp_path) -> None:
    code = (
        "import sys; from scenetext.weights.official import fetch_official;"
        "print(fetch_official(sys.argv[1], sys.argv[2], progress=False).stat().st_size)"
    )
    run = [sys.executable, "-c", code, server.url("/rec_train.tar"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [subprocess.Popen(run, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {process.communicate(timeout=600)[0] for process in started} == {f"{len(weights(2))}\n"}
    assert len(server.requests) == 1


def test_parts_that_nobody_resumes_any_more_are_removed(server, tmp_path) -> None:
    for name, days in (("old", 31), ("new", 3)):
        for suffix in (".part", ".part.json"):
            file = tmp_path / f"{name}.tar{suffix}"
            file.write_text("x")
            os.utime(file, times=(time.time() - days * 86400,) * 2)
    fetch(server, "/x.pdparams", tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.part*")) == ["new.tar.part", "new.tar.part.json"]


@pytest.mark.parametrize("url", ["http://h/x.zip", "http://h/", "https://h/x.pdparams.html", "http://h/x?f=a.pdparams"])
def test_an_address_that_does_not_end_like_weights_is_refused_before_it_is_asked(tmp_path, url) -> None:
    with pytest.raises(InputError, match="no address of weights, which end in .pdparams, .tar"):
        fetch_official(url, tmp_path)


def test_a_long_or_chinese_name_gives_a_file_name_that_every_disk_takes(server, tmp_path) -> None:
    path = f"/{'x' * 900}权重.pdparams"
    server.files["/" + "x" * 900 + "%E6%9D%83%E9%87%8D.pdparams"] = weights(4)
    assert fetch(server, path, tmp_path) == 4
    assert max(len(name) for name in os.listdir(tmp_path)) < 150


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written .*SCENETEXT_CACHE"):
        fetch_official("crnn_mobile_pre", tmp_path / "file" / "cache")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"SCENETEXT_CACHE": "/a"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/scenetext"),
        ({"HOME": "/c"}, "/c/.cache/scenetext"),
        ({"SCENETEXT_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/scenetext"),
    ],
)
def test_the_cache_is_where_the_variables_say(monkeypatch, variables, folder) -> None:
    for name in ("SCENETEXT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PP-OCRv6_smal_rec", "the nearest is PP-OCRv6_small_rec"),
        ("weights", "valid are crnn_mobile_pre, .*PP-OCRv6_small_rec"),
    ],
)
def test_unknown_official_weights_name_the_known_ones(tmp_path, name, hint) -> None:
    with pytest.raises(InputError, match=f"no official weights {name!r}; {hint}"):
        fetch_official(name, tmp_path)
    assert all(url.startswith("https://") for entry in OFFICIAL_WEIGHTS.values() for url in entry.urls)
