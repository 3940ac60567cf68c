"""Were the weights chosen on the lines that they are scored on?

Training keeps the weights of the epoch with the best score on the lines of the Eval section. The score of the chosen
epoch on these lines is a little too high, because the best of several scores is the one that chance favoured; a fair
score needs lines that nothing was chosen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenetext.errors import InputError
from scenetext.runs.folders import BEST
from scenetext.text.label_files import read_label_table
from scenetext.text.records import Record

if TYPE_CHECKING:
    from scenetext.config import Config


@dataclass(frozen=True, slots=True)
class Selection:
    """What the epoch of some weights was chosen by.

    Attributes:
        by_score: the epoch was chosen by its score; False for weights such as those of the last epoch.
        chosen_on: the label files whose lines chose it.
        lines: lines that are scored now.
        shared: those of them that are in these files.
    """

    by_score: bool
    chosen_on: tuple[str, ...]
    lines: int
    shared: int

    def __str__(self) -> str:
        files = ", ".join(self.chosen_on)
        if not self.by_score:
            return "no score chose the epoch of these weights"
        if not self.shared:
            return f"the epoch was chosen on other lines ({files}) than these"
        some = "these lines" if self.shared == self.lines else f"{self.shared:,} of these {self.lines:,} lines"
        return f"the epoch was chosen on {some} ({files}), so the scores are a little too high"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the sentence included."""
        return {**asdict(self), "told": str(self)}


def selection_of(config: Config, weights: str | Path, records: Sequence[Record]) -> Selection | None:
    """Finds out whether the lines that are scored chose the weights.

    Args:
        config: the configuration that the weights were trained with.
        weights: their prefix; that of a run's best weights says that a score chose them.
        records: the lines that are scored.

    Returns:
        None when it cannot be known: the label files of the Eval section are not there any more, or are others now.
    """
    if Path(weights).name.removesuffix(".pdparams") != BEST:
        return Selection(False, (), len(records), 0)
    files = [Path(name) for name in config.Eval.dataset.label_files]
    if not files or not all(path.is_file() for path in files):
        return None
    try:
        tables = [read_label_table(path) for path in files]
    except InputError:  # a file that is no label file now chose nothing; what is scored does not depend on it
        return None
    choosing = {(Path(record.name).name, record.text) for table in tables for record in table.records}
    shared = sum((Path(record.name).name, record.text) in choosing for record in records)
    return Selection(True, tuple(map(str, files)), len(records), shared)
