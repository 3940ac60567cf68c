"""The published figures of the Chinese benchmark from its published predictions: `chinese_benchmark.py FOLDER`.

FOLDER is `predictions/` of a checkout of FudanVI/benchmarking-chinese-text-recognition (Chen et al. 2021, arXiv
2112.15093), whose files have lines `index [prediction] [label]`. Prints a Markdown table: the accuracy and 1-NED that
the benchmark's README states, and those of the protocol `chinese-benchmark`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from scenetext.evaluate.protocols import protocol

PUBLISHED = {
    "CRNN": ((54.94, 0.742), (56.21, 0.745), (97.41, 0.995), (48.04, 0.843)),
    "ASTER": ((59.37, 0.801), (57.83, 0.782), (97.59, 0.995), (45.90, 0.819)),
    "MORAN": ((54.68, 0.710), (49.64, 0.679), (91.66, 0.984), (30.24, 0.651)),
    "SAR": ((53.80, 0.738), (50.49, 0.705), (96.23, 0.993), (30.95, 0.732)),
    "SEED": ((45.37, 0.708), (31.35, 0.571), (96.08, 0.992), (21.10, 0.555)),
    "TransOCR": ((67.81, 0.817), (62.74, 0.782), (97.86, 0.996), (51.67, 0.835)),
}
SETS = ("scene", "web", "document", "handwriting")
LINE = re.compile(r"\d+ \[(.*)\] \[(.*)\]")


def read(path: Path) -> tuple[list[str], list[str]]:
    """Predictions and labels of one file."""
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    pairs = [LINE.fullmatch(line).groups() for line in lines]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def main(folder: str) -> None:
    """Scores and prints."""
    print("| network | set | lines | published | protocol |\n|---|---|---|---|---|")
    for network, figures in PUBLISHED.items():
        for name, (accuracy, one_minus_ned) in zip(SETS, figures, strict=True):
            scores = protocol("chinese-benchmark").score(*read(Path(folder, network, f"{network}_{name}.txt")))
            ours = f"{100 * scores.accuracy.value:.2f} / {scores.norm_edit_dis.value:.3f}"
            print(
                f"| {network} | {name} | {scores.lines:,} | {accuracy:.2f} / {one_minus_ned:.3f} | {ours} |", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1])
