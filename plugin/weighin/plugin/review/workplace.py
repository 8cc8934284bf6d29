"""Where the branch of a review is made, and what judging rests on there that the base has not.

A machine may have other budgets, data or keys in its working tree than the branch that a version
is merged into. What this module does not do: it writes nothing.
"""

from dataclasses import dataclass, replace

from weighin.gates.errors import ConfigError
from weighin.gates.report.context import Context, PlanChange
from weighin.plugin.config import FILE_NAME
from weighin.plugin.review.desk import Desk
from weighin.plugin.review.plan_changes import first_of
from weighin.plugin.review.plan_file import told_changes, told_files
from weighin.plugin.review.trust import Believed
from weighin.registry.git_objects import file_in
from weighin.registry.git_plumbing import Git, Remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where the branch is made, and where it goes.

    Attributes:
        git: At the top of the user's repository.
        prefix: Where the project lies in it: ``""``, or ``sub/``.
        remote: Where the branch is pushed to.
        base: The branch that it is merged into; ``None``: what is configured, else the default.
        reopen: Whether a pull request that somebody closed is opened again.
        renew: Whether a version that was merged and weighed again gets a new pull request.
    """

    git: Git
    prefix: str
    remote: Remote
    base: str | None = None
    reopen: bool = False
    renew: bool = False


def with_changes(context: Context, believed: Believed, changes: tuple[PlanChange, ...]) -> Context:
    """What is known, with why it is not to be believed, if it is not.

    Numbers that were judged more mildly than the base branch judges are not: after the merge,
    promotion would go by the base branch's file, and refuse them.
    """
    looser = [change.where for change in changes if change.looser]
    mildly = (
        f"judged more mildly than the base branch judges, or on other data ({looser[0]} differs "
        "there); merge that first"
        if looser
        else ""
    )
    return replace(context, changes=changes, untrusted=believed.untrusted or mildly)


def changes_here(desk: Desk, place: Workplace, model: str, commit: str) -> tuple[PlanChange, ...]:
    """What judging rests on here that is otherwise in the branch that is merged into.

    Args:
        desk: With the project that is here.
        place: With the repository.
        model: The model that is reviewed.
        commit: One that has the other branch's files.
    """

    def there(path: str) -> bytes | None:
        return file_in(place.git, commit, f"{place.prefix}{path}")

    def here(path: str) -> bytes | None:
        file = desk.project.root / path
        # A file that git does not have is DVC's: its pointer is compared in its place.
        return file.read_bytes() if there(path) is not None and file.is_file() else None

    files = told_files(desk.project, model, there, here)
    own, merged = (desk.project.root / FILE_NAME).read_bytes(), there(FILE_NAME)
    if merged is None or merged == own:
        return first_of(files)
    try:
        return first_of((*told_changes(desk.project, merged, own), *files))
    except ConfigError:
        return first_of(files)  # the base branch's is broken; the one here mends it
