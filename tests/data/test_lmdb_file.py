"""The LMDB reader: it reads what the library reads, and a damaged file ends in one of our errors."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import lmdb
import pytest

from scenetext.data.sources.images import open_images
from scenetext.data.sources.lmdb_file import LmdbFile
from scenetext.data.sources.lmdbs import Lmdbs
from scenetext.errors import InputError

MOST = 1 << 28


def written(folder: Path, entries: dict[bytes, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with lmdb.open(str(folder), map_size=1 << 26) as environment, environment.begin(write=True) as transaction:
        for key, value in entries.items():
            transaction.put(key, value)
    return folder / "data.mdb"


def lines(count: int, chance: random.Random) -> dict[bytes, bytes]:
    """The entries of a set whose pictures are small, of a page, and of several pages."""
    entries = {b"num-samples": str(count).encode()}
    for number in range(1, count + 1):
        entries[b"image-%09d" % number] = chance.randbytes(chance.choice((0, 10, 700, 2100, 4096, 9000)))
        entries[b"label-%09d" % number] = f"诚景{number}".encode() * chance.randrange(1, 9)
    return entries


@pytest.mark.parametrize("count", [0, 1, 7, 300, 3000])
def test_every_entry_is_read_as_by_the_library(count, tmp_path):
    chance = random.Random(count)
    entries = lines(count, chance)
    path = written(tmp_path, entries)
    file = LmdbFile(path)
    assert list(file.items(b"", MOST)) == sorted(entries.items())
    assert all(file.get(key, MOST) == value for key, value in entries.items())
    assert [key for key, _ in file.items(b"label-", MOST)] == sorted(key for key in entries if key >= b"label-")
    for key in (b"", b"a", b"image-", b"image-999999999", b"label-000000000", b"zzz"):
        assert file.get(key, MOST) is None
    assert file.entries == len(entries)


def test_entries_of_later_transactions_count(tmp_path):
    path = written(tmp_path, {b"a": b"1", b"b": b"2"})
    written(tmp_path, {b"b": b"3", b"c": b"4" * 5000})
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        transaction.delete(b"a")
    assert dict(LmdbFile(path).items(b"", MOST)) == {b"b": b"3", b"c": b"4" * 5000}


def test_an_empty_lmdb_has_no_entry(tmp_path):
    file = LmdbFile(written(tmp_path, {}))
    assert file.get(b"a", MOST) is None and list(file.items(b"", MOST)) == []
    with pytest.raises(InputError, match="without the key num-samples"):
        Lmdbs(tmp_path)


def test_a_value_larger_than_asked_for_is_not_read(tmp_path):
    with pytest.raises(InputError, match="big has 5,000 bytes, more than the 4,999"):
        LmdbFile(written(tmp_path, {b"big": bytes(5000)})).get(b"big", 4999)


def read_all(folder: Path) -> list[tuple[str, bytes]]:
    """What a training or prediction reads of an LMDB: labels and pictures."""
    source = Lmdbs(folder)
    return [(record.text, source.read(record.name)) for part in source.parts for record in part.table()]


@pytest.mark.parametrize("count", [3, 300])
def test_a_file_cut_anywhere_is_named(count, tmp_path):
    path = written(tmp_path, lines(count, random.Random(0)))
    whole, expected = path.read_bytes(), read_all(tmp_path)
    for size in [*range(0, len(whole), max(512, len(whole) // 60)), len(whole) - 1]:
        path.write_bytes(whole[:size])
        try:
            assert read_all(tmp_path) == expected  # nothing stood where it is cut
        except InputError as error:
            assert str(tmp_path) in str(error)
        else:
            assert size > len(whole) - 4096


def test_damage_gives_a_result_or_one_of_our_errors(tmp_path):
    path, chance = written(tmp_path, lines(40, random.Random(0))), random.Random(1)
    whole, told = path.read_bytes(), 0
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 8)):
            page = chance.randrange(len(data) // 4096) * 4096
            at = page + (chance.randrange(64) if chance.random() < 0.6 else chance.randrange(4096))
            data[at] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        path.write_bytes(data)
        try:
            read_all(tmp_path)
        except InputError:
            told += 1
    assert told > 30


def test_pages_that_point_at_each_other_come_to_an_end(tmp_path):
    path = written(tmp_path, lines(3000, random.Random(0)))
    data = bytearray(path.read_bytes())
    for at in range(0, len(data), 4096):
        number, _, flags, lower = struct.unpack_from("<QHHH", data, at)
        if number == at // 4096 and flags == 1 and not lower % 2:  # a branch: all of its children become itself
            for offset in struct.unpack_from(f"<{(lower - 16) // 2}H", data, at + 16):
                struct.pack_into("<HHH", data, at + offset, at // 4096, 0, 0)
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged or cut short"):
        read_all(tmp_path)


COUNTS = [
    (b"1000000000000", "holds 5 entries, but its num-samples is 1000000000000"),
    (b"9" * 5000, "num-samples holds no number"),
    (b"-1", "num-samples holds no number"),
    ("٣".encode(), "num-samples holds no number"),
    (b"5", "holds 5 entries, but its num-samples is 5"),
]


@pytest.mark.parametrize(("count", "told"), COUNTS)
def test_a_number_of_lines_that_cannot_be_is_told(count, told, tmp_path):
    written(tmp_path, lines(2, random.Random(0)) | {b"num-samples": count})
    with pytest.raises(InputError, match=told):
        open_images(tmp_path)


def test_lines_beyond_the_number_of_lines_are_told_and_not_read(tmp_path):
    written(tmp_path, lines(3, random.Random(0)) | {b"num-samples": b"2"})
    with pytest.warns(UserWarning, match="also holds label-000000003, but its num-samples is 2"):
        source = open_images(tmp_path)
    assert list(source.names()) == ["000000001", "000000002"]


def test_a_list_of_values_is_told(tmp_path):
    with lmdb.open(str(tmp_path), map_size=1 << 20, max_dbs=2) as environment:
        environment.open_db(b"num-samples")
    with pytest.raises(InputError, match="num-samples has several values"):
        open_images(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be cut there")
def test_a_file_that_becomes_shorter_while_it_is_open_is_named(tmp_path):
    path = written(tmp_path, lines(300, random.Random(0)))
    source = Lmdbs(tmp_path)
    os.truncate(path, 4096 * 3)
    with pytest.raises(InputError, match="is damaged or cut short"):
        for name in source.names():
            source.read(name)
