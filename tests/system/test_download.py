"""Downloads from a server that breaks, stalls and lies: the file is whole and right, or absent, and soon."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import time
import zipfile

import pytest
from local_server import DATA, says, serving

from scenetext.errors import InputError, RunError
from scenetext.system import download as downloads
from scenetext.system import http_answers
from scenetext.system.download import DownloadError, download

SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test here cuts the power, and a busy disk takes its time
    with serving() as running:
        yield running


def fetch(server, path, **options):
    return download(server.url(), path, **{"pause_s": 0.0, "progress": False, **options})


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    server.break_after = [300_000, 200_000]
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert server.requests == [None, "bytes=300000-", "bytes=500000-"]
    assert server.sent_bytes == len(DATA)  # nothing came twice
    assert os.listdir(tmp_path) == ["d.bin"]


def test_a_download_that_failed_is_resumed_by_the_next_call(server, tmp_path):
    server.break_after = [300_000]
    with pytest.raises(DownloadError, match="the connection ended after 300000 of 1024000 bytes"):
        fetch(server, tmp_path / "d.bin", tries=1)
    assert not (tmp_path / "d.bin").exists()
    fetch(server, tmp_path / "d.bin", tries=1, sha256=SHA256)
    assert server.requests[-1] == "bytes=300000-"


def test_a_file_that_changed_on_the_server_is_fetched_anew(server, tmp_path):
    server.break_after = [300_000]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path / "d.bin", tries=1)
    server.files["/data.bin"], server.etag = DATA[::-1], '"2"'
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA[::-1]


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
    assert fetch(server, tmp_path / "d.bin", sha256=sha256).read_bytes() == DATA
    assert server.requests == [None, second_range]


def test_a_leftover_of_another_file_does_not_spoil_the_download(server, tmp_path):
    (tmp_path / "d.bin.part").write_bytes(b"x" * 5000)
    assert fetch(server, tmp_path / "d.bin", sha256=SHA256).read_bytes() == DATA
    (tmp_path / "e.bin.part").write_bytes(b"x" * 2_000_000)  # longer than the file
    assert fetch(server, tmp_path / "e.bin", sha256=SHA256).read_bytes() == DATA


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match="its SHA-256 is .*, 0000.* was expected"):
        fetch(server, tmp_path / "d.bin", sha256="0" * 64)
    assert os.listdir(tmp_path) == [] and len(server.requests) == 1


def test_a_wrong_size_is_an_error(server, tmp_path):
    with pytest.raises(DownloadError, match="has 1024000 bytes, 7 were expected"):
        fetch(server, tmp_path / "d.bin", size_bytes=7)


def test_the_mirror_is_used_when_the_first_address_fails_or_has_another_file(server, tmp_path):
    server.files["/wrong.bin"] = DATA[:-1]
    urls = (server.url("/missing.bin"), server.url("/wrong.bin"), server.url())
    download(urls[0], tmp_path / "d.bin", mirrors=urls[1:], sha256=SHA256, pause_s=0.0, progress=False)
    assert (tmp_path / "d.bin").read_bytes() == DATA
    assert len(server.requests) == 3  # a missing file and a wrong one are not asked for again


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_every_address_is_named_with_its_cause(server, tmp_path):
    with pytest.raises(DownloadError, match=r"missing\.bin: the server answers 404 Not Found; .*/x\.bin: .*refused"):
        urls = [server.url("/missing.bin"), f"http://127.0.0.1:{closed_port()}/x.bin"]
        download(urls[0], tmp_path / "d.bin", mirrors=urls[1:], pause_s=0.0, tries=2, progress=False)


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.failures = [503, 429]
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA


def test_what_is_there_and_right_is_not_fetched_again(server, tmp_path):
    fetch(server, tmp_path / "d.bin", sha256=SHA256)
    fetch(server, tmp_path / "d.bin", sha256=SHA256)
    assert len(server.requests) == 1
    (tmp_path / "d.bin").write_bytes(b"spoiled")
    assert fetch(server, tmp_path / "d.bin", sha256=SHA256).read_bytes() == DATA


def test_a_full_disk_is_an_error_that_keeps_what_came(server, tmp_path):
    """A limit on the size of files stands for the full disk; both end in an OSError while writing."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000));"
        "from scenetext.system.download import download; from scenetext.errors import RunError\n"
        "try: download(sys.argv[1], sys.argv[2], progress=False)\n"
        "except RunError as error: print(error)"
    )
    run = [sys.executable, "-c", code, server.url(), str(tmp_path / "d.bin")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=600)
    assert "could not be written (File too large)" in printed.stdout, printed.stderr
    assert not (tmp_path / "d.bin").exists()
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert server.requests[-1] is not None  # went on from what had come


