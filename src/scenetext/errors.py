"""The two kinds of failure of a command, and the hint at the nearest valid name for their messages."""

from __future__ import annotations

import os
from collections.abc import Iterable

SHOW_TRACEBACK = "SCENETEXT_TRACEBACK"  # environment variable: for debugging, errors show where they were raised
NEAREST_CUTOFF = 0.5  # least similarity of a name that is offered: difflib's ratio in [0, 1]
LONGEST_COMPARED = 200  # characters of a name
MAX_LISTED = 40  # valid names in a message


class _Foreseen(Exception):
    """An error whose message says everything."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook: the sentence, without the traceback, which would not help."""
        if os.environ.get(SHOW_TRACEBACK):
            import traceback

            return traceback.format_exception(self)
        return [f"{type(self).__name__}: {self}"]


class InputError(_Foreseen, ValueError):
    """The user's input cannot be used (exit status 2): the message names the value, the location and how to fix it."""


class RunError(_Foreseen, RuntimeError):
    """The work failed although the input was valid (exit status 1), for example on a full disk."""


def nearest_hint(name: object, valid: Iterable[str]) -> str:
    """Half a sentence for a name that is not valid: the nearest valid one, or the first valid ones when none is near.

    Args:
        name: the invalid name; upper and lower case count as the same.
        valid: the valid names.

    Returns:
        "the nearest is epoch_num", "valid are acc, norm_edit_dis" or "it takes none".
    """
    import difflib  # only messages need it

    valid = list(valid)
    by_lower_case = {known.lower(): known for known in reversed(valid)}
    compared = str(name).lower()[:LONGEST_COMPARED]  # difflib takes minutes for a hundred thousand characters
    found = difflib.get_close_matches(compared, by_lower_case, n=1, cutoff=NEAREST_CUTOFF)
    if found:
        return f"the nearest is {by_lower_case[found[0]]}"
    if len(valid) > MAX_LISTED:
        return f"valid are {', '.join(valid[:MAX_LISTED])} and {len(valid) - MAX_LISTED} more"
    return f"valid are {', '.join(valid)}" if valid else "it takes none"
