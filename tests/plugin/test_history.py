"""Earlier weigh-ins, releases and signatures: what a report may say beside a weigh-in."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.gates.report.conftest import make_weigh_in

from weighin.gates.data_record import DataSummary, EvaluationSummary
from weighin.gates.data_wire import evaluation_to_json
from weighin.gates.errors import WeighinError
from weighin.gates.variant import Format
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import EvidenceConfig, ReviewConfig
from weighin.plugin.config_file import parse_config
from weighin.plugin.context import context_for, report_url, signed_files
from weighin.plugin.evidence_files import sign_all
from weighin.plugin.history import MOST, earlier_weigh_ins, read_releases
from weighin.plugin.project import Project
from weighin.plugin.released import PastRelease, release_log, remember_release, with_drift
from weighin.plugin.results import (
    REPORT_JSON,
    load_evidence,
    load_weigh_in,
    report_text,
    save_weigh_in,
    weigh_in_folder,
)
from weighin.registry.channel import Publication, create_channel, publish
from weighin.registry.keys import KeyRole, create_dev_keys, load_dev_signers, load_signer
from weighin.registry.release import Approval, Release, ReleasedVariant

MODEL = "digits-cnn"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BASE = make_weigh_in({"host": (1.0, 6.0)}, ("float32", "int8"), (Format.LITERT,))
EVALUATION = EvaluationSummary(sha256="ab", rows=3, classes=((0, 3),), quantiles=())
Offer = Callable[[str], None]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(root=tmp_path_factory.mktemp("template"), config=parse_config({}))
    create_dev_keys(project.keys)
    root_key = load_signer(str(project.keys / f"{KeyRole.ROOT}.pem"))
    create_channel(project.channel, root_key, load_dev_signers(project.keys), NOW)
    return project.root


@pytest.fixture
def project(empty: Path, tmp_path: Path) -> Project:
    root = shutil.copytree(empty, tmp_path / "project")
    return Project(root=root, config=parse_config({}))


@pytest.fixture
def offer(project: Project) -> Offer:
    """Release a version in the channel, as a promotion of this moment does."""

    def publish_version(version: str) -> None:
        content = f"file of v{version}".encode()
        file = project.root / f"{version}.tflite"
        file.write_bytes(content)
        envelope = f"evidence of v{version}".encode()
        digest = hashlib.sha256(envelope).hexdigest()
        variant = ReleasedVariant(
            recipe="int8",
            format=Format.LITERT,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            approvals=(Approval(device="host", rank=1, evidence_sha256=digest),),
        )
        publication = Publication(
            channel="dev",
            release=Release(model=MODEL, version=version, variants=(variant,)),
            files={variant.sha256: file},
            evidence={digest: envelope},
        )
        publish(project.channel, publication, load_dev_signers(project.keys), NOW)

    return publish_version


def weighed(version: str, *, hours: float = 0) -> WeighIn:
    return replace(BASE, version=version, finished_at=NOW + timedelta(hours=hours))


def written(folder: Path, weigh_in: WeighIn) -> WeighIn:
    """Only the document, which is all that history reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT_JSON).write_text(report_text(weigh_in))
    return weigh_in


def here(project: Project, version: str, *, hours: float = 0) -> WeighIn:
    return written(project.results(MODEL, version), weighed(version, hours=hours))


def in_git(project: Project, version: str, *, hours: float = 0) -> WeighIn:
    return written(project.committed(MODEL, version), weighed(version, hours=hours))


def versions(project: Project, before: str = "99") -> list[str]:
    found, _ = earlier_weigh_ins(project, MODEL, before)
    return [one.weigh_in.version for one in found]


@pytest.mark.parametrize(
    ("hours_here", "hours_in_git", "committed"),
    [
        pytest.param(None, None, False, id="nowhere"),
        pytest.param(0, None, False, id="only-here"),
        pytest.param(None, 0, True, id="only-in-git"),
        pytest.param(1, 0, False, id="newer-here"),
        pytest.param(0, 1, True, id="newer-in-git"),
        pytest.param(0, 0, False, id="the-same"),
    ],
)
def test_a_weigh_in_is_where_it_finished_last(
    project: Project, hours_here: float | None, hours_in_git: float | None, committed: bool
) -> None:
    if hours_here is not None:
        here(project, "3", hours=hours_here)
    if hours_in_git is not None:
        in_git(project, "3", hours=hours_in_git)
    place = project.committed if committed else project.results
    assert weigh_in_folder(project, MODEL, "3") == place(MODEL, "3")


def test_a_fresh_clone_shows_what_a_review_committed(project: Project) -> None:
    weigh_in = weighed("3")
    save_weigh_in(project.committed(MODEL, "3"), weigh_in, {"a@host.json": b"{}"})
    folder = weigh_in_folder(project, MODEL, "3")
    assert load_weigh_in(folder) == weigh_in
    assert load_evidence(folder) == {"a@host.json": b"{}"}


