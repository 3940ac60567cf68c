"""Scene-text recognition with Paddle: from a competition's pictures to a submission and a model under 10 MB.

    model = scenetext.build_model("configs/crnn_mobile.yml")
    report = scenetext.load_weights(model, "best_accuracy")
    reader = scenetext.Recognizer("exported/")

Paddle is imported when one of these is first used. README.md in this folder is the map of the packages.
"""

import lazy_loader

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "models": ["build_model"],
        "predict": ["NGramModel", "PhotoReader", "Recognizer"],
        "weights": ["load_weights"],
    },
)
