"""The fuzz campaign notices every bad end, and a slice of it finds none."""

from __future__ import annotations

import json
import os
import signal

import fuzz
import pytest
from fuzz_inputs import strategy
from fuzz_readers import READERS
from hypothesis import HealthCheck, Phase, given, settings

CASES = 50  # for each reader


@pytest.fixture(scope="module")
def careless():
    with fuzz.worker_of("careless", most_seconds=0.5, most_waiting=1.5) as worker:
        yield worker


@pytest.mark.parametrize(
    ("what", "kind", "told"),
    [
        ("nothing", "result", ""),
        ("own", "own", "input.txt is wrong."),
        ("nameless", "nameless", "Something is wrong."),
        ("foreign", "foreign", "KeyError: 'x'"),
        ("crash", "crash", f"signal {int(signal.SIGSEGV)}"),
        ("nothing", "result", ""),  # after a crash, the next case is tried all the same
        ("loop", "hang", "after"),
        ("wait", "hang", "after"),
        ("memory", "memory", "MemoryError"),
        ("hidden memory", "memory", "input.txt is wrong."),
        ("command", "code", "os.system"),
        ("file", "code", "elsewhere"),
        ("code", "code", "exec"),
    ],
)
def test_every_end_of_a_case_is_noticed(careless, what, kind, told):
    answer = careless.attempt(what.encode())
    assert answer["kind"] == kind and told in answer["message"], answer
    (careless.folder.parent / "elsewhere").unlink(missing_ok=True)


def test_bad_inputs_are_kept_once_for_each_message(tmp_path):
    tally = fuzz.Tally()
    for data in (b"one", b"two", b"three"):
        fuzz._note(
            tally, fuzz._ending("crash", "signal 11" if data != b"three" else "signal 7", 0.1), data, tmp_path, ".txt"
        )
    assert tally.counts == {"crash": 3} and [path.read_bytes() for path in tmp_path.iterdir()].count(b"one") == 1
    assert [message for _, message, _ in tally.faults] == ["signal 11", "signal 7"]


def test_a_campaign_is_resumed_where_it_stopped_and_begins_anew_for_other_source_code(tmp_path, monkeypatch, capsys):
    tried = []

    def try_cases(worker, cases, seed, kept):
        tried.append((worker.reader, cases))
        return fuzz.Tally(fuzz.Counter(own=cases), 0.5, 10**8)

    monkeypatch.setattr(fuzz, "try_cases", try_cases)
    command = ["--reader", "csv,yaml", "--cases", "700", "--out", str(tmp_path)]
    assert fuzz.main(command) == 0
    assert tried == [("csv", 500), ("yaml", 500), ("csv", 200), ("yaml", 200)]
    assert fuzz.main(command) == 0 and len(tried) == 4
    assert "| yaml | 0 | 700 | 0 | 0 | 0 | 0 | 0 | 0 | 0.50 | 0.10 |" in capsys.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / "fuzz.jsonl").read_text(encoding="utf-8").splitlines()]
    lines[0] |= {"source": "other", "counts": {"foreign": 3}}
    (tmp_path / "fuzz.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert fuzz.main(command) == 0 and tried[4:] == [("csv", 500)]


@pytest.mark.parametrize("name", READERS)
def test_inputs_are_the_same_for_a_seed_and_mostly_differ(name):
    def draw(seed):
        found = []

        @fuzz.seeded(seed)
        @settings(max_examples=20, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(strategy(name))
        def note(data):
            found.append(data)

        note()
        return found

    assert draw(3) == draw(3) != draw(4)
    assert len(set(draw(3))) > 10


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits memory as Linux does")
@pytest.mark.parametrize("name", READERS)
def test_no_reader_ends_badly_in_a_slice_of_the_campaign(name, tmp_path):
    with fuzz.worker_of(name) as worker:
        tally = fuzz.try_cases(worker, CASES, seed=1, kept=tmp_path)
    assert not tally.faults, tally.faults
    assert tally.counts.total() == CASES and tally.counts["own"] > 0
    assert tally.counts["result"] > 0, "no input was valid, so only refusals were tried"