def test_two_processes_fetch_one_file_once(server, tmp_path):
    code = (
        "import sys; from scenetext.system.download import download; download(sys.argv[1], sys.argv[2], progress=False)"
    )
    run = [sys.executable, "-c", code, server.url(), str(tmp_path / "d.bin")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [subprocess.Popen(run, env=environment) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]
    assert (tmp_path / "d.bin").read_bytes() == DATA and len(server.requests) == 1


@pytest.mark.parametrize("url", ["ftp://example.org/a.zip", "a.zip", "file:///etc/passwd"])
def test_other_kinds_of_address_are_refused(tmp_path, url):
    with pytest.raises(InputError, match="is no http or https address"):
        download(url, tmp_path / "d")


@pytest.mark.parametrize(
    "url", ["http://", "http://a b/c", "http://[::bad/x", "http://h:port/x", 5, None, "http://\u0130\u0130..x/y"]
)
def test_an_address_that_cannot_be_one_is_refused(tmp_path, url):
    with pytest.raises(InputError, match="is no http or https address"):
        download(url, tmp_path / "d")


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/数据/训练 1.bin", "/%E6%95%B0%E6%8D%AE/%E8%AE%AD%E7%BB%83%201.bin"),
        ("/a%20b.bin?sign=%2F+x=", "/a%20b.bin?sign=%2F+x="),  # quoted already
    ],
)
def test_an_address_with_chinese_or_spaces_is_quoted_once(server, tmp_path, path, sent):
    server.files[sent] = DATA
    assert download(server.url(path), tmp_path / "d.bin", progress=False).read_bytes() == DATA


def test_an_address_with_a_password_is_refused_without_showing_it(tmp_path):
    with pytest.raises(InputError, match="at a.example holds a user name") as error:
        download("https://me:secret@a.example/x.zip", tmp_path / "d")
    assert "secret" not in str(error.value)


def test_a_folder_in_the_place_of_the_file_is_an_error_before_anything_is_fetched(server, tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        fetch(server, tmp_path)
    assert server.requests == [] and os.listdir(tmp_path) == []


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))
    server.files["http://a.example/data.bin"] = DATA
    assert download("http://a.example/data.bin", tmp_path / "d.bin", progress=False).read_bytes() == DATA


OK = "HTTP/1.1 200 OK"
LENGTH = f"Content-Length: {len(DATA)}"
HALF = len(DATA) // 2
REST = f"Content-Range: bytes {HALF}-{len(DATA) - 1}/{len(DATA)}"
PART = says(OK, LENGTH, 'ETag: "1"', body=DATA[:HALF])  # the first half, and the connection breaks


def found(location):
    return says("HTTP/1.1 302 Found", f"Location: {location}", "Content-Length: 0")


def rest(*lines, body=DATA[HALF:]):
    return says("HTTP/1.1 206 Partial Content", f"Content-Length: {len(body)}", *lines, body=body)


