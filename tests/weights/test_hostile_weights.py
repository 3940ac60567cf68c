"""Weight files that are damaged or hostile: one sentence that names the file, in bounded time and memory."""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from scenetext.errors import InputError
from scenetext.weights.onnx import read_onnx
from scenetext.weights.pdparams import read_parameter_names, read_pdparams, unpickle_arrays
from scenetext.weights.pickled_arrays import NoWeights
from scenetext.weights.restricted_pickle import MOST_OPCODES, read_pickle

NDARRAY, DTYPE, ORDERED = b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"ccollections\nOrderedDict\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85c_codecs\nencode\n(U\1bU\6latin1tRtR"
FLOAT32 = DTYPE + b"(U\2f4tR"


def number(value: int) -> bytes:
    """The opcode of a whole number of 8 bytes."""
    return b"\x8a\x08" + struct.pack("<q", value)


def state(shape: bytes, data: bytes, dtype: bytes = FLOAT32) -> bytes:
    """A filled array."""
    return RECONSTRUCT + b"(K\1" + shape + dtype + b"\x89U" + bytes([len(data)]) + data + b"tb"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_the_reader_makes_equals_what_was_pickled(protocol: int) -> None:
    content = {
        "c": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "half": np.arange(3, dtype=np.float16),
        "swapped": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 3)),
        "point": np.array(2.5),
        "truth": np.array([True, False]),
        "plain": [
            1,
            -5,
            300,
            2**40,
            -(2**90),
            1.5,
            None,
            True,
            False,
            "文字",
            b"bytes",
            b"",
            (),
            ("a",),
            {"b": {"c": []}},
        ],
        "scalars": (np.float64(0.5), np.int64(-3)),
    }
    data = pickle.dumps(content, protocol)
    found = read_pickle(io.BytesIO(data), len(data))
    assert (
        list(found) == list(content) and found["plain"] == content["plain"] and found["scalars"] == content["scalars"]
    )
    for key in list(content)[:7]:
        np.testing.assert_array_equal(found[key], content[key], strict=key != "swapped", err_msg=key)
    assert read_pickle(io.BytesIO(pickled := pickle.dumps(OrderedDict(a=1), protocol)), len(pickled)) == {"a": 1}


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_paddle_writes_is_read_as_paddle_reads_it(tmp_path: Path, protocol: int) -> None:
    import paddle

    layer = paddle.nn.Linear(3, 2)
    optimiser = paddle.optimizer.Adam(parameters=layer.parameters(), learning_rate=0.1)
    layer(paddle.ones([1, 3])).sum().backward()
    optimiser.step()
    if protocol < 5:
        paddle.save(layer.state_dict(), str(tmp_path / "w.pdparams"), protocol=protocol)
        paddle.save(optimiser.state_dict(), str(tmp_path / "w.pdopt"), protocol=protocol)
    else:  # Paddle writes none, Python may
        for name, content in (("w.pdparams", layer.state_dict()), ("w.pdopt", optimiser.state_dict())):
            arrays = {key: value.numpy() if hasattr(value, "numpy") else value for key, value in content.items()}
            (tmp_path / name).write_bytes(pickle.dumps(arrays, protocol))
    found = read_pdparams(tmp_path / "w")
    assert set(found) == {"weight", "bias"}
    np.testing.assert_array_equal(found["weight"], layer.weight.numpy())
    assert len(unpickle_arrays(tmp_path / "w.pdopt")) >= 8


