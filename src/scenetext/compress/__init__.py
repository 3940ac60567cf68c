"""Making a network's files small: what is left out, and how the rest is stored."""

from scenetext.compress.codings import StoredTensor
from scenetext.compress.encoding import LEAST_NUMBERS, encode_weights, encode_within
from scenetext.compress.slicing import slice_head
from scenetext.compress.stored import (
    CodableWeight,
    TensorSize,
    codable_weights,
    parameter_bytes,
    store_weights,
    tensor_sizes,
)

__all__ = [
    "LEAST_NUMBERS",
    "CodableWeight",
    "StoredTensor",
    "TensorSize",
    "codable_weights",
    "encode_weights",
    "encode_within",
    "parameter_bytes",
    "slice_head",
    "store_weights",
    "tensor_sizes",
]
