"""The lines in which predictions are written: this project's, and those of PaddleOCR's two tools for recognition.

`tools/infer_rec.py` writes `path<TAB>text<TAB>score` and logs the picture and its result; `tools/infer/predict_rec.py`
logs one line `Predicts of path:('text', score)` a picture and writes no file, so that users redirect what it prints.
Programs that read either of them can read what is written here. Both take the pictures in the order of their paths.
`log_lines` has the lines of the log.

Three things differ. A picture that cannot be read ends infer_rec; here it has a line with an empty text and the score
0.0. Tabs and line ends of the dictionary, which would break a line, are written as `system.file_names` does. Without a
dictionary (`character_dict_path:` empty) infer_rec squeezes lines wider than the canvas, as training did; here, as in
predict_rec, they keep their proportions, which a CRNN reads better (tests/benchmarks/LOG.md). In all else the texts are
equal, too, those of predict_rec if no wider line shares a line's batch there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from scenetext.predict.images import Prediction
from scenetext.predict.log_lines import failed, log_start, logged_line, predicted
from scenetext.system.file_names import shown_name, shown_path

Read = tuple[str, float]  # text and confidence


class Form(Protocol):
    """How predictions are written, one line for each picture.

    Attributes:
        logs: whether lines are printed while pictures are read, so that no bar is shown.
    """

    logs: bool

    def order(self, names: Sequence[str]) -> Sequence[str]:
        """The names of the pictures in the order of the lines."""

    def row(self, prediction: Prediction) -> str:
        """The line of a picture, without its line end."""

    def read(self, name: str, row: str) -> Read | None:
        """What a line says of the picture of that name; None for another picture's line, or none of this form."""

    def log(self, row: str) -> None:
        """Tells on stdout what a line says."""

    def finish(self) -> None:
        """Tells on stdout that all lines are written."""


class TabForm:
    """`name<TAB>text<TAB>confidence`, in the order of the source; nothing is printed."""

    logs = False

    def order(self, names: Sequence[str]) -> Sequence[str]:
        return names

    def row(self, prediction: Prediction) -> str:
        return f"{prediction.name}\t{shown_name(prediction.text)}\t{prediction.confidence:.6f}"

    def read(self, name: str, row: str) -> Read | None:
        return _read_tabs(name, row)

    def log(self, row: str) -> None:
        """Nothing: a bar shows the progress."""

    def finish(self) -> None:
        """Nothing: the command prints its own summary."""


class _PathForm:
    """What both tools have in common: paths instead of names, in their order, and a log.

    Args:
        images: as the user gave it: a folder, zip, LMDB or picture.
    """

    logs = True

    def __init__(self, images: str | Path):
        self._images = images

    def order(self, names: Sequence[str]) -> Sequence[str]:
        return sorted(names, key=self._path)

    def _path(self, name: str) -> str:
        return picture_path(self._images, name)


class InferRecForm(_PathForm):
    """What `tools/infer_rec.py` writes to Global.save_res_path, and logs."""

    def row(self, prediction: Prediction) -> str:
        return f"{self._path(prediction.name)}\t{shown_name(prediction.text)}\t{prediction.confidence}"

    def read(self, name: str, row: str) -> Read | None:
        return _read_tabs(self._path(name), row)

    def log(self, row: str) -> None:
        path, _, result = row.partition("\t")
        _print(f"{log_start()}infer_img: {path}", f"{log_start()}\t result: {result}")

    def finish(self) -> None:
        _print(f"{log_start()}success!")


class PredictRecForm(_PathForm):
    """What `tools/infer/predict_rec.py` logs; the file holds what is printed."""

    def row(self, prediction: Prediction) -> str:
        path = self._path(prediction.name)
        problem = prediction.problem is not None
        message = failed(path) if problem else predicted(path, prediction.text, prediction.confidence)
        return f"{log_start()}{message}"

    def read(self, name: str, row: str) -> Read | None:
        line = logged_line(row)
        if line is None or line.path != self._path(name) or line.score == "nan":
            return None
        return line.text, float(line.score)

    def log(self, row: str) -> None:
        _print(row)

    def finish(self) -> None:
        """Nothing: the tool ends with its last picture."""


FORMS = {"infer_rec": InferRecForm, "predict_rec": PredictRecForm}
"""PaddleOCR's forms, by the names of its tools."""


def picture_path(images: str | Path, name: str) -> str:
    """The path of a picture as PaddleOCR's tools write it: of a picture alone what was given, else with its name.

    Args:
        images: as the user gave it, a slash at its end included.
        name: of the picture in it.
    """
    shown = shown_path(images)
    return shown if os.path.isfile(images) and os.path.basename(shown) == name else os.path.join(shown, name)


def _read_tabs(name: str, row: str) -> Read | None:
    fields = row.split("\t")
    if len(fields) != 3 or fields[0] != name:
        return None
    try:
        return fields[1], float(fields[2])
    except ValueError:
        return None


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
