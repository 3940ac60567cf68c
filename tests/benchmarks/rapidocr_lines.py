"""Lines per second of RapidOCR and of this package, in turn: `rapidocr_lines.py FOLDER IMAGES [ROUNDS]`.

FOLDER is PP-OCRv6 small exported with all its characters and float32 weights, so that both compute the same network.
RapidOCR (onnxruntime, all cores) runs its default pipeline: it sorts lines by shape and pads every line in a batch to
at least 320 pixels. This package reads every line at its own width. Both turn decoded pictures into texts, after
start-up. The texts are compared with those of RapidOCR's session when it reads each line alone at its own width,
without padding, and with those of RapidOCR's default pipeline.
"""

from __future__ import annotations

import sys
import time
from functools import partial

from scenetext.system.process import prepare_process, usable_cores

prepare_process()

from rapidocr import RapidOCR  # noqa: E402
from rapidocr.ch_ppocr_rec import TextRecInput  # noqa: E402

from scenetext.bench.throughput import in_turn, table  # noqa: E402
from scenetext.data.sources.images import open_images  # noqa: E402
from scenetext.data.transforms import decode_image, to_canvas  # noqa: E402
from scenetext.predict.decode import ctc_greedy  # noqa: E402
from scenetext.predict.recognizer import Recognizer  # noqa: E402


def main(folder: str, images: str, rounds: int) -> None:
    """Measures and prints a table."""
    source = open_images(images)
    pictures = [decode_image(source.read(name), name) for name in source.names()]
    threads = usable_cores()
    settings = {"EngineConfig.onnxruntime.intra_op_num_threads": threads, "Global.log_level": "error"}
    rapid = RapidOCR(params=settings)
    rapid(pictures[0], use_det=False, use_cls=False, use_rec=True)  # loads its recognition model
    theirs = rapid.text_rec
    ours = Recognizer(folder, "onnxruntime")

    def rapidocr() -> list[str]:
        return list(theirs(TextRecInput(img=pictures)).txts)

    def scenetext() -> list[str]:
        return [text for text, _ in ours(pictures)]

    def speed(read) -> float:
        started = time.perf_counter()
        read()
        return len(pictures) / (time.perf_counter() - started)

    read = {"RapidOCR": rapidocr(), "scenetext": scenetext()}
    print(table(in_turn({"RapidOCR": partial(speed, rapidocr), "scenetext": partial(speed, scenetext)}, rounds)))
    session = theirs.session
    alone = []
    for picture in pictures:
        line = ours.fit(picture)
        alone += ctc_greedy(session(to_canvas([line.image], line.canvas_px)), ours.charset, probabilities=True)
    others = {"its session's, each line alone": [text for text, _ in alone], "RapidOCR's": read["RapidOCR"]}
    for name, texts in others.items():
        same = sum(a == b for a, b in zip(read["scenetext"], texts, strict=True))
        print(f"texts equal to {name}: {same} of {len(pictures)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3)
