"""The complete options of a network's parts, as a run writes them, build the same network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest

from scenetext.config import load_config, write_config
from scenetext.models import build_model
from scenetext.models.completion import complete_architecture

CLASSES = 12


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [
        ("crnn_mobile", "Neck.hidden_size", 48),
        ("starnet_mv3", "Backbone.disable_se", False),  # behind a Transform whose size is that of training
        ("rare_mv3", "Head.teacher_forcing", True),
        ("ppocrv6_tiny", "Head.head_list.0.CTCHead.Head.mid_channels", 80),
        ("ppocrv4_mobile", "Head.head_list.0.CTCHead.Neck.depth", 2),
        ("svtr_tiny_en", "Backbone.drop_rate", 0.0),
        ("svtrv2_distill_repsvtr", "Models.Student.Head.head_list.1.NRTRHead.num_decoder_layers", 2),
    ],
)
def test_complete_options_build_the_same_network(root: Path, tmp_path: Path, config: str, key: str, value) -> None:
    config = load_config(root / "configs" / f"{config}.yml")
    complete = complete_architecture(config)
    write_config(complete, tmp_path / "config.yml")
    read = load_config(tmp_path / "config.yml")
    assert read == complete == complete_architecture(complete)
    found = read.Architecture.model_dump()
    for part in key.split("."):
        found = found[int(part) if part.isdecimal() else part]
    assert found == value
    networks = []
    for own in (config, read):
        paddle.seed(0)
        networks.append(build_model(own, CLASSES))
    states = [{name: tensor.numpy() for name, tensor in network.state_dict().items()} for network in networks]
    assert list(states[0]) == list(states[1]) and str(networks[0]) == str(networks[1])
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_a_transform_keeps_following_the_size_of_training(root: Path) -> None:
    config = complete_architecture(load_config(root / "configs" / "starnet_mv3.yml"))
    assert "input_size" not in config.Architecture.Transform and config.Architecture.Transform["num_fiducial"] == 20
    wider = load_config(config, ["Train.dataset.transforms.RecResizeImg.image_shape.2=160"])
    assert build_model(wider, CLASSES).input_size == (32, 160)
