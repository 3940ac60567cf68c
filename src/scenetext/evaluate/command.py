"""`scenetext evaluate`: a recogniser is scored by its texts, a detector by its boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenetext.predict.detector_folder import is_detector

if TYPE_CHECKING:
    from scenetext.config import Config


def evaluate_any(
    *, config: Config | None, weights: str | None, model: str | None, labels: str, images: str, out: str
) -> None:
    """Scores trained weights with their config, or an exported folder.

    Args:
        config: of `weights`.
        weights: what `load_weights` takes; None for an exported folder.
        model: the exported folder.
        labels: a label file, of text recognition or of text detection.
        images: a folder, zip or LMDB with the pictures.
        out: the folder to write.
    """
    if config.Architecture.model_type == "det" if weights else is_detector(model):
        from scenetext.evaluate.detection import evaluate_detector_command as command
    else:
        from scenetext.evaluate.evaluation import evaluate_command as command
    command(config=config, weights=weights, model=model, labels=labels, images=images, out=out)
