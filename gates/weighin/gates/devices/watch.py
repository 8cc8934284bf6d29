"""Times in quiet: looks at the machine around every process, waits, and tries again.

What this module does not do: it judges no number. Sessions carry what disturbed them, and
:func:`weighin.gates.meters.latency.latency_p90` refuses or labels them.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from weighin.gates.devices.bench import Bench
from weighin.gates.meters.latency import Session
from weighin.gates.meters.looks import look, wait_for_quiet
from weighin.gates.quiet import disturbance

Sessions = dict[str, Session]


class Watch:
    """Watches over the processes that time one group of files."""

    def __init__(self, bench: Bench) -> None:
        """Wait at most as long as the settings allow, over all processes together."""
        self._settings = bench.settings
        self._tick = bench.tick
        quiet = bench.settings.quiet
        self._left_s = quiet.wait_seconds if quiet is not None and quiet.refuse else 0.0
        self.gave_up = False
        """Whether the machine stayed noisy: every further number would be refused as well."""

    def timed(self, run: Callable[[], Sessions]) -> Sessions:
        """What ``run`` brings back, each session with what disturbed it.

        A disturbed run is repeated after waiting for quiet, as long as there is time to wait.
        """
        quiet = self._settings.quiet
        if quiet is None:
            return run()
        while True:
            before = look(self._settings.proc, self._settings.sys)
            sessions = run()
            after = look(self._settings.proc, self._settings.sys)
            if before is None or after is None:
                return sessions
            why = disturbance(before, after, self._settings.threads, quiet)
            if why is None:
                return sessions
            if not quiet.refuse or self._left_s <= 0:
                self.gave_up = quiet.refuse
                return {label: replace(one, disturbed=why) for label, one in sessions.items()}
            self._wait()

    def _wait(self) -> None:
        quiet = self._settings.quiet
        if quiet is None:
            return
        self._tick("waiting for this machine to be quiet")
        began = time.monotonic()
        one = self._settings
        wait_for_quiet(one.proc, one.sys, one.threads, quiet, self._left_s)
        # A repeat costs time as well: a machine that is never quiet for long must not go on.
        self._left_s -= max(time.monotonic() - began, self._settings.session_seconds)
