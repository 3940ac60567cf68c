"""The weights that PaddleOCR's authors publish, by name, and fetching them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from scenetext.errors import InputError, nearest_hint
from scenetext.system.archives import safe_untar
from scenetext.system.download import DownloadError, download
from scenetext.system.files import sha256_bytes
from scenetext.system.locks import one_process

_A = "https://paddleocr.bj.bcebos.com/"
_B = "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model/"


@dataclass(frozen=True, slots=True)
class OfficialWeights:
    """One published set of weights.

    Attributes:
        urls: its addresses, in the order in which they are tried.
        size_mb: the weights' published size in units of 1,000,000 bytes, None if it is not published.
        score: the accuracy that its authors publish, with the name of the benchmark; "" if none is published.
        size_bytes: the exact size of the file behind the address, None if it is unknown.
    """

    urls: tuple[str, ...]
    size_mb: float | None = None
    score: str = ""
    size_bytes: int | None = None


_V6 = "{} % (PP-OCRv6's own benchmark)"

OFFICIAL_WEIGHTS: dict[str, OfficialWeights] = {
    "crnn_mobile_pre": OfficialWeights((_A + "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_rec_pre.tar",), 5.2),
    "crnn_mobile_train": OfficialWeights((_A + "dygraph_v2.0/ch/ch_ppocr_mobile_v2.0_rec_train.tar",), 5.2),
    "crnn_server_pre": OfficialWeights(
        (_A + "dygraph_v2.0/ch/ch_ppocr_server_v2.0_rec_pre.tar",), 94.8, size_bytes=490_184_704
    ),
    "crnn_server_train": OfficialWeights((_A + "dygraph_v2.0/ch/ch_ppocr_server_v2.0_rec_train.tar",), 94.8),
    "svtrv2": OfficialWeights(
        (_B + "ch_SVTRv2_rec_pretrained.pdparams", _A + "openatom/openatom_rec_svtrv2_ch_train.tar"),
        73.9,
        "68.81 % end to end (A board)",
    ),
    "repsvtr": OfficialWeights(
        (_B + "ch_RepSVTR_rec_pretrained.pdparams", _A + "openatom/openatom_rec_repsvtr_ch_train.tar"),
        22.1,
        "65.07 % end to end (B board)",
    ),
    "svtrv2_distill": OfficialWeights((_A + "openatom/openatom_rec_svtrv2_distill_ch_train.tar",)),
    "repsvtr_det": OfficialWeights((_A + "openatom/openatom_det_repsvtr_ch_train.tar",)),
    "svtr_tiny_en": OfficialWeights(
        (_A + "PP-OCRv3/chinese/rec_svtr_tiny_none_ctc_en_train.tar",), None, "89.25 % (English average)"
    ),
    "svtr_tiny_ch": OfficialWeights((_A + "PP-OCRv3/chinese/rec_svtr_tiny_none_ctc_ch_train.tar",)),
    "rare_r34": OfficialWeights(
        (_A + "dygraph_v2.0/en/rec_r34_vd_tps_bilstm_att_v2.0_train.tar",), None, "83.6 % (tutorial's table)"
    ),
    "rare_mv3": OfficialWeights(
        (_A + "dygraph_v2.0/en/rec_mv3_tps_bilstm_att_v2.0_train.tar",), None, "82.5 % (tutorial's table)"
    ),
    "PP-OCRv3_mobile_rec": OfficialWeights((_B + "PP-OCRv3_mobile_rec_pretrained.pdparams",)),
    "PP-OCRv4_mobile_rec": OfficialWeights((_B + "PP-OCRv4_mobile_rec_pretrained.pdparams",)),
    "PP-OCRv4_server_rec": OfficialWeights((_B + "PP-OCRv4_server_rec_pretrained.pdparams",)),
    "PP-OCRv5_mobile_rec": OfficialWeights((_B + "PP-OCRv5_mobile_rec_pretrained.pdparams",), None, _V6.format(73.7)),
    "PP-OCRv5_server_rec": OfficialWeights((_B + "PP-OCRv5_server_rec_pretrained.pdparams",), None, _V6.format(78.1)),
    "PP-OCRv6_tiny_rec": OfficialWeights((_B + "PP-OCRv6_tiny_rec_pretrained.pdparams",), 4.3, _V6.format(73.5)),
    "PP-OCRv6_small_rec": OfficialWeights((_B + "PP-OCRv6_small_rec_pretrained.pdparams",), 20.0, _V6.format(81.3)),
    "PP-OCRv6_medium_rec": OfficialWeights((_B + "PP-OCRv6_medium_rec_pretrained.pdparams",), 73.0, _V6.format(83.2)),
}
"""Published recognisers (and one detector) by the name that configs use. Checksums are not published."""


def fetch_official(name_or_url: str, folder: str | Path | None = None, progress: bool = True) -> Path:
    """Fetches weights once and finds the `.pdparams` file in them.

    Args:
        name_or_url: a name of `OFFICIAL_WEIGHTS`, or the address of a `.pdparams` file, `.tar` or `.tar.gz`.
        folder: keeps fetched files; by default `cache_folder()`.
        progress: show a progress bar.

    Returns:
        The local `.pdparams` file.

    Raises:
        InputError: the name is unknown, or the archive is unsafe or holds no weights.
        RunError: no address could be fetched.
    """
    folder = Path(folder) if folder is not None else cache_folder()
    if name_or_url in OFFICIAL_WEIGHTS:
        entry = OFFICIAL_WEIGHTS[name_or_url]
    elif "://" in name_or_url:
        entry = OfficialWeights((name_or_url,))
    else:
        raise InputError(
            f"There are no official weights {name_or_url!r}; {nearest_hint(name_or_url, OFFICIAL_WEIGHTS)}."
        )
    errors = []
    for url in entry.urls:  # the files behind a model's addresses differ in form, so they are no mirrors of each other
        file = folder / f"{sha256_bytes(url.encode())[:12]}-{PurePosixPath(urlsplit(url).path).name}"
        try:
            download(url, file, size_bytes=entry.size_bytes, progress=progress)
        except DownloadError as error:
            errors.append(str(error))
            continue
        return _weights_in(file, progress)
    raise DownloadError(" ".join(errors))


def cache_folder() -> Path:
    """The folder for fetched weights: $SCENETEXT_CACHE, else `scenetext` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SCENETEXT_CACHE") or Path(base) / "scenetext")


def _weights_in(file: Path, progress: bool) -> Path:
    if not file.name.endswith((".tar", ".tar.gz", ".tgz")):
        return file
    unpacked = file.with_name(file.name + ".unpacked")
    with one_process(unpacked):
        if not unpacked.is_dir():
            safe_untar(file, unpacked, progress=progress)
    found = sorted(unpacked.rglob("*.pdparams"), key=lambda path: (path.stem != "best_accuracy", len(path.parts), path))
    if not found:
        raise InputError(f"{file.name} holds no .pdparams file; give the address of a training model.")
    return found[0]