@pytest.mark.parametrize(
    ("scripts", "options", "cause"),
    [
        ([rest("Content-Range: bytes 0-99/300000", body=DATA[:100])], {}, "a part of the file, unasked"),
        ([PART, rest("Content-Range: bytes 512000-1023999/999999999")], {}, "unasked"),
        ([PART, rest("Content-Range: bytes 512001-1023999/1024000", body=DATA[HALF + 1:])], {}, "unasked"),
        ([PART, rest("Content-Range: bytes 512000-99/1024000")], {}, "unasked"),
        ([PART, rest("Content-Range: bytes " + "9" * 5000 + "-1/2")], {}, "unasked"),
        ([PART, rest(REST, body=DATA[:9])], {}, "unasked"),
        ([PART, rest(REST, 'ETag: "2"')], {}, "unasked"),  # begun anew, as another file, in spite of If-Range
        ([says("HTTP/1.1 204 No Content")], {}, "answers 204 No Content"),
        ([says("HTTP/1.1 304 Not Modified")], {}, "answers 304"),
        ([says("HTTP/1.1 299 \x1b[31mred")], {}, "answers 299"),
        ([says(OK, "Content-Encoding: gzip", body=gzip.compress(DATA[:999]))], {}, "sends the file packed"),
        ([says(OK, "Content-Length: abc", body=DATA)], {}, "a length that is not a number of bytes .'abc'"),
        ([says(OK, "Content-Length: -5", body=DATA)], {}, "a length that is not a number"),
        ([says(OK, "Content-Length: " + "9" * 5000, body=DATA)], {}, "a length that is not a number"),
        ([says(OK, LENGTH, "Content-Length: 5", body=DATA)], {}, "a length that is not a number"),
        ([says(OK, "Content-Length: 99999999999999", body=DATA)], {}, "make room, or name another folder"),
        ([says(OK, "Content-Length: 100", body=DATA)], {}, "more than the 100 bytes that it states"),
        ([says(OK, "Content-Length: 1025000", body=DATA)], {}, "ended after 1024000 of 1025000 bytes"),
        ([says(OK, LENGTH, body=DATA[:500])], {}, "ended after 500 of 1024000 bytes"),
        ([says(OK, "Transfer-Encoding: chunked", body=b"400\r\n" + DATA[:500])], {}, "IncompleteRead"),
        ([says(OK, "Transfer-Encoding: chunked", body=b"zz\r\n" + DATA[:500])], {}, "IncompleteRead"),
        ([says(OK, body=DATA)], {"size_bytes": 1000}, "sends more than 1000 bytes"),
        ([says(OK, LENGTH, body=DATA)], {"size_bytes": 1000}, "has 1024000 bytes, 1000 were expected"),
        ([says(OK, body=DATA, endless=True)], {}, "sends more than 5000000 bytes"),
        ([found("/data.bin")], {}, "redirects more than 10 times"),
        ([found("http://[::bad")], {}, "redirects to .*which is no http or https address"),
        ([found("http://\xb7.invalid:port/")], {}, "redirects to .*which is no http or https address"),
        ([found("file:///etc/passwd")], {}, "redirects to .*which is no http or https address"),
        ([found("ftp://127.0.0.1/x")], {}, "redirects to .*which is no http or https address"),
        ([says("HTTP/1.1 301 Moved")], {}, "answers 301"),
        ([says("HTTP/1.1 302 Found", "Location: /x", body=DATA, endless=True)], {}, "redirects more than 10 times"),
        ([says("not http at all")], {}, "not http at all"),
        ([says()], {}, "without response"),
        ([says(OK, "x: " + "y" * 70_000)], {}, "header line"),
        ([says(OK, *(f"x{k}: y" for k in range(200)))], {}, "100 headers"),
        ([says("HTTP/1.1 429 Slow Down", "Retry-After: 3600", "Content-Length: 0")], {}, "429 Too Many.* in 3600 s"),
        ([says("HTTP/1.1 503 x", "Retry-After: Fri, 01 Jan 2199 00:00:00 GMT")], {}, "503 Service Unavailable, to be"),
        ([says("HTTP/1.1 503 x", "Retry-After: soon")], {}, "answers 503 Service Unavailable"),
        ([says("HTTP/1.1 416 x", "Content-Length: 0")], {}, "answers 416"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_the_whole_file_leaves_no_file(server, tmp_path, monkeypatch, scripts, options, cause):
    monkeypatch.setattr(downloads, "MOST_BYTES", 5_000_000)
    server.scripts = scripts
    started = time.monotonic()
    with pytest.raises(DownloadError, match=cause) as error:
        fetch(server, tmp_path / "d.bin", **options)
    assert time.monotonic() - started < 20 and str(error.value).isprintable()
    assert not (tmp_path / "d.bin").exists()
    left = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert left < 2_000_000
    server.scripts = []
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA  # nothing that stayed spoils a later download


@pytest.mark.parametrize(
    "scripts",
    [
        [PART, rest(REST, 'ETag: "1"')],
        [PART, rest("Content-Range: bytes 512000-1023999/*", 'ETag: "1"')],
        [PART, rest("Content-Range: bytes 500000-1023999/1024000", body=DATA[500_000:])],  # begins at a block's border
        [PART, rest("Content-Range: bytes 512000-599999/1024000", body=DATA[HALF:600_000]),
         rest("Content-Range: bytes 600000-1023999/1024000", body=DATA[600_000:])],  # a range in pieces
        [PART, rest(REST, 'ETag: "2"'), says(OK, LENGTH, body=DATA)],  # the file has changed
        [PART, rest("Content-Range: bytes 512000-99/1024000"), says(OK, LENGTH, body=DATA)],
        [PART, rest("Content-Range: bytes " + "9" * 5000 + "-1/2"), says(OK, LENGTH, body=DATA)],
        [PART, rest(REST, body=DATA[:9]), says(OK, LENGTH, body=DATA)],
        [says("HTTP/1.1 503 x", "Retry-After: 0"), says(OK, LENGTH, body=DATA)],
        [says("HTTP/1.1 429 x", "Retry-After: Fri, 01 Jan 1999 00:00:00 GMT"), says(OK, body=DATA)],
        [found("/elsewhere"), found("?query"), says(OK, LENGTH, body=DATA)],
        [says("HTTP/1.1 416 x"), says(OK, LENGTH, body=DATA)],
        [says(OK, "Content-Encoding: identity", "Transfer-Encoding: chunked",
              body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA))],
    ],
)  # fmt: skip
def test_an_answer_that_is_unusual_but_right_gives_the_whole_file(server, tmp_path, scripts):
    server.scripts = scripts
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["d.bin"]


@pytest.mark.parametrize(
    "script",
    [
        says(OK, LENGTH, body=DATA, every_s=0.05),
        says(OK, endless=True, every_s=0.05),
        says("HTTP/1.1 100 Continue", body=b"HTTP/1.1 100 Continue\r\n\r\n", endless=True, every_s=0.01),
        says(OK, "Transfer-Encoding: chunked", body=b"0" * 60_000, every_s=0.02),
        says(OK, "Transfer-Encoding: chunked", body=b"0\r\n" + b"trailer: x\r\n" * 9000, every_s=0.02),
        says("HTTP/1.1 302 Found", "Location: /x", body=b"x", endless=True, every_s=0.05),
        lambda handler: handler.server.stopped.wait(60),
    ],
    ids=["body", "headers", "continue", "size of a chunk", "trailers", "redirection", "silence"],
)
def test_a_server_that_trickles_or_is_silent_is_given_up(server, tmp_path, monkeypatch, script):
    monkeypatch.setattr(http_answers, "WINDOW_S", 0.2)
    server.scripts = [script]
    started = time.monotonic()
    with pytest.raises(DownloadError, match="too slow|no answer within"):
        fetch(server, tmp_path / "d.bin")
    assert time.monotonic() - started < 10 and len(server.requests) == 2  # a slow try costs two of four
    assert not (tmp_path / "d.bin").exists()


def test_a_server_that_does_not_greet_is_given_up(tmp_path, monkeypatch):
    """The greeting of TLS is read by the handle that TLS has taken over; the watch has to end that one, too."""
    monkeypatch.setattr(http_answers, "WINDOW_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}/x.bin"
        with pytest.raises(DownloadError, match="too slow|no answer within"):
            download(address, tmp_path / "d.bin", pause_s=0.0, progress=False)


def test_a_server_that_speaks_no_tls_is_told(server, tmp_path):
    with pytest.raises(DownloadError, match="SSL"):
        download(server.url().replace("http", "https"), tmp_path / "d.bin", pause_s=0.0, progress=False)


def test_a_download_ends_at_its_deadline_and_is_resumed_by_the_next_call(server, tmp_path):
    server.scripts = [says(OK, LENGTH, 'ETag: "1"', body=DATA[:5000]), lambda handler: handler.server.stopped.wait(60)]
    started = time.monotonic()
    with pytest.raises(DownloadError, match="the time for the download is over"):
        fetch(server, tmp_path / "d.bin", deadline_s=0.3)
    assert time.monotonic() - started < 10
    server.scripts = []
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert server.requests[-1] == "bytes=5000-"


def test_a_connection_that_breaks_all_the_time_and_gets_on_is_never_given_up(server, tmp_path, monkeypatch):
    """PaddleOCR 10598: 985 MB at 17 kB/s, broken every 20 minutes."""
    monkeypatch.setattr(downloads, "_PROGRESS_BYTES", 50_000)
    server.break_after = [60_000] * 15
    assert fetch(server, tmp_path / "d.bin", tries=2).read_bytes() == DATA
    assert server.sent_bytes == len(DATA)


def test_a_connection_that_begins_anew_all_the_time_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_PROGRESS_BYTES", 50_000)
    server.etag, server.break_after = None, [60_000] * 99
    with pytest.raises(DownloadError, match="ended after 60000 of"):
        fetch(server, tmp_path / "d.bin", tries=3)
    assert len(server.requests) == 4  # the first one, which brought something, gives all three back
    assert os.listdir(tmp_path) == []


def test_a_file_that_changed_without_a_sign_is_found_out_by_its_checksum_and_fetched_anew(server, tmp_path):
    server.etag, server.break_after = None, [300_000]
    changed = DATA[::-1]
    options = {"sha256": hashlib.sha256(changed).hexdigest()}
    with pytest.raises(DownloadError):
        fetch(server, tmp_path / "d.bin", tries=1, **options)
    server.files["/data.bin"] = changed
    assert fetch(server, tmp_path / "d.bin", **options).read_bytes() == changed
    assert server.requests == [None, "bytes=300000-", None]


DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (['ETag: "1"', f"Last-Modified: {DATE}"], '"1"'),
        (['ETag: W/"1"', f"Last-Modified: {DATE}"], DATE),  # a weak tag does not promise equal bytes
        ([f"Last-Modified: {DATE}"], DATE),
        (['ETag: W/"1"'], None),
        (["ETag: \xff"], None),
    ],
)
def test_a_resumed_download_asks_on_the_condition_that_the_file_is_the_same(server, tmp_path, headers, sent):
    server.scripts = [says(OK, LENGTH, *headers, body=DATA[:HALF]), says(OK, LENGTH, body=DATA)]
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert server.if_range == [None, sent]
    assert server.requests == [None, f"bytes={HALF}-" if sent else None]


def test_a_part_that_was_whole_and_got_no_name_is_not_fetched_again(server, tmp_path, monkeypatch):
    real = os.replace

    def failing(old, new):
        if str(new).endswith("d.bin"):
            raise OSError(5, "Input/output error")
        real(old, new)

    with (
        monkeypatch.context() as patched,
        pytest.raises(RunError, match="d.bin could not be written .Input/output error.: check the disk"),
    ):
        patched.setattr(os, "replace", failing)
        fetch(server, tmp_path / "d.bin")
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert len(server.requests) == 1


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="file/d.bin could not be written"):
        fetch(server, tmp_path / "file" / "d.bin")


