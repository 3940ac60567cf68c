"""What the transforms of a config's Train and Eval sections say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESIZE_OPS = ("RecResizeImg", "SVTRRecResizeImg")


def operations(config: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    """The section's transforms and their options, by name."""
    listed = ((config.get(section) or {}).get("dataset") or {}).get("transforms") or []
    return {name: options or {} for entry in listed for name, options in entry.items()}


def resize_options(config: Mapping[str, Any], section: str) -> Mapping[str, Any] | None:
    """Options of the section's resize, of the other section's when it has none; None when neither has one."""
    for name in (section, "Train" if section == "Eval" else "Eval"):
        known = operations(config, name)
        for resize in RESIZE_OPS:
            if resize in known:
                return known[resize]
    return None
