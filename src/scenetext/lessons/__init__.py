"""What the notebooks teach with: sentences written from the data, exercises that are checked, numbers of figures.

There is one module for each notebook: `data` for 01_data, `config` for 02_config, and so on.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["compare", "config", "data", "evaluate", "export", "submit", "train"]
)
