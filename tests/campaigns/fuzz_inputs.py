"""From valid files to damaged and hostile ones: a strategy of hypothesis for every reader."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import yaml
from fuzz_readers import READERS, Reader
from hypothesis import strategies as st

EDITS = (0, 1, 1, 1, 1, 2, 2, 3, 6)  # how many a file gets; files with many are refused early
DEPTHS = (2, 50, 1000, 40_000)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
SPELT = (
    b"0",
    b"-1",
    b"1e999",
    b"-0.5",
    b"2147483648",
    b"99999999999999999999",
    b"9" * 5000,
    b"0x1f",
    b"1_000",
    b"\xd9\xa1",
    b"NaN",
    b"true",
)
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1e308, 1e-320, float("inf"), float("nan"), "", "a", "\0",
    "a" * 3000, [], {}, [[]], [0, 0], [-1, 5], [1.5, "x"], [[320, 32]], [[10**9, 10**9]], {"name": None},
    {"name": [1]}, {"name": "x"}, {"": 1}, [{"a": 1, "b": 2}], [None], [1] * 300, "../../etc/passwd", "/dev/zero",
    "0x1f", "1e5", "5", "true",
)  # fmt: skip
EDIT_KINDS = ("flip", "set", "cut", "truncate", "word", "bytes", "number", "nest", "repeat", "splice", "move")
GRAPH_KINDS = ("dims", "type", "raw", "operator", "input", "output", "attribute", "remove", "repeat", "text")
SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SAFE_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DIGITS = re.compile(rb"\d+")


@st.composite
def inputs(draw: st.DrawFn, reader: Reader) -> bytes:
    """A valid file with some edits, none of which knows of the others."""
    bases = reader.bases()
    data = draw(st.sampled_from(bases))
    for _ in range(draw(st.sampled_from(EDITS))):
        data = _edited(draw, data, reader, bases)
    return data


def _edited(draw: st.DrawFn, data: bytes, reader: Reader, bases: list[bytes]) -> bytes:
    at = draw(st.integers(0, len(data)))
    end = min(len(data), at + draw(st.sampled_from((1, 2, 4, 8, 40, 400, len(data)))))
    kind = draw(st.sampled_from(EDIT_KINDS))
    if kind == "flip" and at < len(data):
        return data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
    if kind == "set":
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if kind == "cut":
        return data[:at] + data[end:]
    if kind == "truncate":
        return data[:at]
    if kind == "word" and reader.words:
        return data[:at] + draw(st.sampled_from(reader.words)) + data[draw(st.sampled_from((at, end))) :]
    if kind == "bytes":
        return data[:at] + draw(st.binary(min_size=1, max_size=20)) + data[draw(st.sampled_from((at, end))) :]
    if kind == "number":
        return _with_number(draw, data, at, reader.is_text)
    if kind == "nest":
        opening = draw(st.sampled_from(reader.words or (b"[",)))[:40]
        return data[:at] + opening * draw(st.sampled_from(DEPTHS)) + data[at:]
    if kind == "repeat":
        return (
            data[:at]
            + data[at:end] * min(draw(st.sampled_from((2, 10, 1000))), 1 + 200_000 // max(1, end - at))
            + data[end:]
        )
    if kind == "splice":
        other = draw(st.sampled_from(bases))
        start = draw(st.integers(0, len(other)))
        return data[:at] + other[start : start + end - at] + data[end:]
    to = draw(st.integers(0, len(data)))
    return data[:to] + data[at:end] + data[to:]


def _with_number(draw: st.DrawFn, data: bytes, at: int, is_text: bool) -> bytes:
    """A number replaced: one that is spelt in digits, or bytes by one that is extreme."""
    if is_text or draw(st.booleans()):
        found = _DIGITS.search(data, at) or _DIGITS.search(data)
        if found is None:
            return data
        return data[: found.start()] + draw(st.sampled_from(SPELT)) + data[found.end() :]
    size = draw(st.sampled_from((1, 2, 4, 8)))
    number = draw(st.sampled_from(NUMBERS)) & (1 << 8 * size) - 1
    return data[:at] + number.to_bytes(size, draw(st.sampled_from(("little", "big")))) + data[at + size :]


@st.composite
def changed_settings(draw: st.DrawFn, texts: list[bytes]) -> bytes:
    """YAML that is well formed, with values of the wrong kind or beyond every range."""
    content = yaml.load(draw(st.sampled_from(texts)), Loader=SAFE)
    for _ in range(draw(st.integers(1, 3))):
        parents = [(parent, key) for parent in _containers(content) for key in _keys(parent)]
        if not parents:
            break
        parent, key = parents[draw(st.integers(0, len(parents) - 1))]
        if isinstance(parent, dict) and draw(st.integers(0, 5)) == 0:
            parent[draw(st.sampled_from(("name", "no_such_key", 5, "", "base")))] = parent.pop(key)
        else:
            own = st.integers() | st.floats() | st.text(max_size=5)
            parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES))) if draw(st.booleans()) else draw(own)
    return yaml.dump(content, Dumper=SAFE_DUMPER, allow_unicode=draw(st.booleans())).encode("utf-8", "surrogatepass")


def _containers(content: Any) -> Iterator[Any]:
    if isinstance(content, (dict, list)):
        yield content
        for below in content.values() if isinstance(content, dict) else content:
            yield from _containers(below)


def _keys(parent: Any) -> list[Any]:
    return list(parent) if isinstance(parent, dict) else list(range(len(parent)))


def opcodes() -> st.SearchStrategy[bytes]:
    """Pickles of known opcodes in any order."""
    steps = st.lists(st.sampled_from(READERS["pdparams"].words), min_size=1, max_size=40)
    return steps.map(lambda pieces: b"\x80\2" + b"".join(pieces) + b".")


@st.composite
def changed_graphs(draw: st.DrawFn) -> bytes:
    """ONNX models that are well formed, with parts missing, repeated, renamed or of other sizes."""
    from onnx import ModelProto

    model = ModelProto.FromString(draw(st.sampled_from(READERS["onnx"].bases())))
    graph = model.graph
    for _ in range(draw(st.integers(1, 4))):
        node = draw(st.sampled_from(list(graph.node))) if graph.node else graph.node.add()
        tensor = draw(st.sampled_from(list(graph.initializer))) if graph.initializer else graph.initializer.add()
        kind = draw(st.sampled_from(GRAPH_KINDS))
        if kind == "dims":
            at = draw(st.integers(0, len(tensor.dims)))
            tensor.dims.insert(at, draw(st.sampled_from((0, 1, -1, 7, 2**31, 2**62))))
        elif kind == "type":
            tensor.data_type = draw(st.integers(0, 30))
        elif kind == "raw":
            tensor.raw_data = draw(st.binary(max_size=64)) * draw(st.sampled_from((1, 1000)))
        elif kind == "operator":
            node.op_type = draw(st.sampled_from(("Conv", "BatchNormalization", "Mul", "Add", "Constant", "Clip", "")))
        elif kind in ("input", "output"):
            names = getattr(node, kind)
            names[:] = draw(st.lists(st.sampled_from(("x", "c", "w", "g", "one", "p", "q", "k", "")), max_size=5))
        elif kind == "attribute":
            del node.attribute[:]
        elif kind == "remove":
            graph.node.remove(node)
        elif kind == "repeat":
            graph.node.extend([node] * draw(st.sampled_from((1, 30, 3000))))
        else:
            texts = ("", "\n\n", "a\na", "x" * 100_000, "\n" * 100_000)
            entry = model.metadata_props.add()
            entry.key, entry.value = "character", draw(st.sampled_from(texts))
    return model.SerializeToString()


def strategy(name: str) -> st.SearchStrategy[bytes]:
    """The inputs of a reader by its name."""
    reader = READERS[name]
    if name in ("yaml", "inference"):
        return inputs(reader) | changed_settings(reader.bases()[:2])
    if name == "pdparams":
        return inputs(reader) | opcodes()
    return inputs(reader) | changed_graphs() if name == "onnx" else inputs(reader)
