"""Networks by the names that people call them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenetext.config import load_config
from scenetext.config.network_name import network_name

NAMES = {
    "crnn_mobile": "CRNN on MobileNetV3 small x0.5",
    "crnn_server": "CRNN on ResNet34_vd",
    "ppocrv4_mobile": "PP-OCRv4 or v5 mobile",
    "ppocrv6_medium": "PP-OCRv6 medium",
    "ppocrv6_small": "PP-OCRv6 small",
    "rare_mv3": "RARE on MobileNetV3 large x0.5",
    "rare_r34": "RARE on ResNet34_vd",
    "repsvtr_gtc": "RepSVTR",
    "starnet_r34": "STAR-Net on ResNet34_vd",
    "svtr_tiny_ch": "SVTR tiny",
    "svtrv2": "SVTRv2 base",
    "svtrv2_paper_tiny": "SVTRv2 tiny as in the paper",
    "svtrv2_paper_small": "SVTRv2 small as in the paper",
}


@pytest.mark.parametrize(("config", "name"), NAMES.items())
def test_every_configured_network_has_its_papers_name(config: str, name: str, root: Path) -> None:
    assert network_name(load_config(root / "configs" / f"{config}.yml").Architecture) == name


def test_no_network_is_called_as_paddlex_wants_it(root: Path) -> None:
    from scenetext.models import reading_config
    from scenetext.predict.model_folder import DEFAULT_MODEL_NAME, MODEL_NAMES

    names = {
        network_name(reading_config(load_config(path)).Architecture)
        for path in (root / "configs").glob("*.yml")
        if not path.name.startswith("base_")
    }
    assert len(names) > 12 and not names & {*MODEL_NAMES.values(), DEFAULT_MODEL_NAME, "None"}
