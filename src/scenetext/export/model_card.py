"""The model card of an exported folder: its README.md, so that the folder says what it is, wherever it is copied.

What it tells follows Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019). It names files by their folders
and tells nothing else of the machine.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from scenetext import __version__
from scenetext.config import Config
from scenetext.export.report import ExportReport
from scenetext.system.files import write_text

CARD = "README.md"


def write_card(
    folder: Path, template: str, report: ExportReport, config: Config, weights: str | Path, **own: Any
) -> None:
    """Writes the card into an exported folder.

    The date is that of today, or of SOURCE_DATE_EPOCH (seconds since 1970), by which builds are repeated byte by byte.

    Args:
        folder: the exported folder.
        template: of this kind of network, an extension of `model_card.md.jinja`.
        report: of its export.
        config: the configuration of the training.
        weights: the weights as the user named them.
        own: what the template says of this kind of network alone.
    """
    environment = Environment(
        loader=PackageLoader("scenetext.export", "."), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["interval"] = _interval
    pretrained = config.Global.pretrained_model
    accuracy = report.accuracy
    text = environment.get_template(template).render(
        report=report,
        date=_date(),
        version=__version__,
        weights=_last_parts(weights),
        pretrained=pretrained,
        wheel=_wheel(pretrained),
        label_files=list(map(_last_parts, getattr(config.Train.dataset, "label_file_list", None) or ())),
        pictures=next(iter(accuracy.values()))[f"{report.unit}s"] if accuracy else 0,
        **own,
    )
    write_text(folder / CARD, text)


def _interval(score: Mapping[str, float]) -> str:
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


def _date() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch.isdecimal() else datetime.now(timezone.utc)
    return f"{when:%Y-%m-%d}"


def _last_parts(path: str | Path) -> str:
    """A file and its folder, such as the run of weights: what is above them says something of this machine alone."""
    return "/".join(Path(path).parts[-2:])


def _wheel(pretrained: str | None) -> dict[str, Any] | None:
    """The package that the initial weights come from, if it is one: `rapidocr:PP-OCRv6_rec_small`."""
    name = (pretrained or "").partition(":")[0]
    try:
        metadata = importlib.metadata.metadata(name) if name and pretrained != name else None
    except importlib.metadata.PackageNotFoundError:
        return None
    if metadata is None:
        return None
    licence = metadata.get("License-Expression") or metadata.get("License") or "not stated"
    return {"name": metadata["Name"], "version": metadata["Version"], "licence": licence.splitlines()[0]}
