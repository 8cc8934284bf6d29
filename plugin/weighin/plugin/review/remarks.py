"""Which budgets stopped a device, and on which line of ``weighin.toml`` each of them stands. Pure.

A budget is remarked on where no variant meets it, and where it is what keeps the nearest miss
from passing. A device that something passed on gets no remark.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from weighin.gates.judge import Check, Outcome
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.words import METRIC_WORDS, count, plain
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.github.records import Annotation

LineOf = Callable[[str, Metric], int | None]
"""The line that holds the budget of a device, in the file that the commit has."""

_LONGEST_TITLE = 200
_LONGEST_MESSAGE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One budget that stopped one device.

    Attributes:
        device: The device.
        metric: The budget's metric.
        failed: Whether it was found to be exceeded; else it could not be decided.
        title: One line.
        message: What the variants have there, in words.
        line: Of ``weighin.toml``; ``None`` if the file does not have it.
    """

    device: str
    metric: Metric
    failed: bool
    title: str
    message: str
    line: int | None

    def annotation(self, path: str) -> Annotation | None:
        """The same in the pull request's changes; nothing without a line."""
        if self.line is None:
            return None
        return Annotation(
            path=path,
            line=self.line,
            title=self.title[:_LONGEST_TITLE],
            message=self.message[:_LONGEST_MESSAGE],
            level="failure" if self.failed else "warning",
        )


def remarks(weigh_in: WeighIn, device: str, line_of: LineOf) -> tuple[Remark, ...]:
    """Every budget that stopped a device, in the order of the metrics."""
    if summary.device_outcome(weigh_in, device) is Outcome.PASS:
        return ()
    checks = _checks_by_metric(weigh_in, device)
    nearest = _nearest(weigh_in, device)
    wanted = (metric for metric in Metric if metric in checks)
    return tuple(
        _remark(device, checks[metric], nearest, line_of(device, metric))
        for metric in wanted
        if _stops(checks[metric], nearest)
    )


def _checks_by_metric(weigh_in: WeighIn, device: str) -> dict[Metric, list[tuple[Result, Check]]]:
    found: dict[Metric, list[tuple[Result, Check]]] = {}
    for result in weigh_in.results:
        verdict = summary.verdict_on(result, device)
        for check in verdict.checks if verdict else ():
            found.setdefault(check.budget.metric, []).append((result, check))
    return found


def _nearest(weigh_in: WeighIn, device: str) -> str | None:
    """The label of the variant that came nearest."""
    miss = summary.nearest_miss(weigh_in, device)
    return None if miss is None else miss[0].variant.label


def _open(checks: list[tuple[Result, Check]]) -> Iterator[tuple[Result, Check]]:
    return (pair for pair in checks if pair[1].outcome is not Outcome.PASS)


def _stops(checks: list[tuple[Result, Check]], nearest: str | None) -> bool:
    unmet = list(_open(checks))
    return len(unmet) == len(checks) or any(r.variant.label == nearest for r, _ in unmet)


def _remark(
    device: str, checks: list[tuple[Result, Check]], nearest: str | None, line: int | None
) -> Remark:
    unmet = list(_open(checks))
    result, check = next((p for p in unmet if p[0].variant.label == nearest), unmet[0])
    failed = all(one.outcome is Outcome.FAIL for _, one in unmet)
    metric = check.budget.metric
    name, where = METRIC_WORDS[metric].name, plain(device)
    many = f"{len(unmet)} of {count(len(checks), 'variant')} do not meet it"
    return Remark(
        device=device,
        metric=metric,
        failed=failed,
        title=f"{name} on {where}: {'exceeded' if failed else 'not decided'}",
        message=f"{plain(result.variant.label)}: {summary.why(check)}; {many}",
        line=line,
    )
