"""The model card and the report inside an exported folder, and who may lie beside them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from drawn import tiny_config
from exported import LINES, tiny_export, tiny_folder

from scenetext import __version__
from scenetext.config import load_config
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError
from scenetext.export.exporter import export_model
from scenetext.export.model_card import write_card
from scenetext.export.report import ExportReport
from scenetext.predict.model_folder import model_name, network_of, read_inference_yml
from scenetext.predict.recognizer import Recognizer
from scenetext.system.files import read_json

NETWORK = "CRNN on MobileNetV3 small x0.35"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(tiny_export("json", "uint8"), tmp_path / "model")


def card_of(report: ExportReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings) -> str:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    config = load_config(tiny_config(tiny_folder(), **settings))
    own = {"canvas": Canvas(32, 128), "decoding": "CTC"}
    write_card(tmp_path, "recogniser_card.md.jinja", report, config, "/home/somebody/runs/first/best_accuracy", **own)
    return (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def report() -> ExportReport:
    """The report of an export without labelled lines."""
    found = read_json(tiny_export("json", "uint8") / "report.json")
    return ExportReport(**{**found, "accuracy": {}, "differences": []})


def test_the_card_says_what_the_folder_is(folder: Path) -> None:
    card, report = (folder / "README.md").read_text(encoding="utf-8"), read_json(folder / "report.json")
    assert card.startswith(f"# {NETWORK}, a reader of text lines\n")
    assert f"by scenetext {__version__} |" in card and re.search(r"\| written \| \d{4}-\d\d-\d\d by", card)
    assert f"| bytes that count | {report['size_bytes']:,} of 10,000,000" in card
    scores = report["accuracy"]["exported"]["normalised"]
    assert f"Measured on {LINES} labelled lines" in card
    assert f"{scores['value']:.4f} [{scores['low']:.4f}, {scores['high']:.4f}]" in card
    assert "`tiny/train.txt`" in card and "Apache License 2.0" in card
    assert "(batch, 3, 32, width)" in card and "at least 128 of width" in card
    assert "{{" not in card and "{%" not in card and "\n\n\n" not in card


def test_no_file_of_the_folder_but_its_settings_has_the_name_for_paddlex(folder: Path) -> None:
    name = model_name(load_config(tiny_config(tiny_folder())))
    assert read_inference_yml(folder).model_name == name
    others = [path for path in folder.iterdir() if path.name != "inference.yml"]
    assert [path.name for path in others if name.encode() in path.read_bytes()] == []
    assert network_of(folder) == NETWORK


def test_card_and_report_tell_nothing_of_the_machine(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8") + (folder / "report.json").read_text(encoding="utf-8")
    assert str(tiny_folder()) not in text


def test_a_card_without_scores_says_how_to_get_them(report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = card_of(report, tmp_path, monkeypatch)
    assert "`scenetext export --labels FILE --images DIR`" in card and "| exported |" not in card
    assert "| written | 1970-01-02 by" in card  # builds are repeated byte by byte with SOURCE_DATE_EPOCH
    assert "`first/best_accuracy`" in card and "somebody" not in card
    assert "| began from | random weights |" in card


@pytest.mark.parametrize(
    ("pretrained", "told"),
    [
        ("rapidocr:PP-OCRv6_rec_small", r"come from the package\s+rapidocr \d+\.\S+, whose licence is Apache"),
        ("./pretrain/best_accuracy", "licence of the initial weights is that of their"),
        ("ftp://no.such/address", "licence of the initial weights is that of their"),
    ],
)
def test_the_licence_of_the_initial_weights_is_told_where_it_is_known(
    report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretrained: str, told: str
) -> None:
    card = card_of(report, tmp_path, monkeypatch, pretrained_model=pretrained)
    assert re.search(told, card) and f"| began from | `{pretrained}` |" in card


def test_a_folder_of_paddleocr_is_called_by_its_settings_and_a_damaged_report_is_told(folder: Path) -> None:
    (folder / "report.json").write_text("[]")
    with pytest.raises(InputError, match="is no report of an export"):
        network_of(folder)
    Recognizer(folder)  # reading needs neither card nor report
    (folder / "report.json").unlink()
    (folder / "README.md").unlink()
    assert network_of(folder) == read_inference_yml(folder).model_name
    Recognizer(folder)


@pytest.mark.parametrize("name", ["README.md", "report.json"])
def test_a_folder_with_such_a_file_and_no_export_is_not_replaced(tmp_path: Path, name: str) -> None:
    out = tmp_path / "prepared"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(InputError, match=f"holds {name}, which no export wrote"):
        export_model(tiny_config(tiny_folder()), tiny_folder() / "tiny", out, progress=False)
    assert (out / name).read_text() == "mine"
