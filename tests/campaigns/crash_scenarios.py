"""The table of a crash campaign's scenarios, and a careless job that the campaign has to see through."""

from __future__ import annotations

import sys

from crash_download import Download
from crash_jobs import Cache, Predict, PredictAgain, PredictPaddle, Prepare, Scenario, Submit
from crash_learning import Checkpoint, CheckpointAgain, Export, Training
from crash_reading import PredictShared, Read, Synth, SynthLmdb

SCENARIOS: dict[str, type[Scenario]] = {
    kind.name: kind
    for kind in (
        *(Checkpoint, CheckpointAgain, Prepare, Cache, Export, Predict, PredictAgain, PredictPaddle),
        *(Submit, Download, Training, PredictShared, Read, Synth, SynthLmdb),
    )
}


class Careless(Scenario):
    """Writes two files that belong together, one after the other and in place, and does not clean up."""

    name = verb = "careless"
    product_path = "out/pair"

    def _write(self, text: str) -> int:
        folder = self.world / self.product_path
        folder.mkdir(exist_ok=True)
        try:
            for name in ("a.txt", "b.txt"):
                (folder / f".{name}.new").write_text(text)
                (folder / name).write_text(text)
                (folder / f".{name}.new").unlink()
        except OSError:
            print("scenetext careless: The former files are unchanged.", file=sys.stderr)
            return 1
        return 0

    def old(self) -> int:
        return self._write("old " * 100)

    def command(self) -> int:
        return self._write("new " * 100)

    def command_again(self) -> int:
        return 0


SELF_TESTS: dict[str, type[Scenario]] = {Careless.name: Careless}
