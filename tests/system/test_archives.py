"""Archives that mean harm, and archives that are damaged."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import subprocess
import tarfile
import time
import zipfile

import pytest

from scenetext.errors import InputError, RunError
from scenetext.system.archives import check_archive, check_room, open_zip, safe_untar, tar_names, zip_entries


def zip_of(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def special_entry(name, kind):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def entries_of(path):
    with open_zip(path) as archive:
        return list(zip_entries(archive))


def test_the_entries_of_a_zip_are_its_files(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("top/a.txt", b"1"), ("top/sub/b.txt", b"2"), ("empty/", b"")])
    assert entries_of(path) == ["top/a.txt", "top/sub/b.txt"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("ok.txt", b"1"), ("../evil.txt", b"2")], "'../evil.txt' leaves the folder"),
        ([("a/../../evil.txt", b"2")], "leaves the folder"),
        ([("/etc/evil.txt", b"2")], "leaves the folder"),
        ([("..\\evil.txt", b"2")], "leaves the folder"),
        ([("C:/evil.txt", b"2")], "leaves the folder"),
        ([(special_entry("link", stat.S_IFLNK), b"/etc/passwd")], "'link' is a link"),
        ([(special_entry("pipe", stat.S_IFIFO), b"")], "'pipe' is a pipe, socket or device"),
        ([(special_entry("disk", stat.S_IFBLK), b"")], "'disk' is a pipe, socket or device"),
        ([("bomb.bin", b"\0" * 300_000_000)], "would unpack to 300000000"),
        ([("a.txt", b"1"), ("a.txt", b"2")], "two different files have the name 'a.txt'"),
    ],
    ids=["climbs", "climbs later", "absolute", "backslash", "drive", "link", "pipe", "device", "bomb", "twice"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_means_harm_is_refused(tmp_path, entries, message):
    path = zip_of(tmp_path / "a.zip", entries)
    with pytest.raises(InputError, match=message):
        entries_of(path)


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-30], lambda data: b"<html>404</html>", lambda data: b""],
    ids=["cut off", "a web page", "empty"],
)
def test_a_broken_zip_is_an_error(tmp_path, damage):
    path = zip_of(tmp_path / "a.zip", [("a.bin", os.urandom(500))])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="is no whole zip file"):
        entries_of(path)


def test_a_missing_archive_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        entries_of(tmp_path / "a.zip")
    with pytest.raises(InputError, match="does not exist"):
        safe_untar(tmp_path / "a.tar", tmp_path / "out")


def tar_of(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data) if kind == tarfile.REGTYPE else 0
            info.linkname = data.decode() if kind != tarfile.REGTYPE else ""
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../evil", b"1", tarfile.REGTYPE)], "leaves the folder"),
        ([("/etc/evil", b"1", tarfile.REGTYPE)], "leaves the folder"),
        ([("link", b"/etc", tarfile.SYMTYPE), ("link/evil", b"1", tarfile.REGTYPE)], "is a link or device"),
        ([("link", b"/etc/passwd", tarfile.LNKTYPE)], "is a link or device"),
        ([("pipe", b"", tarfile.FIFOTYPE)], "is a link or device"),
        ([("a", b"1", tarfile.REGTYPE), ("a/b", b"2", tarfile.REGTYPE)], "the name of another file or folder"),
    ],
)
def test_a_tar_that_means_harm_is_refused_and_nothing_is_written(tmp_path, members, message):
    path = tar_of(tmp_path / "a.tar", members)
    with pytest.raises(InputError, match=message):
        safe_untar(path, tmp_path / "out", progress=False)
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("cut", [20_000, 50_000, 50_688, 300, 1])
@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_off_tar_is_an_error(tmp_path, cut, packed):
    path = tar_of(tmp_path / "a.tar", [("a", random.Random(0).randbytes(50_000), tarfile.REGTYPE)])
    data = gzip.compress(path.read_bytes()) if packed else path.read_bytes()
    path.write_bytes(data[:cut])
    if len(data) > cut:
        with pytest.raises(InputError, match="a.tar.* whole tar file|a.tar.*is cut off|a.tar cannot be read as"):
            safe_untar(path, tmp_path / "out", progress=False)
        with pytest.raises(InputError):
            check_archive(path, "a.tar")
    assert os.listdir(tmp_path) == ["a.tar"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("form", ["v7", "ustar", "gnu", "pax"])
def test_a_tar_of_every_format_gives_what_was_packed(tmp_path, form, suffix):
    folder = tmp_path / "in"
    names = ["a.pdparams", "sub/b"]
    names += [] if form == "v7" else [f"{'long' * 20}/{'name' * 11}"]  # 125 bytes
    names += [] if form in ("v7", "ustar") else ["中文.txt", f"{'d' * 100}/{'e' * 200}"]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(300 * number))
    path = tmp_path / f"a.tar{suffix}"
    command = ["tar", f"--format={form}", f"-c{'z' if suffix else ''}f", str(path), "-C", str(folder), "."]
    subprocess.run(command, check=True)
    out = safe_untar(path, tmp_path / "out", progress=False)
    found = {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert found == {name: (folder / name).read_bytes() for name in names}
    with tarfile.open(path) as archive:
        assert sorted(tar_names(path)) == sorted(m.name.removeprefix("./") for m in archive if m.isfile())


def header(name=b"a", size=b"00000000001\0", kind=b"0", rest=b""):
    block = bytearray(name.ljust(100, b"\0") + b"0000644\0" * 3 + size.ljust(12, b"\0") + b"0" * 11 + b"\0")
    block += b" " * 8 + kind + bytes(100) + b"ustar\x0000" + rest
    block = block.ljust(512, b"\0")
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(data):
    return header(size=b"%011o" % len(data), kind=b"x") + data.ljust(-(-len(data) // 512) * 512, b"\0")


END = bytes(1024)
FILE = b"x".ljust(512, b"\0")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(size=b"\xff" * 12) + FILE + END, "a size is no number"),  # -1: CVE-2025-8194
        (header(size=b"\x80" + b"\x7f" * 11) + FILE + END, "is cut off, or would unpack"),
        (header(size=b"99999999999") + FILE + END, "a size is no number"),
        (pax(b"5011 size=" + b"9" * 5000 + b"\n") + header() + FILE + END, "a size is no number"),
        (pax(b"9 size=-1\n") + header() + FILE + END, "a size is no number|damaged"),
        (pax(b"9" * 5000) + header() + FILE + END, None),  # no attribute at all: passed over
        (pax(b"1 " * 8000) + header() + FILE + END, None),
        (pax(b"99999 path=b\n") + header() + FILE + END, "attributes are damaged"),
        (pax(b"3 path=b\n") + header() + FILE + END, "attributes are damaged"),
        (pax(b"22 GNU.sparse.major=1\n") + header() + FILE + END, "a sparse file"),
        (header(size=b"00077777777", kind=b"L") + END, "a name or its attributes take 16777215 bytes"),
        (header(size=b"77777777777", kind=b"x") + END, "a name or its attributes take"),
        (header(kind=b"S") + FILE + END, "is a link or device"),
        (header(kind=b"Z") + FILE + END, "is a link or device"),
        (header(name=b"a" * 300)[:512] + FILE + END, "checksum|number"),
        (header() + FILE + header() + FILE + END, "two files have the name 'a'"),
        (header(b"") + FILE + END, "'' leaves the folder"),
        (header(b"..\\evil") + FILE + END, "leaves the folder"),
        (
            header(size=b"00000000454", kind=b"L") + b"n" * 300 + bytes(212) + header() + FILE + END,
            "no name for a file",
        ),
        (header() + FILE, "is cut off"),
        (header(), "is cut off"),
        (b"", "is cut off"),
        (b"\x1f\x8b", "EOFError"),
        (b"\x1f\x8bnoise" * 99, "cannot be read as a whole tar file|is not a whole tar file"),
        (b"<html>" * 200, "number|checksum"),
        (b"BZh9" + b"x" * 600, "number|checksum"),
    ],
)
def test_a_tar_whose_headers_mean_harm_is_refused_with_the_place(tmp_path, data, message):
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    if message is None:
        assert tar_names(path) == ["a"]
        return
    with pytest.raises(InputError, match=message) as error:
        safe_untar(path, tmp_path / "out", progress=False)
    assert "a.tar" in str(error.value) and os.listdir(tmp_path) == ["a.tar"]


def test_a_tar_ends_where_its_end_mark_is(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(header() + FILE + END + b"whatever follows")
    assert tar_names(path) == ["a"]


@pytest.mark.parametrize("size", [b"%011o" % 8**10, b"\x80" + bytes(5) + b"\1" + bytes(5)])
def test_a_bomb_is_refused_by_its_header(tmp_path, size):
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(header(size=size))
        for _ in range(100):
            file.write(bytes(1_000_000))
    started = time.process_time()
    with pytest.raises(InputError, match=r"a\.tar\.gz.* would unpack to more than"):
        safe_untar(path, tmp_path / "out", progress=False)
    assert time.process_time() - started < 0.3


def test_a_bomb_behind_the_end_mark_or_of_many_entries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("scenetext.system.tar_reader._SPARE_BYTES", 1_000_000)
    monkeypatch.setattr("scenetext.system.tar_reader._MOST_HEADERS", 100)
    for name, data in (("end", END + bytes(30_000_000)), ("many", header(kind=b"5", size=b"0") * 101 + END)):
        path = tmp_path / f"{name}.tar"
        path.write_bytes(gzip.compress(data))
        with pytest.raises(InputError, match="would unpack to more|more than 100 entries"):
            safe_untar(path, tmp_path / "out", progress=False)


def test_a_name_in_other_case_is_refused_where_case_does_not_count(tmp_path, monkeypatch):
    """`open` for a new file fails there; here a file that is there already stands for it."""
    path = tar_of(tmp_path / "a.tar", [("a", b"1", tarfile.REGTYPE), ("A", b"2", tarfile.REGTYPE)])
    real = open
    monkeypatch.setattr("builtins.open", lambda file, *rest, **more: real(str(file).replace("/A", "/a"), *rest, **more))
    with pytest.raises(InputError, match="'A' has the name of another file"):
        safe_untar(path, tmp_path / "out", progress=False)


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_archives_end_in_a_result_or_an_own_error(tmp_path, packed):
    rng = random.Random(int(packed))
    tar = tar_of(tmp_path / "a", [(f"d/{k}", rng.randbytes(600), tarfile.REGTYPE) for k in range(3)]).read_bytes()
    tar = gzip.compress(tar) if packed else tar
    zipped = zip_of(tmp_path / "b", [(f"d/{k}", rng.randbytes(600)) for k in range(3)]).read_bytes()
    refused = 0
    for data in [tar, zipped] * 60:
        data = bytearray(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)
        for _ in range(rng.randrange(1, 6)):
            if data:
                data[rng.randrange(len(data))] = rng.choice([0, 255, 128, rng.randrange(256)])
        path = tmp_path / "c"
        path.write_bytes(data)
        try:
            safe_untar(path, tmp_path / "out", progress=False)
            entries_of(path)
        except (InputError, RunError) as error:
            refused += 1
            assert "c" in str(error)
    assert refused > 50


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(RunError, match="needs .* MB below .* and the disk has .* MB free"):
        check_room(tmp_path / "new" / "folder", 10**18, "a.zip")
