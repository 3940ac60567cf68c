"""The name of a configured network, as its paper or PaddleOCR calls it, for people.

PaddleX knows few names and wants one of them in an exported folder's settings; that name says nothing about the network
(`predict.model_folder.model_name`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenetext.config.sections.architecture import Network

_SVTR_SIZES = {64: "tiny", 96: "small", 128: "base", 192: "large"}  # by the width of the first stage


def network_name(architecture: Network) -> str:
    """The name of one network.

    Args:
        architecture: the section of the network that reads.

    Returns:
        Such as "PP-OCRv6 small", "SVTR tiny" or "CRNN on MobileNetV3 small x0.5".
    """
    backbone = architecture.Backbone or {}
    name = backbone.get("name")
    if name == "PPLCNetV4":
        return f"PP-OCRv6 {backbone.get('model_size', 'small')}"
    if name == "PPLCNetV3":  # PP-OCRv5 mobile is the same network with more characters
        return "PP-OCRv4 or v5 mobile"
    if name == "SVTRv2":
        paper = " as in the paper" if (architecture.Head or {}).get("name") == "RCTCDecoder" else ""
        return f"SVTRv2{_size(backbone.get('dims'))}{paper}"
    if name == "SVTRNet":
        return f"SVTR{_size(backbone.get('embed_dim'))}"
    if name in ("MobileNetV3", "ResNet"):
        return f"{_sequence_network(architecture)} on {_backbone(backbone)}"
    return str(name)


def _size(widths: Any) -> str:
    size = _SVTR_SIZES.get(widths[0]) if isinstance(widths, (list, tuple)) and widths else None
    return "" if size is None else f" {size}"


def _sequence_network(architecture: Network) -> str:
    """The network by what stands around its convolutions."""
    rectifies = (architecture.Transform or {}).get("name") == "TPS"
    if (architecture.Head or {}).get("name") == "AttentionHead":
        return "RARE" if rectifies else "An attention decoder"
    return "STAR-Net" if rectifies else "CRNN"


def _backbone(backbone: Mapping[str, Any]) -> str:
    if backbone["name"] == "ResNet":
        return f"ResNet{backbone.get('layers', '')}_vd"
    return f"MobileNetV3 {backbone.get('model_name', 'small')} x{backbone.get('scale', 0.5):g}"
