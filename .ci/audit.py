"""Checks the packages that the project is built on: hashes, licences and known vulnerabilities. Called by `make audit`.

    python .ci/audit.py

Hashes: every entry of lock.txt has one, so that pip refuses a file that was exchanged. Licences: every installed
package states one that is accepted here, or was reviewed by hand. Vulnerabilities: pip-audit asks an advisory service
about every entry of lock.txt; where the service cannot be reached the audit fails, because nothing was seen.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from pathlib import Path

LOCK = Path(__file__).with_name("lock.txt")
OWN = {"scenetext", "pip"}  # pip comes with the environment, and no code here imports it

ACCEPTED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0"),
    *("MIT-CMU", "MPL-2.0", "OFL-1.1", "OLDAP-2.8", "PSF-2.0", "TCL", "Unlicense"),
}
"""SPDX identifiers of licences under which a package may be used and passed on with an Apache-2.0 project."""

STATED_AS = {
    r"Apache( Software)?( License)?(,? (Version )?v?2(\.0)?)?": "Apache-2.0",
    r"(3-Clause )?BSD( 3-Clause)?( License)?": "BSD-3-Clause",
    r"(2-Clause BSD|BSD 2-Clause)( License)?": "BSD-2-Clause",
    r"ISC( license)?( \(ISCL\))?": "ISC",
    r"(The )?MIT( License)?": "MIT",
    r"Mozilla Public License 2\.0 \(MPL 2\.0\)": "MPL-2.0",
    r"(SIL Open Font License 1\.1 \(OFL-1\.1\)|SIL OFL 1\.1)": "OFL-1.1",
    r"(Python Software Foundation License|PSFL)": "PSF-2.0",
    r"GNU Lesser General Public License v2 or later \(LGPLv2\+\)": "LGPL-2.1-or-later",
}
"""What packages write that state no SPDX expression -> the identifier."""

REVIEWED = {
    "crc32c": ("LGPL-2.1-or-later", "a library of visualdl's, used unchanged as a package of its own"),
    "indico-fonts": ("Several", "fonts under OFL-1.1 and the Arphic Public License; see NOTICE.md"),
    "pypdfium2": ("BSD-3-Clause, Apache-2.0, dependency licenses", "PDFium's licences are BSD-like; only for tests"),
    "python-bidi": (
        "GNU Library or Lesser General Public License (LGPL)",
        "a library of rapidocr's, used unchanged as a package of its own",
    ),
}
"""Packages whose licence was read by hand: what they state, and why they may be used."""

TOLERATED: dict[str, str] = {}
"""Advisories that do not concern this project: identifier -> why."""


def main() -> int:
    """The command."""
    entries = locked(LOCK.read_text(encoding="utf-8"))
    faults = [
        *(f"{name} has no hash in the lock" for name, (_, has_hash) in entries.items() if not has_hash),
        *licence_faults(importlib.metadata.distributions(), entries),
        *vulnerability_faults({name: version for name, (version, _) in entries.items()}),
    ]
    for fault in faults:
        print(f"make audit: {fault}.", file=sys.stderr)
    return min(1, len(faults))


def locked(text: str) -> dict[str, tuple[str, bool]]:
    """Version, and whether there is a hash, of every package in a lock."""
    blocks = re.split(r"\n(?=\w)", text)
    heads = [re.match(r"([\w.-]+)==([\w.!+-]+)", block) for block in blocks]
    return {
        normalised(head[1]): (head[2], "--hash=sha256:" in block)
        for head, block in zip(heads, blocks, strict=True)
        if head
    }


def normalised(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_faults(
    distributions: Iterable[importlib.metadata.Distribution], lock: Mapping[str, object]
) -> Iterator[str]:
    """Half-sentences about installed packages whose licence is neither accepted nor reviewed."""
    seen = set()
    for distribution in distributions:
        name = normalised(distribution.metadata["Name"])
        if name in OWN or name in seen:
            continue
        seen.add(name)
        stated = licences(distribution.metadata)
        is_accepted = bool(stated) and stated <= ACCEPTED
        if not is_accepted and (name not in REVIEWED or {REVIEWED[name][0]} != stated):
            told = ", ".join(sorted(stated - ACCEPTED)) or "nothing"
            yield f"{name} {distribution.version} states {told} as its licence, which is neither accepted nor reviewed"
    reviewed = [f"{name} ({REVIEWED[name][0]}: {REVIEWED[name][1]})" for name in sorted(seen & set(REVIEWED))]
    print(f"licences: {len(seen)} installed packages; reviewed by hand: {', '.join(reviewed) or 'none'}.")
    absent = sorted(set(lock) - seen)
    if absent:
        print(f"licences: not installed here, so not seen: {', '.join(absent)}.")


def licences(metadata: Message) -> set[str]:
    """What a package states: SPDX identifiers where they are known, else its own words; all of them count."""
    if metadata.get("License-Expression"):
        return set(re.split(r" (?:AND|OR) ", metadata["License-Expression"].replace("(", "").replace(")", "")))
    classifiers = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier", []) if line.startswith("License")]
    told = [line for line in classifiers if line != "OSI Approved"]
    text = next((line.strip() for line in (metadata.get("License") or "").splitlines() if line.strip()), "")
    if not told or told == ["Other/Proprietary License"]:
        told = [text] if text else told
    return {identifier for line in told for identifier in _identifiers(line)}


def _identifiers(line: str) -> list[str]:
    if set(line.split(" AND ")) <= ACCEPTED:
        return line.split(" AND ")
    found = (spdx for pattern, spdx in STATED_AS.items() if re.fullmatch(pattern, line, re.IGNORECASE))
    return [next(found, line)]


def vulnerability_faults(lock: Mapping[str, str], program: str | None = None) -> Iterator[str]:
    """Half-sentences about known vulnerabilities of the locked packages, or about why they are not known.

    Args:
        lock: versions by name.
        program: pip-audit; found beside this Python or on the PATH when None.
    """
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = program or shutil.which("pip-audit", path=places)
    if program is None:
        yield "vulnerabilities were not looked for: pip-audit is missing, `pip install pip-audit` brings it"
        return
    command = [program, "-r", str(LOCK), "--disable-pip", "--require-hashes", "--format", "json"]
    done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, errors="replace")
    try:
        answers = {normalised(entry["name"]): entry for entry in json.loads(done.stdout)["dependencies"]}
    except (ValueError, KeyError, TypeError):
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        yield (
            f"vulnerabilities were not seen: pip-audit ended with status {done.returncode}: "
            f"{lines[-1].rstrip('.') if lines else 'no message'}; without a network, or where its service cannot be "
            "reached, nothing can be said"
        )
        return
    if not answers:
        yield "vulnerabilities were not seen: pip-audit answered about no package"
    unseen = [name for name, entry in answers.items() if "vulns" not in entry]
    if unseen:  # pip-audit itself calls that a success
        reason = str(answers[unseen[0]].get("skip_reason", "no reason given")).rstrip(".")
        yield f"{len(unseen)} of {len(answers)} packages were not looked up; the first is {unseen[0]}: {reason}"
    for name, entry in answers.items():
        for advisory in entry.get("vulns", []):
            known = {advisory["id"], *advisory.get("aliases", [])}
            if not known & set(TOLERATED):
                fixed = ", ".join(advisory.get("fix_versions", [])) or "no version"
                yield f"{name} {entry.get('version')} has {advisory['id']}, which is mended in {fixed}"
    print(f"vulnerabilities: pip-audit looked up {len(answers) - len(unseen)} of the {len(lock)} locked packages.")


if __name__ == "__main__":
    sys.exit(main())
