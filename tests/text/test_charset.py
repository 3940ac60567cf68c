"""Characters and class numbers: PaddleOCR's dictionary rule, building, coverage, slicing."""

from __future__ import annotations

import pytest

from scenetext.errors import InputError
from scenetext.text.charset import BLANK, BUNDLED, Charset, charset_path, gb2312_characters, named_characters


@pytest.mark.parametrize(
    ("data", "space", "characters"),
    [
        (b"a\nb\n", False, ("a", "b")),
        (b"a\nb", False, ("a", "b")),  # no line end at the end of the file
        (b"a\r\nb\r\n", False, ("a", "b")),  # Windows
        ("\ufeffa\nb\n".encode(), False, ("a", "b")),  # a byte order mark is no character
        ("a\n\u3000\n \nb\n".encode(), False, ("a", "\u3000", " ", "b")),  # white space is a character
        (b"a\n\nb\n", False, ("a", "", "b")),  # an empty line keeps its class
        ("a\n\u2028\n\x85\nb\n".encode(), False, ("a", "\u2028", "\x85", "b")),  # line ends to Unicode, not here
        (b"a\nb\n", True, ("a", "b", " ")),  # the space comes last
    ],
)
@pytest.mark.filterwarnings("ignore:The dictionary .* has odd lines")
def test_dictionary_is_read_by_paddleocrs_rule(tmp_path, data, space, characters):
    (tmp_path / "d.txt").write_bytes(data)
    charset = Charset.from_file(tmp_path / "d.txt", use_space_char=space)
    assert charset.characters == characters
    assert charset.num_classes == len(characters) + 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        ("a\n中\n".encode("gb2312"), "d.txt:2 is not UTF-8"),
        (None, "The dictionary .*d.txt cannot be read: No such file"),
        (b"a\n" * 4_000_001, "The dictionary .*d.txt has 8,000,002 bytes; such a file may have 8,000,000 at most"),
    ],
)
def test_bad_dictionary_is_an_error_with_its_location(tmp_path, data, message):
    if data is not None:
        (tmp_path / "d.txt").write_bytes(data)
    with pytest.raises(InputError, match=message):
        Charset.from_file(tmp_path / "d.txt")


ODD = [  # a dictionary's text, and what the warning says of it
    ("a\nb\n中\n \n\u3000\n", None),
    ("a\n\nb\n", "1 blank (line 2)"),
    ("a\nb\n\n\n", "2 blank (line 3)"),
    ("a \nb\n\tc\n", "2 with white space beside a character (line 1)"),
    ("a\nb\na\na\n", "2 repeated further down (line 1)"),
    ("A B C\n", "1 of several characters (line 1)"),
    ("ab\n\nb\nb\n", "1 of several characters (line 1), 1 blank (line 2), 1 repeated further down (line 3)"),
]


@pytest.mark.parametrize(("text", "told"), ODD)
def test_odd_lines_of_a_dictionary_are_named_and_stay_classes(text, told, tmp_path, recwarn):
    (tmp_path / "d.txt").write_text(text, encoding="utf-8")
    charset = Charset.from_file(tmp_path / "d.txt")
    assert len(charset.characters) == text.count("\n")
    warned = [str(each.message) for each in recwarn.list]
    assert len(warned) == bool(told) and all(f"d.txt has odd lines: {told}. Each stays a class" in w for w in warned)


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_dictionaries_give_no_warning(name, recwarn):
    Charset.from_file(charset_path(name))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("name", "lines", "first", "last", "line_of_u3000"),
    [
        ("ppocr_keys_v1", 6623, "'疗绚诚娇", "紹懮", 5710),
        ("ppocrv6", 18708, '!"#$%', "🛄🛅", 1749),
    ],
)
def test_bundled_dictionaries_are_those_of_the_official_weights(name, lines, first, last, line_of_u3000):
    charset = Charset.from_file(charset_path(name))
    assert len(charset.characters) == lines == len(set(charset.characters))
    assert "".join(charset.characters[:5]) == first and "".join(charset.characters[-2:]) == last
    assert charset.encode("\u3000") == [line_of_u3000]


