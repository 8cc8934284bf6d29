"""Which of a weigh-in's numbers a trusted key vouches for, and what they are worth here. Pure.

A report is believed when every verdict in it stands on a statement that a trusted key signed, that
holds today, that speaks of the same file, device and version, and that names this very report by
its digest. Then the report says nothing that its signer did not say. Anything less, and the whole
of it is not believed: the reasons come with it, and no check may end well.

What this module does not do: it opens no file and asks no server.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from weighin.gates.belief import Moment
from weighin.gates.errors import EvidenceError, WeighinError
from weighin.gates.evidence import verify_statement
from weighin.gates.fleet import Fleet
from weighin.gates.judge import Verdict, judge
from weighin.gates.metric import Budget
from weighin.gates.report.document import from_document
from weighin.gates.report.summary import reading_on
from weighin.gates.statement import Statement
from weighin.gates.weigh_in import DataDigest, Result, WeighIn
from weighin.plugin.config import Config

if TYPE_CHECKING:
    from weighin.gates.signing import Key

_MOST_REASONS = 3
_JUDGED_ROLES = ("evaluation", "evaluation suite", "metric")
"""The data whose change would make a drop in accuracy mean something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A report and its signed statements, as bytes that nobody has looked at yet.

    Attributes:
        report: ``report.json``.
        envelopes: The statements by file name.
    """

    report: bytes
    envelopes: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """A weigh-in, and what stands against believing it.

    Attributes:
        weigh_in: As its report has it.
        statements: The good ones, by label and device.
        objections: Why the numbers are not believed; none if they are.
    """

    weigh_in: WeighIn
    statements: Mapping[tuple[str, str], Statement]
    objections: tuple[str, ...]

    @property
    def untrusted(self) -> str:
        """The objections in one line, or nothing."""
        shown = "; ".join(self.objections[:_MOST_REASONS])
        more = len(self.objections) - _MOST_REASONS
        return f"{shown}; and {more} more" if more > 0 else shown


def believe(bundle: Bundle, keys: Collection["Key"], now: datetime) -> Believed:
    """Read a report and hold it against its statements.

    Args:
        bundle: The bytes.
        keys: Of those who may sign evidence.
        now: The time of reading.

    Raises:
        WeighinError: the report is none.
    """
    weigh_in, digest = read_report(bundle.report), hashlib.sha256(bundle.report).hexdigest()
    statements: dict[tuple[str, str], Statement] = {}
    objections: list[str] = []
    for name, envelope in sorted(bundle.envelopes.items()):
        try:
            statement = verify_statement(envelope, keys, now)
        except EvidenceError as error:
            objections.append(f"{name}: {error}")
            continue
        objections += _mismatches(name, statement, weigh_in, digest)
        statements[statement.variant.label, statement.device] = statement
    objections += _missing(weigh_in, statements)
    return Believed(
        weigh_in=weigh_in,
        statements=statements,
        objections=tuple(objections),
    )


def read_report(report: bytes) -> WeighIn:
    """A weigh-in from the bytes of a report.

    Raises:
        WeighinError: they are none.
    """
    try:
        return from_document(json.loads(report))
    except (ValueError, RecursionError) as error:
        raise WeighinError(f"not a weighin report: {error}") from error


def judged_by(believed: Believed, config: Config, fleet: Fleet | None, now: datetime) -> WeighIn:
    """The weigh-in judged again, by other budgets than its own: those of the base branch.

    Every verdict is computed anew from the readings that it came with. Devices that this
    configuration does not ask for are left out; one that it asks for and nobody weighed stays
    without a verdict, so nothing passes on it.

    Args:
        believed: The weigh-in; where it is not believed, the caller says so beside it.
        config: The configuration that judges.
        fleet: Which phones the users have, as the base branch says it.
        now: The time of judging.
    """
    weigh_in, settings = believed.weigh_in, config.models.get(believed.weigh_in.model)
    if settings is None:
        bare = tuple(replace(result, verdicts=()) for result in weigh_in.results)
        return replace(weigh_in, results=bare, fleet=fleet)
    moment = Moment(
        now=now,
        max_age=timedelta(days=config.evidence.valid_days),
        confidence=config.gate.confidence,
    )
    results = tuple(_judged(result, config, weigh_in.model, moment) for result in weigh_in.results)
    return replace(weigh_in, devices=settings.devices, results=results, fleet=fleet)


def foreign_to(believed: Believed, config: Config, data: tuple[DataDigest, ...]) -> tuple[str, ...]:
    """What makes a weigh-in's numbers mean something else than the base branch asks for.

    Args:
        believed: The weigh-in.
        config: The base branch's configuration.
        data: The base branch's data sets, by content.
    """
    weigh_in = believed.weigh_in
    settings = config.models.get(weigh_in.model)
    if settings is None:
        return (f"the base branch's weighin.toml describes no model '{weigh_in.model}'",)
    wanted = settings.quality_metric.name
    told = list(_other_data(believed.statements.values(), data))
    if weigh_in.quality_metric != wanted:
        told.append(f"judged by {weigh_in.quality_metric}, not by {wanted}")
    return tuple(dict.fromkeys(told))


def _judged(result: Result, config: Config, model: str, moment: Moment) -> Result:
    verdicts = tuple(
        _again(result, verdict, config.budgets_for(model, verdict.subject.device), moment)
        for verdict in result.verdicts
        if verdict.subject.device in config.models[model].devices
    )
    return replace(result, verdicts=verdicts, dominated_by=())


def _again(
    result: Result, verdict: Verdict, budgets: tuple[Budget, ...], moment: Moment
) -> Verdict:
    """A verdict by other budgets; what was not budgeted before may be known all the same."""
    device = verdict.subject.device
    readings = [reading for check in verdict.checks for reading in check.readings]
    judged = {check.budget.metric for check in verdict.checks}
    beside = (reading_on(result, device, one.metric) for one in budgets if one.metric not in judged)
    readings += [reading for reading in beside if reading is not None]
    return judge(verdict.subject, budgets, readings, moment)


def _other_data(statements: Collection[Statement], data: tuple[DataDigest, ...]) -> Iterator[str]:
    wanted = {one.role: one.sha256 for one in data if one.role in _JUDGED_ROLES}
    for statement in statements:
        used = {one.role: one.sha256 for one in statement.data if one.role in _JUDGED_ROLES}
        for role in sorted(wanted.keys() | used.keys()):
            if wanted.get(role) != used.get(role):
                yield f"weighed on another {role} than the base branch has"


def _mismatches(name: str, statement: Statement, weigh_in: WeighIn, digest: str) -> Iterator[str]:
    """A good statement that speaks of something else than this report."""
    if (statement.model, statement.version) != (weigh_in.model, weigh_in.version):
        yield f"{name}: speaks of {statement.model}/{statement.version}"
    elif statement.report_sha256 != digest:
        yield f"{name}: was signed with another report than this one"


def _missing(weigh_in: WeighIn, statements: Mapping[tuple[str, str], Statement]) -> Iterator[str]:
    """Verdicts that no good statement stands behind."""
    without = [
        f"{result.variant.label} on {verdict.subject.device}"
        for result in weigh_in.results
        for verdict in result.verdicts
        if not _backed(result, verdict.subject.device, statements)
    ]
    if without:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        yield f"no trusted statement about {without[0]}{more}"


def _backed(result: Result, device: str, statements: Mapping[tuple[str, str], Statement]) -> bool:
    statement = statements.get((result.variant.label, device))
    return statement is not None and statement.variant.sha256 == result.variant.sha256
