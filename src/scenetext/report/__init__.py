"""A run → one page to look at; all runs → one table."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "page": ["write_report"],
        "run_table": ["read_runs"],
    },
)
