"""Reports and evidence of one model version, kept as files in its results folder.

    report.json   weighin/report/v1
    report.md     for a pull request
    report.html   one self-contained page
    evidence/     one signed statement per variant and device

``report.json`` is written last: a folder that has one is complete. A review keeps a copy of the
report and the evidence in git, so that a fresh clone can show and promote what was merged.
"""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from weighin.gates.errors import WeighinError
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.document import from_document, to_document
from weighin.gates.weigh_in import WeighIn
from weighin.gates.wire import object_of, time_of
from weighin.plugin.project import Project

REPORT_JSON = "report.json"
REPORT_MARKDOWN = "report.md"
REPORT_HTML = "report.html"
EVIDENCE_DIR = "evidence"


def weigh_in_folder(project: Project, model: str, version: str) -> Path:
    """Where the finished weigh-in of a version is: on this machine, or committed by a review.

    Where both have a report, the one that finished later counts; this machine's if they are equal.
    Where none has one, it is this machine's.
    """
    here, committed = project.results(model, version), project.committed(model, version)
    if not (committed / REPORT_JSON).is_file():
        return here
    if not (here / REPORT_JSON).is_file():
        return committed
    return committed if _finished_at(committed) > _finished_at(here) else here


def load_weigh_in(folder: Path) -> WeighIn:
    """The finished weigh-in in a results folder.

    Raises:
        WeighinError: there is none, or it is not one of ours.
    """
    path = folder / REPORT_JSON
    try:
        return from_document(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        what = f"{folder.parent.name}/{folder.name.removeprefix('v')}"
        raise WeighinError(f"{what} has no report yet; run `weighin run {what}`") from error
    except (ValueError, RecursionError) as error:
        raise WeighinError(f"{path}: not a weighin report: {error}") from error


def _finished_at(folder: Path) -> datetime:
    """When a folder's weigh-in finished; the beginning of time if that cannot be read."""
    try:
        document: object = json.loads((folder / REPORT_JSON).read_bytes())
        return time_of(object_of(document, "report"), "finished_at")
    except (OSError, ValueError, RecursionError):
        return datetime.min.replace(tzinfo=UTC)


def report_text(weigh_in: WeighIn) -> str:
    """The text of ``report.json``, byte for byte: signed evidence holds its digest."""
    return json.dumps(to_document(weigh_in), indent=2, allow_nan=False) + "\n"


def load_evidence(folder: Path) -> dict[str, bytes]:
    """The signed envelopes of a results folder, by file name."""
    directory = folder / EVIDENCE_DIR
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.json"))}


def save_weigh_in(
    folder: Path,
    weigh_in: WeighIn,
    envelopes: Mapping[str, bytes],
    context: Context = PLAIN,
) -> None:
    """Write every shape of the report and the evidence; the folder is replaced as a whole.

    The context is shown in the page and the Markdown; the document and the evidence, which are
    signed, do not depend on it.
    """
    from weighin.gates.report.html import to_html
    from weighin.gates.report.markdown import to_markdown

    markdown = to_markdown(weigh_in, context=context)
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / EVIDENCE_DIR).mkdir(parents=True)
    for name, envelope in envelopes.items():
        (fresh / EVIDENCE_DIR / name).write_bytes(envelope)
    (fresh / REPORT_MARKDOWN).write_text(markdown, encoding="utf-8")
    (fresh / REPORT_HTML).write_text(to_html(weigh_in, context), encoding="utf-8")
    (fresh / REPORT_JSON).write_text(report_text(weigh_in), encoding="utf-8")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    fresh.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
