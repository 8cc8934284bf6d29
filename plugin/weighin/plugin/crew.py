"""Has children build trunks: one child after the other, each for all that is left.

A child that dies takes one step with it; the next child goes on with the rest. Every child
settles at least one step, so there is an end to it.
"""

from collections.abc import Callable
from pathlib import Path

from weighin.gates.child import Limits, Line, run_child
from weighin.gates.variant import BuildFailure
from weighin.plugin.ledger import Ledger
from weighin.plugin.trunk import Built, Step, Trunk, TrunkRequest
from weighin.plugin.worker import BUILD, WORKER

Finished = Callable[[Built | BuildFailure], None]
Results = dict[tuple[str, Step], Built | BuildFailure]


def build_trunks(
    requests: tuple[TrunkRequest, ...], folder: Path, limits: Limits, finished: Finished
) -> Results:
    """Make every file of some trunks that is not kept already.

    Args:
        requests: What to make, in this order.
        folder: For the children.
        limits: Of one child.
        finished: Told of each result as soon as it is known.

    Returns:
        One result per trunk's name and step.
    """
    crew = _Crew(tuple(Trunk(request, folder) for request in requests), finished)
    crew.settle()
    while crew.left():
        crew.run(folder, limits)
    return crew.results


class _Crew:
    def __init__(self, trunks: tuple[Trunk, ...], finished: Finished) -> None:
        self.trunks = {str(trunk.request.trunk): trunk for trunk in trunks}
        self.finished = finished
        self.results: Results = {}

    def left(self) -> dict[str, tuple[str, str]]:
        """Trunk and step by the name that the child calls it, in order."""
        return {
            f"{recipe}/{step}": (recipe, step)
            for recipe, trunk in self.trunks.items()
            for step in trunk.steps_left()
        }

    def settle(self) -> None:
        """Tell what has become known."""
        for recipe, trunk in self.trunks.items():
            for step in trunk.request.steps:
                result = trunk.result(step) if (recipe, step) not in self.results else None
                if result is not None:
                    self.results[recipe, step] = result
                    self.finished(result)

    def run(self, folder: Path, limits: Limits) -> None:
        """One child, for everything that is left."""
        left = self.left()
        ledger = Ledger(tuple(left), lambda name, line: self.keep(left[name], line))
        jobs = [trunk.job() for trunk in self.trunks.values() if trunk.steps_left()]
        job = {"kind": BUILD, "threads": limits.threads, "seed": 0, "trunks": jobs}
        child = run_child(WORKER, job, folder, limits, on_line=ledger.line)
        ledger.end(child.ended)
        for name, reason in ledger.failed.items():
            recipe, step = left[name]
            self.trunks[recipe].give_up(step, reason)
        self.settle()

    def keep(self, name: tuple[str, str], line: Line) -> str:
        recipe, step = name
        reason = self.trunks[recipe].accept(step, line)
        self.settle()
        return reason
