"""The options of an export, checked before any work starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from scenetext.errors import InputError, nearest_hint
from scenetext.export.choices import FORMATS, STORAGES
from scenetext.export.model_card import CARD
from scenetext.export.trace import BASE_NAME
from scenetext.predict.model_files import FILE_NAME
from scenetext.predict.model_folder import REPORT
from scenetext.system.files import MEGABYTE


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of `export_model`, with its names and units.

    Raises:
        InputError: a value is wrong, or two of them contradict each other.
    """

    out: Path
    max_mb: float
    format: str
    storage: str
    characters: tuple[str, ...] | None
    labels: str | Path | None
    images: str | Path | None
    finetune_steps: int
    budgets_mb: tuple[float, ...]
    progress: bool

    def __post_init__(self) -> None:
        self._check_values()
        self._check_lines()
        self._check_folder()

    @property
    def budget_bytes(self) -> int:
        """The budget of program and parameters."""
        return int(self.max_mb * MEGABYTE)

    def _check_values(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"The format {self.format!r} is unknown: {nearest_hint(self.format, FORMATS)}.")
        if self.storage not in STORAGES:
            raise InputError(f"The storage {self.storage!r} is unknown: {nearest_hint(self.storage, STORAGES)}.")
        for budget_mb in (self.max_mb, *self.budgets_mb):
            if not 0 < budget_mb < math.inf:
                raise InputError(f"The budget of {budget_mb} MB must be a positive number.")
        if self.finetune_steps < 0:
            raise InputError(f"The network cannot be finetuned for {self.finetune_steps} steps: give 0 or more.")

    def _check_lines(self) -> None:
        if (self.labels is None) != (self.images is None):
            raise InputError("Labels and images belong together: give both or neither.")
        if self.budgets_mb and self.labels is None:
            raise InputError("A curve of accuracy over size needs labelled lines: give labels and images.")

    def _check_folder(self) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"{self.out} is a file; give a folder to write.")
        if self.out.resolve() == Path.cwd().resolve():
            raise InputError(f"{self.out} is the current folder, which cannot be replaced: give a folder below it.")
        if self.out.is_dir():
            names = {path.name for path in self.out.iterdir()}
            own = {CARD, REPORT} if FILE_NAME in names else set()  # other folders have files of these names, too
            strange = sorted(name for name in names - own if not name.startswith(f"{BASE_NAME}."))
            if strange:
                raise InputError(
                    f"{self.out} holds {strange[0]}, which no export wrote: give an empty or a new folder."
                )
