"""Kills a training at random moments, resumes it each time, and compares its final files with an undisturbed one's.

    python tests/campaigns/kill_training.py --kills 100 --minutes 30 --out /tmp/kills

The same command goes on after the last kill of an earlier call; `--out` keeps the count and the training under way. A
training is killed by SIGKILL until it comes to its end; then its weights, its optimiser, its best weights, how far it
says it has come, and the steps of its history have to be those of the undisturbed training, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from drawn import draw_digits, tiny_config

from scenetext.config import load_config
from scenetext.runs.history import SCORED, TRAINED
from scenetext.system.files import read_json, write_json
from scenetext.train.checkpoint_files import committed_files
from scenetext.train.trainer import train
from scenetext.weights.pdparams import read_pdparams, unpickle_arrays

EPOCHS, LINES = 8, 12
# The moments of the kills follow the speed of the machine, so that about one training in four comes to its end.
LONGER, SHORTER = 1.05, 0.85


class Campaign:
    """The kills of a series of trainings.

    Args:
        out: the folder of the campaign.
        seed: of the moments.

    Attributes:
        kills: so far.
        in_saves: those that left a checkpoint half written or half renamed.
        finished: trainings that came to their end and were compared.
    """

    def __init__(self, out: Path, seed: int):
        self.out, self.random = out, random.Random(seed)
        self.data, self.count = out / "data", out / "kills.json"
        counted = read_json(self.count) if self.count.is_file() else {"kills": 0, "in_saves": 0, "finished": 0}
        self.kills, self.in_saves, self.finished = (counted[key] for key in ("kills", "in_saves", "finished"))
        if not (self.data / "charset.txt").is_file():
            draw_digits(self.data, LINES)
        if not (out / "whole.json").is_file():
            shutil.rmtree(out / "whole", ignore_errors=True)
            started = time.monotonic()
            assert self._wait(self._start(out / "whole")) == 0, f"the undisturbed training failed: see {out}/train.out"
            write_json(out / "whole.json", time.monotonic() - started)
        self.seconds = read_json(out / "whole.json")

    def run(self, kills: int, minutes: float) -> bool:
        """Kills until there are so many kills and the last training has ended; False when the time is over before."""
        end = time.monotonic() + 60 * minutes
        while self.kills < kills or (self.out / "killed").exists():
            if time.monotonic() > end:
                return False
            self._kill_or_finish(self.kills < kills)
            state = {"kills": self.kills, "in_saves": self.in_saves, "finished": self.finished}
            write_json(self.count, state)
        return True

    def _kill_or_finish(self, kill: bool) -> None:
        folder = self.out / "killed"
        before = _half_written(folder)
        child = self._start(folder)
        if kill and not self._ends_within(child, self.random.uniform(0.0, self.seconds)):
            os.kill(child, signal.SIGKILL)
        code = self._wait(child)
        if code == -signal.SIGKILL:
            self.seconds *= LONGER
            self.kills += 1
            self.in_saves += bool(_half_written(folder) - before)
            return
        self.seconds *= SHORTER
        assert code == 0, f"the resumed training ended with {code}: see {self.out}/train.out"
        compare(folder, self.out / "whole")
        self.finished += 1
        shutil.rmtree(folder)

    def _start(self, folder: Path) -> int:
        """A process that trains, resuming where there is a checkpoint; its number."""
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            with open(self.out / "train.out", "a", encoding="utf-8") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            config = tiny_config(self.data, epoch_num=EPOCHS, save_epoch_step=2)
            if all(path.is_file() for path in committed_files(folder / "latest").values()):
                config["Global"]["checkpoints"] = str(folder / "latest")
            train(load_config(config), folder, progress=False)
            code = 0
        finally:
            os._exit(code)

    @staticmethod
    def _ends_within(child: int, seconds: float) -> bool:
        """Waits for a process; its exit status stays to be asked for."""
        end = time.monotonic() + seconds
        while not (ended := os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG)):
            if time.monotonic() > end:
                break
            time.sleep(0.001)
        return ended is not None

    @staticmethod
    def _wait(child: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _half_written(folder: Path) -> set[str]:
    """The hidden files of saves that have not come to their end."""
    return {path.name for path in folder.glob(".*") if ".next." in path.name or path.suffix not in ("", ".jsonl")}


def compare(folder: Path, whole: Path) -> None:
    """Fails unless two runs left the same weights, optimiser, progress and steps."""
    names = {path.name for path in whole.iterdir() if path.suffix in (".pdparams", ".pdopt", ".states")}
    assert {path.name for path in folder.iterdir() if path.suffix in (".pdparams", ".pdopt", ".states")} == names
    for name in sorted(names):
        ours, theirs = folder / name, whole / name
        if name.endswith(".states"):
            assert unpickle_arrays(ours)["progress"] == unpickle_arrays(theirs)["progress"], name
            continue
        ours, theirs = map(read_pdparams if name.endswith(".pdparams") else _moments, (ours, theirs))
        assert ours.keys() == theirs.keys(), name
        assert all(np.array_equal(ours[key], theirs[key]) for key in theirs), name
    assert _steps(folder) == _steps(whole)


def _moments(path: Path) -> dict[str, np.ndarray]:
    return {key: value for key, value in unpickle_arrays(path).items() if isinstance(value, np.ndarray)}


def _steps(folder: Path) -> list[tuple[str, int]]:
    rows = map(json.loads, (folder / "history.jsonl").read_text(encoding="utf-8").splitlines())
    return [(row["kind"], row["step"]) for row in rows if row["kind"] in (TRAINED, SCORED)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="kills in all (default 100)")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="M", help="longest time of this call")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the campaign")
    parser.add_argument("--seed", type=int, default=None, help="of the moments (default: another one each time)")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    campaign = Campaign(chosen.out, chosen.seed)
    done = campaign.run(chosen.kills, chosen.minutes)
    print(
        f"{campaign.kills} kills, {campaign.in_saves} of them inside a save; {campaign.finished} trainings came to "
        f"their end, and all their files equal the undisturbed one's{'' if done else ' (the time is over)'}"
    )
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
