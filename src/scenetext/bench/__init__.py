"""Measured comparisons."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "throughput": ["bench_predict", "bench_train", "table"],
    },
)