def test_history_is_every_lower_version_oldest_first(project: Project) -> None:
    for version in ("10", "2", "9"):
        here(project, version)
    in_git(project, "1")
    (project.results(MODEL, "1").parent / ".v4.new").mkdir()
    project.results(MODEL, "5").mkdir()  # being weighed: no report yet
    assert versions(project, "10") == ["1", "2", "9"]


def test_a_version_in_both_places_counts_once_as_it_finished_last(project: Project) -> None:
    here(project, "1")
    newer = in_git(project, "1", hours=1)
    (found,), _ = earlier_weigh_ins(project, MODEL, "2")
    assert found.weigh_in == newer


def test_history_holds_the_newest_twenty(project: Project) -> None:
    for number in range(1, MOST + 3):
        here(project, str(number))
    assert versions(project) == [str(number) for number in range(3, MOST + 3)]


@pytest.mark.parametrize("place", ["results", "committed"])
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        pytest.param("", "not a weighin report", id="empty"),
        pytest.param("[" * 100_000, "not a weighin report", id="deep"),
        pytest.param('{"schema": "weighin/report/v9"}', "schema", id="another-schema"),
        pytest.param(report_text(weighed("7")), "speaks of digits-cnn/7", id="another-version"),
    ],
)
def test_a_damaged_report_is_left_out_and_told(
    project: Project, place: str, damage: str, why: str
) -> None:
    here(project, "1")
    folder: Path = getattr(project, place)(MODEL, "2")
    folder.mkdir(parents=True)
    (folder / REPORT_JSON).write_text(damage)
    found, (note,) = earlier_weigh_ins(project, MODEL, "3")
    assert [one.weigh_in.version for one in found] == ["1"]
    assert note.startswith("digits-cnn/2 is left out of the history: ")
    assert why in note


def test_promotions_are_logged_with_their_times(project: Project) -> None:
    for hours, version in enumerate(("1", "2", "2", "1")):
        here(project, version)
        remember_release(project, MODEL, version, NOW + timedelta(hours=hours))
    assert [(one.version, one.at) for one in release_log(project, MODEL)] == [
        ("1", NOW),
        ("2", NOW + timedelta(hours=1)),
        ("1", NOW + timedelta(hours=3)),
    ]


def test_the_log_outlives_a_report_without_a_summary_of_its_data(project: Project) -> None:
    checked = DataSummary(sets=(), near=(), evaluation=EVALUATION, drift=None)
    written(project.results(MODEL, "1"), replace(weighed("1"), data_report=checked))
    here(project, "2")
    remember_release(project, MODEL, "1", NOW)
    assert with_drift(project, MODEL, checked).drift is not None
    remember_release(project, MODEL, "2", NOW)
    assert with_drift(project, MODEL, checked).drift is None
    assert [one.version for one in release_log(project, MODEL)] == ["1", "2"]


