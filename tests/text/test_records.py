"""Tables of records: for every file they hold the records of plain parsing, or give its message."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from scenetext.config import load_config
from scenetext.data.dataset import Lines
from scenetext.data.pipeline import evaluation_lines
from scenetext.errors import InputError
from scenetext.text import records as records_module
from scenetext.text.charset import Charset
from scenetext.text.label_files import _read_tabbed, read_label_file
from scenetext.text.records import Record, RecordTable


def written(folder, data, name="t.txt"):
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder / name


def plainly(path):
    """The result of plain parsing, line by line in Python: the records, or the message about the first bad row."""
    try:
        table = _read_tabbed(path)
    except InputError as error:
        return str(error)
    return f"{table.problems[0].location}: {table.problems[0].detail}." if table.problems else table.records


def read(path):
    try:
        return list(read_label_file(path))
    except InputError as error:
        return str(error)


@pytest.fixture(params=[1, 1 << 22], ids=["a line a block", "one block"])
def any_block_size(request, monkeypatch):
    monkeypatch.setattr(records_module, "_BLOCK_BYTES", request.param)
    monkeypatch.setattr(records_module, "_BLOCK_RECORDS", request.param)


GOOD = [
    ("0.jpg\ta\n1.jpg\tb\n", [("0.jpg", "a", 1), ("1.jpg", "b", 2)]),
    ("0.jpg\ta\r\n1.jpg\tb\r\n", [("0.jpg", "a", 1), ("1.jpg", "b", 2)]),
    ("0.jpg\ta\r1.jpg\tb\r", [("0.jpg", "a", 1), ("1.jpg", "b", 2)]),  # old Mac
    ("0.jpg\ta\n\r1.jpg\tb\r\r\n", [("0.jpg", "a", 1), ("1.jpg", "b", 3)]),  # each CR or LF alone ends a line
    ("0.jpg\ta\n1.jpg\tb", [("0.jpg", "a", 1), ("1.jpg", "b", 2)]),  # no line end at the end
    ("", []),
    ("\n\n", []),
    ("\n0.jpg\ta\n\n \n\t\n\u3000\t \n\x0c\n1.jpg\tb\n\n", [("0.jpg", "a", 2), ("1.jpg", "b", 8)]),  # blank lines
    ("0.jpg\ta\u2028b\n", [("0.jpg", "a\u2028b", 1)]),  # no line end of this file
    ("0.jpg\t a \u3000\n", [("0.jpg", " a \u3000", 1)]),  # a label's spaces are its own
    (" 0.jpg \ta\n\u30001.jpg\u3000\tb\n", [("0.jpg", "a", 1), ("1.jpg", "b", 2)]),  # a name's are not
    ("图 片/诚景\t诚景\n", [("图 片/诚景", "诚景", 1)]),  # names beyond ASCII, too
    ("\x07\x85.jpg\ta\n", [("\x07\x85.jpg", "a", 1)]),  # control characters are looked for in labels only
    ("0.jpg\t《诚》\n1.jpg\téÀ\n2.jpg\t😀\n", [("0.jpg", "《诚》", 1), ("1.jpg", "éÀ", 2), ("2.jpg", "😀", 3)]),
    ("0.jpg\ta\n0.jpg\ta\n", [("0.jpg", "a", 1), ("0.jpg", "a", 2)]),  # repeating a line is weighting it
    ("0.jpg\t诚景\n1.jpg\t熱賣\n".encode("gb18030"), [("0.jpg", "诚景", 1), ("1.jpg", "熱賣", 2)]),
    ("0.jpg\t诚景\r\n".encode("gb2312"), [("0.jpg", "诚景", 1)]),
    ("0.jpg\t诚景\n".encode("utf-8-sig"), [("0.jpg", "诚景", 1)]),
    ("0.jpg\t诚景\r\n1.jpg\tb".encode("utf-16"), [("0.jpg", "诚景", 1), ("1.jpg", "b", 2)]),
    ("0.jpg\ta\n\ufeff1.jpg\tb\n", [("0.jpg", "a", 1), ("\ufeff1.jpg", "b", 2)]),  # joined files: no mark any more
]


@pytest.mark.parametrize(("data", "expected"), GOOD)
def test_a_file_is_read_as_line_by_line(tmp_path, any_block_size, data, expected):
    path = written(tmp_path, data)
    expected = [Record(name, text, f"t.txt:{line}") for name, text, line in expected]
    assert read(path) == plainly(path) == expected
    assert [r.text for r in expected] == list(read_label_file(path).texts())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.jpg b", "t.txt:2: '1.jpg b' has no tab between the image's name and its text."),
        ("1.jpg\ta\tb", "t.txt:2: the label of 1.jpg, 'a\\tb', holds U+0009."),
        ("1.jpg\t", "t.txt:2: the label of 1.jpg is empty."),
        ("1.jpg\t\u3000 ", "t.txt:2: the label of 1.jpg is empty."),
        ("\ta", "t.txt:2: the row names no image."),
        (" \u2003\ta", "t.txt:2: the row names no image."),
        ("1.jpg\ta\x07b", "t.txt:2: the label of 1.jpg, 'a\\x07b', holds U+0007."),
        ("1.jpg\ta\x7f", "t.txt:2: the label of 1.jpg, 'a\\x7f', holds U+007F."),
        ("1.jpg\ta\x85b", "t.txt:2: the label of 1.jpg, 'a\\x85b', holds U+0085."),
        ("\x07.jpg\ta\x9f", "t.txt:2: the label of \x07.jpg, 'a\\x9f', holds U+009F."),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("more", ["2.jpg\tc", "2.jpg\t", "3.jpg c", ""])
def test_a_bad_row_gives_the_message_of_the_first_one_with_its_location(
    tmp_path, any_block_size, row, message, end, more
):
    path = written(tmp_path, f"0.jpg\ta{end}{row}{end}{more}")
    assert read(path) == plainly(path) == message


@pytest.mark.parametrize("text", ["0.jpg a\n1.jpg b\n", "0.jpg\t\n1.jpg b\n", "0.jpg\t\n", "1.jpg b\n 2.jpg\ta\n"])
def test_a_file_without_a_good_row_gives_the_message_of_plain_parsing(tmp_path, any_block_size, text):
    path = written(tmp_path, text)
    assert read(path) == plainly(path) and isinstance(read(path), str)


def test_every_white_space_and_every_control_character_is_treated_as_in_plain_parsing(tmp_path):
    special = [c for c in map(chr, range(1, sys.maxunicode + 1)) if c.isspace() or ord(c) < 0xA0]
    for form in ("{0}1.jpg{0}\tb\n", "1.jpg\t{0}b\n", "1.jpg\tb{0}\n", "1.jpg\t{0}\n", "{0}\tb\n", "{0}\n"):
        for character in special:
            path = written(tmp_path, "0.jpg\ta\n" + form.format(character))
            assert read(path) == plainly(path), (form, character)


def test_files_drawn_from_awkward_pieces_are_read_as_line_by_line(tmp_path):
    chance = random.Random(0)
    pieces = ["0.jpg", "\t", "\t", "a", "诚", "😀", " ", "\u3000", "\u2028", "\n", "\n", "\r\n", "\r", "é", "あ", "“"]
    seen = {str: 0, list: 0}
    for number in range(600):
        good = "".join(f"{i}.jpg\t{chance.choice('a诚😀“あ')}\n" for i in range(number % 3))
        path = written(tmp_path, good + "".join(chance.choices(pieces, k=chance.randrange(8))))
        found = read(path)
        assert found == plainly(path), path.read_bytes()
        seen[type(found)] += 1
    assert min(seen.values()) > 60


def table_and_list(count=20):
    texts = ["", "a", "诚景", "😀é", "x\ty\n"]
    plain = [Record(f"{i}.jpg", texts[i % 5] * (1 + i % 3), f"location {i}") for i in range(count)]
    return RecordTable.of(plain), plain


def test_a_table_is_indexed_sliced_and_walked_as_a_list(any_block_size):
    table, plain = table_and_list()
    assert len(table) == 20 and list(table) == plain and table == plain and table != plain[1:]
    assert table[3] == table[np.int64(3)] == plain[3] and table[-1] == plain[-1]
    for part in (slice(3, 9), slice(None, None, -3), slice(5, 5)):
        assert list(table[part]) == plain[part]
    with pytest.raises(IndexError):
        table[20]
    assert RecordTable.of(table) is table and not RecordTable.of([])


def test_taking_and_joining_keep_order_places_and_repetitions(any_block_size):
    table, plain = table_and_list()
    other = RecordTable.of_pairs([("z", "诚"), ("y", "")], lambda name, number: f"{name}:{number}")
    chosen = [7, 2, 2, 19, 0]
    expected = [plain[i] for i in chosen] + [Record("z", "诚", "z:1"), Record("y", "", "y:2")] + plain
    joined = table.take(chosen) + other + table
    assert list(joined) == expected == list(RecordTable.joined([table.take(chosen), other, table]))
    assert list(joined.take([5, 1])) == [expected[5], expected[1]]
    assert list(joined.names) == [r.name for r in expected] == [joined.names[i] for i in range(len(joined.names))]
    assert list(joined.texts()) == [r.text for r in expected] == [joined.text(i) for i in range(len(joined))]
    assert joined.text_lengths().tolist() == [len(r.text) for r in expected]
    assert joined.characters() == set("".join(r.text for r in expected))
    assert not RecordTable.joined([]) and not table.take([])


def lines(records, characters="ab诚景", lower_case=False, **options):
    return Lines(records, None, Charset(tuple(characters), lower_case=lower_case), 32, 200, **options)


TEXTS = ["ab", "诚景诚", "b", "景a景a"]


@pytest.mark.parametrize("longest", [None, 2, 4])
def test_lines_of_a_table_are_those_of_a_list(tmp_path, any_block_size, longest):
    path = written(tmp_path, "".join(f"{i}.jpg\t{text}\n" for i, text in enumerate(TEXTS)))
    of_table = lines(read_label_file(path), longest_label=longest)
    of_list = lines(list(read_label_file(path)), longest_label=longest)
    kept = [text for text in TEXTS if longest is None or len(text) <= longest]
    for found in (of_table, of_list):
        assert [r.text for r in found.records] == kept
        assert [r.text for r in found.too_long] == [text for text in TEXTS if text not in kept]
        assert list(found.ids) == [["ab诚景".index(c) + 1 for c in text] for text in kept]
        assert [found.ids[i] for i in range(len(found.ids))] == list(found.ids)
    assert list(of_table.records) == list(of_list.records)


def test_unknown_characters_are_named_with_their_first_locations(any_block_size):
    records = [Record(f"{i}.jpg", text, f"x:{i}") for i, text in enumerate(["ab", "a?b", "?!", "\U0001f600"])]
    with pytest.raises(
        InputError, match=r"lacks 3 characters of the labels: '\?' \(x:1\), '!' \(x:2\), '😀' \(x:3\)\."
    ):
        lines(records)


@pytest.mark.parametrize(
    ("text", "characters", "lacking"),
    [
        ("AB", "ab", None),
        ("ΑΣ", "ας", None),  # Σ at the end of a word becomes ς, and σ is not needed
        ("ΑΣ", "ασ", "ς"),
        ("ΣΑ", "ασ", None),
        ("İ", "i", "\u0307"),  # becomes two characters
    ],
)
def test_lower_case_is_that_of_whole_labels(text, characters, lacking):
    records = [Record("0.jpg", text, "x:1")]
    if lacking is None:
        assert lines(records, characters, lower_case=True).ids[0] == [characters.index(c) + 1 for c in text.lower()]
        return
    with pytest.raises(InputError, match=f"lacks 1 characters of the labels: '{lacking}'"):
        lines(records, characters, lower_case=True)


def test_length_limits_count_the_characters_of_the_label_in_lower_case():
    records = [Record("0.jpg", "İa", "x:1"), Record("1.jpg", "Aa", "x:2")]
    found = lines(records, "a", lower_case=True, longest_label=2)
    assert (list(found.records), list(found.too_long)) == (records[1:], records[:1])


def test_several_files_with_ratios_give_the_lines_that_the_seed_chooses(tmp_path):
    files = [
        written(tmp_path, "".join(f"{f}/{i}.jpg\t{i}\n" for i in range(size)), f"{f}.txt")
        for f, size in enumerate((7, 11, 5))
    ]
    ratios = [0.5, 1.0, 0.3]
    dataset = {"name": "SimpleDataSet", "data_dir": str(tmp_path)}
    dataset |= {"label_file_list": list(map(str, files)), "ratio_list": ratios}
    found, _ = evaluation_lines(load_config({"Global": {"seed": 3}, "Eval": {"dataset": dataset}}))
    expected = []
    for number, (file, ratio) in enumerate(zip(files, ratios, strict=True)):
        own = plainly(file)
        order = np.random.default_rng((3, number)).permutation(len(own))
        expected += [own[i] for i in sorted(order[: round(len(own) * ratio)])] if ratio < 1 else own
    assert isinstance(found, RecordTable) and list(found) == expected


def test_labels_of_an_lmdb_are_read_with_their_locations(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    texts = ["诚景", "a\tb", "", "x\n"]  # no line of a file, so all of this is allowed
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"num-samples", str(len(texts)).encode())
        for number, text in enumerate(texts, 1):
            transaction.put(f"label-{number:09d}".encode(), text.encode())
    dataset = {"name": "LMDBDataSet", "data_dir": str(tmp_path)}
    found, _ = evaluation_lines(load_config({"Eval": {"dataset": dataset}}))
    names = [f"{number:09d}" for number in range(1, 5)]
    assert list(found) == [Record(n, t, f"{tmp_path}:image-{n}") for n, t in zip(names, texts, strict=True)]
