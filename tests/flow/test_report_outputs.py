"""A real weigh-in handed on to other tools by ``run`` and ``report``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

Command = Callable[..., Any]


def test_a_run_writes_what_other_tools_take(weighed: Path, weighin: Command) -> None:
    files = ("--junit", "out/junit.xml", "--sarif", "out/weighin.sarif", "--summary", "out/sum.md")
    shown = weighin(weighed, "run", "tiny/1", *files).stdout
    assert shown.startswith("✓ tiny v1 may ship on")
    assert "next:   weighin promote tiny/1" in shown
    root = ET.fromstring((weighed / "out/junit.xml").read_bytes())  # noqa: S314 - our own
    document = json.loads(weighin(weighed, "report", "tiny/1", "--json").stdout)
    assert len(root) >= len(document["devices"])
    (run,) = json.loads((weighed / "out/weighin.sarif").read_text())["runs"]
    assert run["tool"]["driver"]["name"] == "weighin"
    assert (weighed / "out/sum.md").read_text().startswith("✅ `tiny v1` may ship on")


def test_a_report_tells_who_signed_and_notes_nothing(weighed: Path, weighin: Command) -> None:
    done = weighin(weighed, "report", "tiny/1", "--format", "markdown")
    assert done.stderr == ""
    assert "signed by a trusted key" in done.stdout
    assert "cannot be relied on" not in done.stdout