def test_a_memory_of_the_first_kind_is_still_read(project: Project) -> None:
    path = project.state / f"released/{MODEL}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"released": f"{MODEL}/1", **evaluation_to_json(EVALUATION)}))
    (kept,) = release_log(project, MODEL)
    assert kept == PastRelease(version="1", at=datetime.fromtimestamp(path.stat().st_mtime, tz=UTC))
    here(project, "2")
    remember_release(project, MODEL, "2", NOW)
    assert [one.version for one in release_log(project, MODEL)] == ["1", "2"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param('{"released": "m/1", "releases": 3, "evaluation": null}', id="no-list"),
        pytest.param('{"released": "m/1", "releases": [{"version": "1"}]}', id="no-time"),
        pytest.param(
            '{"released": "m/1", "releases": [{"version": "1", "at": "2026-01-01T00:00:00"}]}',
            id="no-time-zone",
        ),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_damaged_memory_is_told_and_mended_by_promoting_again(
    project: Project, damage: str
) -> None:
    here(project, "1")
    path = project.state / f"released/{MODEL}.json"
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    found, (note,) = earlier_weigh_ins(project, MODEL, "2")
    assert [one.released_at for one in found] == [None]
    assert "promote the released version again" in note
    remember_release(project, MODEL, "1", NOW)
    assert [one.version for one in release_log(project, MODEL)] == ["1"]


def test_released_versions_are_known_from_memory_and_from_the_channel(
    project: Project, offer: Offer
) -> None:
    for version in ("1", "2", "3"):
        here(project, version)
    remember_release(project, MODEL, "1", NOW - timedelta(days=9))
    offer("3")  # on another machine: this one remembers nothing of it
    found, notes = earlier_weigh_ins(project, MODEL, "4")
    assert [one.released_at for one in found] == [NOW - timedelta(days=9), None, NOW]
    assert notes == ()


def test_without_a_channel_nothing_is_released_and_nothing_is_wrong(project: Project) -> None:
    shutil.rmtree(project.channel)
    releases = read_releases(project, MODEL)
    assert (releases.times, releases.offered, releases.notes) == ({}, "", ())


def test_a_damaged_channel_is_told(project: Project) -> None:
    (project.channel / "metadata/timestamp.json").write_text("{}")
    (note,) = read_releases(project, MODEL).notes
    assert note.startswith("what is released is not known: ")


def test_changes_are_told_against_what_the_channel_offers(project: Project, offer: Offer) -> None:
    released = here(project, "2")
    here(project, "1")
    offer("2")
    context, notes = context_for(project, here(project, "3"), NOW)
    assert context.against == released
    assert [one.weigh_in.version for one in context.history] == ["1", "2"]
    assert (context.now, notes) == (NOW, ())


def test_a_release_whose_report_is_elsewhere_is_told(project: Project, offer: Offer) -> None:
    offer("2")
    context, (note,) = context_for(project, here(project, "3"), NOW)
    assert context.against is None
    assert note.startswith("what changed since the release (digits-cnn/2) is not told: ")


def test_the_released_version_itself_is_told_against_the_release_before(
    project: Project, offer: Offer
) -> None:
    before = here(project, "1")
    here(project, "2")
    remember_release(project, MODEL, "1", NOW)
    offer("3")
    context, _ = context_for(project, here(project, "3"), NOW)
    assert context.against == before


def test_changes_may_be_told_against_any_version(project: Project, offer: Offer) -> None:
    asked = here(project, "1")
    here(project, "2")
    offer("2")
    context, _ = context_for(project, here(project, "3"), NOW, compare="1")
    assert context.against == asked
    with pytest.raises(WeighinError, match="digits-cnn/9 has no report yet"):
        context_for(project, weighed("3"), NOW, compare="9")


def test_every_statement_is_told_with_its_signer(project: Project) -> None:
    weigh_in = weighed("3")
    envelopes = sign_all(project, weigh_in)
    save_weigh_in(project.results(MODEL, "3"), weigh_in, envelopes)
    context, notes = context_for(project, weigh_in, NOW)
    assert [(one.label, one.device) for one in context.signatures] == [
        ("float32.tflite", "host"),
        ("int8.tflite", "host"),
    ]
    assert all(one.keyid for one in context.signatures)
    digests = [hashlib.sha256(envelope).hexdigest() for envelope in envelopes.values()]
    assert [one.envelope_sha256 for one in context.signatures] == digests
    assert context.signatures[0].expires_at > NOW
    assert notes == ()


def test_a_strangers_signature_is_nobodys(project: Project, tmp_path: Path) -> None:
    stranger = Project(root=tmp_path / "other", config=parse_config({}))
    create_dev_keys(stranger.keys)
    signatures, notes = signed_files(project, weighed("3"), sign_all(stranger, weighed("3")))
    assert [one.keyid for one in signatures] == ["", ""]
    assert all("signed by a key that is not trusted" in note for note in notes)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"version": "2"}, id="version"),
        pytest.param({"model": "cats"}, id="model"),
        pytest.param({"source_digest": "00"}, id="source"),
        pytest.param({"plan_digest": "00"}, id="plan"),
        pytest.param({"results": ()}, id="file"),
    ],
)
def test_evidence_about_something_else_vouches_for_nothing(
    project: Project, other: dict[str, object]
) -> None:
    envelopes = sign_all(project, weighed("3"))
    shown = replace(weighed("3"), **other)  # type: ignore[arg-type]
    signatures, notes = signed_files(project, shown, envelopes)
    assert {one.keyid for one in signatures} == {""}
    assert all("is about another weigh-in" in note for note in notes)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000])
def test_what_is_no_statement_is_told_and_left_out(project: Project, content: bytes) -> None:
    signatures, (note,) = signed_files(project, weighed("3"), {"x@host.json": content})
    assert signatures == ()
    assert note.startswith("x@host.json: evidence is not a DSSE envelope")


def test_without_a_trusted_key_no_signature_counts(project: Project) -> None:
    envelopes = sign_all(project, weighed("3"))
    config = replace(project.config, evidence=EvidenceConfig(trusted_keys=("gone.pub.json",)))
    signatures, notes = signed_files(replace(project, config=config), weighed("3"), envelopes)
    assert [one.keyid for one in signatures] == ["", ""]
    assert notes[0].startswith("no signature can be verified: ")


def test_the_address_of_the_page_names_model_and_version(project: Project) -> None:
    assert report_url(project, "m", "1") == ""
    review = ReviewConfig(report_url="https://x.test/{model}/v{version}?{other}")
    there = replace(project, config=replace(project.config, review=review))
    assert report_url(there, "a/b {version}<s>", "3") == (
        "https://x.test/a%2Fb%20%7Bversion%7D%3Cs%3E/v3?{other}"
    )
