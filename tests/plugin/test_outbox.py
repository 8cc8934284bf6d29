"""The outbox wakes the worker; whatever happens to it, nobody is stopped for long."""

import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from weighin.plugin.outbox import (
    HintWriter,
    clear,
    outbox_path,
    pending,
    record_hint,
    wait_for_hint,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


@pytest.fixture
def writer() -> Iterator[HintWriter]:
    writer = HintWriter()
    yield writer
    writer.close()


def hint(outbox: Path, label: str) -> None:
    record_hint(outbox, key=f"key-of-{label}", label=label, now_ms=1_000)


def labels(outbox: Path) -> list[str]:
    return [h.label for h in pending(outbox)]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        pytest.param({"WEIGHIN_OUTBOX": "/o/x.db", "HOME": "/h"}, "/o/x.db", id="named"),
        pytest.param({"WEIGHIN_OUTBOX": "x.db", "HOME": "/h"}, "{cwd}/x.db", id="named-relative"),
        pytest.param({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/weighin/outbox.db", id="xdg"),
        pytest.param(
            {"XDG_STATE_HOME": "s", "HOME": "/h"},
            "/h/.local/state/weighin/outbox.db",
            id="xdg-relative-is-ignored",
        ),
        pytest.param({"HOME": "/h"}, "/h/.local/state/weighin/outbox.db", id="home"),
    ],
)
def test_where_hints_go_outside_a_project(
    env: dict[str, str], expected: str, tmp_path: Path
) -> None:
    assert str(outbox_path(env, tmp_path)) == expected.format(cwd=tmp_path)


def test_hints_of_a_project_stay_in_the_nearest_one(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "notebooks").mkdir(parents=True)
    (tmp_path / "outer" / "weighin.toml").touch()
    (inner / "weighin.toml").touch()
    env = {"HOME": "/h", "XDG_STATE_HOME": "/s"}
    assert outbox_path(env, inner / "notebooks") == inner / ".weighin" / "outbox.db"
    assert outbox_path(env, tmp_path / "outer") == tmp_path / "outer" / ".weighin" / "outbox.db"


def test_hints_come_back_in_order_with_what_was_said(outbox: Path) -> None:
    record_hint(outbox, key="k1", label="digits/1", now_ms=10)
    record_hint(outbox, key="k2", label="digits/2", now_ms=20)
    first, second = pending(outbox)
    assert (first.key, first.label, first.at_ms) == ("k1", "digits/1", 10)
    assert (second.key, second.label, second.at_ms) == ("k2", "digits/2", 20)
    assert first.seq < second.seq


def test_clearing_keeps_what_came_in_meanwhile(outbox: Path) -> None:
    hint(outbox, "seen")
    (seen,) = pending(outbox)
    hint(outbox, "later")
    clear(outbox, seen.seq)
    assert labels(outbox) == ["later"]


def test_numbers_rise_even_after_everything_was_cleared(outbox: Path) -> None:
    hint(outbox, "first")
    (first,) = pending(outbox)
    clear(outbox, first.seq)
    hint(outbox, "second")
    assert pending(outbox)[0].seq > first.seq


def test_no_outbox_means_no_hints_and_makes_no_file(outbox: Path) -> None:
    assert pending(outbox) == ()
    clear(outbox, 10)
    assert not outbox.parent.exists()


def test_a_locked_outbox_is_given_up_and_works_again_afterwards(
    outbox: Path, writer: HintWriter
) -> None:
    writer.record(outbox, key="k", label="before", now_ms=1)
    with closing(sqlite3.connect(outbox, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.record(outbox, key="k", label="during", now_ms=2)
        other.execute("ROLLBACK")
    writer.record(outbox, key="k", label="after", now_ms=3)
    assert labels(outbox) == ["before", "after"]


def test_a_folder_deleted_between_two_hints_is_made_again(outbox: Path, writer: HintWriter) -> None:
    writer.record(outbox, key="k", label="lost with the folder", now_ms=1)
    for file in outbox.parent.iterdir():
        file.unlink()
    outbox.parent.rmdir()
    writer.record(outbox, key="k", label="kept", now_ms=2)
    assert labels(outbox) == ["kept"]


def test_one_writer_follows_the_path_it_is_given(tmp_path: Path, writer: HintWriter) -> None:
    writer.record(tmp_path / "a.db", key="k", label="a", now_ms=1)
    writer.record(tmp_path / "b.db", key="k", label="b", now_ms=2)
    assert (labels(tmp_path / "a.db"), labels(tmp_path / "b.db")) == (["a"], ["b"])


def test_an_outbox_that_nobody_reads_stays_small(outbox: Path, writer: HintWriter) -> None:
    for number in range(20_001):
        writer.record(outbox, key="k", label=str(number), now_ms=number)
    kept = labels(outbox)
    assert kept[-1] == "20000"
    assert len(kept) == 10_001


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"not a database " * 999), id="another-file"),
        pytest.param(
            lambda file: file.write_bytes(file.read_bytes()[:512] + b"\xff" * 4096),
            id="overwritten-pages",
        ),
    ],
)
def test_a_damaged_outbox_is_set_aside_and_the_next_hint_counts(
    damage: Callable[[Path], object], outbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hint(outbox, "lost")
    damage(outbox)
    with caplog.at_level(logging.WARNING):
        assert pending(outbox) == ()
    assert "damaged" in caplog.text
    assert outbox.with_name("outbox.db.damaged").exists()
    hint(outbox, "kept")
    assert labels(outbox) == ["kept"]


def test_waiting_ends_at_once_when_a_hint_is_there_already(outbox: Path) -> None:
    hint(outbox, "before the wait")
    assert wait_for_hint(outbox, timeout_s=0)


def test_waiting_ends_without_a_hint(outbox: Path) -> None:
    assert not wait_for_hint(outbox, timeout_s=0.05, poll_s=0.01)


@pytest.mark.parametrize("existing", [True, False], ids=["existing-outbox", "no-outbox-yet"])
def test_a_hint_wakes_who_waits(existing: bool, outbox: Path) -> None:
    if existing:
        hint(outbox, "old")
        clear(outbox, pending(outbox)[-1].seq)
    later = threading.Timer(0.1, hint, (outbox, "new"))
    later.start()
    assert wait_for_hint(outbox, timeout_s=60, poll_s=0.01)
    later.join()


def test_the_threads_of_a_server_share_one_writer(outbox: Path, writer: HintWriter) -> None:
    def work(name: str) -> None:
        for number in range(25):
            while True:
                try:
                    writer.record(outbox, key="k", label=f"{name}-{number}", now_ms=number)
                    break
                except sqlite3.OperationalError:  # busy: the hook would give up, this test counts
                    pass
        writer.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(labels(outbox)) == sorted(f"{n}-{i}" for n in "abcd" for i in range(25))


def run_python(code: str, *args: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, *args], text=True)


