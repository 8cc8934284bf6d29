"""What variants are weighed with."""

from dataclasses import dataclass
from pathlib import Path

from weighin.gates.belief import Moment
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.variant import Variant
from weighin.plugin.twin import TwinPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """What variants are weighed with.

    Attributes:
        root: Variant paths are relative to it.
        evaluation: The gate's own data set.
        reference: The registered model's outputs on it.
        workdir: For child processes and readings kept between runs.
        limits: What one child process may use.
        moment: When, and how old a reading may be.
        settings: How this machine measures.
        arm: Where the emulated ARM machine is, if files may be run on one.
        twin: Where instructions are counted, if latency on phones may come from them.
    """

    root: Path
    evaluation: Path
    reference: Path
    workdir: Path
    limits: Limits
    moment: Moment
    settings: HostSettings
    arm: Path | None = None
    twin: TwinPlace | None = None


def candidate_of(variant: Variant, root: Path) -> Candidate:
    """A variant as this machine runs it."""
    return Candidate(
        label=variant.label,
        path=root / variant.path,
        format=variant.format,
        sha256=variant.sha256,
    )
