"""A daily sync weighs again what was merged and runs out; it needs no key of the channel."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def age(folder: Path, days: int) -> None:
    """Let a report have been finished some days ago."""
    report = folder / "report.json"
    document = json.loads(report.read_text())
    then = datetime.now(UTC) - timedelta(days=days)
    document["started_at"] = document["finished_at"] = then.isoformat()
    report.write_text(json.dumps(document))


def test_merged_evidence_that_runs_out_is_weighed_again_without_the_channels_keys(
    tiny: Path, weighin: Command
) -> None:
    weighin(tiny, "sync")
    results, committed = tiny / ".weighin/runs/tiny/v1", tiny / "variants/tiny/v1/weigh-in"
    shutil.copytree(results, committed)
    age(committed, 28)
    age(results, 28)
    for name in ("targets.pem", "snapshot.pem", "timestamp.pem"):
        (tiny / ".weighin/keys" / name).unlink()
    done = json.loads(weighin(tiny, "sync", "--only", "weigh", "--json").stdout)
    assert [one["version"] for one in done] == ["tiny/1"]
