"""Tuning a language model: what it finds, what it refuses, and that `predict` decodes as it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported import tiny_export, tiny_folder

from scenetext.cli import main
from scenetext.data.transforms import Canvas
from scenetext.errors import InputError, RunError
from scenetext.evaluate.decoding_tuning import tune_decoding, tune_decoding_command
from scenetext.predict.decoding_settings import beam_decoding, load_decoding
from scenetext.predict.line_reader import LineReader
from scenetext.predict.ngram import NGramModel
from scenetext.predict.ngram_mixture import NGramMixture, character_probabilities, fitted_shares
from scenetext.predict.recognizer import Recognizer
from scenetext.text.charset import Charset
from scenetext.text.records import Record

CHARSET = Charset(tuple("acehrt"))
WORDS = ["cat", "car", "hat"] * 20


class Doubtful:
    """A network that reads the word whose number is the picture's brightness, and takes each a rather for an e."""

    workers = 1

    def run(self, batch: np.ndarray) -> np.ndarray:
        scores = np.full((len(batch), 5, 7), 1e-6, np.float32)
        for row, pixel in zip(scores, batch[:, 0, 0, 0], strict=True):
            for at, character in enumerate(WORDS[round((pixel + 1) * 127.5)]):
                row[2 * at] = 1e-6
                if character == "a":
                    row[2 * at, CHARSET.encode("ae")] = [0.2, 0.8]
                else:
                    row[2 * at, CHARSET.encode(character)] = 1.0
            row[[1, 3], 0] = 1.0
        return scores


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], Path]:
    folder = tmp_path_factory.mktemp("words")
    for number in range(len(WORDS)):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 48, 3), number, np.uint8))
    return [Record(f"{n}.png", word, f"labels:{n + 1}") for n, word in enumerate(WORDS)], folder


def reader() -> LineReader:
    return LineReader(Doubtful(), CHARSET, Canvas(48, 48))


def test_a_language_model_of_such_words_mends_them_and_the_folds_say_so(lines) -> None:
    read = reader()
    greedy = read.decode
    tuning = tune_decoding(read, *lines, [NGramModel.train(WORDS)], progress=False)
    assert read.decode is greedy
    assert tuning.gains and tuning.held_out.second_accuracy.value == 1.0 and tuning.held_out.first_accuracy.value == 0.0
    accuracies = {row[:2]: row[2] for row in tuning.table}
    assert accuracies[0.05, 0.0] == 0.0  # too little against log(0.8 / 0.2)
    assert tuning.lm_weight == min(weight for (weight, _), accuracy in accuracies.items() if accuracy == 1.0)


def test_the_corpus_that_resembles_the_lines_gets_the_greater_share(lines) -> None:
    other = NGramModel.train(["tea", "ear", "tree", "chart"] * 20)
    tuning = tune_decoding(reader(), *lines, [other, NGramModel.train(WORDS)], progress=False)
    assert tuning.gains and tuning.shares[1] > 0.9 and sum(tuning.shares) == pytest.approx(1.0)


def test_interpolated_probabilities_are_a_distribution_and_the_shares_the_likeliest() -> None:
    models = [NGramModel.train(["ab", "abb"], 2), NGramModel.train(["ba", "b"], 3)]
    mixture = NGramMixture(models, [0.3, 0.7])
    for before in ("", "a", "bab"):
        assert sum(np.exp(mixture.log_probability(c, before)) for c in "ab\n?") == pytest.approx(1.0, abs=0.05)
    table = np.concatenate([character_probabilities(models, text) for text in ("ab", "ba", "abb")])
    best = fitted_shares(table)
    likelihood = lambda share: np.log(table @ [share, 1 - share]).sum()  # noqa: E731
    assert likelihood(best[0]) >= max(likelihood(share) for share in np.linspace(0, 1, 101)) - 1e-6
    with pytest.raises(InputError, match="sum 1"):
        NGramMixture(models, [0.5, 0.6])


@pytest.mark.parametrize(
    ("records", "models", "match"),
    [
        (3, [NGramModel.train(WORDS)], "too few"),
        (60, [NGramModel.train(["欢迎光临", "烤冷面"])], "another dictionary"),
    ],
)
def test_what_cannot_be_tuned_on_is_refused(lines, records: int, models: list[NGramModel], match: str) -> None:
    with pytest.raises(InputError, match=match):
        tune_decoding(reader(), lines[0][:records], lines[1], models, progress=False)


def test_an_unreadable_picture_is_named_with_its_label(lines, tmp_path: Path) -> None:
    records = [*lines[0][:5], Record("gone.png", "cat", "labels:99")]
    with pytest.raises(InputError, match=r"gone\.png.*labels:99"):
        tune_decoding(reader(), records, lines[1], [NGramModel.train(WORDS)], progress=False)


