"""The test sets of the literature, as they are passed around: folders of LMDBs, recognised by the folders' names.

Layouts: deep-text-recognition-benchmark (`evaluation/IIIT5k_3000`, Baek et al., ICCV 2019), PARSeq (`test/IIIT5k`,
Bautista and Atienza, ECCV 2022), OpenOCR (`u14m/curve`, `OST/weak`, `ltb/long_lmdb`,
`benchmark_bctr_test/scene_test`). The numbers of lines are those that OpenOCR's docs/svtrv2.md and the Chinese
benchmark (Chen et al., arXiv 2112.15093) publish. LTB is scored like the others, but its labels have more than the 25
characters that the other protocols end at, so it has one that leaves no label out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenetext.data.sources.lmdbs import Lmdb, lmdb_folders
from scenetext.errors import InputError, nearest_hint
from scenetext.system.file_names import shown_path
from scenetext.text.records import RecordTable


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A published test set.

    Attributes:
        name: as papers write it.
        lines: how many lines it holds; None where copies differ.
        folders: the names of its folder, without case, `_`, `-`, and spaces; "ost/weak" asks for the folder above, too.
    """

    name: str
    lines: int | None
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """Test sets that papers average over.

    Attributes:
        name: the suite's.
        protocol: the protocol that its papers score by; see `protocols`.
        sets: in the order of their tables.
    """

    name: str
    protocol: str
    sets: tuple[KnownSet, ...]


SUITES = (
    Suite(
        "Common benchmarks",
        "parseq",
        (
            KnownSet("IIIT5k", 3000, ("iiit5k", "iiit5k3000")),
            KnownSet("SVT", 647, ("svt", "svt647")),
            KnownSet("IC13_857", 857, ("ic13857", "ic13")),
            KnownSet("IC15_1811", 1811, ("ic151811", "ic15")),
            KnownSet("SVTP", 645, ("svtp", "svtp645")),
            KnownSet("CUTE80", 288, ("cute80", "cute80288", "cute")),
        ),
    ),
    Suite(
        "Common benchmarks, other editions",
        "parseq",
        (
            KnownSet("IC03_860", 860, ("ic03860", "ic03")),
            KnownSet("IC03_867", 867, ("ic03867",)),
            KnownSet("IC13_1015", 1015, ("ic131015",)),
            KnownSet("IC13_1095", 1095, ("ic131095",)),
            KnownSet("IC15_2077", 2077, ("ic152077",)),
        ),
    ),
    Suite(
        "Union14M-Benchmark",
        "union14m",
        (
            KnownSet("Curve", 2426, ("curve",)),
            KnownSet("Multi-Oriented", 1369, ("multioriented",)),
            KnownSet("Artistic", 900, ("artistic",)),
            KnownSet("Contextless", 779, ("contextless",)),
            KnownSet("Salient", 1585, ("salient",)),
            KnownSet("Multi-Words", 829, ("multiwords", "multiword")),
            KnownSet("General", 400_000, ("general",)),
        ),
    ),
    Suite(
        "OST",
        "openocr",
        (
            KnownSet("OST weak", 2416, ("ost/weak", "ostweak")),
            KnownSet("OST heavy", 2416, ("ost/heavy", "ostheavy")),
        ),
    ),
    Suite("LTB", "deep-text-recognition", (KnownSet("LTB", 3376, ("ltb", "ltb/longlmdb", "longlmdb")),)),
    Suite(
        "Chinese benchmark",
        "chinese-benchmark",
        (
            KnownSet("Scene", 63_646, ("scenetest", "scene")),
            KnownSet("Web", None, ("webtest", "web")),
            KnownSet("Document", None, ("documenttest", "document")),
            KnownSet("Handwriting", None, ("handwritingtest", "handwriting")),
        ),
    ),
)
OTHERS = Suite("Other sets", "normalised", ())


@dataclass(frozen=True, slots=True)
class FoundSet:
    """A test set on the disk.

    Attributes:
        name: the published name, or the path of its folder below the one that was searched.
        suite: of SUITES, or OTHERS.
        lines: the published number of lines, where it is known.
        lmdb: its pictures.
        records: its labels.
    """

    name: str
    suite: Suite
    lines: int | None
    lmdb: Lmdb
    records: RecordTable


def find_sets(folder: str | Path, wanted: Sequence[str] = ()) -> tuple[list[FoundSet], dict[str, str]]:
    """Opens all test sets at or below a folder and reads their labels.

    Args:
        folder: the folder, or a single LMDB.
        wanted: names of sets; by default all.

    Returns:
        The sets, those of SUITES first and in the order there, and by name the reason why a set cannot be read.

    Raises:
        InputError: there is no LMDB, or a wanted set is not among them.
    """
    named = _named(Path(folder))
    for name in wanted:
        if name not in named:
            raise InputError(f"{shown_path(folder)} has no test set {name!r}: {nearest_hint(name, named)}.")
    found, broken = [], {}
    for name, (suite, lines, path, prefix) in named.items():
        if wanted and name not in wanted:
            continue
        try:
            found.append(_opened(name, suite, lines, path, prefix))
        except InputError as error:
            broken[name] = str(error)
    return found, broken


def _named(folder: Path) -> dict[str, tuple[Suite, int | None, Path, str]]:
    """By name, in the order of SUITES: the suite, the published number of lines, the LMDB's folder and its prefix.

    A second folder of one known name, such as that of another edition, keeps its path as its name.
    """
    places = {}
    for path, prefix in lmdb_folders(folder):
        places[prefix.rstrip("/") or os.path.basename(os.path.abspath(path))] = (path, prefix)
    ordered = {}
    for suite in SUITES:
        for known in suite.sets:
            own = next((name for name, (path, _) in places.items() if _is_folder_of(known, path)), None)
            if own is not None:
                ordered[known.name] = (suite, known.lines, *places.pop(own))
    return ordered | {name: (OTHERS, None, *place) for name, place in places.items()}


def _is_folder_of(known: KnownSet, path: Path) -> bool:
    path = Path(os.path.abspath(path))
    own, above = _key(path.name), _key(path.parent.name)
    return bool({own, f"{above}/{own}"} & set(known.folders))


def _key(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.lower())


def _opened(name: str, suite: Suite, lines: int | None, path: Path, prefix: str) -> FoundSet:
    lmdb = Lmdb(path, prefix)
    if not lmdb.count:
        raise InputError(f"{shown_path(path)} holds no line, because its num-samples is 0: make it again.")
    return FoundSet(name, suite, lines, lmdb, lmdb.table())