def test_bundled_dictionaries_equal_the_metadata_of_the_wheels_graphs():
    rapidocr_v4 = pytest.importorskip("rapidocr_onnxruntime")
    rapidocr_v6 = pytest.importorskip("rapidocr")
    from pathlib import Path

    import onnxruntime

    for module, file, name in (
        (rapidocr_v4, "ch_PP-OCRv4_rec_infer.onnx", "ppocr_keys_v1"),
        (rapidocr_v6, "PP-OCRv6_rec_small.onnx", "ppocrv6"),
    ):
        path = Path(module.__file__).parent / "models" / file
        metadata = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map["character"]
        assert Charset.from_file(charset_path(name)).characters == tuple(metadata.split("\n"))


def test_charset_of_labels_is_sorted_and_leaves_the_space_to_use_space_char():
    charset = Charset.from_labels(["b a", "中b", "\u3000"], extra="z")
    assert charset.characters == ("a", "b", "z", "\u3000", "中")
    assert Charset.from_labels(["b a"], use_space_char=True).characters == ("a", "b", " ")


def test_text_survives_encoding_and_decoding():
    charset = Charset.from_labels(["诚景 60Hz"], use_space_char=True)
    ids = charset.encode("诚景 60Hz")
    assert BLANK not in ids and charset.decode([BLANK, *ids, BLANK]) == "诚景 60Hz"


def test_a_repeated_line_keeps_its_class_and_encoding_takes_the_last():
    charset = Charset(("a", "b", "a"))
    assert charset.encode("a") == [3]
    assert charset.decode([1, 3]) == "aa"


def test_an_unknown_character_is_named():
    charset = Charset(("a",))
    assert charset.unknown("xaxy") == ["x", "x", "y"]
    with pytest.raises(InputError, match=r"'中' \(U\+4E2D\) of the label 'a中'"):
        charset.encode("a中")
    with pytest.raises(InputError, match="'a a' holds a space .* set Global.use_space_char to true"):
        charset.encode("a a")


@pytest.mark.parametrize("ids", [[3], [-1]])
def test_a_class_beyond_the_dictionary_is_an_error(ids):
    with pytest.raises(InputError, match="the dictionary that the network was trained with"):
        Charset(("a", "b")).decode(ids)


def test_coverage_counts_lines_and_occurrences():
    found = Charset(("a", "b")).coverage(["ab", "ax", "xxy", ""])
    assert (found.lines, found.lines_covered) == (4, 2)
    assert (found.characters, found.characters_covered) == (7, 3)
    assert list(found.missing.items()) == [("x", 3), ("y", 1)]


def test_slicing_finds_each_class_in_the_other_charset():
    small, large = Charset(("b", "中", "新"), use_space_char=False), Charset(("a", "b", "中", " "))
    assert small.rows_in(large) == [0, 2, 3, None]
    end = large.num_classes  # attention's last class; NRTR's classes are moved by 3, with one more at the end
    assert small.rows_in(large, "attention") == [0, 2, 3, None, end]
    assert small.rows_in(large, "nrtr") == [0, 1, 2, 3, 5, 6, None, end + 3]


def test_written_dictionary_reads_back_the_same(tmp_path):
    charset = Charset.from_labels(["b a\u3000中"], use_space_char=True)
    charset.write(tmp_path / "c.txt")
    assert (tmp_path / "c.txt").read_bytes() == "a\nb\n\u3000\n中\n".encode()
    assert Charset.from_file(tmp_path / "c.txt", use_space_char=True) == charset


def test_dictionary_is_found_beside_the_config_or_by_paddleocrs_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mine.txt").write_text("a\n")
    assert charset_path("mine.txt", base="configs").samefile(tmp_path / "configs" / "mine.txt")
    assert charset_path("ppocr/utils/ppocr_keys_v1.txt").samefile(charset_path("ppocr_keys_v1"))
    with pytest.raises(InputError, match="'nowhere.txt' is neither a file nor one of the names ppocr_keys_v1"):
        charset_path("nowhere.txt")
    with pytest.warns(UserWarning, match="mydata/en_dict.txt does not exist; .*en_dict.txt is used instead"):
        charset_path("mydata/en_dict.txt")


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [("gb2312-1", 3755, "啊", "座"), ("gb2312", 6763, "啊", "齄")],  # the standard's own counts
)
def test_gb2312_lists_have_the_standards_characters(name, count, first, last):
    characters = named_characters(name)
    assert (len(characters), len(set(characters)), characters[0], characters[-1]) == (count, count, first, last)
    assert gb2312_characters(1 if count == 3755 else 2) == characters


def test_extra_characters_of_an_unknown_name_are_an_error():
    with pytest.raises(InputError, match="extra characters can also be gb2312-1 or gb2312"):
        named_characters("gbk")
