"""The workflows as documents, and the little runner that the benchmarks share."""

import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = str(Path(__file__).parents[1] / "benchmarks")
if BENCHMARKS not in sys.path:
    sys.path.insert(0, BENCHMARKS)

from workflow_run import ACTION, WORKFLOWS, load  # noqa: E402 - found through the line above


@pytest.fixture(scope="session")
def workflows() -> dict[str, dict[str, Any]]:
    """Every workflow of this repository, by file name."""
    return {path.name: load(path) for path in sorted(WORKFLOWS.glob("*.yml"))}


@pytest.fixture(scope="session")
def action() -> dict[str, Any]:
    """The composite action."""
    return load(ACTION / "action.yml")
