"""What stays the same while variants are weighed on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from weighin.gates.devices.bench import Bench, Candidate
from weighin.gates.meters.cache import ReadingCache
from weighin.gates.meters.stamp import Stamp, runtime_of

HOST = "host"
"""The name of the device that this machine is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """What stays the same while the variants are weighed.

    Attributes:
        bench: Runs them.
        cache: Readings kept so far.
        reference_outputs: .npy of the registered model's outputs.
        now: The time that readings carry.
        decided_by: Names and digests of everything else that decides a reading.
    """

    bench: Bench
    cache: ReadingCache
    reference_outputs: Path
    now: datetime
    decided_by: tuple[tuple[str, str], ...]

    def stamp(self, candidate: Candidate) -> Stamp:
        """What the readings of one file have in common."""
        return Stamp(
            artifact_sha256=candidate.sha256,
            runtime=runtime_of(candidate.format),
            device=HOST,
            measured_at=self.now,
        )

    def parts(self, candidate: Candidate) -> Mapping[str, str]:
        """Everything that decides the readings of one file."""
        own = {"artifact": candidate.sha256, "runtime": runtime_of(candidate.format)}
        return dict(self.decided_by) | own
