"""One net around every reader of files that come from strangers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scenetext.errors import InputError, RunError
from scenetext.system.regular_files import unreadable


@contextmanager
def reading(location: object, kind: str, remedy: str) -> Iterator[None]:
    """Turns whatever a reader raises on a damaged or hostile file into one InputError that names the file.

    A reader's own InputError and RunError pass unchanged, because they say more. The original exception stays attached
    as the cause. The net catches what nobody foresaw; it does not bound memory or time, so the reader has to check
    every length that the file states before it allocates anything.

    Args:
        location: the file, and the place in it where it is known ("labels.csv:4711", "train.zip: a.jpg").
        kind: what the file should be, with its article ("a zip file").
        remedy: how to fix it, as the end of the sentence ("fetch it again").

    Raises:
        RunError: the disk or the system fails.
        InputError: the block raised any other Exception.
    """
    try:
        yield
    except (InputError, RunError):
        raise
    except FileNotFoundError:
        raise InputError(f"{location} does not exist.") from None
    except OSError as error:
        told = f"{location} cannot be read as {kind} ({error.strerror or error})"
        failure = unreadable(error)
        raise failure(
            f"{told}: {remedy}."
            if failure is InputError
            else f"{told}: the disk or the system fails; repeat this when it is mended."
        ) from error
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(
            f"{location} is not {kind} that can be read ({type(error).__name__}{text and f': {text}'}): {remedy}."
        ) from error
