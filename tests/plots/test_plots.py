"""Figures: labelled axes, Chinese text, images that stand on their sheets unchanged."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scenetext import plots
from scenetext.plots.gallery import EDIT_COLOURS
from scenetext.plots.style import text_fonts, visible, wilson_interval
from scenetext.report.export_part import PARTS_IN

RNG = np.random.default_rng(0)
GROUPS = {"group": ["1", "2-3"], "lines": [10, 5], "normalised": [0.8, 1.0], "low": [0.6, 1.0], "high": [0.9, 1.0]}
CURVE = [
    {"max_mb": 2.0, "size_bytes": 1_990_000, "bits": 4.2, "normalised": 0.6},
    {"max_mb": None, "size_bytes": 21_000_000, "bits": 32.0, "normalised": 0.8},
]
TEXTS = ["烤鱼　¥18", "ＡＢ12", "$1 or $2", "“黄焖鸡”", "馬記", "☎ 0571", "直骨今门角", "→∅…"]

PATH = (np.linspace(0, 160, 6), ["", "馬", "馬", " ", "$"], np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
KEPT = np.array([False, True, False, True, True])

RUN = {"epoch_of_loss": [0.5, 1], "loss": [3.0, 2.0], "epoch": [1, 2], "normalised": [0.5, 1.0]}

FIGURES = {
    "ctc_alignment": lambda: plots.ctc_alignment(picture(48, 160), *PATH, KEPT, "馬 $1 or $2"),
    "ctc_alignment with padding": lambda: plots.ctc_alignment(picture(48, 50), *PATH, KEPT, "长" * 300),
    "ctc_alignment of a tall picture": lambda: plots.ctc_alignment(picture(900, 20), *PATH, KEPT),
    "ctc_alignment of a wide picture": lambda: plots.ctc_alignment(picture(10, 2000), *PATH, KEPT),
    "line_sizes": lambda: plots.line_sizes([20, 300, 1626], [1, 5, 77], canvas_px=320, height_px=48),
    "line_sizes of one line": lambda: plots.line_sizes([64.0], [1], canvas_px=320, height_px=48),
    "character_counts": lambda: plots.character_counts({"的": 500, " ": 30, "\u3000": 20, "$": 3, "龘": 1}),
    "canvases": lambda: plots.canvases([20, 300, 900], {"a": 320, "b": 960}, {"a": (640, 320), "b": (1220, 30)}, 48),
    "learning_rates": lambda: plots.learning_rates([0.0, 1e-4, 5e-5, 1e-6], steps_per_epoch=2),
    "training_curves": lambda: plots.training_curves([10, 20], [9.0, 3.0], [20], [0.5], [0.6], 200),
    "training_curves before a first row": lambda: plots.training_curves([], [], [3], [0.0], [0.0], 1),
    "loss_curve": lambda: plots.loss_curve([10, 20], [9.0, 3.0], [(15, "resumed"), (30, "failed"), (18, "resumed")]),
    "loss_curve of nothing": lambda: plots.loss_curve([], [], [(3, "interrupted")]),
    "accuracy_curve": lambda: plots.accuracy_curve([20], [0.5], [0.6], 200, [(15, "early stop")]),
    "accuracy_curve without a number of lines": lambda: plots.accuracy_curve([20], [0.5], [0.6], None),
    "reliability": lambda: plots.reliability(
        [{"confidence": c, "accuracy": 0.5, "low": 0.3, "high": 0.6, "lines": 1200} for c in (0.2, 0.9)]
    ),
    "reliability of nothing": lambda: plots.reliability([]),
    "accuracy_by_group": lambda: plots.accuracy_by_group(
        {"length": {"a": GROUPS, "b": GROUPS}, "width": {"a": GROUPS}}
    ),
    "confusion_bars": lambda: plots.confusion_bars(["场", "", "$"], ["埸", " ", ""], [3, 2, 1], [False, True, False]),
    "confusion_bars of a perfect reader": lambda: plots.confusion_bars([], [], [], []),
    "bytes_by_part": lambda: plots.bytes_by_part(
        {"a": {"head": 9_000_000}, "b": {"head": 2, "program": 1}}, 10_000_000
    ),
    "bits_by_layer": lambda: plots.bits_by_layer(
        ["backbone.a", "backbone.b", "head.c"], {"2 MB": [8.2, 4, 3], "4 MB": [16, 8, 8]}, [1000, 90_000, 5]
    ),
    "bits_by_layer of nothing": lambda: plots.bits_by_layer([], {"export": []}, []),
    "accuracy_by_size without budgets": lambda: plots.accuracy_by_size([]),
    "accuracy_by_size": lambda: plots.accuracy_by_size(CURVE, 2_900_000),
    "accuracy_by_size with intervals": lambda: plots.accuracy_by_size(CURVE, lines=200),
    "accuracy_by_size of equal budgets": lambda: plots.accuracy_by_size(CURVE[:1] * 3, CURVE[0]["size_bytes"]),
    "gains": lambda: plots.gains({"test": (0.02, 0.005, 0.035), "val": (0.03, -0.01, 0.07), "x": (-0.1, -0.2, -0.01)}),
    "gains of nothing": lambda: plots.gains({}),
    "run_curves": lambda: plots.run_curves({"a": RUN, "b": {**RUN, "normalised": [0.8, 0.7]}}, {"a": 50, "b": 50}),
    "network_stages": lambda: plots.network_stages(
        picture(48, 320),
        ["picture", "a to b", "head"],
        ["picture", "backbone", "head"],
        [(3, 48, 320), (8, 12, 80), (40, 99)],
        [0, 10, 20],
    ),
    "width_buckets": lambda: plots.width_buckets([64, 320], [9, 2], [0.1, 0.2], [picture(48, 60)] * 20, 64),
    "rounding": lambda: plots.rounding(
        RNG.normal(size=20),
        {4: np.zeros(20), 2: np.ones(20)},
        [picture(48, 90)] * 2,
        {32: [("一$", 0.9), ("", 0.0)], 2: [("二", 0.5), ("", 0.0)]},
    ),
    "confidence": lambda: plots.confidence([0.2, 0.99], [0.9], [0.1]),
    "confidence without labels": lambda: plots.confidence([0.2, 0.99]),
}
SCRIPT = [("equal", "馬", "馬"), ("replace", "$", " "), ("delete", "記", ""), ("insert", "", "　")]
SHEETS = {
    "labelled_lines": lambda: plots.labelled_lines(
        [picture(48, 90), picture(30, 2000)], ["一$ 二", "长" * 99], [[5, 6, 7, 8], [9] * 99], {"一": 12}
    ),
    "labelled_lines of nothing": lambda: plots.labelled_lines([], [], [], {}),
    "line_gallery": lambda: plots.line_gallery([picture(20, 90), picture(48, 2000)], [SCRIPT, SCRIPT * 40], TEXTS[:2]),
    "line_gallery without a text": lambda: plots.line_gallery([picture(48, 90)], [[("delete", "馬", "")]], ["0.00"]),
    "line_gallery of nothing": lambda: plots.line_gallery([], [], []),
    "attention_maps": lambda: plots.attention_maps(picture(48, 90), 120.0, "馬 $", RNG.random((3, 2, 25))),
    "attention_maps of nothing": lambda: plots.attention_maps(picture(48, 90), 90.0, "", np.zeros((0, 1, 5))),
    "contact_sheet": lambda: plots.contact_sheet([picture(48, 100)] * len(TEXTS), TEXTS),
    "contact_sheet of nothing": lambda: plots.contact_sheet([], []),
    "variants_sheet": lambda: plots.variants_sheet([[picture(48, 90)] * 30, [picture(20, 2000)]], TEXTS[:2]),
}


def picture(height_px: int, width_px: int) -> np.ndarray:
    return RNG.integers(0, 256, (height_px, width_px, 3), np.uint8)


def drawn(figure: Figure) -> np.ndarray:
    """The figure as (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


@pytest.mark.parametrize("name", [*FIGURES, *SHEETS])
def test_a_figure_is_drawn_without_warnings_and_shown_by_the_caller_only(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph is a warning
        figure = (FIGURES | SHEETS)[name]()
        pixels = drawn(figure)
    assert pixels.std() > 0 or "nothing" in name
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", FIGURES)
def test_every_axis_is_labelled(name: str) -> None:
    for panel in FIGURES[name]().axes:
        assert panel.get_xlabel()
        assert panel.get_ylabel() or any(tick.get_text() for tick in panel.get_yticklabels())


def test_a_picture_stands_on_its_sheet_pixel_for_pixel_in_its_colours() -> None:
    crop = picture(48, 120)
    sheet = drawn(plots.contact_sheet([picture(48, 200), crop], ["一", "二"]))
    match = cv2.matchTemplate(sheet, crop[:, :, ::-1].copy(), cv2.TM_SQDIFF_NORMED)
    assert match.min() < 1e-3


@pytest.mark.parametrize("width_px", [1, 1099, 1626, 9000])
def test_a_sheet_is_never_wider_than_asked(width_px: int) -> None:
    sheet = drawn(plots.contact_sheet([picture(48, width_px), picture(10, 10)], ["长" * 300, "短"], width_px=1100))
    assert abs(sheet.shape[1] - 1100) <= 1


def test_captions_do_not_overlap() -> None:
    sheet = plots.contact_sheet([picture(48, 20)] * 6, ["一二三四五六七八九十"] * 6)
    drawn(sheet)
    boxes = sorted(
        (text.get_window_extent().y0, text.get_window_extent().x0, text.get_window_extent().x1)
        for text in sheet.axes[0].texts
    )
    assert all(left[0] != right[0] or left[2] <= right[1] for left, right in pairwise(boxes))


def test_the_characters_of_a_wrong_line_have_the_colours_of_their_edits():
    figure = plots.line_gallery([picture(48, 100)], [SCRIPT], ["0.93"])
    label, read = ([t for t in figure.axes[0].texts if t.get_position()[1] == y] for y in (2, 24))
    colours = {kind: EDIT_COLOURS[kind] for kind in ("replace", "delete", "insert")}
    assert [(t.get_text(), t.get_color()) for t in label] == [
        *(("label", "grey"), ("馬", "black"), ("$", colours["replace"]), ("記", colours["delete"])),
    ]
    assert [(t.get_text(), t.get_color()) for t in read] == [
        *(("read", "grey"), ("馬", "black"), ("␣", colours["replace"]), ("□", colours["insert"]), ("0.93", "grey")),
    ]
    assert len(set(colours.values())) == 3


def test_white_space_and_formula_signs_are_shown_as_characters() -> None:
    assert visible("a b\u3000$") == "a␣b□\\$"
    assert text_fonts()[0].startswith("Noto Sans SC")


def test_save_writes_a_png_and_returns_the_figure(tmp_path: Path) -> None:
    figure = FIGURES["learning_rates"]()
    assert plots.save(figure, tmp_path / "plots" / "rate.png") is figure
    assert cv2.imread(str(tmp_path / "plots" / "rate.png")).shape[1] == 1000
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["rate.png"]


def test_importing_the_figures_loads_no_paddle() -> None:
    check = "import sys, scenetext.plots\nprint('paddle' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_figure_of_the_notebooks_is_reached_by_the_package_alone() -> None:
    check = (
        "from scenetext import plots\nassert all(callable(getattr(plots, name)) for name in plots.__all__)\nplots.save"
    )
    subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)


def test_the_interval_of_an_accuracy_is_wilson_s() -> None:
    low, high = wilson_interval(np.array([0.0, 0.89, 1.0]), 200)
    np.testing.assert_allclose(low, [0.0, 0.8391, 0.9812], atol=1e-4)
    np.testing.assert_allclose(high, [0.0188, 0.9262, 1.0], atol=1e-4)


def test_the_legend_of_many_parts_is_inside_the_figure_of_a_report() -> None:
    parts = {"head.ctc_head": 2_000_000, "backbone": 10_000_000, "head.ctc_encoder": 1_300_000, "program and names": 9}
    figure = plots.bytes_by_part({"float32": parts, "float16": parts}, 10_000_000)
    figure.set_size_inches(*PARTS_IN)
    FigureCanvasAgg(figure).draw()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= figure.bbox.width and legend.y1 <= figure.bbox.height


def test_numbers_of_lines_at_no_accuracy_stay_off_the_numbers_of_the_axis() -> None:
    bins = [{"confidence": 0.1, "accuracy": value, "low": 0.0, "high": 0.9, "lines": 1} for value in (0.0, 0.5)]
    figure = plots.reliability(bins)
    FigureCanvasAgg(figure).draw()
    panel = figure.axes[0]
    assert all(text.get_window_extent().y0 >= panel.get_window_extent().y0 for text in panel.texts)
