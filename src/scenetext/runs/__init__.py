"""Run folders, their manifest, and the configuration of a run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "experiment": ["configure", "starting_config"],
        "folders": ["enter_project_root", "run_folder"],
    },
)
