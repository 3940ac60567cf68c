"""Measured comparisons."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "latency_report": ["bench_latency"],
        "onnx_report": ["bench_onnx"],
        "throughput": ["bench_predict", "bench_train", "table"],
    },
)
