"""Weights of PyTorch: what a file holds, what is refused, and what OpenOCR's networks become."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_files import Tensor, TorchPickle, write_pth

from scenetext.errors import InputError
from scenetext.weights.openocr import from_openocr
from scenetext.weights.torch_file import read_pth

NUMBERS = np.arange(12, dtype=np.float32)
WEIGHTS = {
    "float": NUMBERS.reshape(2, 3, 2),
    "half": np.arange(3, dtype=np.float16),
    "double": np.arange(6.0).reshape(2, 3),
    "point": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
}


def test_tensors_become_arrays(tmp_path: Path) -> None:
    shared = ("shared", NUMBERS)
    tensors = {
        **WEIGHTS,
        "bfloat16": np.array([0x3F80, 0xC000], np.uint16),
        "turned": Tensor(shared, 0, (3, 4), (1, 3)),
        "part": Tensor(shared, 5, (2,), (3,)),
    }
    found = read_pth(write_pth(tmp_path / "net.pth", tensors))
    for key, value in WEIGHTS.items():
        assert found[key].dtype == value.dtype and np.array_equal(found[key], value)
    assert found["bfloat16"].tolist() == [1.0, -2.0]
    assert np.array_equal(found["turned"], NUMBERS.reshape(4, 3).T) and found["part"].tolist() == [5.0, 8.0]
    found["part"][0] = 9  # an array of its own
    assert found["turned"][2, 1] == 5.0


def test_the_weights_are_taken_out_of_a_training_checkpoint(tmp_path: Path) -> None:
    checkpoint = {
        "epoch": 3,
        "state_dict": WEIGHTS,
        "optimizer": {"state": {0: {"step": np.array(1.0), "exp_avg": NUMBERS}}, "param_groups": ("lr", 0.1)},
        "config": {"Global": {"epoch_num": 20, "pretrained_model": None, "use_amp": True}},
    }
    assert read_pth(write_pth(tmp_path / "best.pth", checkpoint)).keys() == WEIGHTS.keys()


def test_a_file_that_asks_to_run_something_is_refused_and_nothing_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Attack:
        def __reduce__(self) -> tuple:
            return (Path.touch, (ran,))

    path = write_pth(tmp_path / "net.pth", {}, data_pkl=pickle.dumps({"state_dict": Attack()}, 2))
    with pytest.raises(InputError, match=r"net.pth asks to run .* refused and nothing of it was run"):
        read_pth(path)
    assert not ran.exists()


def reference(text: bytes) -> bytes:
    """A pickle whose one weight refers to something outside."""
    return b"\x80\x02}X\x01\0\0\0w" + text + b"Qs."


BROKEN = [
    # the content, entries of the zip that are replaced, what is said
    ({"w": Tensor(("0", NUMBERS), 4, (3, 3), (3, 1))}, {}, "reaches beyond its storage"),
    ({"w": Tensor(("0", NUMBERS), -1, (2,), (1,))}, {}, "reaches beyond its storage"),
    ({"w": Tensor(("0", NUMBERS), 0, (2,), (-1,))}, {}, "a shape that is none"),
    ({"w": Tensor(("0", NUMBERS), 0, (2, 2), (1,))}, {}, "has 1 strides"),
    ({"w": Tensor(("0", NUMBERS), 0, (10**6,), (0,))}, {}, "more is made of its bytes"),
    ({"w": NUMBERS}, {"data__0": b"\0" * 47}, "storage of 12 numbers of type float32 holds 47 bytes"),
    ({"w": NUMBERS}, {"data__0": None}, "KeyError"),
    ({"w": NUMBERS}, {"byteorder": b"big"}, "big-endian"),
    ({"w": NUMBERS}, {"data_pkl": None}, "holds 0 entries data.pkl"),
    ({"w": NUMBERS}, {"data_pkl": TorchPickle({"w": NUMBERS}).data[:-9]}, "whole file of PyTorch weights"),
    ({}, {"data_pkl": reference(b"K\x07")}, "a reference is none to a storage"),
    ({}, {"data_pkl": reference(b"(X\x07\0\0\0storageK\1K\2K\3K\4t")}, "a reference is none to a storage"),
    ({"w": np.array([np.nan], np.float32)}, {}, "not finite"),
    ({"w": "text"}, {}, "w is a str, not an array"),
    ((1, 2), {}, "holds a tuple, not a table"),
]


@pytest.mark.parametrize(("value", "entries", "message"), BROKEN, ids=[row[2][:30] for row in BROKEN])
def test_damaged_files_are_named(tmp_path: Path, value: object, entries: dict, message: str) -> None:
    path = write_pth(tmp_path / "net.pth", value, **entries)
    with pytest.raises(InputError, match=f"net.pth.*{message}"):
        read_pth(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = write_pth(tmp_path / "net.pth", WEIGHTS, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        read_pth(path)
    data = write_pth(path, WEIGHTS).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="no file of PyTorch 1.6 or later"):
        read_pth(path)
    path.write_bytes(pickle.dumps(WEIGHTS, 2))  # as before 1.6
    with pytest.raises(InputError, match="no file of PyTorch 1.6 or later"):
        read_pth(path)
    damaged = bytearray(data)
    damaged[data.index(NUMBERS.tobytes()) + 3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="CRC"):
        read_pth(path)
    with pytest.raises(InputError, match="do not exist"):
        read_pth(tmp_path / "nowhere.pth")


def test_a_single_convolution_is_no_sequence_here_and_several_are() -> None:
    weights = {f"encoder.stages.0.blocks.{block}.mixer.{n}.bias": np.zeros(4) for block, n in ((0, 0), (1, 0), (1, 1))}
    assert set(from_openocr(weights)) == {
        "backbone.stages.0.blocks.0.mixer.bias",
        *(f"backbone.stages.0.blocks.1.mixer.{n}.bias" for n in (0, 1)),
    }


@pytest.mark.parametrize(("img_mode", "order"), [("RGB", [2, 1, 0]), ("BGR", [0, 1, 2])])
def test_repsvtrs_colours_are_reversed_as_well(img_mode: str, order: list[int]) -> None:
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    found = from_openocr({"encoder.features.0.0.c.weight": weight}, img_mode)
    np.testing.assert_array_equal(found["backbone.features.0.0.c.weight"], weight[:, order])
