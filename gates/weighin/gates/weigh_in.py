"""The record of one weigh-in: every variant, every verdict, every failure."""

from dataclasses import dataclass
from datetime import datetime

from weighin.gates.data_record import DataSummary
from weighin.gates.fleet import Fleet, Outcomes, Share, of_best, share
from weighin.gates.judge import Outcome, Verdict
from weighin.gates.measurement import Reading
from weighin.gates.meters.metrics import ACCURACY
from weighin.gates.metric import Metric
from weighin.gates.search import SearchRecord
from weighin.gates.variant import BuildFailure, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDigest:
    """One data set that the weigh-in used: its role, file, digest and number of rows.

    The suite file beside a data set is named like one, ``evaluation suite``, and has no rows.
    """

    role: str
    path: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One variant with its verdict on each device.

    Attributes:
        variant: The file.
        verdicts: One per target device, in the plan's order.
        readings: Everything known about the file, budgeted or not.
        dominated_by: Per device name, the label of a simpler variant that is at least as good
            on every budgeted axis; only devices where there is one.
    """

    variant: Variant
    verdicts: tuple[Verdict, ...]
    readings: tuple[Reading, ...]
    dominated_by: tuple[tuple[str, str], ...] = ()

    @property
    def passed_on(self) -> tuple[str, ...]:
        """The devices this variant passed on."""
        return tuple(v.subject.device for v in self.verdicts if v.outcome is Outcome.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What one device's variants were held against: the release there, or why nothing was."""

    device: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighIn:
    """What became of one registered model version.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        source: The registry's source URI of the version.
        source_digest: Content digest of the registered files.
        plan_digest: Digest of everything that decides what is done (config, data, tools).
        reference_accuracy: What the registered model itself reaches on the gate's data, in the
            metric that is judged: accuracy as 0 to 1, any other in its own unit.
        data: The data sets used.
        devices: Target device names, in the plan's order.
        results: One per variant that was built.
        failures: One per variant that was not.
        started_at: UTC.
        finished_at: UTC.
        search: How the recipes were found, if they were searched for.
        quality_metric: Name of the metric whose drop is judged.
        compared_with: Per device with a budget that is relative to the release, what the
            channel offered there.
        data_report: What was checked of the data, and what was noticed.
        fleet: Which phones the users have, if that is known.
    """

    model: str
    version: str
    source: str
    source_digest: str
    plan_digest: str
    reference_accuracy: float
    data: tuple[DataDigest, ...]
    devices: tuple[str, ...]
    results: tuple[Result, ...]
    failures: tuple[BuildFailure, ...]
    started_at: datetime
    finished_at: datetime
    search: SearchRecord | None = None
    quality_metric: str = ACCURACY
    compared_with: tuple[Compared, ...] = ()
    data_report: DataSummary | None = None
    fleet: Fleet | None = None

    @property
    def passed(self) -> tuple[Result, ...]:
        """The variants that passed on at least one device."""
        return tuple(result for result in self.results if result.passed_on)

    @property
    def outcomes(self) -> Outcomes:
        """Every verdict's outcome, by label and device."""
        return {
            (result.variant.label, verdict.subject.device): verdict.outcome
            for result in self.results
            for verdict in result.verdicts
        }

    @property
    def fleet_share(self) -> Share | None:
        """The users served if each device gets what passes there; ``None`` without a fleet."""
        if self.fleet is None:
            return None
        return share(self.fleet, of_best(self.outcomes, self.devices))

    @property
    def fleet_outcome(self) -> Outcome | None:
        """Whether enough users are served; ``None`` where no budget asks for it."""
        served = self.fleet_share
        if self.fleet is None or served is None or self.fleet.at_least_percent is None:
            return None
        return served.against(self.fleet.at_least_percent)

    @property
    def may_ship(self) -> bool:
        """Whether something passed, and for enough of the users where a budget asks for that."""
        return bool(self.passed) and self.fleet_outcome in (None, Outcome.PASS)

    def nearest_miss(self, device: str) -> tuple[Result, Metric] | None:
        """The variant closest to passing on a device that none passed on, and what stopped it.

        Closest means: fewest checks that do not pass, then the smallest ratio of the upper
        end to the budget among them. ``None`` when something passed or nothing was judged.
        """
        if any(device in result.passed_on for result in self.results):
            return None
        misses = []
        for result in self.results:
            for verdict in result.verdicts:
                if verdict.subject.device == device and verdict.checks:
                    open_checks = [c for c in verdict.checks if c.outcome is not Outcome.PASS]
                    worst = max(open_checks, key=lambda c: c.overshoot)
                    misses.append((len(open_checks), worst.overshoot, result, worst.budget.metric))
        if not misses:
            return None
        _, _, result, metric = min(misses, key=lambda miss: miss[:2])
        return result, metric
