"""Headless runs of the notebooks, and the demo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "course": ["copy_notebooks"],
        "demo": ["demo"],
        "notebook_runner": ["run_notebooks"],
        "pages": ["make_course"],
        "parameters": ["check_parameters"],
        "requirements": ["require", "require_raw"],
    },
)
