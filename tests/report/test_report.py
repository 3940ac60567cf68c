"""The report of a run: what it shows, in a real browser and on a phone, and what it says where something is missing."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser import DESKTOP, PHONE, browser

from scenetext.cli import main
from scenetext.config import load_config
from scenetext.data.pipeline import canvas_of
from scenetext.errors import InputError
from scenetext.evaluate.evaluation_folder import write_evaluation
from scenetext.evaluate.results import Line, ReadLines, score_lines
from scenetext.models import build_model
from scenetext.predict import load_reader
from scenetext.predict.model_reader import ModelReader
from scenetext.report import attention_part, write_report
from scenetext.report.lines_part import ShownLine
from scenetext.report.run_files import find_run, read_run, read_run_evaluation
from scenetext.report.training_part import training_part

HOSTILE = "<script>document.title='taken'</script><img src=https://example.org/x.png>"


@pytest.fixture(scope="module")
def page(whole_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the whole run, one label of which is HTML."""
    run = shutil.copytree(whole_run, tmp_path_factory.mktemp("reported") / "whole")
    relabel(run, HOSTILE)
    return write_report(run, progress=False)


def relabel(run: Path, text: str) -> None:
    """Gives the first line of the evaluation another label; its scores are those of these predictions no more."""
    path = run / "evaluate" / "predictions.csv"
    with open(path, encoding="utf-8", newline="") as file:
        header, first, *others = csv.reader(file)
    first[header.index("target")] = text
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, first, *others])
    scores = json.loads((run / "evaluate" / "scores.json").read_text(encoding="utf-8"))
    scores.pop("predictions_sha256")
    (run / "evaluate" / "scores.json").write_text(json.dumps(scores), encoding="utf-8")


