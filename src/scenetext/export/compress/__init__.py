"""Making a network's files small: what is left out, and how the rest is stored."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "coded_weights": [
            "CodableWeight",
            "TensorSize",
            "codable_weights",
            "parameter_bytes",
            "store_weights",
            "tensor_sizes",
        ],
        "codings": ["StoredTensor"],
        "encoding": ["LEAST_NUMBERS", "encode_weights", "encode_within"],
        "slicing": ["slice_head"],
    },
)
