"""The chain: every broken link is seen, and only that one."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from weighin.gates.evidence import sign_statement
from weighin.gates.metric import Budget, Metric
from weighin.gates.report.document import from_document, to_document
from weighin.gates.signing import CryptoSigner
from weighin.gates.statement import Statement
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.chain_words import chain_text, chain_to_json
from weighin.registry.chain import trace
from weighin.registry.chain_records import Chain, Facts, ReportFile, State
from weighin.registry.channel import current_release, publish
from weighin.registry.report_match import first_difference

if TYPE_CHECKING:
    from tests.registry.conftest import Built, World


def report_of(world: "World", built: "tuple[Built, ...]") -> WeighIn:
    """The report that the world's statements would have been written with."""
    statements = {b.variant.label: [world.statement(b, d) for d in b.latency_ms] for b in built}
    first = next(iter(statements.values()))[0]
    return WeighIn(
        model=first.model,
        version=first.version,
        source="models:/m",
        source_digest=first.source_digest,
        plan_digest=first.plan_digest,
        reference_accuracy=0.9,
        data=first.data,
        devices=tuple(built[0].latency_ms),
        results=tuple(
            Result(
                variant=b.variant,
                verdicts=tuple(s.verdict for s in statements[b.variant.label]),
                readings=statements[b.variant.label][0].readings,
            )
            for b in built
        ),
        failures=(),
        started_at=first.issued_at,
        finished_at=first.issued_at,
    )


