"""Valid files of every kind that strangers send, small, and pieces that hostile ones hold."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import sys
import tarfile
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parents[1] / "configs"
sys.path.append(str(HERE.parent))  # of what tests share
TEXTS = ("店", "停车场", "Open 24h", '5"屏', "a,b", "（周一）", "é́", "0")
HUGE = "9" * 5000
DATE = (2026, 1, 1, 0, 0, 0)  # of entries of archives, so that a seed always gives the same bytes

TEXT_WORDS = (
    b"\t", b"\t\t", b'"', b'""', b",", b"\r", b"\r\n", b"\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xb5\xea",
    b"\x81\x30\x81\x30", "\u2028".encode(), b"\xed\xa0\x80", b'["0.jpg", "1.jpg"]\t', b'[{"transcription": "A"}]',
    b"../../x.jpg", b"/dev/zero", b"\x1b[2J", "e\u0301".encode(), "\U000e0001".encode(),
)  # fmt: skip
YAML_WORDS = (
    b"[", b"{", b"]", b"}", b": ", b"- ", b"\n", b"\t", b"&a ", b"*a", b"<<: *a", b"!!int x", b"!!float ''",
    b"!!bool x", b"!!timestamp x", b"!!python/object/apply:os.system ['touch canary']", b"!!binary x", b"!!set {}",
    b"? ", b"|\n", b">\n", b"%YAML 1.3\n---\n", b"---\n", b"...\n", b"\x01", b"\0", b'"\\U00110000"', b'"\\0"', b"'",
    b".inf", b".nan", b"-1", b"0", b"1e400", HUGE.encode(), b"2020-99-99", b"null", b"~", b"[]", b"{}", b"true",
    b"base: /dev/zero\n", b"\xff", b"!<tag:yaml.org,2002:str> ", b"[1, 2, 3]", b"name: ", b"''",
)  # fmt: skip
ZIP_WORDS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"../", b"/", b"\0\0\0\0", b"\xff\xff\xff\xff")
TAR_WORDS = (
    b"ustar\0", b"ustar  \0", b"\x1f\x8b\x08", b"\0" * 512, b"../../x", b"/etc/x", b"7777777777",
    b"\x80" + b"\xff" * 11, b"30 path=../../x\n", b"20 size=99999999999\n", b"12 GNU.sparse.map=0,9\n", b"2", b"L",
    b"K", b"S", b"x", b"g",
)  # fmt: skip
LMDB_WORDS = (
    b"num-samples",
    b"image-000000001",
    b"label-000000001",
    b"\xde\xc0\xef\xbe",
    b"\xff" * 8,
    b"\0" * 16,
    b"9" * 30,
)
PICTURE_WORDS = (
    b"IHDR", b"IDAT", b"eXIf", b"acTL", b"\xff\xd8", b"\xff\xda", b"\xff\xc2", b"\xff\xe1", b"Exif\0\0", b"II*\0",
    b"MM\0*", b"RIFF", b"WEBPVP8X", b"GIF89a", b"BM", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xffO\xffQ", b"\x7f\xff\xff\xff",
)  # fmt: skip
PICKLE_WORDS = (
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"(S'touch canary'\ntR", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"R",
    b"b", b"q\0", b"h\0", b"r\xff\xff\xff\x0f", b"\x94", b"\x85", b"\x86", b"\x87", b"t", b"(", b")", b"]", b"}",
    b"a", b"e", b"s", b"u", b"N", b"K\5", b"\x8e\xff\xff\xff\xff\0\0\0\0", b"X\xff\xff\xff\x7f",
    b"\x8a\xff" + b"\xff" * 255, b"ccollections\nOrderedDict\n)R", b"c_codecs\nencode\n",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n", b"\x93", b"0", b"1", b"2",
    b"\x82\1", b"i__main__\nX\n", b"o", b"\x81", b"Q", b"P1\n", b"cnumpy.core.numeric\n_frombuffer\n",
    b"U\4\xff\xff\xff\x7f", b".",
)  # fmt: skip
ONNX_WORDS = (
    b"\x0a", b"\x12", b"\xff\xff\xff\xff\x0f", b"\x08\x80\x80\x80\x80\x10", b"../../etc/passwd", b"location", b"Conv",
    b"BatchNormalization", b"Mul", b"Add", b"Constant", b"pads", b"\x70\x01",
)  # fmt: skip
NGRAM_WORDS = (
    b"\t",
    b"\n",
    b"Infinity",
    b"-1",
    b"0",
    b"1e400",
    b"[" * 1000,
    HUGE.encode(),
    b'"',
    b"{",
    b"}",
    b"\\ud800",
    b"null",
    b"\xff",
    b"true",
)


@functools.cache
def csv() -> Sequence[bytes]:
    text = "name,value\n" + "".join(f'{i}.jpg,"{text.replace(chr(34), chr(34) * 2)}"\n' for i, text in enumerate(TEXTS))
    plain = "name,value\n1.jpg,店\n2.jpg,停车场\n"
    return [
        text.encode(),
        plain.encode("gbk"),
        plain.encode("gb18030"),
        text.encode("utf-16"),
        b"\xef\xbb\xbf" + text.encode(),
    ]


@functools.cache
def labels() -> Sequence[bytes]:
    text = "".join(f"images/{i}.jpg\t{text}\n" for i, text in enumerate(TEXTS))
    return [text.encode(), text.replace("\n", "\r\n").encode(), "1.jpg\t店\n".encode("gbk"), text.encode("utf-16")]


@functools.cache
def predictions() -> Sequence[bytes]:
    rows = "".join(f"images/{i}.jpg\t{text}\t0.{i}5\n" for i, text in enumerate(TEXTS))
    return [rows.encode(), b"new_name\tvalue\n" + labels()[0], rows.replace("\n", "\r\n").encode(), *labels()[2:]]


@functools.cache
def evaluations() -> Sequence[bytes]:
    header = "name,target,prediction,confidence,correct_raw,correct_normalised,width_px,height_px\n"
    return [f'{header}1.jpg,店,"店,""",0.75,0,0,120,48\n2.jpg,停车场,停车埸,,0,0,0,0\n'.encode(), *csv()]


