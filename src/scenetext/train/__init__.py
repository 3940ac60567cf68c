"""Training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "folds": ["train_folds"],
        "optimiser": ["learning_rate_factor"],
        "planned_run": ["plan_run"],
        "trainer": ["TrainResult", "train"],
    },
)
