"""Everything that one weigh-in needs to know, and what follows from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from weighin.gates.belief import Moment
from weighin.gates.child import Limits
from weighin.gates.data import Role
from weighin.gates.devices.bench import HostSettings
from weighin.gates.meters.quality import Quality
from weighin.gates.metric import Metric
from weighin.gates.profile import HOST
from weighin.plugin.console import Progress
from weighin.plugin.event import Registration
from weighin.plugin.mlflow_store import Connection
from weighin.plugin.plan import Plan
from weighin.plugin.planning import data_paths, quality_of
from weighin.plugin.project import Project

_TIMES = (Metric.LATENCY_P90_MS, Metric.LATENCY_VS_RELEASE_PERCENT)
REUSE = timedelta(days=7)
"""A killed or changed run takes over what this machine measured in these days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that one weigh-in needs to know."""

    project: Project
    connection: Connection
    registration: Registration
    plan: Plan
    progress: Progress
    started_at: datetime
    again: bool = False

    @property
    def build(self) -> Path:
        """Where builds are kept by content: the same model registered again costs nothing."""
        return self.project.work / "build"

    @property
    def limits(self) -> Limits:
        """What one child process may use."""
        build = self.project.config.build
        return Limits(
            wall_seconds=build.time_limit_s,
            memory_mib=build.memory_limit_mib,
            hidden=self.project.secrets,
        )

    @property
    def moment(self) -> Moment:
        """When the judging happens, and how old a reading may be."""
        config = self.project.config
        days, confidence = config.evidence.valid_days, config.gate.confidence
        return Moment(now=self.started_at, max_age=timedelta(days=days), confidence=confidence)

    @property
    def reuse_for(self) -> timedelta:
        """How old a number of this machine may be to be used again: not at all, if asked to."""
        return timedelta(0) if self.again else min(REUSE, self.moment.max_age / 2)

    @property
    def quality(self) -> Quality:
        """By what quality is judged, and whether rows are looked at step by step."""
        return quality_of(self.project, self.plan)

    @property
    def settings(self) -> HostSettings:
        """How this machine measures."""
        config = self.project.config
        return HostSettings(
            reuse_for=self.reuse_for,
            confidence=config.gate.confidence,
            quality=self.quality,
            quiet=config.host.limits(budgeted=self.times_decide),
        )

    @property
    def times_decide(self) -> bool:
        """Whether a latency on this machine is budgeted."""
        here = [target for target in self.plan.targets if target.device == HOST]
        return any(b.metric in _TIMES for target in here for b in target.budgets)

    def data(self, role: Role) -> Path:
        """Where a data set is; only for roles that the plan has."""
        return data_paths(self.project, self.plan.model)[role]
