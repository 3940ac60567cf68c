"""A kill or a refusal at any file call of a save leaves the former checkpoint or the new one, never a mixture."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from scenetext.errors import InputError, RunError
from scenetext.train import checkpoint_files
from scenetext.train.checkpoint_files import (
    SUFFIXES,
    committed_files,
    finish_saving,
    is_whole,
    read_states,
    replace_checkpoint,
    replace_states,
)

CALLS = ("open", "fsync", "replace", "rename", "chmod", "unlink")  # of the module os


def save(prefix: Path, generation: int) -> None:
    """Writes a checkpoint all of whose files say which one it is."""

    def writer(path: str) -> None:
        Path(path).write_text(f"generation {generation}", encoding="utf-8")

    replace_checkpoint(prefix, {".pdparams": writer, ".pdopt": writer}, {"generation": generation})


def generation(prefix: Path) -> int | None:
    """Which checkpoint a reader gets, after the check that it is one; None without any."""
    files = committed_files(prefix)
    if not any(path.exists() for path in files.values()):
        return None
    number = read_states(prefix)["generation"]
    assert [files[suffix].read_text() for suffix in SUFFIXES[:2]] == [f"generation {number}"] * 2
    return number


def at_call(number: int, act: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    """Calls `act` in place of the n-th of the file calls that follow."""
    seen = 0

    def counted(real: Callable) -> Callable:
        def call(*arguments: object, **options: object) -> object:
            nonlocal seen
            seen += 1
            if seen == number:
                act()
            return real(*arguments, **options)

        return call

    for name in CALLS:
        patch.setattr(os, name, counted(getattr(os, name)))


def killed_at(number: int, work: Callable[[], None]) -> bool:
    """Runs `work` in a process that dies at its n-th file call; whether it got so far."""
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch:
            at_call(number, lambda: os._exit(9), patch)
            work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("former", [None, 1])
def test_a_kill_at_any_file_call_leaves_the_former_checkpoint_or_the_new_one(former: int | None, tmp_path: Path):
    seen, number = set(), 1
    while True:
        prefix = tmp_path / str(number) / "latest"
        prefix.parent.mkdir()
        if former:
            save(prefix, former)
        if not killed_at(number, lambda prefix=prefix: save(prefix, 2)):
            break
        seen.add(generation(prefix))
        assert generation(prefix) in (former, 2)
        save(prefix, 3)  # what a kill left disturbs no later save
        assert generation(prefix) == 3
        assert not list(prefix.parent.glob(".latest.next.*"))
        number += 1
    assert seen == {former, 2} and number > 6, "the kills reached both sides of the commit"


def test_a_second_kill_while_the_first_ones_save_is_finished_changes_nothing(tmp_path: Path):
    for first in range(1, 40, 2):
        prefix = tmp_path / str(first) / "latest"
        prefix.parent.mkdir()
        save(prefix, 1)
        if not killed_at(first, lambda prefix=prefix: save(prefix, 2)):
            break
        reached = generation(prefix)
        for second in (1, 2):
            killed_at(second, lambda prefix=prefix: finish_saving(prefix))
            assert generation(prefix) == reached


@pytest.mark.parametrize("number", range(1, 12))
def test_a_disk_that_refuses_a_file_call_is_named_and_both_sides_stay_whole(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    prefix = tmp_path / "latest"
    save(prefix, 1)

    def refuse() -> None:
        raise OSError(28, "No space left on device", str(prefix))

    with monkeypatch.context() as patch:
        at_call(number, refuse, patch)
        try:
            save(prefix, 2)
            told = ""
        except RunError as error:
            told = str(error)
    now = generation(prefix)
    assert now in (1, 2) and (not told or "No space left on device" in told)
    if told:
        assert ("is unchanged" in told) == (now == 1) and ("is complete" in told) == (now == 2)
    save(prefix, 3)
    assert generation(prefix) == 3


MIXTURES = {  # the files of which generation are taken
    "the weights of a later step": (2, 1, 1),
    "the optimiser of a later step": (1, 2, 1),
    "the states of a later step": (1, 1, 2),
    "only the weights are new": (1, 2, 2),
}


@pytest.mark.parametrize("taken", MIXTURES.values(), ids=MIXTURES)
def test_files_of_several_checkpoints_are_refused(taken: tuple[int, ...], tmp_path: Path):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        save(tmp_path / str(number) / "latest", number)
    for suffix, number in zip(SUFFIXES, taken, strict=True):
        (tmp_path / f"torn{suffix}").write_bytes((tmp_path / str(number) / f"latest{suffix}").read_bytes())
    with pytest.raises(InputError, match="is not the file that was saved with"):
        read_states(tmp_path / "torn")
    assert not is_whole(tmp_path / "torn")


def test_one_changed_byte_is_found_and_a_checkpoint_without_hashes_is_read(tmp_path: Path):
    save(tmp_path / "latest", 1)
    path = tmp_path / "latest.pdopt"
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(InputError, match=r"latest\.pdopt is not the file"):
        read_states(tmp_path / "latest")
    (tmp_path / "latest.states").write_bytes(pickle.dumps({"epoch": 3, "global_step": 7}))  # as PaddleOCR writes it
    assert read_states(tmp_path / "latest") == {"epoch": 3, "global_step": 7}
    assert not is_whole(tmp_path / "latest"), "nothing says that its files belong together"


def test_new_states_keep_the_checkpoint_whole(tmp_path: Path):
    prefix = tmp_path / "latest"

    def write(path: str) -> None:
        Path(path).write_bytes(b"same")

    hashes = replace_checkpoint(prefix, {".pdparams": write, ".pdopt": write}, {"epoch": 1})
    for number in range(1, 10):
        if not killed_at(number, lambda: replace_states(prefix, {"epoch": 2}, hashes)):
            break
        assert read_states(prefix)["epoch"] in (1, 2) and is_whole(prefix)
    assert read_states(prefix)["epoch"] == 2
    assert checkpoint_files.FILES in read_states(prefix)
