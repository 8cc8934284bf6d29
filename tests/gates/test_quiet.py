"""What counts as noise on this machine, and what becomes of a number taken in it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, HostSettings
from weighin.gates.devices.host import deciding
from weighin.gates.devices.watch import Watch
from weighin.gates.measurement import Measurement, Unreadable
from weighin.gates.meters.latency import Session, latency_p90
from weighin.gates.meters.looks import look
from weighin.gates.meters.stamp import Stamp
from weighin.gates.quiet import Look, Process, QuietLimits, disturbance

LIMITS = QuietLimits()
STAMP = Stamp(
    artifact_sha256="a" * 64,
    runtime="r 1",
    device="host",
    measured_at=datetime(2026, 11, 26, tzinfo=UTC),
)
BEFORE = Look(
    at_s=100.0, cpus=2, busy_s=1000.0, steal_s=5.0, own_s=50.0, stalled_s=9.0, throttles=3
)


def after(seconds: float = 10.0, **used: float) -> Look:
    """Ten seconds later, with what was used meanwhile added."""
    return Look(
        at_s=BEFORE.at_s + seconds,
        cpus=BEFORE.cpus,
        busy_s=BEFORE.busy_s + used.get("others", 0) + used.get("own", 10),
        steal_s=BEFORE.steal_s + used.get("steal", 0),
        own_s=BEFORE.own_s + used.get("own", 10),
        stalled_s=9.0 + used.get("stalled", 0),
        throttles=3 + int(used.get("throttles", 0)),
    )


@pytest.mark.parametrize(
    ("used", "threads", "words"),
    [
        ({}, 1, None),
        ({"others": 0.5}, 1, None),
        ({"others": 10.0}, 1, None),
        ({"others": 13.3}, 1, "other processes kept 1.3 of 2 cores busy"),
        ({"others": 20.0, "own": 0.2}, 1, "other processes kept 2.0 of 2 cores busy"),
        ({"others": 1.0}, 2, None),
        ({"others": 3.0}, 2, "other processes kept 0.3 of 2 cores busy"),
        ({"steal": 0.9}, 1, None),
        ({"steal": 2.0}, 1, "the host of this virtual machine took 10%"),
        ({"stalled": 2.0}, 1, None),
        ({"stalled": 3.0}, 1, "waited for a core 30%"),
        ({"throttles": 1}, 1, "heat or power"),
    ],
    ids=[
        "nobody else",
        "a daemon",
        "one loop leaves a core",
        "two loops share with us",
        "two loops while waiting",
        "a daemon beside two threads",
        "a third of a core short of two threads",
        "little steal",
        "much steal",
        "short waits",
        "long waits",
        "throttled",
    ],
)
def test_a_machine_of_two_cores_is_quiet_or_says_what_disturbs(
    used: dict[str, float], threads: int, words: str | None
) -> None:
    found = disturbance(BEFORE, after(**used), threads, LIMITS)
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert words in found
        assert "[host]" in found


def test_limits_are_the_users_own() -> None:
    busy = after(others=13.3)
    assert disturbance(BEFORE, busy, 1, replace(LIMITS, most_other_load=0.5)) is None
    assert disturbance(BEFORE, after(steal=0.9), 1, replace(LIMITS, most_steal=0.01)) is not None


def test_the_loudest_process_is_named() -> None:
    early = replace(BEFORE, others=(Process(pid=7, name="ld", cpu_s=3.0),))
    late = replace(
        after(others=20.0, own=0.0),
        others=(
            Process(pid=7, name="ld", cpu_s=11.0),
            Process(pid=8, name="started since, seen once", cpu_s=99.0),
        ),
    )
    found = disturbance(early, late, 1, LIMITS)
    assert found is not None
    assert "(ld, process 7, 80%)" in found


def test_counters_that_a_machine_does_not_have_disturb_nobody() -> None:
    bare = replace(after(), stalled_s=None, throttles=None)
    assert disturbance(BEFORE, bare, 1, LIMITS) is None


def test_two_looks_at_the_same_moment_say_nothing() -> None:
    assert disturbance(BEFORE, BEFORE, 1, LIMITS) is not None


@given(st.floats(0, 20), st.floats(0, 20), st.integers(1, 2))
def test_more_load_never_makes_a_machine_quieter(less: float, more: float, threads: int) -> None:
    low, high = sorted((less, more))
    if disturbance(BEFORE, after(others=low), threads, LIMITS) is not None:
        assert disturbance(BEFORE, after(others=high), threads, LIMITS) is not None


def session(twin: float = 1.0, disturbed: str = "") -> Session:
    times = tuple(1.0 + k / 1000 for k in range(60))
    return Session(
        times_ms=times,
        reference_ms=times,
        twin_ms=tuple(t * twin for t in times),
        disturbed=disturbed,
    )


def test_a_number_taken_beside_others_is_refused_with_what_they_did() -> None:
    sessions = [session(), session(disturbed="a loop took a core")]
    found = latency_p90(sessions, STAMP, 1, quiet=LIMITS)
    assert isinstance(found, Unreadable)
    assert found.reason == "this machine was too noisy: in 1 of 2 processes, a loop took a core"


@pytest.mark.parametrize(("twin", "refused"), [(1.09, False), (0.92, False), (1.12, True)], ids=str)
def test_a_reference_that_differs_from_itself_is_the_last_word(twin: float, refused: bool) -> None:
    found = latency_p90([session(twin), session(twin), session()], STAMP, 1, quiet=LIMITS)
    assert isinstance(found, Unreadable) is refused
    if isinstance(found, Unreadable):
        assert "differs from itself by 12%" in found.reason


def test_where_noise_is_only_labelled_the_number_says_so() -> None:
    limits = replace(LIMITS, refuse=False)
    found = latency_p90([session(disturbed="a loop")], STAMP, 1, quiet=limits)
    assert isinstance(found, Measurement)
    assert "a loop" in dict(found.conditions)["noise"]
    quiet = latency_p90([session()], STAMP, 1, quiet=limits)
    assert isinstance(quiet, Measurement)
    assert "noise" not in dict(quiet.conditions)


@pytest.mark.parametrize(
    ("governor", "driver", "allowed_khz", "share", "refused"),
    [
        ("schedutil", "cpufreq-dt", 2_000_000, 1.0, False),
        ("schedutil", "cpufreq-dt", 1_000_000, 0.5, True),
        ("powersave", "cpufreq-dt", 2_000_000, 0.2, True),
        ("powersave", "intel_pstate", 2_000_000, 1.0, False),
    ],
    ids=["free", "capped", "held at the lowest", "a driver that chooses by itself"],
)
def test_a_machine_that_may_not_run_at_its_clock_is_not_timed(
    tmp_path: Path, governor: str, driver: str, allowed_khz: int, share: float, refused: bool
) -> None:
    write_stat(tmp_path / "proc", 1000)
    for core in range(2):
        folder = tmp_path / "sys" / "devices" / "system" / "cpu" / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "cpuinfo_min_freq").write_text("400000\n")
        (folder / "cpuinfo_max_freq").write_text("2000000\n")
        (folder / "scaling_max_freq").write_text(f"{allowed_khz if core else 2_000_000}\n")
        (folder / "scaling_governor").write_text(f"{governor}\n")
        (folder / "scaling_driver").write_text(f"{driver}\n")
    seen = look(tmp_path / "proc", tmp_path / "sys")
    assert seen is not None
    assert seen.clock == share
    found = disturbance(BEFORE, replace(after(), clock=seen.clock), 1, LIMITS)
    assert (found is not None) is refused
    if found is not None:
        assert f"{share:.0%} of their highest clock" in found


def write_stat(proc: Path, busy_ticks: int) -> None:
    """Counters of a machine of two cores."""
    proc.mkdir(exist_ok=True)
    line = f"{busy_ticks} 0 0 5000 0 0 0 0 0 0"
    (proc / "stat").write_text(f"cpu  {line}\ncpu0 {line}\ncpu1 {line}\nintr 1\n")


def watch(tmp_path: Path, limits: QuietLimits | None, ticks: list[str]) -> Watch:
    settings = HostSettings(
        quiet=limits, proc=tmp_path / "proc", sys=tmp_path / "sys", session_seconds=0.5
    )
    return Watch(
        Bench(
            workdir=tmp_path,
            evaluation=tmp_path,
            inputs=tmp_path,
            limits=Limits(wall_seconds=1, memory_mib=64),
            settings=settings,
            tick=ticks.append,
        )
    )


def runner(tmp_path: Path, ticks_of_others: list[int]) -> Callable[[], dict[str, Session]]:
    """Each run uses up what others did meanwhile, in CPU ticks; the last one goes on for ever."""
    total = [1000]

    def run() -> dict[str, Session]:
        total[0] += ticks_of_others[0]
        if len(ticks_of_others) > 1:
            ticks_of_others.pop(0)
        write_stat(tmp_path / "proc", total[0])
        return {"m": session()}

    return run


BUSY, IDLE = 10**7, 0


@pytest.mark.parametrize(
    ("limits", "others", "disturbed", "gave_up", "waits"),
    [
        (None, [BUSY], False, False, 0),
        (LIMITS, [IDLE], False, False, 0),
        (replace(LIMITS, wait_seconds=5), [BUSY, IDLE], False, False, 1),
        (replace(LIMITS, wait_seconds=0.4), [BUSY], True, True, 1),
        (replace(LIMITS, wait_seconds=0), [BUSY], True, True, 0),
        (replace(LIMITS, refuse=False), [BUSY], True, False, 0),
    ],
    ids=["not watched", "quiet", "quiet again", "never quiet", "no time to wait", "only labelled"],
)
def test_a_disturbed_run_is_repeated_while_there_is_time_to_wait(
    tmp_path: Path,
    limits: QuietLimits | None,
    others: list[int],
    disturbed: bool,
    gave_up: bool,
    waits: int,
) -> None:
    write_stat(tmp_path / "proc", 1000)
    ticks: list[str] = []
    watched = watch(tmp_path, limits, ticks)
    found = watched.timed(runner(tmp_path, list(others)))
    assert bool(found["m"].disturbed) is disturbed
    assert watched.gave_up is gave_up
    assert ticks == ["waiting for this machine to be quiet"] * waits


def test_a_machine_without_counters_is_not_watched(tmp_path: Path) -> None:
    watched = watch(tmp_path, LIMITS, [])
    assert watched.timed(lambda: {"m": session()})["m"].disturbed == ""


def test_this_machine_can_be_looked_at() -> None:
    if not Path("/proc/stat").is_file():
        pytest.skip("no /proc on this machine")
    first, second = look(), look()
    assert first is not None
    assert second is not None
    assert first.cpus >= 1
    assert second.busy_s >= first.busy_s > 0
    assert second.own_s >= first.own_s > 0
    assert all(other.name for other in second.others)


def test_settings_say_how_old_a_number_may_be_not_how_long_quiet_is_waited_for() -> None:
    plain = HostSettings(quiet=LIMITS)
    waits = replace(plain, quiet=replace(LIMITS, wait_seconds=1), reuse_for=timedelta(0))
    assert deciding(plain) == deciding(waits)
    assert deciding(plain) != deciding(HostSettings(quiet=replace(LIMITS, most_noise=0.2)))
