"""Every step of a child gets an outcome, however the child ended and whatever it wrote."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.child import End, Ended
from weighin.gates.digest import sha256_of
from weighin.plugin.buildcache import Cache, key_of
from weighin.plugin.ledger import Ledger

OK, DEAD = Ended(how=End.OK), Ended(how=End.CRASHED, reason="crashed (SIGSEGV)")
STEPS = ("a", "b", "c")


def ledger_of(lines: list[dict[str, str]], ended: Ended) -> tuple[Ledger, list[str]]:
    kept: list[str] = []

    def keep(step: str, _line: object) -> str:
        kept.append(step)
        return ""

    ledger = Ledger(STEPS, keep)
    for line in lines:
        ledger.line(line)
    ledger.end(ended)
    return ledger, kept


def test_a_child_that_dies_takes_only_the_step_it_had_begun() -> None:
    lines = [{"begin": "a"}, {"done": "a"}, {"begin": "b"}]
    ledger, kept = ledger_of(lines, DEAD)
    assert kept == ["a"]
    assert ledger.failed == {"b": "crashed (SIGSEGV)"}


def test_a_child_that_dies_before_it_begins_takes_all() -> None:
    ledger, _ = ledger_of([], DEAD)
    assert set(ledger.failed) == set(STEPS)


def test_a_failure_that_was_told_keeps_its_reason() -> None:
    lines = [{"begin": "a"}, {"failed": "a", "reason": "cannot be pruned"}]
    ledger, _ = ledger_of(lines, OK)
    assert ledger.failed == {"a": "cannot be pruned"}


def test_a_child_that_says_nothing_has_failed() -> None:
    ledger, _ = ledger_of([{"begin": "a"}], OK)
    assert ledger.failed == {"a": "the child ended without an answer"}
    assert set(ledger_of([], OK)[0].failed) == set(STEPS)


words = st.sampled_from(["begin", "done", "failed", "other"])
steps = st.sampled_from([*STEPS, "elsewhere"])


@given(
    st.lists(st.dictionaries(words, steps, max_size=2), max_size=12),
    st.sampled_from([OK, DEAD]),
)
def test_whatever_a_child_writes_some_step_is_settled_once(
    lines: list[dict[str, str]], ended: Ended
) -> None:
    ledger, kept = ledger_of(lines, ended)
    assert set(kept) | set(ledger.failed)
    assert len(kept) == len(set(kept))
    assert not set(kept) & set(ledger.failed)


def made(folder: Path, content: str = "content") -> Path:
    path = folder / "made.onnx"
    path.write_text(content)
    return path


def test_a_kept_file_is_found_with_its_notes(tmp_path: Path) -> None:
    cache, path = Cache(tmp_path / "cache"), made(tmp_path)
    claim = {"sha256": sha256_of(path), "notes": {"macs": "1 -> 2"}}
    assert cache.keep("key", path, claim) == ""
    entry = cache.find("key", ".onnx")
    assert entry is not None
    assert (entry.sha256, entry.notes) == (sha256_of(path), (("macs", "1 -> 2"),))
    assert cache.find("other", ".onnx") is None


def test_a_file_that_is_not_what_was_claimed_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    assert "not the one" in cache.keep("key", made(tmp_path), {"sha256": "0" * 64})
    assert "not there" in cache.keep("key", tmp_path / "missing.onnx", {})
    assert cache.find("key", ".onnx") is None


@pytest.mark.parametrize("part", ["key.onnx", "key.json"])
def test_a_half_written_entry_is_no_entry(tmp_path: Path, part: str) -> None:
    cache, path = Cache(tmp_path / "cache"), made(tmp_path)
    cache.keep("key", path, {"sha256": sha256_of(path)})
    kept = tmp_path / "cache" / part
    kept.write_bytes(kept.read_bytes()[:-3])
    assert cache.find("key", ".onnx") is None


@given(st.lists(st.text() | st.integers() | st.none(), max_size=4))
def test_keys_depend_on_every_part(parts: list[object]) -> None:
    assert key_of(*parts) == key_of(*json.loads(json.dumps(parts)))
    assert key_of(*parts) != key_of(*parts, "more")