def tiny_lines(tmp_path: Path, change: bool) -> tuple[Path, Path, Path, Path]:
    """Model, pictures, labels as the network reads them, and texts; where `change`, most texts end otherwise."""
    folder, images = tiny_export("json", "float32"), tiny_folder() / "images"
    names = sorted(path.name for path in images.iterdir())
    texts = [text for text, _ in Recognizer(folder)([cv2.imread(str(images / name)) for name in names])]
    labels, corpus = tmp_path / "labels.txt", tmp_path / "texts.txt"
    if change:
        decoding = beam_decoding(10)
        model = NGramModel.train(["1111", "2222"])
        read = Recognizer(folder, beam_width=10, language_model=model, lm_weight=0.4, length_bonus=3.0)
        texts = [text for text, _ in read([cv2.imread(str(images / name)) for name in names])]
        corpus.write_text("1111\n2222\n", encoding="utf-8")
        assert decoding.language_model is None
    else:
        corpus.write_text("9\n", encoding="utf-8")
    rows = [(name, text or "0") for name, text in zip(names, texts, strict=True)]
    labels.write_text("".join(f"{name}\t{text}\n" for name, text in rows), encoding="utf-8")
    return folder, images, labels, corpus


def test_where_greedy_reads_no_worse_nothing_is_written_and_the_figures_are_told(tmp_path: Path) -> None:
    model, images, labels, corpus = tiny_lines(tmp_path, change=False)
    arguments = ["--model", model, "--labels", labels, "--images", images, "--texts", corpus, "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "scenetext", "tune-decoding", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    assert "greedy decoding reads these lines no worse" in done.stderr and "normalised accuracy" in done.stderr


def test_predict_decodes_as_the_tuned_folder_says(tmp_path: Path) -> None:
    model, images, labels, corpus = tiny_lines(tmp_path, change=True)
    out = tmp_path / "decoding"
    tuning = tune_decoding_command(
        model=str(model), labels=str(labels), images=str(images), texts=[str(corpus)], out=str(out)
    )
    settings = json.loads((out / "decoding.json").read_text(encoding="utf-8"))
    assert (settings["lm_weight"], settings["length_bonus"]) == (tuning.lm_weight, tuning.length_bonus)
    read = tmp_path / "read.txt"
    predict = ["predict", "--model", model, "--images", images, "--decoding", out, "--out", read]
    subprocess.run([sys.executable, "-m", "scenetext", *predict], check=True, capture_output=True)
    texts = dict(row.split("\t")[:2] for row in read.read_text(encoding="utf-8").splitlines())
    rows = [row.split("\t") for row in labels.read_text(encoding="utf-8").splitlines()]
    right = np.mean([texts[name] == text for name, text in rows])
    assert right == pytest.approx(tuning.on_lines.second_accuracy.value)
    (out / "1.ngram").write_text((out / "1.ngram").read_text().replace("1111", "1112"), encoding="utf-8")
    with pytest.raises(InputError, match="SHA-256"):
        load_decoding(out)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"texts": []}, "--texts FILE"),
        ({"beam_width": 0}, "at least 1"),
        ({"order": 99}, "order 99"),
    ],
)
def test_wrong_options_are_refused_before_the_model_is_read(tmp_path: Path, options: dict, match: str) -> None:
    (tmp_path / "texts.txt").write_text("12\n", encoding="utf-8")
    given = {"texts": [str(tmp_path / "texts.txt")], **options}
    with pytest.raises((InputError, RunError), match=match):
        tune_decoding_command(model="no", labels="no", images="no", out=str(tmp_path / "out"), **given)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--language-model", "other.ngram", "--beam-width", "5"], "another dictionary"),
        (["--language-model", "digits.ngram"], "beam width"),
        (["--beam-width", "-3"], "at least 1"),
        (["--beam-width", "5", "--lm-weight", "nan"], "weight nan"),
        (["--beam-width", "5", "--length-bonus", "-1"], "bonus -1.0"),
        (["--decoding", "nowhere"], "nowhere/decoding.json cannot be read"),
        (["--decoding", "nowhere", "--beam-width", "5"], "leave out --beam-width"),
    ],
)
def test_decodings_that_cannot_be_are_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], match: str
) -> None:
    monkeypatch.chdir(tmp_path)
    NGramModel.train(["欢迎光临"]).save("other.ngram")
    NGramModel.train(["12", "34"]).save("digits.ngram")
    source = ["--model", str(tiny_export("json", "float32")), "--images", str(tiny_folder() / "images")]
    assert main(["predict", *source, "--out", "out.txt", *options]) == 2
    error = capsys.readouterr().err
    assert match in error and error.count("\n") == 1
    assert not Path("out.txt").exists()


def test_what_is_no_decoding_folder_is_refused(tmp_path: Path) -> None:
    for text, match in (
        ("{}", "not a tuned decoding that can be read"),
        ("[" * 100_000, "not a tuned decoding that can be read"),
        (
            '{"format": "scenetext decoding", "beam_width": 5, "lm_weight": 0.1, "length_bonus": 1, "language_models": '
            '[{"file": "../x", "share": 1, "sha256": ""}]}',
            "do not lie beside it",
        ),
    ):
        (tmp_path / "decoding.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=match):
            load_decoding(tmp_path)
