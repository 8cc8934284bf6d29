"""From verified evidence to a release: the verdicts are computed again, here and now.

Pure: no file, key or clock is touched. Nothing that a report or a statement says about passing
is believed; the readings are judged against the budgets that hold today. What does not pass is
released only where people who may do so waived all that it lacks, and then as waived.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from weighin.gates.belief import Moment, Subject
from weighin.gates.errors import EvidenceError
from weighin.gates.fleet import Fleet, of_best, share
from weighin.gates.judge import Check, Outcome, Verdict, judge
from weighin.gates.metric import VS_RELEASE, Budget, Metric
from weighin.gates.statement import Statement
from weighin.gates.waiver import Waiver, waived
from weighin.gates.weigh_in import DataDigest
from weighin.registry.baseline import applied, believed, regresses
from weighin.registry.changes import changes
from weighin.registry.ranking import ranked, upper_end
from weighin.registry.release import Approval, Release, ReleasedVariant

Waivers = tuple[tuple[Check, Waiver], ...]
"""What was let go, and by what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A statement whose signature was verified, and the digest of its envelope."""

    statement: Statement
    envelope_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a promotion is held against.

    Attributes:
        plan_digest: Today's plan of the model; evidence of another one is refused.
        data: Today's data sets, by content.
        tools: Today's versions of the tools.
        budgets: The budgets of each target device as configured now.
        artifacts: The sha256 of each variant file as it is on disk now, by its path.
        offered: What the channel offers for the model now; ``None`` if nothing.
        moment: When the judging happens, and how old a measurement may be.
        fleet: Which phones the users have; with a budget on their share, too small a share
            releases nothing.
        waivers: Verified ones; those of another version or plan, and expired ones, do nothing.
    """

    plan_digest: str
    data: tuple[DataDigest, ...]
    tools: tuple[tuple[str, str], ...]
    budgets: Mapping[str, tuple[Budget, ...]]
    artifacts: Mapping[str, str]
    offered: Release | None
    moment: Moment
    fleet: Fleet | None = None
    waivers: tuple[Waiver, ...] = ()


def promote(proofs: Iterable[Proof], policy: Policy) -> Release:
    """Make the release of everything that passes, and of what was waived, as waived.

    Returns:
        The release; without variants when there is nothing, or not for enough of the users.

    Raises:
        EvidenceError: there is no evidence, or it contradicts itself, the files or the clock,
            or is of another plan than today's. Then nothing is promoted, because somebody
            should look.
    """
    known = tuple(proofs)
    model, version = _one_model(known)
    _check_plan(tuple(proof.statement for proof in known), policy)
    for proof in known:
        _check(proof.statement, policy)
    let_go = {p.envelope_sha256: waivers_of(p.statement, policy) for p in known}
    may = tuple(p for p in known if _passes(p, policy) or let_go[p.envelope_sha256])
    if fleet_objection(known, policy) is not None:
        may = ()
    ranks = _ranks(may, policy, {digest for digest, pairs in let_go.items() if pairs})
    return Release(model=model, version=version, variants=_variants(may, ranks, let_go))


def verdict_of(statement: Statement, policy: Policy) -> Verdict:
    """Judge one statement's readings against today's budgets of its device, and today's release.

    A budget that is relative to the release applies unless the channel offers nothing for the
    device, or offers this very file there; a comparison with any other file is not believed.
    """
    subject = Subject(
        artifact_sha256=statement.variant.sha256,
        device=statement.device,
        runtime=statement.runtime,
    )
    baseline = regresses(policy.offered, statement.device, statement.variant)
    budgets = applied(policy.budgets.get(statement.device, ()), baseline)
    again = f"weighin run {statement.model}/{statement.version} --again"
    readings = believed(statement.readings, budgets, policy.offered, baseline, again)
    return judge(subject, budgets, readings, policy.moment)


def waivers_of(statement: Statement, policy: Policy) -> Waivers:
    """What lets a statement through that does not pass: its open checks, each with its waiver.

    Empty if it passes, or if anything stays open. Waivers of another version or plan do not
    count. Nor does one for a reading that the signed statement does not hold, such as a comparison
    with a release that the channel no longer offers: nobody looked at that.
    """
    mine = (statement.model, statement.version, statement.plan_digest)
    own = (w for w in policy.waivers if (w.model, w.version, w.plan_digest) == mine)
    pairs = waived(verdict_of(statement, policy), own, policy.moment.now)
    seen = set(statement.readings)
    return pairs if all(set(check.readings) <= seen for check, _ in pairs) else ()


def _passes(proof: Proof, policy: Policy) -> bool:
    return verdict_of(proof.statement, policy).outcome is Outcome.PASS


def fleet_objection(proofs: Iterable[Proof], policy: Policy) -> str | None:
    """Why too few users would be served; ``None`` where enough are, or no budget asks for it.

    What is asked is whether each device gets something that passes there; what was waived does
    not. A target device without evidence decides nothing, so leaving evidence away never helps.
    """
    fleet = policy.fleet
    if fleet is None or fleet.at_least_percent is None:
        return None
    outcomes = {
        (p.statement.variant.label, p.statement.device): verdict_of(p.statement, policy).outcome
        for p in proofs
    }
    served = share(fleet, of_best(outcomes, policy.budgets.keys()))
    outcome = served.against(fleet.at_least_percent)
    if outcome is Outcome.PASS:
        return None
    return (
        f"{served.passed:g} % of users would be served and {served.undecided:g} % are undecided, "
        f"but at least {fleet.at_least_percent:g} % must be served ({outcome}), so nothing is "
        "released"
    )


