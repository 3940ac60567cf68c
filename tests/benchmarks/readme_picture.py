"""Makes the README's pictures from a finished demo: `readme_picture.py [RUN] [RAW] [OUT]`.

    make demo
    python tests/benchmarks/readme_picture.py runs/demo data/demo/raw notebooks/readme.png

On the left are the first test lines of the drawn sample that are neither very short nor very long, in the order of
their names, each with what the exported folder read; a wrong reading is red, with the label after it. On the right is
the accuracy on the validation lines at each budget. The second picture, `OUT` with `_ctc` in its name, is the one of
CTC's path that notebook 04 drew. Nothing is chosen by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib import pyplot as plt

from scenetext.data.sources.images import open_images
from scenetext.data.transforms import decode_image
from scenetext.plots.style import BLUE, GREY, ORANGE, RED, text_fonts, visible
from scenetext.system.files import read_json, replacing
from scenetext.text import read_label_table

ROWS = 9
WIDTH_TO_HEIGHT = (2.5, 8.0)  # of the lines that are shown
CHARACTERS = range(3, 10)
MOST_BYTES = 150_000


def main(run: Path, raw: Path, out: Path) -> None:
    """Draws and writes the picture."""
    lines = read_lines(run, raw)
    report = read_json(run / "export" / "report.json")
    figure = plt.figure(figsize=(10, 3.6), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    draw_lines(left, lines)
    draw_accuracy(right, report)
    with replacing(out) as file:
        figure.savefig(file, format="png", pil_kwargs={"optimize": True})
    path = out.with_stem(f"{out.stem}_ctc")
    with replacing(path) as file:
        file.write((run / "plots" / "04_path.png").read_bytes())
    for written in (out, path):
        size = written.stat().st_size
        assert size <= MOST_BYTES, f"{written} takes {size:,} bytes"
        print(f"{written}: {size:,} bytes")


def read_lines(run: Path, raw: Path) -> list[tuple]:
    """The first test lines of usual shape: picture, text read, label."""
    labels = {record.name: record.text for record in read_label_table(raw / "answers" / "test_label.csv").records}
    rows = (run / "submission" / "predicts.txt").read_text(encoding="utf-8").splitlines()[1:]
    source = open_images(raw / "test_images.zip")
    lines = []
    for name, text in (row.split("\t") for row in rows):
        picture = decode_image(source.read(name), name)
        height, width = picture.shape[:2]
        if WIDTH_TO_HEIGHT[0] <= width / height <= WIDTH_TO_HEIGHT[1] and len(labels[name]) in CHARACTERS:
            lines.append((picture, text, labels[name]))
        if len(lines) == ROWS:
            return lines
    return lines


def draw_lines(panel: plt.Axes, lines: list[tuple]) -> None:
    """Lines one below another at one height, the text that was read beside each."""
    height = 0.8
    for row, (picture, text, label) in enumerate(lines):
        width = height * picture.shape[1] / picture.shape[0]
        panel.imshow(picture[:, :, ::-1], extent=(0, width, -row - height, -row), interpolation="antialiased")
        right = text == label
        told = visible(text) if right else f"{visible(text) or '∅'}  (label: {visible(label)})"
        panel.text(
            WIDTH_TO_HEIGHT[1] * height + 0.3, -row - height / 2, told, va="center", fontsize=11,
            family=text_fonts(), color="black" if right else RED,
        )  # fmt: skip
    panel.set(xlim=(0, 15), ylim=(-len(lines), 0.1), aspect="equal")
    panel.axis("off")
    panel.set_title("test lines of the drawn sample, and what was read", fontsize=10, loc="left")


def draw_accuracy(panel: plt.Axes, report: dict) -> None:
    """Accuracy at each budget, the exported folder marked."""
    size = [row["size_bytes"] / 1e6 for row in report["curve"]]
    accuracy = [100 * row["normalised"] for row in report["curve"]]
    panel.plot(size, accuracy, color=BLUE, marker="o")
    for x, y, row in zip(size, accuracy, report["curve"], strict=True):
        name = "float32" if row["max_mb"] is None else f"{row['bits']:.1f} bits a weight"
        panel.annotate(name, (x, y), xytext=(4, -14), textcoords="offset points", fontsize=9)
    exported = 100 * report["accuracy"]["exported"]["normalised"]["value"]
    panel.plot(report["size_bytes"] / 1e6, exported, "D", color=ORANGE, label=f"exported, {report['storage']}")
    panel.axvline(10, color=GREY, linestyle="--", linewidth=1, label="the competition's limit")
    panel.set(xscale="log", xlim=(1.2, 20), ylim=(min(accuracy) - 4, max(accuracy) + 4))
    panel.set_xticks([2, 4, 10, 20], ["2", "4", "10", "20"])
    panel.set_xticks([], minor=True)
    panel.set(xlabel="program and parameters, 1,000,000 bytes", ylabel="validation lines read right, %")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, loc="upper left", fontsize=9)
    panel.set_title("accuracy by bytes, PP-OCRv6 small", fontsize=10, loc="left")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(*(given + [Path("runs/demo"), Path("data/demo/raw"), Path("notebooks/readme.png")][len(given) :]))
