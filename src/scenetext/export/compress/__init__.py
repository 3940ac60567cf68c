"""Compression of a network's files: unused classes are cut out of the head, weights are quantised."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "codings": ["QuantisedTensor"],
        "quantisation": ["MIN_ELEMENTS", "quantise_weights", "quantise_within"],
        "quantised_weights": [
            "QuantisableWeight",
            "TensorSize",
            "parameter_bytes",
            "quantisable_weights",
            "replace_with_quantised",
            "tensor_sizes",
        ],
        "slicing": ["slice_head"],
    },
)
