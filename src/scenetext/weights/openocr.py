"""OpenOCR's PyTorch weights of SVTRv2 and RepSVTR under this project's names.

Reference: OpenOCR, configs/rec/svtrv2: the English T, S and B of arXiv:2411.15858, and the Chinese server and mobile
networks. `torch_file` reads their files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from scenetext.errors import InputError

EXTRA_SMTR_CLASSES = 4  # start of line, beyond its left, beyond its right, padding: behind the characters
FIRST_CONVOLUTIONS = ("backbone.pope.patch_embed.0.conv.weight", "backbone.features.0.0.c.weight")
SINGLE = re.compile(r"\.mixer\.0\.")
RENAMINGS = (  # pattern, replacement, in this order
    (r"^encoder\.", "backbone."),
    (r"^decoder\.(ctc_decoder\.)?fc\.", "head.ctc_head.fc."),
    (r"^decoder\.svtr_encoder\.", "head.ctc_encoder.encoder."),
    (r"^decoder\.(ctc_decoder\.)?fc_kv\.", "head.frm.key_value."),
    (r"^decoder\.(ctc_decoder\.)?char_token$", "head.frm.selecting_token"),
    (r"^decoder\.(ctc_decoder\.)?w_atten_block\.", "head.frm.horizontal."),
    (r"^(head\.frm\.horizontal)\.attn\.", r"\1.mixer."),
    (r"^decoder\.gtc_decoder\.", "head.sgm."),
    (r"\.cmff_decoder\.0\.", "."),
    (r"\.normq1\.", ".norm_token."),
    (r"\.normkv1\.", ".norm_string."),
    (r"\.images_to_question_cross_attn\.", ".read_string."),
    (r"\.normq2\.", ".norm_query."),
    (r"\.normkv2\.", ".norm_picture."),
    (r"\.question_to_images_cross_attn\.", ".search_picture."),
    (r"^(head\.sgm\..*)\.proj\.", r"\1.out_proj."),
    (r"\.norm_pred\.", ".norm_found."),
    (r"\.ques1_head\.", ".classifier."),
    (r"\.char_embed\.embedding\.", ".char_embed."),
    (r"\.next_token$", ".left.token"),
    (r"\.pre_token$", ".right.token"),
    (r"\.prompt_next_embed$", ".left.places"),
    (r"\.prompt_pre_embed$", ".right.places"),
    (r"\.running_mean$", "._mean"),
    (r"\.running_var$", "._variance"),
)


def from_openocr(state: Mapping[str, np.ndarray], img_mode: str = "RGB") -> dict[str, np.ndarray]:
    """An OpenOCR network under our parameters' names: with RCTCDecoder and perhaps an SMTR branch, or with CTCDecoder.

    Args:
        state: its weights.
        img_mode: the order of colours in training, from its config's transforms. Lines are BGR here, so the first
            convolution of a network that was trained on RGB, as the English ones were, has its input channels reversed.

    Raises:
        InputError: an auxiliary branch of several layers, which SVTRv2 does not have, or another `img_mode`.
    """
    if img_mode not in ("RGB", "BGR"):
        raise InputError(f"img_mode is {img_mode!r}; known are RGB and BGR.")
    found = {}
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        name = key
        for pattern, replacement in RENAMINGS:
            name = re.sub(pattern, replacement, name)
        if ".cmff_decoder." in name:
            raise InputError(f"{key} belongs to an auxiliary branch of several layers; SVTRv2's has one.")
        found[name] = _value(name, np.asarray(value, np.float32))
    for name in [name for name in found if SINGLE.search(name)]:
        if SINGLE.sub(".mixer.1.", name) not in found:  # one convolution, which is no sequence here
            found[SINGLE.sub(".mixer.", name)] = found.pop(name)
    for name in FIRST_CONVOLUTIONS if img_mode == "RGB" else ():
        if name in found:
            found[name] = found[name][:, ::-1].copy()  # (D, 3, 3, 3)
    if "head.sgm.char_embed.weight" in found:
        classes = len(found["head.sgm.char_embed.weight"]) - EXTRA_SMTR_CLASSES
        for name, axis in (("char_embed.weight", 0), ("classifier.weight", 1), ("classifier.bias", 0)):
            found[f"head.sgm.{name}"] = np.take(found[f"head.sgm.{name}"], range(classes), axis)
    return found


def _value(name: str, value: np.ndarray) -> np.ndarray:
    if name.endswith(".selecting_token"):
        return value.reshape(-1, 1)  # (D, 1)
    if name.endswith(".token"):
        return value.reshape(1, 1, -1)  # (1, 1, D)
    if name.endswith(".places"):
        return value.reshape(value.shape[-2:])  # (length + 1, D)
    if value.ndim == 2 and not name.endswith("char_embed.weight"):
        return value.T  # PyTorch's linear layers are (out, in)
    return value
