"""What the channel offers for a model at the moment when it is weighed.

What this module does not do: it compares nothing, and it is no part of the plan.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import StoreError
from weighin.gates.metric import VS_RELEASE, Budget, Metric
from weighin.gates.weigh_in import Compared
from weighin.plugin.plan import Plan
from weighin.plugin.project import Project
from weighin.registry.channel import current_release, released_file
from weighin.registry.release import Release, ReleasedVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the channel offers for a model now.

    Attributes:
        channel: Name of the channel.
        folder: Where the channel is.
        release: What it offers; ``None`` if nothing.
        problem: Why the channel cannot be read; empty if it can.
    """

    channel: str
    folder: Path
    release: Release | None
    problem: str = ""

    def file(self, released: ReleasedVariant) -> Path:
        """Where a file of the release is."""
        assert self.release is not None  # noqa: S101 - it came from there
        return released_file(self.folder, self.channel, self.release, released)

    def name(self, released: ReleasedVariant) -> str:
        """How people call a file of the release: ``v1 int8.tflite``."""
        return f"v{self.release.version if self.release else '?'} {released.label}"


def read_offer(project: Project, plan: Plan) -> Offer | None:
    """What the channel offers, if a budget asks for it; a channel that cannot be read says why."""
    if not wanted_of(budget for target in plan.targets for budget in target.budgets):
        return None
    name, release, problem = project.config.channel.name, None, ""
    try:
        release = current_release(project.channel, name, plan.model)
    except StoreError as error:
        problem = str(error)
    return Offer(channel=name, folder=project.channel, release=release, problem=problem)


def compared_with(plan: Plan, offer: Offer | None) -> tuple[Compared, ...]:
    """For the report: what each device with such a budget was compared with."""
    found: list[Compared] = []
    for target in plan.targets if offer is not None else ():
        if offer is None or not wanted_of(target.budgets):
            continue
        best = offer.release.best_for(target.device) if offer.release is not None else None
        words = f"channel '{offer.channel}' offers {offer.name(best)}" if best else ""
        first = f"first release for {target.device}: nothing to compare with"
        found.append(Compared(device=target.device, words=offer.problem or words or first))
    return tuple(found)


def wanted_of(budgets: Iterable[Budget]) -> tuple[Metric, ...]:
    """The metrics of a device that are relative to the release."""
    return tuple(budget.metric for budget in budgets if budget.metric in VS_RELEASE)