def test_bytes_that_a_power_cut_left_behind_those_on_the_disk_are_fetched_again(server, tmp_path):
    server.scripts = [PART]
    with pytest.raises(DownloadError):
        fetch(server, tmp_path / "d.bin", tries=1)
    with open(tmp_path / "d.bin.part", "ab") as part:
        part.write(bytes(100_000))  # the file's size was on the disk, its content was not
    server.scripts = []
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA


@pytest.mark.parametrize(
    "note", ["", "[]", '{"url": 5, "validator": 7, "total_bytes": "x", "bytes": "9"}', '{"bytes": -1}', "\0"]
)
def test_a_damaged_note_is_no_obstacle(server, tmp_path, note):
    (tmp_path / "d.bin.part").write_bytes(b"x" * 500)
    (tmp_path / "d.bin.part.json").write_text(note)
    assert fetch(server, tmp_path / "d.bin").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["d.bin"]


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("0.jpg", DATA)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["train.zip", "model.tar", "model.tar.gz", "MODEL.TGZ"])
def test_a_web_page_does_not_become_an_archive(server, tmp_path, name):
    server.files[f"/{name}"] = b"<!DOCTYPE html><title>Log in</title>"
    with pytest.raises(DownloadError, match="is no whole|is not a whole|cannot be read as"):
        download(server.url(f"/{name}"), tmp_path / name, progress=False)
    assert os.listdir(tmp_path) == []


def test_an_archive_that_was_cut_off_without_a_word_is_fetched_again(server, tmp_path):
    server.scripts = [says(OK, body=zipped()[:-100]), says(OK, body=zipped())]
    for _ in range(2):  # the first call fails and leaves nothing
        try:
            download(server.url("/train.zip"), tmp_path / "train.zip", progress=False)
        except DownloadError as error:
            assert "what came is no whole zip file" in str(error) and os.listdir(tmp_path) == []
    assert (tmp_path / "train.zip").read_bytes() == zipped()


def test_a_broken_archive_that_is_there_already_is_fetched_again(server, tmp_path):
    server.files["/train.zip"] = zipped()
    (tmp_path / "train.zip").write_bytes(zipped()[:500])
    download(server.url("/train.zip"), tmp_path / "train.zip", progress=False)
    assert (tmp_path / "train.zip").read_bytes() == zipped()


def test_https_is_not_left_by_a_redirection():
    with pytest.raises(http_answers.Refused, match="from https to"):
        http_answers._redirected("https://a.example/x", "http://a.example/x")
    assert http_answers._redirected("https://a.example/x", "//b.example/y") == "https://b.example/y"
