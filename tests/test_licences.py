"""NOTICE.md lists every bundled dictionary and every direct dependency with the licence that its metadata states."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

# licence in NOTICE.md -> how packages state it in License-Expression, License or the classifiers
STATED = {
    "Apache-2.0": r"Apache",
    "Apache-2.0 AND BSD-2-Clause": r"Apache-2.0 AND BSD-2-Clause",
    "BSD-2-Clause": r"BSD|Redistribution and use in source and binary forms",
    "BSD-3-Clause": r"BSD",
    "MIT": r"\bMIT\b",
    "MIT-CMU": r"MIT-CMU|HPND",
    "MPL-2.0": r"MPL-?2\.0|MPLv2\.0|Mozilla Public License 2",
    "MPL-2.0 AND MIT": r"MPL-?2\.0|MPLv2\.0",
    "OFL-1.1": r"OFL|Open Font License",
    "OLDAP-2.8": r"OLDAP|OpenLDAP",
    "PSF-2.0": r"Python Software Foundation|PSF",
    "several": r"Several",
}


def listed(root: Path, heading: str) -> dict[str, str]:
    """First and licence column of a table in NOTICE.md."""
    section = (root / "NOTICE.md").read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [[part.strip(" `") for part in line.split("|")[1:-1]] for line in section.splitlines() if "|" in line]
    at = rows[0].index("licence")
    return {row[0]: row[at] for row in rows[2:]}


def direct_dependencies(root: Path) -> set[str]:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    project = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    return set(re.findall(r'"([\w-]+) ?[<>=!]', project))


def test_every_dictionary_is_listed_with_its_licence(root: Path) -> None:
    files = {path.name for path in (root / "src/scenetext/text/charsets").glob("*.txt")}
    assert files == set(listed(root, "Dictionaries in this repository")) and len(files) >= 6


def test_every_direct_dependency_is_listed_with_the_licence_that_its_metadata_states(root: Path) -> None:
    licences = listed(root, "Direct dependencies")
    assert set(licences) == direct_dependencies(root) and len(licences) > 35
    checked = 0
    for name, licence in licences.items():
        try:
            stated = metadata(name)
        except PackageNotFoundError:  # another extra, or not for this Python
            continue
        lines = [stated.get("License-Expression"), stated.get("License"), *stated.get_all("Classifier", [])]
        told = "\n".join(line for line in lines if line and ("::" not in line or line.startswith("License")))
        assert re.search(STATED[licence], told), f"{name}: NOTICE.md says {licence}, its metadata: {told[:200]}"
        checked += 1
    assert checked > 30


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE.md", "CITATION.cff", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_files_of_a_published_project_are_there(root: Path, name: str) -> None:
    assert (root / name).stat().st_size > 200


def test_the_licence_is_apache_in_full_and_the_version_is_one(root: Path) -> None:
    import yaml

    import scenetext

    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text and len(text) > 11_000
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (scenetext.__version__, "Apache-2.0")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d+\.\d+\.\d+)", changes, re.MULTILINE)[0] == scenetext.__version__
    assert 'license = "Apache-2.0"' in (root / "pyproject.toml").read_text(encoding="utf-8")
