"""A network to a folder for inference that fits a byte budget."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "exporter": ["export_model"],
    },
)
