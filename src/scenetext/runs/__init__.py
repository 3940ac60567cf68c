"""Run folders: what belongs to a run, and the manifest that says what made it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "experiment": ["configure", "starting_config"],
        "folders": ["enter_project_root", "run_folder"],
    },
)
