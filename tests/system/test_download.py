"""Downloads over a server that breaks connections, and archives that mean harm. A real server on a local port."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scenetext.errors import InputError, RunError
from scenetext.system.archives import check_room, open_zip, safe_untar, zip_entries
from scenetext.system.download import DownloadError, download
from scenetext.weights.official import OFFICIAL_WEIGHTS, fetch_official

DATA = bytes(range(256)) * 4000  # 1,024,000 bytes
SHA256 = hashlib.sha256(DATA).hexdigest()


class FlakyServer(ThreadingHTTPServer):
    """Serves `files` with ranges; each of `break_after` is the bytes that one answer gives before it breaks."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/data.zip": DATA}
        self.etag = '"1"'
        self.ranges = True
        self.break_after: list[int] = []
        self.failures: list[int] = []
        self.requests: list[str | None] = []  # the Range header of each request
        self.sent_bytes = 0

    def url(self, path="/data.zip"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append(asked)
        self.close_connection = True
        data = server.files.get(self.path)
        if server.failures:
            return self.send_error(server.failures.pop(0))
        if data is None:
            return self.send_error(404)
        start = int(asked[6:-1]) if asked and server.ranges else 0
        if self.headers.get("If-Range") not in (None, server.etag):
            start = 0
        if start >= len(data):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        body = data[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.break_after:
            body = body[: server.break_after.pop(0)]
        self.wfile.write(body)
        server.sent_bytes += len(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FlakyServer() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def fetch(server, path, **options):
    return download(server.url(), path, **{"pause_s": 0.0, "progress": False, **options})


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    server.break_after = [300_000, 200_000]
    assert fetch(server, tmp_path / "d.zip").read_bytes() == DATA
    assert server.requests == [None, "bytes=300000-", "bytes=500000-"]
    assert server.sent_bytes == len(DATA)  # nothing came twice
    assert os.listdir(tmp_path) == ["d.zip"]


def test_a_download_that_failed_is_resumed_by_the_next_call(server, tmp_path):
    server.break_after = [300_000]
    with pytest.raises(DownloadError, match="the connection ended after 300000 of 1024000 bytes"):
        fetch(server, tmp_path / "d.zip", tries=1)
    assert not (tmp_path / "d.zip").exists()
    fetch(server, tmp_path / "d.zip", tries=1, sha256=SHA256)
    assert server.requests[-1] == "bytes=300000-"


def test_a_file_that_changed_on_the_server_is_fetched_anew(server, tmp_path):
    server.break_after = [300_000]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path / "d.zip", tries=1)
    server.files["/data.zip"], server.etag = DATA[::-1], '"2"'
    assert fetch(server, tmp_path / "d.zip").read_bytes() == DATA[::-1]


@pytest.mark.parametrize(
    ("ranges", "etag", "sha256", "second_range"),
    [
        (False, '"1"', None, "bytes=300000-"),  # asked for the rest, the server sends everything
        (True, None, None, None),  # nothing tells whether the rest belongs to what is there
        (True, None, SHA256, "bytes=300000-"),  # the checksum will tell
    ],
)
def test_servers_without_ranges_or_tags_are_served_too(server, tmp_path, ranges, etag, sha256, second_range):
    server.ranges, server.etag, server.break_after = ranges, etag, [300_000]
    assert fetch(server, tmp_path / "d.zip", sha256=sha256).read_bytes() == DATA
    assert server.requests == [None, second_range]


def test_a_leftover_of_another_file_does_not_spoil_the_download(server, tmp_path):
    (tmp_path / "d.zip.part").write_bytes(b"x" * 5000)
    assert fetch(server, tmp_path / "d.zip", sha256=SHA256).read_bytes() == DATA
    (tmp_path / "e.zip.part").write_bytes(b"x" * 2_000_000)  # longer than the file
    assert fetch(server, tmp_path / "e.zip", sha256=SHA256).read_bytes() == DATA


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match="its SHA-256 is .*, 0000.* was expected"):
        fetch(server, tmp_path / "d.zip", sha256="0" * 64)
    assert os.listdir(tmp_path) == [] and len(server.requests) == 1


def test_a_wrong_size_is_an_error(server, tmp_path):
    with pytest.raises(DownloadError, match="1024000 bytes came, 7 were expected"):
        fetch(server, tmp_path / "d.zip", size_bytes=7)


def test_the_mirror_is_used_when_the_first_address_fails_or_has_another_file(server, tmp_path):
    server.files["/wrong.zip"] = DATA[:-1]
    urls = (server.url("/missing.zip"), server.url("/wrong.zip"), server.url())
    download(urls[0], tmp_path / "d.zip", mirrors=urls[1:], sha256=SHA256, pause_s=0.0, progress=False)
    assert (tmp_path / "d.zip").read_bytes() == DATA
    assert len(server.requests) == 3  # a missing file and a wrong one are not asked for again


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_every_address_is_named_with_its_cause(server, tmp_path):
    with pytest.raises(DownloadError, match=r"missing\.zip: the server answers 404 Not Found; .*/x\.zip: .*refused"):
        urls = [server.url("/missing.zip"), f"http://127.0.0.1:{closed_port()}/x.zip"]
        download(urls[0], tmp_path / "d.zip", mirrors=urls[1:], pause_s=0.0, tries=2, progress=False)


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.failures = [503, 429]
    assert fetch(server, tmp_path / "d.zip").read_bytes() == DATA


def test_what_is_there_and_right_is_not_fetched_again(server, tmp_path):
    fetch(server, tmp_path / "d.zip", sha256=SHA256)
    fetch(server, tmp_path / "d.zip", sha256=SHA256)
    assert len(server.requests) == 1
    (tmp_path / "d.zip").write_bytes(b"spoiled")
    assert fetch(server, tmp_path / "d.zip", sha256=SHA256).read_bytes() == DATA


def test_a_full_disk_is_an_error_that_keeps_what_came(server, tmp_path):
    """A limit on the size of files stands for the full disk; both end in an OSError while writing."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000));"
        "from scenetext.system.download import download; from scenetext.errors import RunError\n"
        "try: download(sys.argv[1], sys.argv[2], progress=False)\n"
        "except RunError as error: print(error)"
    )
    run = [sys.executable, "-c", code, server.url(), str(tmp_path / "d.zip")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=60)
    assert "cannot be written: File too large" in printed.stdout, printed.stderr
    assert not (tmp_path / "d.zip").exists()
    assert fetch(server, tmp_path / "d.zip").read_bytes() == DATA
    assert server.requests[-1] is not None  # went on from what had come


def test_two_processes_fetch_one_file_once(server, tmp_path):
    code = (
        "import sys; from scenetext.system.download import download; download(sys.argv[1], sys.argv[2], progress=False)"
    )
    run = [sys.executable, "-c", code, server.url(), str(tmp_path / "d.zip")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [subprocess.Popen(run, env=environment) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
    assert (tmp_path / "d.zip").read_bytes() == DATA and len(server.requests) == 1


@pytest.mark.parametrize("url", ["ftp://example.org/a.zip", "a.zip", "file:///etc/passwd"])
def test_other_kinds_of_address_are_refused(tmp_path, url):
    with pytest.raises(InputError, match="is no http or https address"):
        download(url, tmp_path / "d")


def zip_of(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def link_entry(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
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
        ([(link_entry("link"), b"/etc/passwd")], "'link' is a link"),
        ([("bomb.bin", b"\0" * 300_000_000)], "would unpack to 300000000"),
        ([("a.txt", b"1"), ("a.txt", b"2")], "two different files have the name 'a.txt'"),
    ],
    ids=["climbs", "climbs later", "absolute", "backslash", "drive", "link", "bomb", "twice"],
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
        ([("a", b"1", tarfile.REGTYPE), ("a/b", b"2", tarfile.REGTYPE)], "stands for a file and for a folder"),
    ],
)
def test_a_tar_that_means_harm_is_refused_and_nothing_is_written(tmp_path, members, message):
    path = tar_of(tmp_path / "a.tar", members)
    with pytest.raises(InputError, match=message):
        safe_untar(path, tmp_path / "out", progress=False)
    assert os.listdir(tmp_path) == ["a.tar"]


def test_a_cut_off_tar_is_an_error(tmp_path):
    path = tar_of(tmp_path / "a.tar", [("a", os.urandom(50_000), tarfile.REGTYPE)])
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError, match="is no whole tar file"):
        safe_untar(path, tmp_path / "out", progress=False)
    assert os.listdir(tmp_path) == ["a.tar"]


def test_too_little_room_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(RunError, match="needs .* MB below .* and the disk has .* MB free"):
        check_room(tmp_path / "new" / "folder", 10**18, "a.zip")


@pytest.fixture(scope="module")
def training_tar(tmp_path_factory):
    members = [("rec_train/latest.pdparams", b"old"), ("rec_train/best_accuracy.pdparams", b"weights")]
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    return tar_of(path, [(name, data, tarfile.REGTYPE) for name, data in members]).read_bytes()


def test_official_weights_come_out_of_their_archive_and_are_kept(server, tmp_path, training_tar):
    server.files["/rec_train.tar"] = training_tar
    for _ in range(2):
        weights = fetch_official(server.url("/rec_train.tar"), tmp_path, progress=False)
        assert weights.name == "best_accuracy.pdparams" and weights.read_bytes() == b"weights"
    assert len(server.requests) == 1


def test_official_weights_as_a_single_file_come_as_they_are(server, tmp_path):
    server.files["/x_pretrained.pdparams"] = b"weights"
    weights = fetch_official(server.url("/x_pretrained.pdparams"), tmp_path, progress=False)
    assert weights.suffix == ".pdparams" and weights.read_bytes() == b"weights"


def test_an_archive_without_weights_is_an_error(server, tmp_path):
    server.files["/x.tar"] = tar_of(tmp_path / "x.tar", [("readme", b"1", tarfile.REGTYPE)]).read_bytes()
    with pytest.raises(InputError, match="holds no .pdparams file"):
        fetch_official(server.url("/x.tar"), tmp_path / "cache", progress=False)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PP-OCRv6_smal_rec", "the nearest is PP-OCRv6_small_rec"),
        ("weights", "valid are crnn_mobile_pre, .*PP-OCRv6_small_rec"),
    ],
)
def test_unknown_official_weights_name_the_known_ones(tmp_path, name, hint):
    with pytest.raises(InputError, match=f"no official weights {name!r}; {hint}"):
        fetch_official(name, tmp_path)
    assert all(url.startswith("https://") for entry in OFFICIAL_WEIGHTS.values() for url in entry.urls)
