"""Attention maps: one for each character, over the picture that the network saw; rollout as its paper defines it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from exported import tiny_export

from scenetext.config import load_config
from scenetext.data.pipeline import canvas_of
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.device import seed_everything
from scenetext.predict.attention import attention_maps, rollout
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.recognizer import Recognizer

PICTURE = np.random.default_rng(0).integers(0, 256, (30, 90, 3), np.uint8)
SMALL_SVTR = {"embed_dim": [16, 16, 32], "depth": [1, 1, 2], "num_heads": [2, 2, 2]}


def reader_of(root: Path, name: str, **backbone) -> ModelReader:
    settings = [f"Architecture.Backbone.{key}={json.dumps(value)}" for key, value in backbone.items()]
    config = load_config(root / "configs" / f"{name}.yml", ["Global.character_dict_path=en94", *settings])
    seed_everything(5)
    model = build_model(config)
    return ModelReader(model, canvas_of(config, model.input_size))


def test_rollout_multiplies_the_blocks_with_half_the_identity_in_each():
    first = np.array([[0.0, 1.0], [1.0, 0.0]])
    second = np.array([[1.0, 0.0], [1.0, 0.0]])
    # half the identity makes them [[.5, .5], [.5, .5]] and [[1, 0], [.5, .5]]; the later one stands on the left
    np.testing.assert_allclose(rollout([first, second]), [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(rollout([second, first]), [[0.75, 0.25], [0.75, 0.25]])


def test_an_attention_decoder_has_one_map_for_each_character_over_the_rectified_picture(root: Path):
    reader = reader_of(root, "rare_mv3")
    (found,) = attention_maps(reader, [PICTURE])
    assert found.text == reader([PICTURE])[0][0] and found.text
    assert found.maps.shape == (len(found.text), 1, 25) and found.picture.shape == (32, 100, 3)
    np.testing.assert_allclose(found.maps.sum(axis=(1, 2)), 1.0, rtol=1e-5)
    score = reader.model.head.attention_cell.score.weight
    assert found.maps.std(axis=2).min() > 0
    score.set_value(np.zeros(score.shape, np.float32))  # then every position counts the same
    (even,) = attention_maps(reader, [PICTURE])
    np.testing.assert_allclose(even.maps, 1 / 25, rtol=1e-5)


def test_svtr_has_a_map_of_the_last_stages_rows_and_columns_for_each_character(root: Path):
    reader = reader_of(root, "svtr_tiny_ch", mixer=["Local", "Local", "Global", "Global"], **SMALL_SVTR)
    (found,) = attention_maps(reader, [PICTURE])
    assert found.text == reader([PICTURE])[0][0] and found.text
    assert found.maps.shape == (len(found.text), *reader.model.backbone.map_size) and found.picture is PICTURE
    np.testing.assert_allclose(found.maps.sum(axis=(1, 2)), 1.0, rtol=1e-4)
    columns = found.maps.sum(axis=1).argmax(axis=1)
    assert (np.diff(columns) >= 0).all(), "the residual connections keep each character near its own columns"


def test_no_hook_stays_behind(root: Path):
    reader = reader_of(root, "rare_mv3")
    attention_maps(reader, [PICTURE])
    assert not reader.model.head.attention_cell.score._forward_post_hooks


def test_networks_without_attention_and_exported_folders_are_refused(root: Path):
    with pytest.raises(InputError, match="no attention"):
        attention_maps(reader_of(root, "crnn_mobile"), [PICTURE])
    with pytest.raises(InputError, match="read with the run's weights"):
        attention_maps(Recognizer(tiny_export("json", "float32"), "paddle"), [PICTURE])
