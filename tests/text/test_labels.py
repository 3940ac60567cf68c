"""Label files as users have them: encodings, CSV quoting, faults of rows, normalisation, split."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from scenetext.errors import InputError
from scenetext.text.encodings import read_text
from scenetext.text.label_files import read_csv, read_label_file, read_label_table, write_label_file
from scenetext.text.normalise import normalise, normalise_for_score
from scenetext.text.records import Record
from scenetext.text.splits import fold_numbers, split


def written(tmp_path, data, name="labels.csv"):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return tmp_path / name


def pairs(records):
    return [(record.name, record.text) for record in records]


@pytest.mark.parametrize(
    ("text", "codec", "encoding"),
    [
        ("0.jpg,EXIT", "ascii", "ascii"),
        ("0.jpg,诚景", "gb2312", "gb2312"),
        ("0.jpg,诚景\n1.jpg,熱賣", "gb18030", "gb18030"),  # traditional characters are beyond GB2312
        ("0.jpg,㎡€😀", "gb18030", "gb18030"),  # four-byte codes
        ("0.jpg,诚景", "utf-8", "utf-8"),
        ("0.jpg,诚景", "utf-8-sig", "utf-8-sig"),  # Excel's "CSV UTF-8"
        ("0.jpg,诚景", "utf-16", "utf-16"),  # Excel's "Unicode text"
        ("0.jpg,浙江", "utf-8", "utf-8"),
        ("0.jpg,啤酒", "gb2312", "gb2312"),
        ("0.jpg,啤", "gb2312", "gb2312"),  # its two bytes are valid UTF-8 for another letter
        ("0.jpg,流", "gb2312", "gb2312"),
        ("0.jpg,è é à ü ö ä ñ ç ê", "utf-8", "utf-8"),  # each letter's bytes are a GB2312 code too
    ],
)
def test_encoding_is_recognised(tmp_path, text, codec, encoding):
    assert read_text(written(tmp_path, text.encode(codec))) == (text, encoding)


def test_two_hanzi_whose_utf8_bytes_are_gb2312_codes_are_read_as_utf8(tmp_path):
    both = [a + b for a in map(chr, range(0x4E00, 0x5200)) for b in "好要有" if _is_gb2312((a + b).encode())]
    assert both  # such pairs exist
    for text in both[:20]:
        assert read_text(written(tmp_path, text)) == (text, "utf-8")


def _is_gb2312(data):
    try:
        data.decode("gb2312")
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"name,value\n0.jpg,\xff\xff\n", r"labels.csv:2 holds the byte 0xFF \(byte 7 of the line\)"),
        (b"name,value\n\n0.jpg,\xd6\xd0\n1.jpg,\xd6\n", "labels.csv:4 holds the byte 0xD6"),  # half a character
        (
            "name,value\n0.jpg,诚景\n1.jpg,熱賣\n".encode("gb18030") + "2.jpg,好人好事\n".encode(),
            r"labels.csv mixes encodings: 1 of its lines are UTF-8 \(labels.csv:4\)",
        ),
        (
            "0.jpg,好的\n1.jpg,包邮\n2.jpg,中国\n".encode() + "3.jpg,热\n".encode("gb2312"),
            r"1 of its lines are GB18030 \(labels.csv:4\)",
        ),
        (b"PK\3\4\0\0\0", "holds a zero byte"),
        (
            "0.jpg,好".encode("utf-8-sig") + b"\n1.jpg,\xd6\xd0\n",
            "labels.csv:2 holds the byte 0xD6, which is not valid in utf-8",
        ),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_valid_in_no_encoding_is_an_error_with_its_line(tmp_path, data, message):
    path = written(tmp_path, data) if data is not None else tmp_path / "labels.csv"
    with pytest.raises(InputError, match=message):
        read_text(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,value\n0.jpg,a\n1.jpg,b\n", [("0.jpg", "a"), ("1.jpg", "b")]),
        ("name,value\r\n0.jpg,a\r\n", [("0.jpg", "a")]),
        ("name,value\r0.jpg,a\r", [("0.jpg", "a")]),  # old Mac
        ("value,id,name\na,7,0.jpg\n", [("0.jpg", "a")]),  # other order, other columns
        (' name , value \n"0.jpg","a,b"\n', [("0.jpg", "a,b")]),
        ('name,value\n0.jpg,"5""屏"\n', [("0.jpg", '5"屏')]),
        ("name,value\n0.jpg, a b \n", [("0.jpg", " a b ")]),  # a label's spaces are its own
        ("name,value\n0.jpg,诚\u3000景\n", [("0.jpg", "诚\u3000景")]),
        ("name,value\n0.jpg,a\u2028b\n", [("0.jpg", "a\u2028b")]),  # no line end of this file
        ("name,value\n\n0.jpg,a\n\n", [("0.jpg", "a")]),
        ("name,value\n0.jpg,a", [("0.jpg", "a")]),
    ],
)
def test_csv_forms_are_read(tmp_path, text, expected):
    table = read_csv(written(tmp_path, text))
    assert pairs(table.records) == expected and not table.problems


@pytest.mark.parametrize(
    ("rows", "location", "kind"),
    [
        ("1.jpg,", "labels.csv:3", "empty label"),
        ("1.jpg,\u3000 ", "labels.csv:3", "empty label"),
        ("1.jpg,a\tb", "labels.csv:3", "tab in label"),
        ('1.jpg,"a\nb"', "labels.csv:3", "newline in label"),
        ("1.jpg,a\x07b", "labels.csv:3", "control character"),
        (",a", "labels.csv:3", "no name"),
        ("1.jpg", "labels.csv:3", "wrong number of fields"),
        ("1.jpg,a,b", "labels.csv:3", "wrong number of fields"),
        ('1.jpg,"a', "labels.csv:3", "quotes do not balance"),  # would swallow the rest of the file
        ('1.jpg,"a"b', "labels.csv:3", "quotes do not balance"),
        ('1.jpg,5"', "labels.csv:3", None),  # a quote inside a field is a plain character
    ],
)
def test_a_bad_row_is_reported_with_its_location_and_its_neighbours_are_kept(tmp_path, rows, location, kind):
    table = read_csv(written(tmp_path, f'name,value\n0.jpg,x\n{rows}\n2.jpg,y\n3.jpg,"z"\n'))
    kept = [pair for pair in pairs(table.records) if pair[0] != "1.jpg"]
    assert kept == [("0.jpg", "x"), ("2.jpg", "y"), ("3.jpg", "z")]
    assert [(p.location, p.kind) for p in table.problems] == ([(location, kind)] if kind else [])


def test_lines_after_a_label_of_several_lines_keep_their_numbers(tmp_path):
    table = read_csv(written(tmp_path, 'name,value\n0.jpg,"a\nb\nc"\n1.jpg,x\n'))
    assert table.records == [Record("1.jpg", "x", "labels.csv:5")]


def test_a_name_twice_with_one_label_counts_once_and_with_two_labels_not_at_all(tmp_path):
    table = read_csv(written(tmp_path, "name,value\n0.jpg,a\n1.jpg,b\n0.jpg,a\n2.jpg,x\n2.jpg,y\n"))
    assert table.records == [Record("0.jpg", "a", "labels.csv:2"), Record("1.jpg", "b", "labels.csv:3")]
    assert table.repeated_rows == 1
    assert [(p.location, p.kind) for p in table.problems] == [
        ("labels.csv:5", "name twice"),
        ("labels.csv:6", "name twice"),
    ]
    assert "'x' (labels.csv:5), 'y' (labels.csv:6)" in table.problems[0].detail


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\n0.jpg,a\n", r"has no column name and value \(found: image, label\)"),
        ("name,label\n0.jpg,a\n", r"labels.csv:1 has no column value \(found: name, label\)"),
        ("", r"found: nothing"),
    ],
)
def test_missing_columns_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_csv(written(tmp_path, text))


def test_the_competitions_own_labels_are_read(shared):
    table = read_csv(shared / "competition" / "train_label.csv")
    assert (len(table.records), table.encoding, table.problems) == (1217, "gb18030", [])
    assert table.records[4] == Record("4.jpg", "诚景", "train_label.csv:6")


def test_paddleocr_label_file_reads_back_what_was_written(tmp_path):
    records = [Record("train/0.jpg", "诚 景\u3000", "x:1"), Record("train/1.jpg", "a", "x:2")]
    write_label_file(tmp_path / "train.txt", records)
    assert (tmp_path / "train.txt").read_bytes() == "train/0.jpg\t诚 景\u3000\ntrain/1.jpg\ta\n".encode()
    assert pairs(read_label_file(tmp_path / "train.txt")) == pairs(records)
    assert read_label_table(tmp_path / "train.txt").encoding == "utf-8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.jpg\ta\n1.jpg b\n", "t.txt:2: '1.jpg b' has no tab"),  # the users' habit of a space for the tab
        ("0.jpg\ta\n1.jpg\t\n", "t.txt:2: the label of 1.jpg is empty"),
        ("0.jpg\ta\tb\n", "t.txt:1: the label of 0.jpg, .* holds U\\+0009"),
        ("0.jpg a\n1.jpg b\n", "no line of the form name<TAB>text"),
    ],
)
def test_a_bad_line_of_a_paddleocr_label_file_is_an_error_with_its_location(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_label_file(written(tmp_path, text, "t.txt"))


@pytest.mark.parametrize(
    ("text", "choices", "expected"),
    [
        ("ＡＢ１２！ 诚\u3000景", {}, "ＡＢ１２！ 诚\u3000景"),
        ("ＡＢ１２！￥", {"width": "half"}, "AB12!￥"),
        ("ａ\u3000ｂ", {"width": "half"}, "a\u3000b"),  # U+3000 is the choice of `spaces`
        ("ａＢ", {"case": "lower"}, "ａｂ"),
        ("aＢ", {"case": "upper"}, "AＢ"),
        (" a \u3000 b ", {"spaces": "single"}, "a b"),
        (" a \u3000 b ", {"spaces": "remove"}, "ab"),
        ("３″ ㎡…", {"width": "half", "spaces": "remove"}, "3″㎡…"),  # NFKC would change these
        ("ＡＢ\u3000Ｃ", {"width": "half", "case": "lower", "spaces": "remove"}, "abc"),
    ],
)
def test_normalisation_choices(text, choices, expected):
    assert normalise(text, **choices) == expected


def test_traditional_characters_become_simplified_by_phrase():
    pytest.importorskip("opencc")
    assert normalise("頭髮後面乾燥", traditional="simplified") == "头发后面干燥"
    assert normalise("乾隆", traditional="simplified") == "乾隆"  # here the character stays


@pytest.mark.parametrize("choices", [{"width": "full"}, {"case": True}])
def test_an_unknown_normalisation_is_an_error_that_names_the_known(choices):
    with pytest.raises(InputError, match="can be keep"):
        normalise("a", **choices)


def test_score_form_is_nfkc_without_white_space_in_lower_case():
    assert normalise_for_score("ＡＢ\u3000１２ Hz㎡") == "ab12hzm2"


def drawn_records(n=2000):
    chance = random.Random(7)
    texts = ["6", "包邮", "新品"] * (n // 10)
    texts += [
        "".join(chance.choices("甲乙丙丁戊己庚辛", k=min(1 + int(chance.expovariate(0.2)), 40))) for _ in range(n)
    ]
    chance.shuffle(texts)
    return [Record(f"{i}.jpg", text, f"x:{i}") for i, text in enumerate(texts)]


@pytest.mark.parametrize(("val", "count"), [(0.1, 260), (0.25, 650), (300, 300), (1, 1), (0, 0), (0.0, 0), (0.0001, 1)])
def test_split_draws_the_fraction_or_number_and_loses_nothing(val, count):
    records = drawn_records()
    train, validation = split(records, val, seed=0)
    assert len(validation) == count
    assert sorted(train + validation, key=lambda r: int(r.name[:-4])) == records
    assert train == [r for r in records if r in set(train)]  # in the file's order


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_split_draws_every_length_and_every_frequent_text_in_proportion(seed):
    records = drawn_records()
    _, validation = split(records, 0.25, seed)
    for key in (lambda r: len(r.text), lambda r: r.text):
        whole, part = Counter(map(key, records)), Counter(map(key, validation))
        for value, count in whole.items():
            assert abs(part[value] - 0.25 * count) <= 1, value


def test_split_depends_on_the_seed_and_on_nothing_else():
    records = drawn_records()
    assert split(records, 0.1, 3) == split(records, 0.1, 3)
    assert split(records, 0.1, 3)[1] != split(records, 0.1, 4)[1]


def test_equal_pictures_stay_on_one_side():
    records = drawn_records(200)
    pictures = {record.name: str(i // 3) for i, record in enumerate(records)}
    train, validation = split(records, 0.25, 0, pictures)
    assert validation and not {pictures[r.name] for r in train} & {pictures[r.name] for r in validation}


@pytest.mark.parametrize("val", [-0.1, 1.5, 2600, 10_000])
def test_an_impossible_fraction_or_number_is_an_error(val):
    with pytest.raises(InputError, match="val="):
        split(drawn_records(), val, 0)


def test_folds_resemble_each_other_and_keep_equal_pictures_together():
    records = drawn_records(400)
    folds = fold_numbers(records, 5, seed=0)
    for key in (lambda r: len(r.text), lambda r: r.text):
        whole = Counter(map(key, records))
        for fold in range(5):
            part = Counter(key(r) for r, number in zip(records, folds, strict=True) if number == fold)
            assert all(abs(part[value] - count / 5) < 2 for value, count in whole.items())
    pictures = {record.name: str(i // 3) for i, record in enumerate(records)}
    together = fold_numbers(records, 5, 0, pictures)
    assert set(together) == set(range(5)) and all(len(set(together[i : i + 3])) == 1 for i in range(0, 396, 3))
