"""`make audit`: hashes, licences and known vulnerabilities; what was not seen is never a success."""

from __future__ import annotations

import json
import subprocess
import sys
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from ci_scripts import load_script


@pytest.fixture(scope="module")
def audit(root: Path) -> ModuleType:
    return load_script(root, "audit")


def package(name: str = "some-package", **stated: str | list[str]) -> SimpleNamespace:
    metadata = Message()
    metadata["Name"] = name
    for key, values in stated.items():
        for value in [values] if isinstance(values, str) else values:
            metadata[key.replace("_", "-")] = value
    return SimpleNamespace(metadata=metadata, version="1.0")


def test_every_entry_of_the_lock_has_a_hash(audit, root) -> None:
    lock = audit.locked((root / ".ci/lock.txt").read_text(encoding="utf-8"))
    assert len(lock) > 150 and all(has_hash for _, has_hash in lock.values())
    assert audit.locked("a==1 \\\n    --hash=sha256:00\nB_c==2 ; python_version < '3'\n") == {
        "a": ("1", True),
        "b-c": ("2", False),
    }


def test_every_locked_package_that_is_installed_has_an_accepted_or_reviewed_licence(audit, root) -> None:
    lock = audit.locked((root / ".ci/lock.txt").read_text(encoding="utf-8"))
    locked = [found for found in distributions() if audit.normalised(found.metadata["Name"]) in lock]
    assert list(audit.licence_faults(locked, lock)) == [] and len(locked) > 100


@pytest.mark.parametrize(
    "stated",
    [
        {"License_Expression": "MIT AND (Apache-2.0 WITH LLVM-exception OR BSD-3-Clause)"},
        {"Classifier": ["Programming Language :: Python", "License :: OSI Approved :: BSD License"]},
        {"License": "Apache License v2.0"},
        {"License": "MPL-2.0 AND MIT", "Classifier": "License :: OSI Approved"},
        {"License": "\n\nMIT License\n\nCopyright someone"},
    ],
)
def test_a_licence_is_known_in_all_the_ways_in_which_packages_state_it(audit, stated) -> None:
    assert list(audit.licence_faults([package(**stated)], {})) == []


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ({}, "states nothing as its licence"),
        ({"Classifier": "License :: OSI Approved"}, "states nothing"),
        ({"License_Expression": "GPL-3.0-only"}, "states GPL-3.0-only"),
        ({"License_Expression": "MIT AND GPL-3.0-only"}, "states GPL-3.0-only"),
        ({"License": "MIT", "Classifier": "License :: OSI Approved :: GNU General Public License (GPL)"}, "General"),
        ({"License": "free for research"}, "states free for research"),
        ({"name": "crc32c", "License": "proprietary"}, "states proprietary"),  # another one than was reviewed
    ],
)
def test_an_unknown_new_or_changed_licence_is_named(audit, stated, told) -> None:
    (fault,) = audit.licence_faults([package(**stated)], {})
    assert told in fault and "neither accepted nor reviewed" in fault


def test_what_is_locked_and_not_installed_is_said_to_be_unseen(audit, capsys) -> None:
    list(audit.licence_faults([], {"onnx": "1"}))
    assert "not installed here, so not seen: onnx." in capsys.readouterr().out


def stand_in(folder: Path, output: str, error: str = "", status: int = 0) -> str:
    """A program in the place of pip-audit."""
    program = folder / "pip-audit"
    code = f"import sys; sys.stdout.write({output!r}); sys.stderr.write({error!r}); sys.exit({status})"
    program.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


WHOLE = {"name": "numpy", "version": "2.3.5", "vulns": []}
HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["1.18.0"], "aliases": ["CVE-2026-1"]}


@pytest.mark.parametrize(
    ("dependencies", "told"),
    [
        ([WHOLE], []),
        ([{**WHOLE, "vulns": [HOLE]}], ["numpy 2.3.5 has PYSEC-2026-1, which is mended in 1.18.0"]),
        ([{**WHOLE, "vulns": [{"id": "X"}]}], ["numpy 2.3.5 has X, which is mended in no version"]),
        (
            [WHOLE, {"name": "onnx", "skip_reason": "not on the index"}],
            ["1 of 2 packages were not looked up; the first is onnx: not on the index"],
        ),
        ([], ["answered about no package"]),
    ],
)
def test_known_vulnerabilities_and_packages_that_were_not_looked_up_are_named(
    audit, tmp_path, dependencies, told
) -> None:
    program = stand_in(tmp_path, json.dumps({"dependencies": dependencies}), status=len(told))
    faults = list(audit.vulnerability_faults({"numpy": "2.3.5", "onnx": "1.17.0"}, program))
    assert len(faults) == len(told) and all(part in fault for part, fault in zip(told, faults, strict=True))


@pytest.mark.parametrize("output", ["", "{}", "[]", '{"dependencies": 5}', "no json"])
def test_an_advisory_service_that_cannot_be_reached_is_never_a_success(audit, tmp_path, output) -> None:
    program = stand_in(tmp_path, output, "ERROR:pip_audit._cli:\nCould not connect to PyPI's vulnerability feed\n", 1)
    (fault,) = audit.vulnerability_faults({"numpy": "2.3.5"}, program)
    assert "vulnerabilities were not seen" in fault and "Could not connect to PyPI's vulnerability feed" in fault


def test_a_vulnerability_that_was_judged_not_to_concern_us_is_passed_over(audit, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(audit, "TOLERATED", {"CVE-2026-1": "the function is not called"})
    program = stand_in(tmp_path, json.dumps({"dependencies": [{**WHOLE, "vulns": [HOLE]}]}))
    assert list(audit.vulnerability_faults({"numpy": "2.3.5"}, program)) == []


def test_without_pip_audit_the_command_fails_and_says_how_to_get_it(root, tmp_path) -> None:
    code = (
        "import runpy, shutil, sys\n"
        "shutil.which = lambda *_, **__: None\n"
        f"sys.argv = ['audit']; runpy.run_path({str(root / '.ci/audit.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "make audit: vulnerabilities were not looked for: pip-audit is missing, `pip install" in done.stderr
