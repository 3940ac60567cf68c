"""The verb `evaluate`, which scores a recogniser by its texts and a detector by its boxes, and `read`, which may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenetext.errors import InputError
from scenetext.predict.detector_folder import is_detector
from scenetext.predict.wheel_detectors import is_in_wheel
from scenetext.system.launched import this_process
from scenetext.text.photo_labels import read_photo_labels

if TYPE_CHECKING:
    from scenetext.config import Config


def evaluate_any(
    *,
    config: Config | None,
    weights: str | None,
    model: str | None,
    labels: str,
    images: str,
    out: str,
    turned: float | None = None,
    decoding: str | None = None,
    thresholds: bool = False,
) -> None:
    """Scores trained weights with their config, or an exported folder; the processes of a launcher share the pictures.

    Args:
        config: of `weights`; None for an exported folder.
        weights: what `load_weights` takes; None for an exported folder.
        model: the exported folder, or "wheel:NAME", a detector in an installed wheel.
        labels: a label file, of text recognition or of text detection.
        images: a folder, zip or LMDB with the pictures.
        out: the folder to write.
        turned: margin of turned lines; see `predict.turned`.
        decoding: the folder that `tune-decoding` wrote.
        thresholds: score a detector at other thresholds, too; see `evaluate.thresholds`.

    Raises:
        InputError: an option is for the other kind of network.
    """
    network = {"config": config, "weights": weights, "model": model}
    pictures = {"labels": labels, "images": images, "out": out, "process": this_process()}
    if config.Architecture.model_type == "det" if weights else is_in_wheel(model) or is_detector(model):
        from scenetext.evaluate.detection import evaluate_detector_command

        if turned is not None or decoding is not None:
            raise InputError("--turned and --decoding are for a reader of lines; this is a detector: leave them out.")
        evaluate_detector_command(**network, **pictures, thresholds=thresholds)
    else:
        from scenetext.evaluate.evaluation import evaluate_command

        if thresholds:
            raise InputError("--thresholds is for a detector; this is a reader of lines: leave it out.")
        evaluate_command(**network, **pictures, turned=turned, decoding=decoding)


def read_and_score(
    *,
    photos: str,
    detector: str,
    model: str,
    out: str,
    engine: str,
    batch_size: int,
    min_confidence: float,
    max_side: int,
    no_pictures: bool,
    labels: str | None,
    turned: float | None,
    decoding: str | None,
) -> None:
    """Reads photos into a folder, and with `labels` scores what was read; see `predict.photo_files.read_photos`.

    The processes of a launcher share the photos; the first one scores.
    """
    from scenetext.evaluate.photos import score_photo_folder
    from scenetext.predict.decoding_settings import chosen_decoding
    from scenetext.predict.photo_files import read_photos

    table = read_photo_labels(labels) if labels else None  # first, because reading may take an hour
    read = read_photos(
        photos,
        detector,
        model,
        out,
        engine=engine,
        batch_size=batch_size,
        min_confidence=min_confidence,
        max_side_px=max_side,
        decoding=chosen_decoding(decoding),
        turned=turned,
        pictures=not no_pictures,
        process=this_process(),
    )
    if read is None:
        return
    faults = f"{read.rejected} boxes rejected, {read.empty} photos without text, {len(read.unreadable)} unreadable"
    print(f"{out}: {read.lines} texts on {read.photos} photos; {faults}")
    if table is not None:
        print(score_photo_folder(table, out))