HOSTILE = {
    # nesting: recursion in C, or in whoever walks through the values
    "tuples as a key": (b"}" + b")" + b"\x85" * 160_000 + b"K\1s", "a dictionary has a tuple as a key"),
    "lists in lists": (b"]" * 1000 + b"a" * 999, "nested too deeply"),
    "a list in itself": (b"]q\0h\0a", "nested too deeply"),
    "marks in marks": (b"(" * 100_000, "nested too deeply"),
    "a billion laughs": (b"]q\0" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(30)), "multiply"),
    # sizes
    "an array of 3 GB": (NDARRAY + number(3_000_000_000) + b"\x85U\2u1\x86R", "made without its numbers"),
    "an array in numpy's way": (NDARRAY + b"K\1\x85R", "made without its numbers"),
    "more values than bytes": (state(b"(" + number(10**9) + b"t", b"\0" * 8), "of shape .1000000000,. and type"),
    "too many values for numpy": (state(b"(" + number(10**18) * 3 + b"t", b"\0" * 8), "of shape"),
    "a negative side": (state(b"(" + number(-2) * 2 + b"t", b"\0" * 16), "a shape that is none"),
    "a side that is a float": (state(b"(G" + struct.pack(">d", 2) + b"t", b"\0" * 8), "a shape that is none"),
    "no shape": (state(b"N", b"\0" * 8), "a shape that is none"),
    "bytes of 4 GB": (b"B\xff\xff\xff\xff", "4294967295 bytes are announced"),
    "a text of 16 EB": (b"\x8d" + b"\xff" * 8, "bytes are announced"),
    "a negative length": (b"T\xff\xff\xff\xff", "-1 bytes are announced"),
    "a memo of 2 GB": (b"Nr\xff\xff\xff\x0f", "remembers what is not there"),
    "the file of CPython's issue 115952": (b"]replace", "remembers what is not there"),
    "the same text 1000 times": (
        b"X" + struct.pack("<I", 50_000) + b"x" * 50_000 + b"q\0" + b"c_codecs\nencode\nh\0\x85R0" * 1000,
        "more is made of its bytes",
    ),
    "steps without end": (b"N0" * (MOST_OPCODES // 2), "steps, which no weights need"),
    # changing what is there
    "a state of a function": (b"cnumpy.core.numeric\n_frombuffer\n}b", "a Function gets a state"),
    "a state of a dictionary": (ORDERED + b")R}U\5itemsK\1sb", "a dict gets a state"),
    "a list filled as a dictionary": (b"]K\1K\2s", "a list is filled as a dict"),
    "an array filled twice": (
        state(b"K\2\x85", b"\0" * 8) + b"(K\1K\1\x85" + FLOAT32 + b"\x89U\4\0\0\0\0tb", "something else",
    ),
    "objects of bytes": (state(b"K\1\x85", b"\0" * 8, DTYPE + b"(U\2O8tR"), "something else"),
    "an unknown type": (state(b"K\1\x85", b"\0" * 8, DTYPE + b"(U\7f8, f8,tR"), "has the type 'f8, f8,'"),
    "a type of parts": (
        state(b"K\1\x85", b"\0" * 4, FLOAT32 + b"(K\3U\1<N(U\1atNJ" + b"\xff" * 4 + b"J" + b"\xff" * 4 + b"K\0tb"),
        "of several parts",
    ),
    "a function as a value": (b"}U\1a" + NDARRAY + b"s", "a function or a type"),
    "a call of a number": (b"K\1)R", "no function"),
    "another encoding": (b"c_codecs\nencode\n(U\1xU\4zliptR", "encoded as something else"),
    "pairs that are none": (ORDERED + b"](K\1K\2e\x85R", "TypeError"),
    # a stack that is not there
    "nothing": (b"", "a value is missing"),
    "no mark": (b"t", "a mark is missing"),
    "an empty memo": (b"h\5", "recalls what is not there"),
    "a value below a mark": (b"N(0", "a value is missing"),
    "an unknown opcode": (b"\xff", "is not used by weights"),
    "an object of a class": (b"\x81", "NEWOBJ is not used by weights"),
    "a persistent name": (b"Px\n", "PERSID is not used by weights"),
    "an extension": (b"\x82\1", "EXT1 is not used by weights"),
    "protocol 9": (b"\x80\x09", "protocol 9"),
    "a name without an end": (b"cnumpy", "a name has no end"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_pickle_that_weights_never_are_is_refused_with_the_files_name(tmp_path: Path, kind: str) -> None:
    body, told = HOSTILE[kind]
    path = tmp_path / "w.pdparams"
    path.write_bytes(b"\x80\x02" + body + b".")
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} is not a whole file of Paddle weights .*{told}"):
        read_pdparams(path)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "numpy.load",
        "numpy.core.multiarray.fromfile",
        "numpy.lib.npyio.NpzFile",
        "numpy.prod",  # modelscan 85 sets attributes of it
        "numpy.__builtins__",  # mindspore 183
        "numpy.f2py.diagnose.run_command",  # ragflow 1240
    ],
)
@pytest.mark.parametrize("form", ["global", "stack", "instance"])
def test_no_other_name_is_looked_up(tmp_path: Path, name: str, form: str) -> None:
    module, _, function = (part.encode() for part in name.rpartition("."))
    # fmt: off
    body = {
        "global": b"c" + module + b"\n" + function + b"\n(U\x0ctouch canaryt" + b"R",
        "stack": b"\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(function)]) + function + b"\x93)R",
        "instance": b"(U\x0ctouch canaryi" + module + b"\n" + function + b"\n",
    }[form]
    # fmt: on
    (tmp_path / "w.pdparams").write_bytes(b"\x80\x02" + body + b".")
    told = "INST is not used by weights" if form == "instance" else f"asks to run {name} while it is read"
    with pytest.raises(InputError, match=re.escape(told)):
        read_pdparams(tmp_path / "w")


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    data = pickle.dumps({"a": np.arange(6.0).reshape(2, 3), "b": "text"}, 2)
    for end in range(len(data)):
        with pytest.raises(NoWeights):
            read_pickle(io.BytesIO(data[:end]), end)


