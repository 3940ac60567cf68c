"""Small labelled data sets for tests, drawn on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

DIGITS = "0123456789"


def draw_digits(folder: Path, count: int, seed: int = 0, longest: int = 6, shortest: int = 1) -> Path:
    """Draws `count` lines of digits into folder/images and folder/train.txt; the dictionary is folder/charset.txt."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        text = "".join(rng.choice(list(DIGITS), int(rng.integers(shortest, longest + 1))))
        image = np.full((32, 20 * len(text) + 8, 3), int(rng.integers(170, 255)), np.uint8)
        cv2.putText(image, text, (4, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.95, (30, 30, 30), 2)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        rows.append(f"{number}.png\t{text}\n")
    (folder / "train.txt").write_text("".join(rows), encoding="utf-8")
    (folder / "charset.txt").write_text("".join(c + "\n" for c in DIGITS), encoding="utf-8")
    return folder


PP_OCRV6_TINY = {
    "Backbone": {"name": "PPLCNetV4", "model_size": "tiny"},
    "Head": {"name": "MultiHead", "head_list": [{"CTCHead": {"Neck": {"name": "reshape"}, "Head": {"fc_decay": 0.0}}}]},
}


def tiny_config(folder: Path, **settings) -> dict:
    """A small CRNN on `draw_digits`' folder; `settings` are Global's."""
    dataset = {
        "name": "SimpleDataSet",
        "data_dir": str(folder / "images"),
        "label_file_list": [str(folder / "train.txt")],
        "transforms": [{"RecResizeImg": {"image_shape": [3, 32, 128]}}],
    }
    return {
        "Global": {
            "epoch_num": 2,
            "seed": 7,
            "print_batch_step": 1,
            "eval_batch_epoch": 1,
            "character_dict_path": str(folder / "charset.txt"),
            "use_space_char": False,
            "use_visualdl": False,
            **settings,
        },
        "Optimizer": {"name": "Adam", "lr": {"name": "Cosine", "learning_rate": 2e-3, "warmup_epoch": 0}},
        "Architecture": {
            "Backbone": {"name": "MobileNetV3", "scale": 0.35, "model_name": "small", "small_stride": [1, 2, 2, 2]},
            "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 16},
            "Head": {"name": "CTCHead", "fc_decay": 0.0},
        },
        "Loss": {"name": "CTCLoss"},
        "Metric": {"name": "RecMetric", "main_indicator": "acc"},
        "Train": {
            "dataset": dataset,
            "sampler": {"name": "WidthBucketSampler", "max_width": 256},
            "loader": {"batch_size_per_card": 4},
        },
        "Eval": {"dataset": dataset},
    }


def draw_photos(folder: Path, count: int, seed: int = 0) -> Path:
    """Draws `count` photos of 96 x 128 pixels with two white signs each, and folder/label.txt for a detector."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        image = np.full((96, 128, 3), rng.integers(0, 120, 3), np.uint8)
        boxes = []
        for row in range(2):
            left, top = int(rng.integers(4, 50)), 8 + 44 * row + int(rng.integers(0, 8))
            cv2.rectangle(image, (left, top), (left + 60, top + 20), (255, 255, 255), -1)
            points = [[left, top], [left + 60, top], [left + 60, top + 20], [left, top + 20]]
            boxes.append({"transcription": "出口", "points": points})
        cv2.imwrite(str(folder / f"{number}.png"), image)
        rows.append(f"{number}.png\t{json.dumps(boxes, ensure_ascii=False)}\n")
    (folder / "label.txt").write_text("".join(rows), encoding="utf-8")
    return folder


def detector_config(folder: Path, **settings) -> dict:
    """RepSVTR's detector on `draw_photos`' folder; `settings` are Global's."""
    dataset = {
        "name": "SimpleDataSet",
        "data_dir": str(folder),
        "label_file_list": [str(folder / "label.txt")],
    }
    size = {"EastRandomCropData": {"size": [64, 64]}}
    train = [{"DetLabelEncode": None}, {"CopyPaste": None}, {"IaaAugment": None}, size]
    return {
        "Global": {
            "epoch_num": 2,
            "seed": 7,
            "print_batch_step": 1,
            "eval_batch_epoch": 1,
            "use_visualdl": False,
            **settings,
        },
        "Optimizer": {"name": "Adam", "lr": {"name": "Const", "learning_rate": 1e-3}},
        "Architecture": {
            "model_type": "det",
            "Backbone": {"name": "RepSVTR_det"},
            "Neck": {"name": "RSEFPN", "out_channels": 96},
            "Head": {"name": "DBHead"},
        },
        "Loss": {"name": "DBLoss"},
        "PostProcess": {"name": "DBPostProcess", "box_thresh": 0.6, "unclip_ratio": 1.5},
        "Metric": {"name": "DetMetric"},
        "Train": {
            "dataset": {**dataset, "transforms": train},
            "loader": {"batch_size_per_card": 4},
        },
        "Eval": {
            "dataset": {
                **dataset,
                "transforms": [{"DetLabelEncode": None}, {"DetResizeForTest": {"limit_side_len": 96}}],
            }
        },
    }
