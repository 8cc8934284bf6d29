"""From comments to signed files and back: who may waive what, of which weigh-in, for how long."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import judge
from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.signing import CryptoSigner
from weighin.gates.variant import Format, Variant
from weighin.gates.waiver import Waiver
from weighin.gates.waiver_wire import BoundWaiver, sign_waiver
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.config_file import parse_config
from weighin.plugin.github.records import Comment
from weighin.plugin.project import Project
from weighin.plugin.waiver_ask import RefusedWaiver, waivers_from_comments
from weighin.plugin.waivers import record_waivers, seen_by_all, valid_waivers
from weighin.registry.keys import create_dev_keys, load_signer

FINISHED = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAID = FINISHED + timedelta(hours=2)
NOW = FINISHED + timedelta(hours=3)
DEVICES = ("host", "pixel-4")
VARIANT = Variant(
    recipe="int8",
    format=Format.LITERT,
    sha256="a" * 64,
    size_bytes=1000,
    path="variants/digits/v3/int8.tflite",
    parent="b" * 64,
    tools=(),
)


def reading(metric: Metric, value: float, device: str) -> Measurement:
    return Measurement(
        metric=metric,
        value=value,
        lower=value,
        upper=value,
        n=100,
        origin=Origin.ARTIFACT if device == ANY_DEVICE else Origin.DEVICE,
        artifact_sha256=VARIANT.sha256,
        device=device,
        runtime="ai-edge-litert 2.3.0",
        measured_at=FINISHED,
    )


@pytest.fixture
def weigh_in() -> WeighIn:
    """Fine on the host; too slow on the phone, whose energy nobody believes."""
    size = reading(Metric.SIZE_MIB, 0.5, ANY_DEVICE)
    stale = replace(
        reading(Metric.ENERGY_MJ, 1, "pixel-4"), measured_at=FINISHED - timedelta(days=99)
    )
    readings = {
        "host": (size, reading(Metric.LATENCY_P90_MS, 2, "host")),
        "pixel-4": (size, reading(Metric.LATENCY_P90_MS, 20, "pixel-4"), stale),
    }
    budgets = (
        Budget(metric=Metric.SIZE_MIB, at_most=1.0),
        Budget(metric=Metric.LATENCY_P90_MS, at_most=10.0),
    )
    more = {"host": (), "pixel-4": (Budget(metric=Metric.ENERGY_MJ, at_most=5.0),)}
    verdicts = tuple(
        judge(
            Subject(artifact_sha256=VARIANT.sha256, device=d, runtime="ai-edge-litert 2.3.0"),
            (*budgets, *more[d]),
            readings[d],
            Moment(now=FINISHED, max_age=timedelta(days=30)),
        )
        for d in DEVICES
    )
    return WeighIn(
        model="digits",
        version="3",
        source="models:/m-1",
        source_digest="d" * 64,
        plan_digest="c" * 64,
        reference_accuracy=0.9,
        data=(),
        devices=DEVICES,
        results=(
            Result(
                variant=VARIANT,
                verdicts=verdicts,
                readings=tuple(dict.fromkeys((*readings["host"], *readings["pixel-4"]))),
            ),
        ),
        failures=(),
        started_at=FINISHED - timedelta(minutes=5),
        finished_at=FINISHED,
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    document = {"review": {"waivers": ["Alice", "@bob"], "waiver_days": 14}}
    made = Project(root=tmp_path, config=parse_config(document))
    create_dev_keys(made.keys)
    made.results("digits", "3").mkdir(parents=True)
    return made


ASK = "weighin: waive latency_p90_ms on pixel-4 the camera is slower"


def comment(body: str = ASK, **changes: Any) -> Comment:
    number = changes.pop("id", 1)
    said = Comment(
        id=number,
        url=f"https://github.com/acme/app/pull/7#issuecomment-{number}",
        author="alice",
        body=body,
        created_at=SAID,
        updated_at=SAID,
    )
    return replace(said, **changes)


def files_of(project: Project) -> dict[str, bytes]:
    folder = project.results("digits", "3") / "waivers"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}


def test_a_named_persons_comment_becomes_an_expiring_waiver(
    project: Project, weigh_in: WeighIn
) -> None:
    recorded = record_waivers(project, weigh_in, [comment()], NOW)
    assert recorded.waivers == (
        Waiver(
            model="digits",
            version="3",
            plan_digest="c" * 64,
            metric=Metric.LATENCY_P90_MS,
            device="pixel-4",
            reason="the camera is slower",
            by="alice",
            url="https://github.com/acme/app/pull/7#issuecomment-1",
            issued_at=SAID,
            expires_at=SAID + timedelta(days=14),
        ),
    )
    assert (recorded.refused, recorded.changed) == ((), True)
    assert valid_waivers(project, weigh_in, NOW).waivers == recorded.waivers


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a stranger": ({"author": "mallory"}, "not named in weighin.toml, [review] waivers"),
    "nobody": ({"author": ""}, "not named"),
    "a name that begins like one": ({"author": "alice2"}, "not named"),
    "a bot of that name": ({"author": "alice[bot]"}, "not named"),
    "edited": ({"updated_at": NOW}, "was edited afterwards; write a new one"),
    "from the future": ({"created_at": NOW + timedelta(1), "updated_at": NOW + timedelta(1)},
                        "in the future"),
    "written before the numbers": (
        {"created_at": FINISHED - timedelta(1), "updated_at": FINISHED - timedelta(1)},
        "before these numbers were there (2026-11-22 12:00 UTC)",
    ),
    "a device that there is not": (
        {"body": "weighin: waive latency_p90_ms on purpose we know"},
        "no device 'purpose'; devices: host, pixel-4",
    ),
    "a metric without a budget": (
        {"body": "weighin: waive peak_memory_mib it is fine"},
        "no budget asks for peak_memory_mib there; budgets: energy_mj, latency_p90_ms, size_mib",
    ),
    "a metric without a budget there": (
        {"body": "weighin: waive energy_mj on host it is plugged in"},
        "no budget asks for energy_mj there; budgets: latency_p90_ms, size_mib",
    ),
    "what passes": (
        {"body": "weighin: waive latency_p90_ms on host why not"},
        "nothing to waive: every check of latency_p90_ms passes there",
    ),
    "evidence that is wrong": (
        {"body": "weighin: waive energy_mj the battery is large"},
        "cannot be waived: older than 30 days",
    ),
    "no reason": ({"body": "weighin: waive latency_p90_ms"}, "gives no reason"),
}  # fmt: skip


@pytest.mark.parametrize("how", REFUSED)
def test_what_is_refused_is_told_with_its_reason(
    project: Project, weigh_in: WeighIn, how: str
) -> None:
    changes, why = REFUSED[how]
    recorded = record_waivers(project, weigh_in, [comment(**changes)], NOW)
    assert recorded.waivers == ()
    assert [why in one.why for one in recorded.refused] == [True]
    assert (recorded.changed, files_of(project)) == (False, {})
    assert recorded.refused[0].by in recorded.refused[0].words or not recorded.refused[0].by


def test_a_comment_runs_out_and_its_waiver_with_it(project: Project, weigh_in: WeighIn) -> None:
    later = SAID + timedelta(days=14)
    record_waivers(project, weigh_in, [comment()], NOW)
    held = valid_waivers(project, weigh_in, later)
    assert held.waivers == ()
    assert held.notes == ("the waiver of latency_p90_ms on pixel-4 by alice expired on 2026-12-06",)
    recorded = record_waivers(project, weigh_in, [comment()], later)
    assert "older than 14 days" in recorded.refused[0].why
    assert files_of(project) == {}


@pytest.mark.parametrize("author", ["alice", "ALICE", "Bob"])
def test_logins_compare_without_case_and_at_sign(
    project: Project, weigh_in: WeighIn, author: str
) -> None:
    review = project.config.review
    [one] = waivers_from_comments([comment(author=author)], review, weigh_in, NOW)
    assert isinstance(one, Waiver)
    assert one.by == author


def test_nobody_may_waive_until_somebody_is_named(weigh_in: WeighIn) -> None:
    [one] = waivers_from_comments([comment()], parse_config({}).review, weigh_in, NOW)
    assert isinstance(one, RefusedWaiver)


def test_talk_and_our_own_comment_ask_for_nothing(project: Project, weigh_in: WeighIn) -> None:
    comments = [
        comment("Looks good to me"),
        comment(f"> {ASK}", author="mallory"),
        comment(f"<!-- weighin:0123456789abcdef -->\n\n{ASK}", updated_at=NOW),
    ]
    assert waivers_from_comments(comments, project.config.review, weigh_in, NOW) == ()


def test_several_commands_of_several_people_keep_their_order(
    project: Project, weigh_in: WeighIn
) -> None:
    comments = [comment(f"{ASK}\n{ASK} still", id=1), comment(id=2, author="bob")]
    found = record_waivers(project, weigh_in, comments, NOW).waivers
    assert [(one.by, one.reason) for one in found] == [
        ("alice", "the camera is slower"),
        ("alice", "the camera is slower still"),
        ("bob", "the camera is slower"),
    ]
    assert len(files_of(project)) == 3


def test_doing_it_again_changes_no_byte(project: Project, weigh_in: WeighIn) -> None:
    record_waivers(project, weigh_in, [comment()], NOW)
    before = files_of(project)
    again = record_waivers(project, weigh_in, [comment()], NOW + timedelta(hours=1))
    assert (again.changed, files_of(project)) == (False, before)


def test_a_deleted_comment_takes_its_waiver_back(project: Project, weigh_in: WeighIn) -> None:
    record_waivers(project, weigh_in, [comment(), comment(id=2, author="bob")], NOW)
    record_waivers(project, weigh_in, [comment(id=2, author="bob")], NOW)
    assert [one.by for one in valid_waivers(project, weigh_in, NOW).waivers] == ["bob"]
    assert record_waivers(project, weigh_in, [], NOW).changed
    assert files_of(project) == {}


def test_a_file_that_somebody_changed_is_signed_anew(project: Project, weigh_in: WeighIn) -> None:
    record_waivers(project, weigh_in, [comment()], NOW)
    [path] = (project.results("digits", "3") / "waivers").glob("*.json")
    good = path.read_bytes()
    path.write_bytes(good.replace(b"payload", b"Payload"))
    assert record_waivers(project, weigh_in, [comment()], NOW).changed
    assert path.read_bytes() == good


def test_the_base_branchs_names_count_where_they_are_given(
    project: Project, weigh_in: WeighIn
) -> None:
    """The project's own file is the pull request's: it may name whom it likes."""
    base = replace(project.config.review, waivers=("carol",))
    recorded = record_waivers(project, weigh_in, [comment()], NOW, config=base)
    assert recorded.waivers == ()


Attack = Callable[[Project, WeighIn, Path], WeighIn | Project | None]


def by_a_stranger(project: Project, weigh_in: WeighIn, path: Path) -> None:
    waiver = valid_waivers(project, weigh_in, NOW).waivers[0]
    bound = BoundWaiver(waiver=waiver, looked=seen_by_all(weigh_in))
    path.write_bytes(sign_waiver(bound, CryptoSigner.generate_ed25519()))


def by_hand(project: Project, weigh_in: WeighIn, path: Path) -> None:
    envelope = json.loads(path.read_bytes())
    path.write_text(json.dumps({**envelope, "signatures": []}))


def no_json(project: Project, weigh_in: WeighIn, path: Path) -> None:
    path.write_bytes(b"{" * 5000)


def huge(project: Project, weigh_in: WeighIn, path: Path) -> None:
    path.write_bytes(b" " * 70_000)


def a_link(project: Project, weigh_in: WeighIn, path: Path) -> None:
    kept = path.with_name("kept")
    path.rename(kept)
    path.symlink_to(kept)


def another_report(project: Project, weigh_in: WeighIn, path: Path) -> WeighIn:
    return replace(weigh_in, reference_accuracy=0.91)


def another_plan(project: Project, weigh_in: WeighIn, path: Path) -> WeighIn:
    return replace(weigh_in, plan_digest="0" * 64)


def another_source(project: Project, weigh_in: WeighIn, path: Path) -> WeighIn:
    return replace(weigh_in, source_digest="0" * 64)


def another_version(project: Project, weigh_in: WeighIn, path: Path) -> WeighIn:
    folder = project.results("digits", "4")
    shutil.copytree(project.results("digits", "3"), folder)
    return replace(weigh_in, version="4")


def dismissed(project: Project, weigh_in: WeighIn, path: Path) -> Project:
    review = replace(project.config.review, waivers=("bob",))
    return replace(project, config=replace(project.config, review=review))


ATTACKS: dict[str, tuple[Attack, str]] = {
    "signed by a stranger": (by_a_stranger, "a key that is not trusted"),
    "not signed": (by_hand, "not signed"),
    "no JSON": (no_json, "not a DSSE envelope"),
    "a huge file": (huge, "no file of at most 65536 bytes"),
    "a link": (a_link, "no file of at most 65536 bytes"),
    "of another report": (another_report, "speaks of another weigh-in"),
    "of another plan": (another_plan, "speaks of another weigh-in"),
    "of another source": (another_source, "speaks of another weigh-in"),
    "of another version": (another_version, "speaks of another weigh-in (digits/3"),
    "by somebody who may no more": (dismissed, "alice is not named in weighin.toml"),
}


@pytest.mark.parametrize("how", ATTACKS)
def test_a_waiver_file_that_is_not_to_be_believed_is_said_and_does_nothing(
    project: Project, weigh_in: WeighIn, how: str
) -> None:
    attack, why = ATTACKS[how]
    record_waivers(project, weigh_in, [comment()], NOW)
    [path] = (project.results("digits", "3") / "waivers").glob("*.json")
    changed = attack(project, weigh_in, path)
    seen = changed if isinstance(changed, WeighIn) else weigh_in
    home = changed if isinstance(changed, Project) else project
    held = valid_waivers(home, seen, NOW)
    assert held.waivers == ()
    assert len(held.refused) == 1
    assert why in held.refused[0]


def test_a_waiver_of_tomorrow_does_not_hold_today(project: Project, weigh_in: WeighIn) -> None:
    waiver = record_waivers(project, weigh_in, [comment()], NOW).waivers[0]
    late = replace(waiver, issued_at=NOW + timedelta(days=1), expires_at=NOW + timedelta(days=9))
    signer = load_signer(str(project.keys / "evidence.pem"))
    bound = BoundWaiver(waiver=late, looked=seen_by_all(weigh_in))
    [path] = (project.results("digits", "3") / "waivers").glob("*.json")
    path.write_bytes(sign_waiver(bound, signer))
    held = valid_waivers(project, weigh_in, NOW)
    assert held.waivers == ()
    assert "from the future" in held.refused[0]


def test_a_folder_that_is_a_link_is_neither_read_nor_emptied(
    project: Project, weigh_in: WeighIn, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "package.json").write_text("{}")
    (project.results("digits", "3") / "waivers").symlink_to(mine)
    assert valid_waivers(project, weigh_in, NOW).waivers == ()
    record_waivers(project, weigh_in, [comment()], NOW)
    assert [path.name for path in mine.iterdir()] == ["package.json"]
    assert len(valid_waivers(project, weigh_in, NOW).waivers) == 1


def test_without_waivers_no_key_is_needed(project: Project, weigh_in: WeighIn) -> None:
    """A machine that only reviews has no evidence key."""
    shutil.rmtree(project.keys)
    recorded = record_waivers(project, weigh_in, [comment("Looks good")], NOW)
    assert (recorded.waivers, recorded.changed) == ((), False)
    assert valid_waivers(project, weigh_in, NOW).notes == ()


def test_two_hundred_files_are_looked_at_and_no_more(project: Project, weigh_in: WeighIn) -> None:
    folder = project.results("digits", "3") / "waivers"
    folder.mkdir()
    for number in range(201):
        (folder / f"{number:03}.json").write_text("{}")
    held = valid_waivers(project, weigh_in, NOW)
    assert len(held.refused) == 201
    assert held.refused[0] == "201 waivers are kept; only 200 were looked at"