FIRST_CONTACT = """
import sqlite3, sys
from pathlib import Path
from weighin.plugin.outbox import HintWriter
writer, outbox, name = HintWriter(), Path(sys.argv[1]), sys.argv[2]
for number in range(50):
    while True:
        try:
            writer.record(outbox, key="k", label=f"{name}-{number}", now_ms=number)
            break
        except sqlite3.OperationalError:  # busy: the hook would give up, this test counts
            pass
"""


def test_processes_that_meet_a_new_outbox_at_once_lose_nothing(outbox: Path) -> None:
    children = [run_python(FIRST_CONTACT, str(outbox), name) for name in "abcd"]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    assert sorted(labels(outbox)) == sorted(f"{n}-{i}" for n in "abcd" for i in range(50))


FORK = """
import os, sys
from pathlib import Path
from weighin.plugin.outbox import HintWriter
writer, outbox = HintWriter(), Path(sys.argv[1])
writer.record(outbox, key="k", label="parent before", now_ms=1)
child = os.fork()
if child == 0:
    writer.record(outbox, key="k", label="child", now_ms=2)
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
writer.record(outbox, key="k", label="parent after", now_ms=3)
"""


def test_a_forked_worker_does_not_use_its_parents_connection(outbox: Path) -> None:
    assert run_python(FORK, str(outbox)).wait() == 0
    assert labels(outbox) == ["parent before", "child", "parent after"]
