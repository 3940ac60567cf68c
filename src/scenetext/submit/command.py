"""`scenetext submit`: a submission from the test pictures, or the leaderboard's score of one that was uploaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.predict.decoding_settings import chosen_decoding
from scenetext.submit.score_table import add_submission_row
from scenetext.submit.submission import LEADERBOARD, MANIFEST, read_submission, submit
from scenetext.system.file_names import shown_path
from scenetext.system.files import write_json
from scenetext.system.locks import only_writer


def submit_command(
    *,
    model: str | None,
    images: str | None,
    out: str,
    leaderboard: float | None = None,
    turned: float | None = None,
    decoding: str | None = None,
) -> dict[str, Any]:
    """`scenetext submit`: reads the test pictures, or notes the leaderboard's score of what was submitted."""
    if leaderboard is not None and (model or images):
        raise InputError("--leaderboard is for a submission that is there: leave out --model and --images.")
    if leaderboard is not None:
        return enter_leaderboard_score(out, leaderboard)
    if model is None or images is None:
        raise InputError("Give --model and --images, or --leaderboard SCORE for a submission that is there.")
    return submit(model, images, out, turned=turned, decoding=chosen_decoding(decoding))


def enter_leaderboard_score(out: str | Path, score: float) -> dict[str, Any]:
    """Notes the leaderboard's score of a submission in its manifest and in the table.

    Args:
        out: the submission's folder.
        score: in the leaderboard's own unit; use the same for all submissions, because the table is sorted by it.

    Returns:
        The manifest.

    Raises:
        InputError: the score is no number from 0 to 100, or there is no whole submission in the folder.
        RunError: another process writes this submission now, or the disk is full or broken.
    """
    if not 0 <= score <= 100:
        raise InputError(f"--leaderboard {score:g}: give the score that the leaderboard shows, from 0 to 100.")
    place = Path(out).resolve()
    if not place.is_dir():
        raise InputError(f"There is no submission {shown_path(out)}: write it first, by --model and --images.")
    with only_writer(place):
        manifest = {**read_submission(place), LEADERBOARD: score}
        write_json(place / MANIFEST, manifest)
        has_table = place.parent.name == "submissions"
        if has_table:
            add_submission_row(place.parent / "README.md", manifest)
    where = "its manifest and in the table" if has_table else "its manifest"
    print(f"{shown_path(out)}: the leaderboard's score {score:.10g} is in {where}")
    return manifest
