"""CTC's alignment: the steps of each character, their place in the picture, and the same text as the decoder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import tiny_config
from exported import tiny_export, tiny_folder

from scenetext import plots
from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.predict import load_reader
from scenetext.predict.alignment import align, best_path
from scenetext.predict.recognizer import Recognizer
from scenetext.text.charset import Charset

CHARSET = Charset(("a", "b", "c"))


def probabilities_of(path: list[int], peak: float = 0.7) -> np.ndarray:
    """(T, 4) float32 whose likeliest classes are the path's, and whose second likeliest is the class after it."""
    rows = np.full((len(path), 4), 0.05, np.float32)
    for row, best in zip(rows, path, strict=True):
        row[best], row[(best + 1) % 4] = peak, 0.2
    return rows


@pytest.mark.parametrize(
    ("path", "text", "kept", "steps"),
    [
        ([0, 1, 1, 0, 2], "ab", [0, 1, 0, 0, 1], [(1, 2), (4, 4)]),  # a repetition is merged
        ([1, 0, 1], "aa", [1, 0, 1], [(0, 0), (2, 2)]),  # a blank between two equal characters keeps both
        ([1, 2, 2, 1], "aba", [1, 1, 0, 1], [(0, 0), (1, 2), (3, 3)]),  # without blanks, a character twice
        ([3, 3, 3], "c", [1, 0, 0], [(0, 2)]),  # repeated to the end
        ([0, 0], "", [0, 0], []),  # nothing but blanks
        ([2], "b", [1], [(0, 0)]),
    ],
)
def test_a_path_collapses_to_its_text_and_says_which_steps_gave_it(path, text, kept, steps):
    found = best_path(probabilities_of(path), CHARSET, canvas_px=10.0 * len(path))
    assert found.text == "".join(span.character for span in found.spans) == text
    assert found.kept.tolist() == [bool(k) for k in kept]
    assert [(span.first_step, span.last_step) for span in found.spans] == steps
    assert [(span.left_px, span.right_px) for span in found.spans] == [(10.0 * a, 10.0 * b + 10.0) for a, b in steps]
    assert found.characters == tuple("" if c == 0 else "abc"[c - 1] for c in path)
    assert found.second_characters == tuple("" if c == 3 else "abc"[c] for c in path)
    assert found.confidence == pytest.approx(0.7 if text else 0.0)


def test_of_two_equal_probabilities_the_second_is_the_other_class():
    found = best_path(np.array([[0.5, 0.5, 0.0, 0.0]], np.float32), CHARSET, 8.0)
    assert (found.characters, found.second_characters) == (("",), ("a",))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [cv2.imread(str(tiny_folder() / "images" / f"{number}.png")) for number in range(4)]


def test_a_checkpoint_and_its_export_align_alike_and_as_they_read(pictures: list[np.ndarray]):
    trained = load_reader(load_config(tiny_config(tiny_folder())), tiny_folder() / "tiny")
    exported = Recognizer(tiny_export("json", "float32"), "paddle")
    texts = trained(pictures)
    for image, text, own, other in zip(
        pictures, texts, align(trained, pictures), align(exported, pictures), strict=True
    ):
        assert own.path.text == other.path.text == text[0] and own.path.confidence == pytest.approx(text[1], abs=1e-5)
        np.testing.assert_allclose(own.path.probabilities, other.path.probabilities, atol=1e-4)
        assert own.path.edges_px[-1] == other.path.edges_px[-1] >= image.shape[1] - 1  # the canvas holds the picture
        assert own.picture is image
    assert any(text for text, _ in texts)


def test_a_step_has_the_width_of_the_networks_stride_in_pixels_of_the_picture():
    trained = load_reader(load_config(tiny_config(tiny_folder())), tiny_folder() / "tiny")
    (own,) = align(trained, [np.full((64, 512, 3), 200, np.uint8)])  # twice the network's height
    np.testing.assert_allclose(np.diff(own.path.edges_px), 512 / (256 / 4), rtol=0.02)


def test_a_line_that_padding_follows_is_aligned_on_its_own_pixels(pictures: list[np.ndarray]):
    trained = load_reader(load_config(tiny_config(tiny_folder())), tiny_folder() / "tiny")
    (own,) = align(trained, [np.full((32, 40, 3), 200, np.uint8)])
    assert own.path.edges_px[-1] == 128.0  # the canvas of the config, of which the picture takes 40 pixels


def test_a_network_in_training_mode_aligns_as_in_evaluation_and_stays_in_training_mode(pictures: list[np.ndarray]):
    trained = load_reader(load_config(tiny_config(tiny_folder())), tiny_folder() / "tiny")
    expected = align(trained, pictures[:1])[0].path.probabilities
    trained.model.train()
    np.testing.assert_array_equal(align(trained, pictures[:1])[0].path.probabilities, expected)
    assert trained.model.training


def test_behind_a_rectifier_the_pixels_are_those_of_the_rectified_picture(root: Path):
    from scenetext.data.pipeline import canvas_of
    from scenetext.models import build_model
    from scenetext.predict.model_reader import ModelReader

    config = load_config(root / "configs" / "starnet_mv3.yml")
    model = build_model(config)
    image = np.full((20, 60, 3), 250, np.uint8)
    (found,) = align(ModelReader(model, canvas_of(config, model.input_size)), [image])
    assert found.picture.shape == (32, 100, 3) and found.picture.dtype == np.uint8
    assert found.path.edges_px[-1] == 100.0


def test_a_network_without_ctc_is_refused(root: Path):
    from scenetext.data.pipeline import canvas_of
    from scenetext.models import build_model
    from scenetext.predict.model_reader import ModelReader

    config = load_config(root / "configs" / "rare_mv3.yml")
    model = build_model(config)
    with pytest.raises(InputError, match="decoded by attention and has no CTC alignment"):
        align(ModelReader(model, canvas_of(config, model.input_size)), [np.zeros((32, 100, 3), np.uint8)])


def test_the_figure_colours_the_strips_of_the_picture_that_gave_characters():
    picture = np.full((48, 320, 3), 255, np.uint8)
    path = best_path(probabilities_of([0, 1, 0, 2]), CHARSET, 320.0)
    figure = plots.ctc_alignment(picture, path.edges_px, path.characters, path.probabilities, path.kept, "ab")
    (panel,) = figure.axes
    assert [bar.get_height() for bar in panel.patches] == pytest.approx([0.7] * 4)
    assert [text.get_text() for text in panel.texts] == ["–", "a", "–", "b"]
    assert len(panel.collections) == 2  # two strips, none over a blank