def text_of(page: Path) -> str:
    """What a reader sees of a page, without its pictures."""
    body = re.sub(r"(?s)<style>.*?</style>|<pre>.*?</pre>|<[^>]+>", " ", page.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", body)


def test_a_browser_shows_the_whole_page_on_a_desk_and_on_a_phone_without_network_and_scripts(
    page: Path, whole_run: Path
) -> None:
    wrong = len(read_run_evaluation(whole_run / "evaluate").evaluation.worst(99))
    with browser() as opened:
        for size in (DESKTOP, PHONE):
            opened.open(page, size)
            assert opened.problems == []
            assert [address for address in opened.requests if not address.startswith("data:")] == [
                page.resolve().as_uri()
            ]
            broken = "[...document.images].filter(i => i.naturalWidth === 0).length"
            assert opened.ask("document.images.length") >= 8 and opened.ask(broken) == 0
            assert opened.ask("document.documentElement.scrollWidth") <= size[0], "the page is wider than its window"
            assert opened.ask("document.querySelectorAll('.gallery .crop').length") == wrong
            assert opened.ask("document.querySelectorAll('.look .wide img').length") > 0
            assert (
                opened.ask("getComputedStyle(document.querySelector('.replace, .delete')).textDecorationLine") != "none"
            )
            assert opened.ask("parseFloat(getComputedStyle(document.body).fontSize)") >= 16
        assert opened.ask("document.title").startswith("whole") and opened.ask("document.scripts.length") == 0
        assert HOSTILE in opened.ask("document.body.textContent").replace("␣", " ")
        assert opened.ask("document.querySelectorAll('nav a').length") == opened.ask(
            "[...document.querySelectorAll('nav a')].filter(a => document.querySelector(a.getAttribute('href'))).length"
        )


def test_the_page_tells_the_training_the_scores_and_the_export(page: Path, whole_run: Path) -> None:
    text = text_of(page)
    assert "The training came to its end." in text and "step 3: resumed from a checkpoint" in text
    scores = json.loads((whole_run / "evaluate" / "scores.json").read_text(encoding="utf-8"))
    for name in ("raw", "normalised", "one_minus_ned"):
        low, high = (f"{100 * scores[name][end]:.1f} %" for end in ("low", "high"))
        assert f"{100 * scores[name]['value']:.1f} % [{low}, {high}]" in text, name
    report = json.loads((whole_run / "export/report.json").read_text(encoding="utf-8"))
    assert f"export: {report['size_bytes']:,} bytes of 10,000,000" in text
    assert f"{100 * report['accuracy']['exported']['normalised']['value']:.1f} %" in text
    assert "MobileNetV3 small" in text and "0.002" in text
    assert page.stat().st_size < 3_000_000


def test_the_network_before_finetuning_is_compared_line_by_line_where_it_read_the_same_lines(own_run: Path) -> None:
    evaluated = own_run / "evaluate"
    lines = read_run_evaluation(evaluated).evaluation.lines
    right = sum(line.correct_normalised for line in lines)
    read = ReadLines([line.name for line in lines], [line.target for line in lines], [""] * len(lines))
    write_evaluation(score_lines(read), evaluated / "pretrained")
    page = text_of(write_report(own_run, worst=0, progress=False))
    told = (
        f"(normalised accuracy 0.0% and {right / len(lines):.1%} of {len(lines)} lines; {right} won, 0 lost, McNemar p"
    )
    assert told in page and "intervals overlap" not in page
    others = ReadLines([f"other/{line.name}" for line in lines], [line.target for line in lines], [""] * len(lines))
    write_evaluation(score_lines(others), evaluated / "pretrained")
    assert "Compared line by line" not in text_of(write_report(own_run, worst=0, progress=False))


def test_a_threshold_of_the_confidence_says_how_many_lines_show_it(own_run: Path) -> None:
    names = [f"{number}.png" for number in range(41)]
    texts = ["A"] * 40 + ["B"]
    read = ReadLines(names, ["A"] * 41, texts, [0.9] * 36 + [0.8] * 4 + [0.1])
    write_evaluation(score_lines(read), own_run / "evaluate")
    page = text_of(write_report(own_run, worst=0, progress=False))
    assert re.search(
        r"90 % 0\.8000 40 100\.0 % 95 % interval · \S+ \[9\d\.\d %, 100\.0 %\] here from 0\.1000 on: 41 lines", page
    )
    assert "99 % not shown" in page and "it takes 368 lines without an error, or more" in page


def test_a_run_without_evaluation_export_and_history_has_a_report_that_says_so(own_run: Path) -> None:
    shutil.rmtree(own_run / "evaluate")
    for name in ("history.jsonl", "export/report.json", "manifest.json"):
        (own_run / name).unlink()
    text = text_of(write_report(own_run, progress=False))
    for told in (
        "has no history.jsonl",
        "has not been evaluated",
        "no line is known to be wrong",
        "no exported folder",
    ):
        assert told in text, told


def test_pictures_that_have_gone_are_told_once_and_found_again_by_images(
    own_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, images = own_run / "config.yml", read_run(own_run).config.Eval.dataset.data_dir
    config.write_text(config.read_text(encoding="utf-8").replace(images, str(tmp_path / "gone")), encoding="utf-8")
    write_report(own_run, progress=False)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "There are no pictures in the report" in error and "--images" in error
    text = (own_run / "report.html").read_text(encoding="utf-8")
    assert "picture is gone" in text and "image/jpeg" not in text and error.strip() in text_of(own_run / "report.html")
    other = tmp_path / "other.html"
    assert main(["report", str(own_run), "--images", images, "--worst", "1", "--out", str(other)]) == 0
    text = other.read_text(encoding="utf-8")
    assert "picture is gone" not in text and "image/jpeg" in text
    some = shutil.copytree(images, tmp_path / "some")
    for number in range(6):
        (some / f"{number}.png").unlink()
    capsys.readouterr()
    write_report(own_run, images=some, worst=2, progress=False)
    assert re.fullmatch(
        r"\d pictures of the report are not in .*some, the first: .*--images\.\n", capsys.readouterr().err
    )


def test_without_the_weights_the_page_says_why_it_shows_no_alignment(own_run: Path) -> None:
    for path in [*own_run.glob("*.pdparams"), own_run / "export/report.json"]:
        path.unlink()
    text = text_of(write_report(own_run, worst=1, progress=False))
    assert "The network could not be asked" in text and "neither weights nor an exported folder" in text


def test_without_weights_the_lines_are_read_with_the_exported_folder(
    own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = load_reader(load_config(own_run / "config.yml"), own_run / "best_accuracy")
    for path in own_run.glob("*.pdparams"):
        path.unlink()
    (own_run / "export").mkdir(exist_ok=True)
    monkeypatch.setattr(attention_part, "Recognizer", {own_run / "export": reader}.__getitem__)
    page = write_report(own_run, worst=1, progress=False)
    assert f"read again with {(own_run / 'export').as_posix()}." in text_of(page) and "alignment of" in page.read_text()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("evaluate/scores.json", "{", "scores.json is not valid JSON"),
        ("evaluate/scores.json", "{}", "scores.json holds no scores"),
        ("evaluate/predictions.csv", "name,prediction\na.png,1\n", "scores of other predictions"),
        ("export/report.json", '{"size_bytes": 1}', "export/report.json lacks max_bytes, format"),
        ("manifest.json", "[]", "manifest.json holds no JSON object"),
        ("config.yml", "Global: {epoch_nmu: 1}", "the nearest is epoch_num"),
    ],
)
def test_a_damaged_file_is_one_sentence_and_no_page(
    name: str, content: str, told: str, own_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_run / name).write_text(content, encoding="utf-8")
    assert main(["report", str(own_run)]) == 2
    assert told in capsys.readouterr().err and not (own_run / "report.html").exists()


def test_a_run_is_found_by_its_name_and_a_wrong_name_gets_the_nearest(
    whole_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(whole_run.parents[1])
    assert find_run("whole") == Path("runs/whole") and find_run(whole_run) == whole_run
    with pytest.raises(InputError, match="There is no run whloe: the nearest is whole"):
        find_run("whloe")
    with pytest.raises(InputError, match=r"holds no config\.yml"):
        find_run(tmp_path)
    with pytest.raises(InputError, match="is a folder; give the name of a file"):
        write_report("whole", tmp_path, progress=False)


@pytest.mark.parametrize(
    ("last", "end"),
    [
        ([{"kind": "ended", "step": 6, "reason": "finished", "problem": ""}], "finished"),
        ([{"kind": "ended", "step": 4, "reason": "interrupted", "problem": ""}], "interrupted"),
        ([{"kind": "ended", "step": 4, "reason": "failed", "problem": "The loss became nan"}], "failed"),
        ([{"kind": "ended", "step": 4, "reason": "interrupted"}, {"kind": "resumed", "step": 4}], "unknown"),
        ([], "unknown"),  # killed in the first of two epochs
        ([{"kind": "eval", "step": 6, "epoch": 2, "raw": 0.1, "normalised": 0.2}], "finished"),  # of earlier versions
    ],
)
def test_the_end_of_a_training_is_read_from_its_log(own_run: Path, last: list[dict], end: str) -> None:
    rows = [{"kind": "train", "step": 2, "epoch": 1, "loss": 2.0, "lines_per_second": 9.0, "reader_share": 0.1}, *last]
    (own_run / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    part = training_part(read_run(own_run))
    assert part.end == end and part.problem == (last[-1].get("problem", "") if last else "")
    assert part.lines_per_second == 9.0 and set(part.curves) >= {"loss"}
    assert len(part.events) == sum(
        row["kind"] in ("ended", "resumed") and row.get("reason") != "finished" for row in last
    )


def test_of_an_attention_decoder_the_page_shows_its_attention_in_the_place_of_an_alignment(root: Path) -> None:
    config = load_config(root / "configs" / "rare_mv3.yml")
    model = build_model(config)
    bias = model.head.generator.bias
    bias.set_value(np.eye(1, *bias.shape, 5, dtype=np.float32)[0] * 1e3)  # so that it reads something
    image = np.full((32, 100, 3), 200, np.uint8)
    line = ShownLine(Line("a.png", "ab", "a", 0.5, False, False, 100, 32), [], None, image)
    shown = attention_part._look(ModelReader(model, canvas_of(config, model.input_size)), line)
    assert shown.alignment is None and shown.label == "ab" and shown.text
    assert shown.attention.startswith("data:image/jpeg;base64,")
