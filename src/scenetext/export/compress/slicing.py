"""Slicing the head: it keeps the columns of the characters in use and loses all others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from paddle import nn

from scenetext.errors import InputError
from scenetext.models.recognition_model import RecognitionModel
from scenetext.text.charset import Charset


def slice_head(model: RecognitionModel, characters: Iterable[str]) -> Charset:
    """Keeps only the classes of the given characters, in place; their columns, blank and space are not changed.

    Args:
        model: the network with its charset.
        characters: the characters to keep.

    Returns:
        The new charset, in the order of the old.

    Raises:
        InputError: the network does not know a character, no character is left, or the head is not a CTC head.
    """
    if model.decoding != "ctc":
        raise InputError(
            f"A head that decodes by {model.decoding} cannot be sliced: train with the smaller dictionary instead."
        )
    old = model.charset
    wanted = set(characters)
    if unknown := sorted(wanted - set(old.characters)):
        raise InputError(
            f"The network has no class for {len(unknown)} of the characters to keep, the first {unknown[0]!r} "
            f"(U+{ord(unknown[0]):04X}); it knows {len(old.characters)}. Train with a dictionary that holds them."
        )
    if not wanted:
        raise InputError("None of the characters to keep is known to the network: give characters of its dictionary.")
    last = len(old.characters) - 1
    kept = tuple(
        character
        for i, character in enumerate(old.characters)
        if character in wanted or (old.use_space_char and i == last)
    )
    new = Charset(kept, old.use_space_char)
    rows = np.array(new.rows_in(old))
    classifier = model.head.classifier
    smaller = nn.Linear(classifier.weight.shape[0], new.num_classes)
    smaller.weight.set_value(classifier.weight.numpy()[:, rows])
    smaller.bias.set_value(classifier.bias.numpy()[rows])
    owner, name = next(
        (layer, name) for layer in model.sublayers() for name, part in layer.named_children() if part is classifier
    )
    setattr(owner, name, smaller)
    model.charset = new
    return new