@functools.cache
def yaml() -> Sequence[bytes]:
    from paddleocr_files import CRNN, TWO_HEADS

    texts = [CRNN.encode(), TWO_HEADS.encode(), (CONFIGS / "base_ctc.yml").read_bytes()]
    aliases = b"Global: &a {epoch_num: 3}\nOptimizer: {name: Adam, lr: &l {learning_rate: 1.0e-3}}\nx: {<<: [*a, *l]}\n"
    laughs = b"a: &a [1, 2]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
    )
    merges = b"a0: &a0 {k: v}\n" + b"".join(
        b"a%d: &a%d {%s}\n" % (i, i, b", ".join([b"<<: *a%d" % (i - 1)] * 10)) for i in range(1, 9)
    )
    return [*texts, *texts, aliases, laughs, merges]


@functools.cache
def dictionary() -> Sequence[bytes]:
    return [
        b"a\nb\n \n",
        "店\n停\n\u3000\n".encode(),
        b"\xef\xbb\xbfa\r\nb\r\n",
        "".join(f"{chr(c)}\n" for c in range(0x4E00, 0x4F00)).encode(),
    ]


@functools.cache
def zips() -> Sequence[bytes]:
    found = []
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", packing) as archive:
            for name in ("0.png", "a/1.png", "店.png"):
                archive.writestr(zipfile.ZipInfo(name, DATE), pictures()[0], packing)
            archive.comment = b"a comment"
        found.append(file.getvalue())
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("bomb.png", DATE), bytes(3_000_000), zipfile.ZIP_DEFLATED)
        with archive.open(zipfile.ZipInfo("big.png", DATE), "w", force_zip64=True) as entry:
            entry.write(b"x")
    return [*found, bomb.getvalue()]


@functools.cache
def tars() -> Sequence[bytes]:
    found = []
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=form) as archive:
            long = ["长" * 80 + ".txt"] if form != tarfile.USTAR_FORMAT else []
            for name in ("best_accuracy.pdparams", "a/b.txt", *long):
                info = tarfile.TarInfo(name)
                info.size = 700
                archive.addfile(info, io.BytesIO(bytes(700)))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "../../x"
            if form == tarfile.GNU_FORMAT:
                archive.addfile(link)
        found.append(file.getvalue())
    return [*found, gzip.compress(found[-1], mtime=0)]


@functools.cache
def lmdbs() -> Sequence[bytes]:
    import lmdb

    found = []
    for count, extra in ((3, 0), (60, 6000)):
        with tempfile.TemporaryDirectory() as folder:
            environment = lmdb.open(folder, map_size=1 << 22)
            with environment.begin(write=True) as transaction:
                for number in range(1, count + 1):
                    transaction.put(b"image-%09d" % number, pictures()[0] + bytes(extra))
                    transaction.put(b"label-%09d" % number, "店".encode())
                transaction.put(b"num-samples", b"%d" % count)
            environment.close()
            found.append(Path(folder, "data.mdb").read_bytes())
    return found


