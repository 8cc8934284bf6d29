"""Keeps account of the steps of a child: begun, done, failed.

The child says what begins and what came out; the ledger believes neither before the file is
kept, and gives every step an outcome, however the child ended.
"""

from collections.abc import Callable, Sequence

from weighin.gates.child import Ended, Line

Keep = Callable[[str, Line], str]
"""Takes a step's name and claim; says why its file cannot be kept, or nothing if it was."""


class Ledger:
    """The steps of one child."""

    def __init__(self, steps: Sequence[str], keep: Keep) -> None:
        """Expect these steps, in this order."""
        self._left = list(steps)
        self._keep = keep
        self._begun = ""
        self.failed: dict[str, str] = {}

    def line(self, line: Line) -> None:
        """Take one line from the child; lines about anything else are ignored."""
        begun, done, failed = (str(line.get(word, "")) for word in ("begin", "done", "failed"))
        if begun in self._left:
            self._begun = begun
        if done in self._left:
            self._settle(done, self._keep(done, line))
        if failed in self._left:
            self._settle(failed, str(line.get("reason", "no reason was given"))[:1000])

    def end(self, ended: Ended) -> None:
        """The child is gone: what it had begun failed; what it never began failed with it.

        Unless some step had begun: then the others are left to the next child.
        """
        if self._begun:
            self._settle(self._begun, ended.reason or "the child ended without an answer")
        elif not self.failed or not ended.ok:
            for step in tuple(self._left):
                self._settle(step, ended.reason or "the child ended without an answer")

    def _settle(self, step: str, reason: str) -> None:
        self._left.remove(step)
        if step == self._begun:
            self._begun = ""
        if reason:
            self.failed[step] = reason
