"""The configuration of a run that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenetext.errors import InputError
from scenetext.runs import configure, run_folder


@pytest.mark.parametrize(
    ("files", "resumes"),
    [
        (["latest.pdparams", "latest.pdopt", "latest.states"], True),
        ([".latest.next.pdparams", ".latest.next.pdopt", ".latest.next.states"], True),  # a kill before they were named
        ([".latest.next.pdparams", ".latest.next.pdopt"], False),  # a kill before they were whole
        ([], False),
    ],
)
def test_a_checkpoint_is_resumed_wherever_a_kill_left_it(
    files: list[str], resumes: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_folder("first").mkdir(parents=True)
    for name in files:
        (run_folder("first") / name).touch()
    if resumes:
        config = configure(root / "configs" / "crnn_mobile.yml", "first", resume=True)
        assert config.Global.checkpoints == "runs/first/latest"
    else:
        with pytest.raises(InputError, match="train this run without resume first"):
            configure(root / "configs" / "crnn_mobile.yml", "first", resume=True)
