"""Evidence that runs out is noticed in time, once, and for what was merged last."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import Config
from weighin.plugin.expiry import MARGIN, expiring
from weighin.plugin.project import Project
from weighin.plugin.results import report_text

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOLDS = timedelta(days=Config().evidence.valid_days)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(root=tmp_path, config=Config())


def keep(folder: Path, age: timedelta) -> None:
    finished = NOW - age
    folder.mkdir(parents=True)
    weigh_in = WeighIn(
        model="digits",
        version="1",
        source="models:/m-1",
        source_digest="0" * 64,
        plan_digest="1" * 64,
        reference_accuracy=0.9,
        data=(),
        devices=(),
        results=(),
        failures=(),
        started_at=finished,
        finished_at=finished,
    )
    (folder / "report.json").write_text(report_text(weigh_in))


@pytest.mark.parametrize(
    ("age", "soon"),
    [
        (timedelta(0), False),
        (HOLDS - MARGIN - timedelta(seconds=1), False),
        (HOLDS - MARGIN, True),
        (HOLDS + timedelta(days=400), True),
    ],
    ids=["fresh", "not-yet", "from-now-on", "long-ago"],
)
def test_a_version_runs_out_a_margin_before_its_evidence(
    project: Project, age: timedelta, soon: bool
) -> None:
    keep(project.committed("digits", "1"), age)
    assert expiring(project, NOW) == ({"digits/1"} if soon else set())


def test_only_what_was_merged_last_counts(project: Project) -> None:
    keep(project.committed("digits", "9"), HOLDS)
    keep(project.committed("digits", "10"), timedelta(0))
    keep(project.committed("cats", "2"), HOLDS)
    (project.root / "variants" / "digits" / "v11").mkdir()  # built, but nothing was merged
    assert expiring(project, NOW) == {"cats/2"}


def test_what_was_weighed_again_waits_for_its_review(project: Project) -> None:
    keep(project.committed("digits", "1"), HOLDS)
    keep(project.results("digits", "1"), timedelta(0))
    assert expiring(project, NOW) == set()


def test_a_damaged_report_runs_out_at_once(project: Project) -> None:
    folder = project.committed("digits", "1")
    folder.mkdir(parents=True)
    (folder / "report.json").write_text("{}")
    assert expiring(project, NOW) == {"digits/1"}


def test_without_anything_committed_nothing_runs_out(project: Project) -> None:
    assert expiring(project, NOW) == set()
