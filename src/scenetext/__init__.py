"""Scene-text recognition with Paddle: from a competition's pictures to a submission and a model under 10 MB.

    model = scenetext.build_model("configs/crnn_mobile.yml")
    report = scenetext.load_weights(model, "best_accuracy")
    reader = scenetext.Recognizer("exported/")

Paddle is imported when one of these is first asked for, not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Recognizer", "build_model", "load_weights"]

_HOMES = {
    "Recognizer": "scenetext.predict",
    "build_model": "scenetext.models",
    "load_weights": "scenetext.weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'scenetext' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
