"""Generations of the simulated tools.

What this module does not do: it names no versions; wording changed piece by piece over years.
"""

from enum import StrEnum


class ToolBuild(StrEnum):
    """How old a tool acts."""

    OLD = "old"
    """As around 2020: older wording, XNNPACK only when asked for, no percentiles."""
    MIDDLE = "middle"
    """As around 2022: today's wording without percentiles and without the INFO prefix."""
    NEW = "new"
    """As of today."""