@functools.cache
def pictures() -> Sequence[bytes]:
    from PIL import Image

    numbers = np.random.default_rng(0).integers(0, 255, (12, 30, 4)).astype(np.uint8)
    colour, transparent = Image.fromarray(numbers[..., :3]), Image.fromarray(numbers)
    exif = Image.Exif()
    exif[0x0112] = 6
    animation = {"save_all": True, "append_images": [colour.convert("P")]}
    forms = [
        ("PNG", colour, {}),
        ("PNG", transparent, {}),
        ("PNG", colour.convert("P"), {}),
        ("PNG", colour.convert("I;16"), {}),
        ("PNG", colour, {"exif": exif}),
        ("JPEG", colour, {"exif": exif}),
        ("JPEG", colour, {"progressive": True}),
        ("JPEG", colour.convert("CMYK"), {}),
        ("GIF", colour.convert("P"), animation),
        ("WEBP", transparent, {"exif": exif}),
        ("BMP", colour, {}),
        ("TIFF", colour, {}),
        ("TIFF", colour, {"compression": "tiff_lzw"}),
        ("JPEG2000", colour, {}),
        ("PPM", colour, {}),
    ]
    found = []
    for form, picture, options in forms:
        file = io.BytesIO()
        try:
            picture.save(file, form, **options)
        except (OSError, KeyError, ValueError):
            continue  # Pillow was built without it
        found.append(file.getvalue())
    return found


class RunsCode:
    """Pickles as a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch canary",)


@functools.cache
def pdparams() -> Sequence[bytes]:
    weights = {
        "backbone.conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
        "head.fc.bias": np.ones(5, np.float32),
        "half": np.arange(3, dtype=np.uint16),
        "StructuredToParameterName@@": {"head.fc.bias": "linear_0.b_0"},
    }
    states = {"epoch": 3, "best_model_dict": {"acc": np.float64(0.5)}, "names": ("a", [1, 2**40, None, True])}
    contents = (weights, states, OrderedDict(weights), {"a": RunsCode()}, {"a": ("name", np.ones(2))})
    return [pickle.dumps(content, protocol) for content in contents for protocol in (2, 4, 5)]


@functools.cache
def pth() -> Sequence[bytes]:
    from torch_files import Tensor, write_pth

    weights = {
        "encoder.conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
        "steps": np.array(7, np.int64),
    }
    shared = Tensor(("0", np.arange(6, dtype=np.float16)), 1, (2, 2), (1, 2))
    contents = (weights, {"state_dict": {"half": shared}, "epoch": 3, "config": {"use_amp": True, "lr": 0.1}})
    found = []
    with tempfile.TemporaryDirectory() as folder:
        found += [write_pth(Path(folder) / "net.pth", content).read_bytes() for content in contents]
        attack = pickle.dumps({"a": RunsCode()}, 2)
        found.append(write_pth(Path(folder) / "net.pth", weights, data_pkl=attack).read_bytes())
    return found


@functools.cache
def inference() -> Sequence[bytes]:
    text = (
        "Global:\n  model_name: PP-OCRv5_mobile_rec\nPreProcess:\n  transform_ops:\n"
        "  - DecodeImage:\n      img_mode: BGR\n"
        "  - RecResizeImg:\n      image_shape: [3, 48, 320]\nPostProcess:\n  name: CTCLabelDecode\n  character_dict:\n"
    )
    laughs = b"a: &a [1, 2]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)
    )
    characters = "".join(f"  - '{chr(c)}'\n" for c in range(0x4E00, 0x4E40))
    return [
        (text + "  - a\n  - b\n  - 1\n  - ~\n").encode(),
        (text + characters).encode(),
        laughs + text.encode() + b"  - *j\n",
    ]


@functools.cache
def onnx() -> Sequence[bytes]:
    from onnx import TensorProto, helper, numpy_helper

    def tensor(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(np.ones(shape, np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Mul", ["r", "one"], ["p"]),
        helper.make_node("Add", ["p", "two"], ["q"]),
        helper.make_node("Conv", ["q", "w2", "b2"], ["d"]),
        helper.make_node("Constant", [], ["k"], value=tensor("k", 3, 2)),
        helper.make_node("MatMul", ["d", "k"], ["y"]),
    ]
    weights = [
        tensor("w", 2, 3, 3, 3),
        *(tensor(name, 2) for name in "gbmv"),
        tensor("one"),
        tensor("two"),
        tensor("w2", 3, 2, 1, 1),
        tensor("b2", 3),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights))
    with_characters = helper.make_model(helper.make_graph(nodes[:1], "g", ends[:1], ends[1:], weights[:1]))
    helper.set_model_props(with_characters, {"character": "a\nb\n店"})
    outside = helper.make_model(helper.make_graph(nodes[:1], "g", ends[:1], ends[1:], weights[:1]))
    weight = outside.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "../../../../../../etc/passwd"
    return [one.SerializeToString() for one in (model, with_characters, outside)]


@functools.cache
def ngram() -> Sequence[bytes]:
    header = json.dumps({"format": "scenetext character n-grams", "order": 3})
    return [
        (header + '\n3\t"\\n店"\n1\t"店a\\n"\n2\t"aab"\n').encode(),
        (header + "\n" + "".join(f'{i + 1}\t"{chr(0x4E00 + i)}"\n' for i in range(99))).encode(),
    ]