def report_file(document: Any) -> ReportFile:
    text = json.dumps(document)
    document = json.loads(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ReportFile(weigh_in=from_document(document), document=document, sha256=digest)


def statements_of(
    world: "World", built: "tuple[Built, ...]", report: ReportFile
) -> list[Statement]:
    return [
        replace(world.statement(b, device), report_sha256=report.sha256)
        for b in built
        for device in b.latency_ms
    ]


def facts_of(world: "World", *, publish_it: bool = False) -> Facts:
    """A chain that holds."""
    built = (world.build(recipe="int8", host=2.0, pixel_8=4.0), world.build(recipe="fp16"))
    built = (built[0], replace(built[1], latency_ms={"host": 3.0, "pixel_8": 5.0}))
    report = report_file(to_document(report_of(world, built)))
    statements = statements_of(world, built, report)
    envelopes = {
        f"{s.variant.label}@{s.device}.json": sign_statement(s, world.evidence_signer)
        for s in statements
    }
    policy = world.policy(*built)
    if publish_it:
        publication = world.publication(*built)
        by_device = {(s.variant.label, s.device): s for s in statements}
        names = {k: hashlib.sha256(e).hexdigest() for k, e in envelopes.items()}
        variants = tuple(
            replace(
                v,
                approvals=tuple(
                    replace(a, evidence_sha256=names[f"{v.label}@{a.device}.json"])
                    for a in v.approvals
                ),
            )
            for v in publication.release.variants
        )
        assert len(by_device) == 4
        evidence = {hashlib.sha256(e).hexdigest(): e for e in envelopes.values()}
        release = replace(publication.release, variants=variants)
        publish(
            world.channel,
            replace(publication, release=release, evidence=evidence),
            world.signers,
            world.now,
        )
    return Facts(
        model="digits",
        version="1",
        envelopes=envelopes,
        keys=(world.evidence_signer.public_key,),
        policy=policy,
        no_plan="",
        data_files={d.path: d.sha256 for d in policy.data},
        source_digest="bb" * 32,
        source_problem="",
        report=report,
        report_problem="",
        channel="stable",
        offered=current_release(world.channel, "stable", "digits"),
        channel_problem="",
    )


def broken(chain: Chain) -> set[str]:
    links = [*chain.links, *(link for one in chain.evidence for link in one.links)]
    return {link.name for link in links if link.state is State.BROKEN}


def test_a_whole_chain_holds_and_names_what_is_released(world: "World") -> None:
    chain = trace(facts_of(world, publish_it=True))
    assert broken(chain) == set()
    assert chain.holds
    assert [one.released for one in chain.evidence] == [True] * 4
    assert {one.keyid for one in chain.evidence} == {world.evidence_signer.public_key.keyid}


def test_what_is_not_released_yet_is_no_fault(world: "World") -> None:
    chain = trace(facts_of(world))
    assert chain.holds
    assert [(k.state, k.detail) for k in chain.links if k.name == "channel"] == [
        (State.NOTE, "not released: 'stable' offers nothing for digits")
    ]


def _first(facts: Facts) -> str:
    return min(facts.envelopes)


def _resigned(facts: Facts, change: Callable[[Statement], Statement], world: "World") -> Facts:
    from weighin.gates.evidence import open_statement

    name = _first(facts)
    statement = open_statement(facts.envelopes[name], facts.keys).statement
    envelope = sign_statement(change(statement), world.evidence_signer)
    return replace(facts, envelopes={**facts.envelopes, name: envelope})


def _stranger(facts: Facts, world: "World") -> Facts:
    from weighin.gates.evidence import open_statement

    name = _first(facts)
    statement = open_statement(facts.envelopes[name], facts.keys).statement
    envelope = sign_statement(statement, CryptoSigner.generate_ed25519())
    return replace(facts, envelopes={**facts.envelopes, name: envelope})


def _edited(facts: Facts, old: str, new: str, times: int = 1) -> Facts:
    assert facts.report is not None
    text = json.dumps(facts.report.document)
    assert old in text
    return replace(facts, report=report_file(json.loads(text.replace(old, new, times))))


def _later(facts: Facts) -> Facts:
    moment = replace(facts.policy.moment, now=facts.policy.moment.now + timedelta(days=91))
    return replace(facts, policy=replace(facts.policy, moment=moment))


ATTACKS: dict[str, tuple[Callable[[Facts, "World"], Facts], set[str]]] = {
    "an envelope deleted": (
        lambda f, w: replace(f, envelopes={k: e for k, e in f.envelopes.items() if k != _first(f)}),
        {"evidence", "channel"},
    ),
    "all envelopes deleted": (
        lambda f, w: replace(f, envelopes={}),
        {"evidence", "plan", "source", "report", "channel"},
    ),
    "an envelope signed by a stranger": (
        lambda f, w: _stranger(f, w),
        {"signature", "evidence", "channel"},
    ),
    "evidence of another version": (
        lambda f, w: _resigned(f, lambda s: replace(s, version="2"), w),
        {"subject", "report", "channel"},
    ),
    "evidence of another plan": (
        lambda f, w: _resigned(f, lambda s: replace(s, plan_digest="0" * 64), w),
        {"plan", "report", "channel"},
    ),
    "a swapped variant file": (
        lambda f, w: replace(
            f, policy=replace(f.policy, artifacts=dict.fromkeys(f.policy.artifacts, "0" * 64))
        ),
        {"artifact"},
    ),
    "a variant file that is gone": (
        lambda f, w: replace(f, policy=replace(f.policy, artifacts={})),
        {"artifact"},
    ),
    "today's plan is another": (
        lambda f, w: replace(f, policy=replace(f.policy, plan_digest="1" * 64)),
        {"plan"},
    ),
    "there is no plan today": (
        lambda f, w: replace(
            f, policy=replace(f.policy, plan_digest=""), no_plan="evaluation data: there is no file"
        ),
        {"plan"},
    ),
    "changed data": (lambda f, w: replace(f, data_files={"evaluation.npz": "0" * 64}), {"data"}),
    "data that is gone": (lambda f, w: replace(f, data_files={}), {"data"}),
    "other registered files": (lambda f, w: replace(f, source_digest="0" * 64), {"source"}),
    "no registered files": (
        lambda f, w: replace(f, source_problem="cannot be read", source_digest=""),
        {"source"},
    ),
    "91 days later": (lambda f, w: _later(f), {"dates"}),
    "no report": (lambda f, w: replace(f, report=None, report_problem="no report yet"), {"report"}),
    "a channel that cannot be read": (
        lambda f, w: replace(f, offered=None, channel_problem="damaged"),
        {"channel"},
    ),
    "a reading edited in the report": (lambda f, w: _edited(f, "2.2", "1.1"), {"report"}),
    "an outcome edited in the report": (lambda f, w: _edited(f, '"PASS"', '"FAIL"'), {"report"}),
    "a sentence edited in the report": (
        lambda f, w: _edited(f, '"verdict": "', '"verdict": "Do not worry: '),
        {"report"},
    ),
    "what no statement repeats edited in the report": (
        lambda f, w: _edited(f, '"reference_accuracy": 0.9', '"reference_accuracy": 0.99'),
        {"report"},
    ),
}


@pytest.mark.parametrize(("attack", "links"), ATTACKS.values(), ids=ATTACKS.keys())
def test_every_attack_breaks_its_link_and_no_other(
    world: "World", attack: Callable[[Facts, "World"], Facts], links: set[str]
) -> None:
    chain = trace(attack(facts_of(world, publish_it=True), world))
    assert broken(chain) == links
    assert not chain.holds


def test_the_field_that_was_edited_is_named(world: "World") -> None:
    chain = trace(_edited(facts_of(world), '"upper": 2.2', '"upper": 1.1', times=-1))
    [report] = [link for link in chain.links if link.name == "report"]
    assert "int8.tflite on host" in report.detail
    assert "readings[latency_p90_ms].upper is 1.1, signed was 2.2" in report.detail


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        pytest.param({"a": 1}, {"a": 1}, None, id="equal"),
        pytest.param({"a": 1}, {"a": 1.0}, None, id="equal as numbers"),
        pytest.param({"a": True}, {"a": 1}, "a", id="true is not one"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, "a[1]", id="in a list"),
        pytest.param({"a": [1]}, {"a": [1, 3]}, "a (length)", id="a longer list"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, "b", id="a field more"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, "b", id="a field less"),
        pytest.param(
            [{"metric": "size_mib", "value": 1}],
            [{"metric": "size_mib", "value": 2}],
            "[size_mib].value",
            id="by the name of the entry",
        ),
        pytest.param({"a": None}, {"a": 0}, "a", id="nothing is not zero"),
    ],
)
def test_the_first_difference_is_found(one: object, other: object, where: str | None) -> None:
    found = first_difference(one, other)
    assert (found and found[0]) == where


