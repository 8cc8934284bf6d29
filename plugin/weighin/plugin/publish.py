"""Where a finished weigh-in goes: the results folder with its evidence, then MLflow.

The mark on the version comes last: until it is there, the version is due.
"""

from datetime import datetime, timedelta

from weighin.gates.errors import WeighinError
from weighin.gates.report.markdown import summary_table
from weighin.gates.report.words import plain
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.console import warn
from weighin.plugin.context import context_for
from weighin.plugin.event import Registration
from weighin.plugin.evidence_files import sign_all
from weighin.plugin.mark import Conclusion, Mark, read_mark
from weighin.plugin.mlflow_runs import publish_runs
from weighin.plugin.mlflow_store import Connection, write_mark
from weighin.plugin.plan import Plan
from weighin.plugin.project import Project
from weighin.plugin.results import (
    REPORT_HTML,
    REPORT_JSON,
    REPORT_MARKDOWN,
    load_weigh_in,
    save_weigh_in,
)


def publish_weigh_in(
    project: Project, connection: Connection, registration: Registration, weigh_in: WeighIn
) -> None:
    """Sign, save, attach in MLflow, and mark the version as done.

    What the reports could not say beside the weigh-in is told on standard error.

    Raises:
        ConfigError: the evidence key is missing.
        RegistryError: MLflow refused; the report and the evidence are saved all the same.
    """
    folder = project.results(registration.name, registration.version)
    envelopes = sign_all(project, weigh_in)
    context, notes = context_for(project, weigh_in, weigh_in.finished_at, envelopes=envelopes)
    for note in notes:
        warn(f"weighin: {note}")
    save_weigh_in(folder, weigh_in, envelopes, context)
    shown = [folder / name for name in (REPORT_HTML, REPORT_MARKDOWN, REPORT_JSON)]
    run_id = publish_runs(connection, registration, weigh_in, shown)
    conclusion = Conclusion.PASSED if weigh_in.passed else Conclusion.NONE_PASSED
    mark = Mark(plan_digest=weigh_in.plan_digest, conclusion=conclusion, report=run_id)
    write_mark(connection, registration, mark, summary_table(weigh_in))


def refuse(
    connection: Connection, registration: Registration, plan: Plan, error: WeighinError
) -> None:
    """Record on the version why it cannot be weighed with this plan."""
    mark = Mark(plan_digest=plan.digest, conclusion=Conclusion.REFUSED, report=str(error)[:400])
    lines = [plain(line) for line in str(error).splitlines()]  # values of the data among them
    said = "\n".join(["**weighin: not weighed.**", "", "~~~~text", *lines, "~~~~"])
    write_mark(connection, registration, mark, said)


def still_good(
    project: Project, registration: Registration, plan: Plan, now: datetime
) -> WeighIn | None:
    """The finished weigh-in of this very version and plan, if its evidence still holds."""
    mark = read_mark(registration)
    if mark is None or mark.plan_digest != plan.digest or mark.conclusion is Conclusion.REFUSED:
        return None
    folder = project.results(registration.name, registration.version)
    if not (folder / REPORT_JSON).is_file():
        return None
    weigh_in = load_weigh_in(folder)
    expires = weigh_in.finished_at + timedelta(days=project.config.evidence.valid_days)
    return weigh_in if weigh_in.plan_digest == plan.digest and now < expires else None
