"""An exported folder behind HTTP."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "http_application": ["application"],
        "limits": ["Limits"],
        "served_model": ["ModelChoice"],
    },
)
