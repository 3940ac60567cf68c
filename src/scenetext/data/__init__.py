"""Records to batches."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pipeline": ["evaluation_lines", "training_lines", "training_sampler"],
        "transforms": ["decode_image"],
    },
)