def stale(proofs: Iterable[Proof], policy: Policy) -> tuple[str, ...]:
    """What is not released because it was compared with another release than today's."""
    found: list[str] = []
    for statement in (proof.statement for proof in proofs):
        known = set(statement.readings)
        for check in verdict_of(statement, policy).checks:
            told = check.reading
            if check.budget.metric in VS_RELEASE and told not in known:
                about = f"{statement.variant.label} on {statement.device}"
                found.append(f"{about}: {check.budget.metric}: {check.reason}")
                break
    return tuple(found)


def gaps(proofs: Iterable[Proof], policy: Policy, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Variants and target devices without a statement: they are left out, and this says so.

    Args:
        proofs: What there is evidence for.
        policy: Names the target devices.
        known: Labels of variants that something else, such as a report, speaks of.
    """
    about = {(p.statement.variant.label, p.statement.device) for p in proofs}
    return tuple(
        f"no evidence for {label} on {device}, so it was not considered"
        for label in sorted({*known, *(label for label, _ in about)})
        for device in policy.budgets
        if (label, device) not in about
    )


def _check_plan(statements: tuple[Statement, ...], policy: Policy) -> None:
    """All are of one plan already; it must be today's."""
    first = statements[0]
    if first.plan_digest == policy.plan_digest:
        return
    changed = changes(statements, policy.budgets, policy.data, policy.tools)
    raise EvidenceError(
        f"{first.model}/{first.version} was weighed under another plan than today's: "
        f"{'; '.join(changed)}. Run `weighin run {first.model}/{first.version}`: files that are "
        "built and recent readings are used again where they still hold"
    )


def _one_model(proofs: tuple[Proof, ...]) -> tuple[str, str]:
    if not proofs:
        raise EvidenceError("there is no evidence, so nothing can be promoted: weighin run")
    said = [p.statement for p in proofs]
    origins = {(s.model, s.version, s.source_digest, s.plan_digest) for s in said}
    if len(origins) > 1:
        names = ", ".join(sorted({f"{model} v{version}" for model, version, _, _ in origins}))
        raise EvidenceError(f"evidence of different weigh-ins is mixed ({names}): weighin run")
    about = [(s.variant.path, s.device) for s in said]
    if len(set(about)) < len(about):
        raise EvidenceError("two statements speak of the same file and device: weighin run")
    if len({p.envelope_sha256 for p in proofs}) < len(proofs):
        raise EvidenceError("one envelope is given for two statements: weighin run")
    return said[0].model, said[0].version


def artifact_objection(statement: Statement, policy: Policy) -> str | None:
    """Why the file on disk is not the one that was weighed; ``None`` if it is."""
    path, weighed = statement.variant.path, statement.variant.sha256
    actual = policy.artifacts.get(path)
    if actual is None:
        return f"{path}: the file is gone: dvc pull"
    if actual != weighed:
        return (
            f"{path}: the file is not the one that was weighed "
            f"({actual[:12]}, not {weighed[:12]}): weighin run"
        )
    return None


def _check(statement: Statement, policy: Policy) -> None:
    objection = artifact_objection(statement, policy)
    if objection is not None:
        raise EvidenceError(objection)
    if not statement.issued_at <= policy.moment.now < statement.expires_at:
        raise EvidenceError(f"evidence for {statement.about} is not valid now: weighin run")


def _ranks(may: tuple[Proof, ...], policy: Policy, by_waiver: Collection[str]) -> dict[str, int]:
    """Places on their devices, 1 is best, by the digest of the envelope."""
    ranks: dict[str, int] = {}
    for device in sorted({p.statement.device for p in may}):
        here = {p.envelope_sha256: p.statement for p in may if p.statement.device == device}
        metrics = [budget.metric for budget in policy.budgets[device]]
        ranks |= {digest: n for n, digest in enumerate(ranked(here, metrics, by_waiver), start=1)}
    return ranks


def _variants(
    may: tuple[Proof, ...], ranks: Mapping[str, int], let_go: Mapping[str, Waivers]
) -> tuple[ReleasedVariant, ...]:
    by_label = sorted(may, key=lambda p: (p.statement.variant.label, p.statement.device))
    approvals: dict[str, list[Approval]] = {}
    for proof in by_label:
        approval = _approval(proof, ranks, let_go[proof.envelope_sha256])
        approvals.setdefault(proof.statement.variant.path, []).append(approval)
    variants = {proof.statement.variant.path: proof.statement.variant for proof in by_label}
    return tuple(
        ReleasedVariant(
            recipe=variant.recipe,
            format=variant.format,
            sha256=variant.sha256,
            size_bytes=variant.size_bytes,
            approvals=tuple(approvals[path]),
        )
        for path, variant in variants.items()
    )


def _approval(proof: Proof, ranks: Mapping[str, int], let_go: Waivers) -> Approval:
    latency_ms = upper_end(proof.statement, Metric.LATENCY_P90_MS)
    return Approval(
        device=proof.statement.device,
        rank=ranks[proof.envelope_sha256],
        evidence_sha256=proof.envelope_sha256,
        latency_p90_us=math.ceil(latency_ms * 1000) if math.isfinite(latency_ms) else None,
        waived=tuple(sorted(check.budget.metric.value for check, _ in let_go)),
        waived_until=min((waiver.expires_at for _, waiver in let_go), default=None),
    )
