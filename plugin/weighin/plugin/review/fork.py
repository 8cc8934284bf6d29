"""The second, trusted half of a review: a pull request that was weighed where no secrets are.

Everything that comes from the pull request is data here: the report, the statements, and its
``weighin.toml``. What judges is the base branch's: its keys say who is believed, its budgets and
devices say what passes, its data sets say on what. Nothing of the pull request is run, checked out
or merged. Numbers without a trusted signature are shown as numbers that nobody believes.
"""

from collections.abc import Iterator
from dataclasses import replace

from weighin.gates.errors import ConfigError, DataError, GitHubError
from weighin.gates.report.context import Context, PlanChange
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import FILE_NAME
from weighin.plugin.github.records import PullRequest
from weighin.plugin.planning import fleet_of, plan_for
from weighin.plugin.results import REPORT_JSON
from weighin.plugin.review.check_words import Shown
from weighin.plugin.review.comment_text import comment_text
from weighin.plugin.review.desk import Desk, Reviewed, State, believe_here, say_checks, say_comment
from weighin.plugin.review.plan_changes import first_of
from weighin.plugin.review.plan_file import FileAt, line_finder, told_changes, told_files
from weighin.plugin.review.trust import Believed, Bundle, foreign_to, judged_by


def review_pull(desk: Desk, number: int, sha: str, bundle: Bundle, *, prefix: str) -> Reviewed:
    """Comment on a pull request and write its checks, from what somebody else measured.

    Args:
        desk: With the base branch's project.
        number: The pull request.
        sha: The commit of it that was weighed.
        bundle: What was measured; nobody has looked at it yet.
        prefix: Where the project lies in its repository: ``""``, or ``sub/``.

    Raises:
        GitHubError: there is no such pull request, or GitHub refused.
        WeighinError: the bundle holds no report.
    """
    pull = desk.repository.pull(number)
    if pull is None:
        raise GitHubError(f"{desk.repository.full_name} has no pull request #{number}")
    believed = believe_here(desk, bundle)
    state = _state(pull, sha)
    if state != "open":
        return _reviewed(desk, believed, pull, sha, state)
    config = desk.project.config
    weigh_in = judged_by(believed, config, fleet_of(desk.project), desk.now)
    document = desk.repository.file_at(f"{prefix}{FILE_NAME}", sha)
    comments = list(desk.repository.comments(number))
    objections = (*believed.objections, *_objections(desk, believed, pull, sha, prefix, bundle))
    waivers, refused = ((), ()) if objections else desk.waivers_of(weigh_in, comments)
    context, notes = desk.context_of(weigh_in, bundle.envelopes)
    context = replace(
        context,
        now=desk.now,
        changes=_changes(desk, weigh_in, pull, prefix, document),
        untrusted=replace(believed, objections=objections).untrusted,
        waivers=waivers,
    )
    text = comment_text(weigh_in, context, refused)
    done = say_comment(desk, weigh_in.model, text, comments, number)
    shown = _shown(desk, weigh_in, context, prefix, document)
    conclusion, words = say_checks(desk, shown, sha, pull.url)
    reviewed = _reviewed(desk, believed, pull, sha, state)
    told = tuple(note for note in notes if note not in believed.objections)
    return replace(reviewed, conclusion=conclusion, done=(*done, *words), notes=(*refused, *told))


def _state(pull: PullRequest, sha: str) -> State:
    if pull.merged:
        return "merged"
    if pull.state == "closed":
        return "closed"
    return "open" if pull.head_sha == sha else "moved"


def _reviewed(
    desk: Desk, believed: Believed, pull: PullRequest, sha: str, state: State
) -> Reviewed:
    words = {
        "open": "",
        "merged": "was merged; nothing was written",
        "closed": "is closed; nothing was written",
        "moved": f"has newer commits than {sha[:12]}; nothing was written",
    }
    return Reviewed(
        model=believed.weigh_in.model,
        version=believed.weigh_in.version,
        state=state,
        pull=pull.number,
        url=pull.url,
        branch=pull.head_branch,
        commit=sha,
        conclusion=None,
        notes=(f"#{pull.number} {words[state]}",) if words[state] else (),
        dry_run=desk.dry_run,
    )


def _objections(
    desk: Desk, believed: Believed, pull: PullRequest, sha: str, prefix: str, bundle: Bundle
) -> Iterator[str]:
    """What a good signature does not say: that the numbers are about this pull request.

    A weigh-in that the base branch has already is what a pull request shows that brings none, such
    as one that changes budgets. It speaks for nothing that such a pull request adds.
    """
    model, version = believed.weigh_in.model, believed.weigh_in.version
    root = desk.project.root
    committed = desk.project.committed(model, version).relative_to(root).as_posix()
    path, described = f"{prefix}{committed}/{REPORT_JSON}", f"{prefix}dvc.yaml"
    read, base = desk.repository.file_at, pull.base_sha
    merged_before = read(path, base) == bundle.report
    if read(path, sha) != bundle.report:
        yield f"the pull request does not hold this weigh-in ({path})"
    elif merged_before and read(described, sha) != read(described, base):
        yield f"the pull request changes {described}, but brings no weigh-in of what it adds"
    try:
        data = plan_for(desk.project, model).data
    except (ConfigError, DataError) as error:
        yield f"the base branch's data cannot be compared: {error}"
        return
    yield from foreign_to(believed, desk.project.config, data)


def _changes(
    desk: Desk, weigh_in: WeighIn, pull: PullRequest, prefix: str, document: bytes | None
) -> tuple[PlanChange, ...]:
    """What the pull request would be judged by, if it were asked."""
    here = (desk.project.root / FILE_NAME).read_bytes()
    told = () if document == here else told_changes(desk.project, here, document)

    def at(ref: str) -> FileAt:
        return lambda path: desk.repository.file_at(f"{prefix}{path}", ref)

    files = told_files(desk.project, weigh_in.model, at(pull.base_sha), at(pull.head_sha))
    return first_of((*told, *files))


def _shown(
    desk: Desk, weigh_in: WeighIn, context: Context, prefix: str, document: bytes | None
) -> Shown:
    return Shown(
        weigh_in=weigh_in,
        context=context,
        line_of=line_finder(desk.project, weigh_in.model, document),
        toml_path=f"{prefix}{FILE_NAME}",
    )
