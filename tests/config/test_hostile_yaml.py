"""YAML from strangers, as configuration and as inference.yml: one sentence with file and line, in bounded time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scenetext.config import load_config
from scenetext.config.yaml_text import MAX_BYTES, parse
from scenetext.errors import InputError
from scenetext.predict.model_folder import InferenceSettings, read_inference_yml

INFERENCE = """
Global: {model_name: PP-OCRv5_mobile_rec}
PreProcess:
  transform_ops:
  - RecResizeImg: {image_shape: [3, 48, 320]}
PostProcess:
  name: CTCLabelDecode
  character_dict: [a, 1, 010, 1e5, ~, null, true, '', "\\t", -, 中]
"""


def laughs(depth: int) -> str:
    lines = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, depth)]
    return "\n".join(["a0: &a0 [x]", *lines])


def merges(depth: int, width: int = 10) -> str:
    lines = [f"a{i}: &a{i} {{{', '.join([f'<<: *a{i - 1}'] * width)}}}" for i in range(1, depth)]
    return "\n".join(["a0: &a0 {k: v}", *lines])


def as_config(folder: Path, content: bytes) -> object:
    (folder / "inference.yml").write_bytes(content)
    return load_config(folder / "inference.yml")


def as_model(folder: Path, content: bytes) -> object:
    (folder / "inference.yml").write_bytes(content)
    return read_inference_yml(folder)


HOSTILE = {
    "deep list": ("[" * 40_000, "nested too deeply"),
    "deep mapping": ("{a: " * 40_000, "nested too deeply"),
    "deep blocks": ("".join(f"{' ' * i}a:\n" for i in range(500)), "nested too deeply"),
    "deep list in one long line": ("a: " + "[" * 5_000_000, "nested too deeply"),
    "deep by aliases": (
        "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 3000))]), "nested too deeply",
    ),
    "a billion laughs": (laughs(10), "more than 100000 values"),
    "nested merges": (merges(9), "more than 100000 values"),
    "many merges of much": (
        "big: &big {" + ", ".join(f"k{i}: 1" for i in range(20_000)) + "}\nall: {"
        + ", ".join(["<<: *big"] * 50_000) + "}",
        "more than 100000 values",
    ),
    "many empty merges into much": (
        "e: &e {}\nall: {" + ", ".join(f"k{i}: 1, <<: *e" for i in range(60_000)) + "}", "more than 100000 values",
    ),
    "an alias in itself": ("a: &a [*a]", "contains itself"),
    "an alias of nothing": ("a: *b", "names no anchor"),
    "an anchor twice": ("a: &x 1\nb: &x 2", "is given twice"),
    "a merge of a number": ("a: {<<: 5}", "takes a mapping"),
    "two documents": ("a: 1\n---\nb: 2", "a second document"),
    "too many bytes": ("a: " + "x" * MAX_BYTES, "bytes; such a file may have"),
    "a long number": ("a: " + "9" * 5000, "a number of 5000 digits"),
    "a long hexadecimal number": ("a: 0x" + "f" * 5000, "a number of 5002 digits"),
    "a control character": ("a: b\x01c", "not valid YAML .*control characters.* at character 5"),
    "a zero byte": ("a: b\0c", "not valid YAML"),
    "half a surrogate": ('a: "\\ud800"', "not valid YAML"),
    "no character": ('a: "\\U00110000"', "not valid YAML"),
    "no UTF-8": (b"a: \xb5\xea", "is not UTF-8"),
    "an int that is none": ("a: !!int x", "is not what its tag"),
    "an int that is a float": ("a: !!int 1.5", "is not what its tag"),
    "a float that is none": ("a: !!float ''", "is not what its tag"),
    "a truth that is none": ("a: !!bool x", "is not what its tag"),
    "a nothing that is something": ("a: !!null x", "is not what its tag"),
    "a date": ("a: !!timestamp x", "the tag"),
    "bytes": ("a: !!binary x", "the tag"),
    "a set": ("a: !!set {x}", "the tag"),
    "code": ("a: !!python/object/apply:os.system ['touch canary']", "the tag"),
    "a tag of a mapping for a list": ("a: !!map [1]", "the tag"),
    "another version": ("%YAML 9.9\n---\na: 1", "not valid YAML"),
    "a list as a key": ("? [a]\n: 1", "a key must be one word"),
    "a key twice": ("a: 1\na: 2", "is also given at"),
    "a tab": ("a:\n\tb: 1", "spaces, not by tabs"),
    "a tab before a value": ("a:\t5", "spaces, not by tabs"),
}  # fmt: skip


@pytest.mark.parametrize("read", [as_config, as_model])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_yaml_is_refused_at_once_with_its_file(tmp_path: Path, kind: str, read: Callable) -> None:
    content, told = HOSTILE[kind]
    began = time.process_time()
    with pytest.raises(InputError, match=told) as error:
        read(tmp_path, content if isinstance(content, bytes) else content.encode("utf-8"))
    assert time.process_time() - began < 5  # seconds; most take some milliseconds
    assert str(tmp_path / "inference.yml") in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


def test_fifty_thousand_keys_are_one_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"inference\.yml:1: k0 is no known setting"):
        as_config(tmp_path, "".join(f"k{i}: 1\n" for i in range(49_000)).encode())


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "zero", "long"])
@pytest.mark.parametrize("way", ["config", "base"])
def test_a_configuration_that_is_no_file_is_named_and_not_waited_for(tmp_path: Path, kind: str, way: str) -> None:
    name = {"device": "/dev/zero", "zero": "a\0b", "long": "x" * 5000}.get(kind, str(tmp_path / kind))
    if kind == "pipe":
        os.mkfifo(tmp_path / kind)
    elif kind == "folder":
        (tmp_path / kind).mkdir()
    if way == "base":
        (tmp_path / "config.yml").write_text(f'base: "{name}"\n'.replace("\0", "\\0"), encoding="utf-8")
        name = str(tmp_path / "config.yml")
    with pytest.raises(InputError, match="can(not)? be read|does not exist|File name too long"):
        load_config(name)


def test_files_that_extend_each_other_without_end_are_refused(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.yml").write_text(f"base: {number + 1}.yml\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"`base` leads on to .* which is too many"):
        load_config(tmp_path / "0.yml")


@pytest.mark.parametrize(
    "override", ["Global.seed=" + "9" * 5000, "Global.save_model_dir=\udcb5", "Global={" * 999, "Global.infer_img=\x01"]
)
def test_hostile_overrides_are_refused(override: str) -> None:
    with pytest.raises(InputError, match="^-o Global"):
        load_config({}, [override])


def test_a_number_that_python_does_not_spell_is_refused_all_the_same() -> None:
    with pytest.raises(InputError, match="Global.seed must be .*, not a number with thousands of digits"):
        load_config({"Global": {"seed": 10**5000}})


@pytest.mark.parametrize("with_c", [True, False])
def test_values_and_lines_are_the_same_with_and_without_libyaml(monkeypatch, with_c: bool) -> None:
    import yaml

    if not with_c:
        monkeypatch.setattr("scenetext.config.yaml_text._PARSER", yaml.SafeLoader)
    text = "a: &a {b: [1, x, '1'], c: !!str 5}\nd:\n  <<: *a\n  c: ~\ne: [*a, {<<: [*a, {f: yes}]}]\n"
    value, lines = parse(text, "here")
    own = {"b": [1, "x", "1"], "c": "5"}
    assert value == {"a": own, "d": {**own, "c": None}, "e": [own, {**own, "f": True}]}
    assert value["a"]["b"] is not value["d"]["b"]  # nothing is shared
    assert (lines["a",], lines["d", "c"], lines["e", 0]) == ("here:1", "here:4", "here:1")
    for wrong in ("[" * 2000, "\ta: 1", "a: \x01"):
        with pytest.raises(InputError, match="here"):
            parse(wrong, "here")


def test_characters_are_read_as_they_are_written(tmp_path: Path) -> None:
    """YAML makes numbers, truths and nothing of some of them."""
    settings = as_model(tmp_path, INFERENCE.encode())
    assert settings.charset.characters[:-1] == ("a", "1", "010", "1e5", "~", "null", "true", "", "\t", "-", "中")
    settings.write(tmp_path)
    assert read_inference_yml(tmp_path) == settings


@pytest.mark.parametrize(
    ("part", "other", "told"),
    [
        ("{model_name: PP-OCRv5_mobile_rec}", "hello", "Global is 'hello', not a mapping"),
        ("PP-OCRv5_mobile_rec", "[1]", "Global.model_name is .1., not a name"),
        ("[3, 48, 320]", "[3, 0, 320]", "image_shape must be a list of 3 whole numbers: .* not .3, 0, 320."),
        ("[3, 48, 320]", "[3, -48, 320]", "image_shape must be"),
        ("[3, 48, 320]", "[true, true, true]", "image_shape must be"),
        ("[3, 48, 320]", "[3, 48, 1000000000000]", "image_shape must be"),
        ("[3, 48, 320]", "[1, 48, 320]", "image_shape must be"),
        ("[3, 48, 320]", "[3, 48]", "image_shape must be"),
        ("[3, 48, 320]", "x", "image_shape must be"),
        ("CTCLabelDecode", "[1]", "names the decoder PostProcess.name .1.; CTCLabelDecode"),
        ("CTCLabelDecode", "{}", "names the decoder PostProcess.name {}; CTCLabelDecode"),
        ("[a, 1, 010, 1e5, ~, null, true, '', \"\\t\", -, 中]", "5", "character_dict is 5, not a list of characters"),
        ("[a, 1, 010, 1e5, ~, null, true, '', \"\\t\", -, 中]", "[[a]]", "character_dict is ..'a'.., not a list"),
        ("[a, 1, 010, 1e5, ~, null, true, '', \"\\t\", -, 中]", "[" + "a" * 101 + "]", "which is no character"),
        ("transform_ops", "transform_op", "lacks PreProcess.transform_ops"),
        ("RecResizeImg", "Resize", "has no PreProcess.transform_ops.RecResizeImg.image_shape"),
    ],
)  # fmt: skip
def test_a_wrong_entry_of_inference_yml_is_named_with_its_value(
    tmp_path: Path, part: str, other: str, told: str
) -> None:
    assert part in INFERENCE
    with pytest.raises(InputError, match=told) as error:
        as_model(tmp_path, INFERENCE.replace(part, other).encode())
    assert re.match(re.escape(str(tmp_path / "inference.yml")), str(error.value))


def test_the_largest_dictionary_is_read_in_a_second(tmp_path: Path) -> None:
    settings = as_model(tmp_path, INFERENCE.encode())
    from scenetext.text.charset import Charset, charset_path

    charset = Charset.from_file(charset_path("ppocrv6"), use_space_char=True)
    InferenceSettings(settings.model_name, settings.canvas, charset).write(tmp_path)
    began = time.process_time()
    assert read_inference_yml(tmp_path).charset == charset
    assert time.process_time() - began < 3  # 0.3 s where nothing else runs


def test_a_key_of_absurd_length_is_refused_at_once_and_shown_cut(tmp_path: Path) -> None:
    started = time.process_time()
    with pytest.raises(InputError, match="is no known setting") as error:
        as_config(tmp_path, b"Optimizer:\n  lr:\n    " + b"? " + b"name_" * 80_000 + b"\n    : 1\n")
    assert len(str(error.value)) < 1000 + len(str(tmp_path)) and time.process_time() - started < 5