WAIVER = Waiver(
    model="digits",
    version="1",
    plan_digest="cc" * 32,
    metric=Metric.LATENCY_P90_MS,
    device="pixel_8",
    reason="nobody has one",
    by="alice",
    url="https://github.com/acme/app/pull/7#issuecomment-1",
    issued_at=datetime(2026, 11, 22, 11, 30, tzinfo=UTC),
    expires_at=datetime(2026, 12, 6, 11, 30, tzinfo=UTC),
)


def with_waiver(facts: Facts, waiver: Waiver | None) -> Facts:
    """The chain under a budget for a phone that its file does not hold."""
    strict = (Budget(metric=Metric.LATENCY_P90_MS, at_most=1.0),)
    other = tuple(b for b in facts.policy.budgets["pixel_8"] if b.metric != strict[0].metric)
    budgets = {**facts.policy.budgets, "pixel_8": (*other, *strict)}
    waivers = () if waiver is None else (waiver,)
    return replace(facts, policy=replace(facts.policy, budgets=budgets, waivers=waivers))


def waiver_link(facts: Facts) -> tuple[State, str] | None:
    links = [link for link in trace(facts).links if link.name == "waivers"]
    return (links[0].state, links[0].detail) if links else None


def test_without_waivers_the_chain_has_no_such_link(world: "World") -> None:
    assert waiver_link(facts_of(world, publish_it=True)) is None


def test_a_waiver_that_holds_is_a_note_with_its_person_reason_and_end(world: "World") -> None:
    facts = with_waiver(facts_of(world), WAIVER)
    state, said = waiver_link(facts) or (None, "")
    assert state is State.NOTE
    assert (
        "int8.tflite on pixel_8: latency_p90_ms is FAIL and waived by alice until 2026-12-06: "
        "nobody has one"
    ) in said
    text = chain_text(trace(facts))
    assert "FAIL" in text
    assert "w waived: it does not pass" in text
    assert max(map(len, text.splitlines())) <= 80
    document = chain_to_json(trace(facts))
    assert str(document["evidence"]).count("'by': 'alice'") == 2


def offered_by_waiver(facts: Facts, until: datetime) -> Facts:
    assert facts.offered is not None
    variants = tuple(
        replace(
            variant,
            approvals=tuple(
                replace(one, waived=("latency_p90_ms",), waived_until=until)
                if one.device == "pixel_8"
                else one
                for one in variant.approvals
            ),
        )
        for variant in facts.offered.variants
    )
    return replace(facts, offered=replace(facts.offered, variants=variants))


def test_a_release_by_a_waiver_that_holds_is_a_chain_that_holds(world: "World") -> None:
    facts = with_waiver(facts_of(world, publish_it=True), WAIVER)
    assert broken(trace(offered_by_waiver(facts, WAIVER.expires_at))) == set()


@pytest.mark.parametrize(
    ("waiver", "until", "said"),
    [
        pytest.param(
            replace(WAIVER, expires_at=datetime(2026, 11, 22, 12, tzinfo=UTC)),
            datetime(2026, 11, 22, 12, tzinfo=UTC),
            "expired on 2026-11-22",
            id="expired since",
        ),
        pytest.param(None, WAIVER.expires_at, "that is not here", id="withdrawn"),
    ],
)
def test_a_release_by_a_waiver_that_holds_no_more_breaks_the_chain(
    world: "World", waiver: Waiver | None, until: datetime, said: str
) -> None:
    facts = with_waiver(facts_of(world, publish_it=True), waiver)
    chain = trace(offered_by_waiver(facts, until))
    assert broken(chain) == {"waivers"}
    assert said in next(link.detail for link in chain.links if link.name == "waivers")


def test_a_waiver_that_is_not_to_be_believed_breaks_the_chain(world: "World") -> None:
    facts = replace(facts_of(world), waiver_problems=("waivers/x.json: not trusted",))
    assert waiver_link(facts) == (State.BROKEN, "waivers/x.json: not trusted")