def test_one_array_under_very_many_names_is_refused(tmp_path: Path) -> None:
    """Each name would cost the time of looking at all its numbers, and the memory of a network."""
    array = np.zeros(10_000, np.float32)
    (tmp_path / "w.pdparams").write_bytes(pickle.dumps({f"a{i}": array for i in range(5000)}, 4))
    with pytest.raises(InputError, match="w.pdparams: a.* is one more name for the same numbers"):
        read_pdparams(tmp_path / "w")


@pytest.mark.parametrize("table", [[1], {"a": 1}, {1: "a"}, "text"])
def test_a_table_of_names_that_is_none_is_named(tmp_path: Path, table: object) -> None:
    (tmp_path / "w.pdparams").write_bytes(pickle.dumps({"StructuredToParameterName@@": table}, 2))
    with pytest.raises(InputError, match="w.pdparams: StructuredToParameterName@@ is no table of names"):
        read_parameter_names(tmp_path / "w")


@pytest.mark.parametrize("read", [read_pdparams, read_onnx])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_has_no_end_is_not_waited_for(tmp_path: Path, read, kind: str) -> None:
    import os

    path = tmp_path / "w.pdparams"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="w.pdparams cannot be read"):
        read(path)


def graph_bytes(*nodes, tensors=(), characters: str | None = None) -> bytes:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    model = helper.make_model(helper.make_graph(list(nodes), "g", ends[:1], ends[1:], list(tensors)))
    if characters is not None:
        helper.set_model_props(model, {"character": characters})
    return model.SerializeToString()


def damaged_onnx(kind: str) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    conv = helper.make_node("Conv", ["x", "w"], ["y"])
    weight = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w")
    good = graph_bytes(conv, tensors=[weight])
    if kind in ("outside", "outside but named data"):
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL if kind == "outside" else TensorProto.DEFAULT
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "../../../../etc/passwd"
    elif kind == "false dims":
        weight.dims[0] = 2**40
    elif kind == "unknown type":
        weight.data_type = 99
    elif kind == "not finite":
        weight = numpy_helper.from_array(np.full((2, 3, 1, 1), np.nan, np.float32), "w")
    if kind == "folded a million times":
        weight = numpy_helper.from_array(np.ones((500, 300, 1, 1), np.float32), "w")
        statistics = [numpy_helper.from_array(np.ones(500, np.float32), name) for name in "gbmv"]
        nodes = [helper.make_node("BatchNormalization", ["y", *"gbmv"], ["y"]) for _ in range(3000)]
        return graph_bytes(conv, *nodes, tensors=[weight, *statistics])
    return {
        "html": b"<!DOCTYPE html><html><body>404</body></html>",
        "noise": bytes(range(256)) * 9,
        "empty": b"",
        "cut": good[: len(good) // 2],
        "no weights": graph_bytes(helper.make_node("Relu", ["x"], ["y"])),
        "convolution without a weight": graph_bytes(helper.make_node("Conv", ["x"], ["y"]), tensors=[weight]),
        "node without an output": graph_bytes(helper.make_node("Mul", ["x", "w"], []), tensors=[weight]),
        "normalisation of one tensor": graph_bytes(
            conv, helper.make_node("BatchNormalization", ["y", "w"], ["z"]), tensors=[weight]
        ),
        "constant without a value": graph_bytes(helper.make_node("Constant", [], ["k"])),
    }.get(kind) or (b"" if kind == "empty" else graph_bytes(conv, tensors=[weight]))  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("html", "is not the ONNX model of a text recogniser"),
        ("noise", "is not the ONNX model of a text recogniser"),
        ("empty", "holds no weights"),
        ("cut", "is not the ONNX model of a text recogniser"),
        ("no weights", "holds no weights"),
        ("outside", "keeps the weights 'w' in another file"),
        ("outside but named data", "keeps the weights 'w' in another file"),
        ("false dims", "state sizes that the file has no room for"),
        ("unknown type", "is not the ONNX model of a text recogniser"),
        ("not finite", "tensor 1 holds numbers that are not finite"),
        ("folded a million times", "uses the same weights too often"),
        ("convolution without a weight", "is not the ONNX model of a text recogniser"),
        ("node without an output", "is not the ONNX model of a text recogniser"),
        ("normalisation of one tensor", "is not the ONNX model of a text recogniser"),
        ("constant without a value", "is not the ONNX model of a text recogniser"),
    ],
)
def test_an_onnx_file_that_is_no_recogniser_is_refused_with_its_name(tmp_path: Path, kind: str, told: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(damaged_onnx(kind))
    with pytest.raises(InputError, match=told) as error:
        read_onnx(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
