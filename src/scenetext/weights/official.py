"""The weights that PaddleOCR's authors publish, by name, and fetching them.

No checksums of these files are published. So the first download records the SHA-256 of what came, in a `.json` beside
the file, and whatever is used later is compared with it (trust on first use). The weights in wheels (`weights.onnx`)
have checksums: those of their wheels, in `.ci/lock.txt`, which `make install` compares.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from scenetext.errors import InputError, RunError, nearest_hint
from scenetext.system.archives import TAR_SUFFIXES, safe_untar, tar_names
from scenetext.system.download import DownloadError, download
from scenetext.system.files import read_json, sha256_bytes, sha256_file, write_json
from scenetext.system.locks import one_process
from scenetext.weights.pdparams import unpickle_arrays

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
"""Published recognisers (and one detector) by the name that configs use."""

_SUFFIX = ".pdparams"
_OLD_PART_S = 30 * 24 * 3600  # nobody resumes such a download any more
_LONGEST_NAME = 100


def fetch_official(name_or_url: str, folder: str | Path | None = None, progress: bool = True) -> Path:
    """Fetches weights once and finds the `.pdparams` file in them.

    Args:
        name_or_url: a name of `OFFICIAL_WEIGHTS`, or the address of a `.pdparams` file, `.tar` or `.tar.gz`.
        folder: keeps fetched files; by default `cache_folder()`.
        progress: show a progress bar.

    Returns:
        The local `.pdparams` file.

    Raises:
        InputError: the name is unknown, or the address does not end like weights.
        RunError: no address gave safe, whole weights, or the folder cannot be written.
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
    files = [_cached_file(folder, url) for url in entry.urls]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_old_parts(folder)
    except OSError as error:
        raise RunError(
            f"{folder}, which keeps fetched weights, cannot be written ({error.strerror}): name another folder by the "
            "environment variable SCENETEXT_CACHE."
        ) from None
    errors = []
    for url, file in zip(entry.urls, files, strict=True):  # they differ in form, so they are no mirrors of each other
        try:
            with one_process(file.with_name(f"{file.name}.weights")):
                return _fetched(url, file, entry.size_bytes, progress)
        except DownloadError as error:
            errors.append(str(error))
    raise DownloadError(" ".join(errors))


def cache_folder() -> Path:
    """The folder for fetched weights: $SCENETEXT_CACHE, else `scenetext` in the user's cache folder."""
    named = os.environ.get("SCENETEXT_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # a user without a home folder keeps its "~"
    return Path(tempfile.gettempdir() if base.startswith("~") else base) / "scenetext"


def _cached_file(folder: Path, url: str) -> Path:
    """Where the file of an address is kept."""
    name = PurePosixPath(urlsplit(url).path).name
    if not name.lower().endswith((_SUFFIX, *TAR_SUFFIXES)):
        raise InputError(f"{url!r} is no address of weights, which end in {_SUFFIX}, .tar, .tar.gz or .tgz.")
    return folder / f"{sha256_bytes(url.encode())[:12]}-{re.sub(r'[^A-Za-z0-9._-]', '_', name)[-_LONGEST_NAME:]}"


def _fetched(url: str, file: Path, size_bytes: int | None, progress: bool) -> Path:
    """The weights of an address, whole and as they were at the first time."""
    record_file = file.with_name(f"{file.name}.json")
    record = _read_record(record_file)
    weights = file.parent / record["weights"] if record else None
    if weights is not None and weights.is_file() and sha256_file(weights) == record["weights_sha256"]:
        return weights
    try:
        download(
            url,
            file,
            size_bytes=size_bytes,
            sha256=record["sha256"] if record else None,
            check=_check_tar if _is_tar(file) else _check_weights,
            progress=progress,
        )
    except DownloadError as error:
        if record is None or "SHA-256" not in str(error):
            raise
        raise DownloadError(
            f"{error} That is the checksum of the first download, on {record['fetched']}: if the file was replaced "
            f"rightly, remove {record_file}."
        ) from None
    if _is_tar(file):
        unpacked = safe_untar(file, file.with_name(f"{file.name}.unpacked"), progress=progress)
        weights = unpacked / _best([path.relative_to(unpacked).as_posix() for path in unpacked.rglob(f"*{_SUFFIX}")])
        try:
            _check_weights(weights)
        except InputError:  # so that the next call fetches again
            file.unlink()
            shutil.rmtree(unpacked)
            raise
    else:
        weights = file
    if record is None:
        record = {"url": url, "fetched": time.strftime("%Y-%m-%d"), "sha256": sha256_file(file)}
        print(
            f"{url}: no checksum is published; what came has the SHA-256 {record['sha256']}, which {record_file} keeps "
            "for later comparison.",
            file=sys.stderr,
        )
    record |= {"weights": weights.relative_to(file.parent).as_posix(), "weights_sha256": sha256_file(weights)}
    write_json(record_file, record)
    return weights


def _read_record(file: Path) -> dict[str, Any] | None:
    """What the first download recorded; None if there was none or its record is damaged."""
    try:
        record = read_json(file)
    except InputError:
        return None
    keys = ("sha256", "fetched", "weights", "weights_sha256")
    return record if isinstance(record, dict) and all(isinstance(record.get(key), str) for key in keys) else None


def _check_weights(file: Path) -> None:
    content = unpickle_arrays(file)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{file} holds no table of named weights.")


def _check_tar(file: Path) -> None:
    _best(tar_names(file), file.name)


def _is_tar(file: Path) -> bool:
    return file.name.lower().endswith(TAR_SUFFIXES)


def _best(names: list[str], archive: str = "The archive") -> str:
    """The weights to take of an archive's files; those of hidden files, as macOS packs them, are none."""
    found = [
        path
        for path in map(PurePosixPath, names)
        if path.suffix == _SUFFIX and not any(part.startswith((".", "__MACOSX")) for part in path.parts)
    ]
    if not found:
        raise InputError(f"{archive} holds no {_SUFFIX} file; give the address of a training model.")
    return min(found, key=lambda path: (path.stem != "best_accuracy", len(path.parts), path)).as_posix()


def _remove_old_parts(folder: Path) -> None:
    """Removes what downloads that ended long ago have left behind."""
    for part in [*folder.glob("*.part"), *folder.glob("*.part.json")]:
        with contextlib.suppress(FileNotFoundError):  # another process has finished or removed it
            if time.time() - part.stat().st_mtime > _OLD_PART_S:
                part.unlink()
