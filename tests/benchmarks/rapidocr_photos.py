"""Whole photos read by this package and by RapidOCR: `rapidocr_photos.py MODEL PHOTOS [LABELS]`.

MODEL is PP-OCRv6 small exported with all its characters and float32 weights, so that both have the same two networks:
RapidOCR's wheel carries them. Prints seconds, how many texts of one are read the same in the same place by the other,
and with LABELS the scores of both.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

import numpy as np

from scenetext.system.process import prepare_process, usable_cores

prepare_process()

from rapidocr import RapidOCR  # noqa: E402

from scenetext.data.sources.images import open_images  # noqa: E402
from scenetext.data.transforms import decode_image  # noqa: E402
from scenetext.evaluate.end_to_end import PlacedText, end_to_end_scores  # noqa: E402
from scenetext.evaluate.photos import score_photos  # noqa: E402
from scenetext.predict.photo_reader import PhotoReader  # noqa: E402
from scenetext.text.photo_labels import read_photo_labels  # noqa: E402

SETTINGS = {
    "RapidOCR": {},
    "RapidOCR with the same settings": {
        "Det.mean": [0.485, 0.456, 0.406],
        "Det.std": [0.229, 0.224, 0.225],
        "Det.box_thresh": 0.6,
        "Det.unclip_ratio": 1.5,
        "Det.use_dilation": False,
        "Global.use_cls": False,
        "Global.max_side_len": 4000,
    },
}


def line(text: str, confidence: float, points: np.ndarray) -> dict[str, Any]:
    """A text as in `photos.jsonl`, without the detector's score, which RapidOCR does not give."""
    return {"text": text, "confidence": float(confidence), "points": np.asarray(points).tolist()}


def main(model: str, photos: str, labels: str | None) -> None:
    """Reads and prints."""
    source = open_images(photos)
    pictures = {name: decode_image(source.read(name), name) for name in source.names()}
    reader = PhotoReader("wheel:PP-OCRv6_det_small", model)
    read: dict[str, list[dict[str, Any]]] = {}
    started = time.perf_counter()
    texts = reader(list(pictures.values()))
    print(f"scenetext: {time.perf_counter() - started:.1f} s")
    read["scenetext"] = [
        {
            "photo": name,
            "lines": [line(one.text, one.confidence, one.points) for one in each.lines],
            "rejected": [line(one.text, one.confidence, one.points) for one in each.rejected],
        }
        for name, each in zip(pictures, texts, strict=True)
    ]
    for title, settings in SETTINGS.items():
        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": usable_cores(), "Global.log_level": "error"}
        rapid = RapidOCR(params={**threads, **settings})
        started = time.perf_counter()
        read[title] = [record(name, rapid(picture)) for name, picture in pictures.items()]
        print(f"{title}: {time.perf_counter() - started:.1f} s")
        print(f"  {same(read[title], read['scenetext'])}")
    for title, records in read.items() if labels else ():
        print(f"{title}: {score_photos(read_photo_labels(labels), records)}")


def record(name: str, result: Any) -> dict[str, Any]:
    """What RapidOCR read on a photo."""
    if result.boxes is None:
        return {"photo": name, "lines": [], "rejected": []}
    lines = [line(*each) for each in zip(result.txts, result.scores, result.boxes, strict=True)]
    return {"photo": name, "lines": lines, "rejected": []}


def same(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    """How many texts are the same in the same place, and how many whatever their place."""
    placed = anywhere = total = 0
    for their, our in zip(theirs, ours, strict=True):
        sides = [[PlacedText(np.array(one["points"]), one["text"]) for one in each["lines"]] for each in (their, our)]
        placed += end_to_end_scores(*sides).hits
        anywhere += sum((Counter(text for _, text in sides[0]) & Counter(text for _, text in sides[1])).values())
        total += len(sides[0])
    count = sum(len(each["lines"]) for each in ours)
    return f"{total} texts, scenetext {count}: {placed} the same in the same place, {anywhere} the same in any place"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
