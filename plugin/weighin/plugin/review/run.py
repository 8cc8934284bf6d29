"""The review of a model version, in the order in which it happens.

    weigh-in -> pull request there is -> its waivers -> branch -> pull request -> comment -> checks

Every step asks what is there first and writes only what is different, so that a review may be run
again at any time, and one that was killed goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighin.gates.report.context import Context
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import FILE_NAME
from weighin.plugin.github.records import Comment, PullRequest
from weighin.plugin.results import weigh_in_folder
from weighin.plugin.review.actions import OpenPull, in_words, pull_actions
from weighin.plugin.review.branch import read_kept, wanted_branch
from weighin.plugin.review.check_words import Shown
from weighin.plugin.review.comment_text import comment_text
from weighin.plugin.review.desk import (
    Desk,
    Reviewed,
    Words,
    believe_here,
    say_checks,
    say_comment,
    write_pull,
)
from weighin.plugin.review.names import branch_name
from weighin.plugin.review.plan_file import line_finder
from weighin.plugin.review.pull_text import pull_body, pull_title
from weighin.plugin.review.trust import Believed
from weighin.plugin.review.workplace import Workplace, changes_here, with_changes
from weighin.registry.git_branch import Prepared, prepare, push
from weighin.registry.git_objects import file_in


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What is in hand once the branch is made.

    Attributes:
        weigh_in: The weigh-in.
        context: What is known beside it.
        refused: Words on waivers that were asked for in vain.
        prepared: The branch.
        base: Where it is merged into.
        pull: The pull request there is, if there is one.
        comments: Those on it.
    """

    weigh_in: WeighIn
    context: Context
    refused: Words
    prepared: Prepared
    base: str
    pull: PullRequest | None
    comments: tuple[Comment, ...]


def review(desk: Desk, place: Workplace, model: str, version: str) -> Reviewed:
    """Show one version where people review it.

    Raises:
        GitHubError: GitHub refused; what was written before stays, and running it again goes on.
        StoreError: there is no weigh-in, or the branch could not be made or pushed.
        WeighinError: the report cannot be read.
    """
    kept = read_kept(weigh_in_folder(desk.project, model, version), f"{model}/{version}")
    believed = believe_here(desk, kept.bundle)
    pulls = desk.repository.pulls_of(branch_name(model, version))
    pull = current_pull(pulls, desk.repository.full_name)
    if pull is not None and pull.merged and place.renew:
        pull = None
    if pull is not None and (pull.merged or (pull.state == "closed" and not place.reopen)):
        return _left_alone(believed.weigh_in, pull, dry_run=desk.dry_run)
    comments = () if pull is None else tuple(desk.repository.comments(pull.number))
    waivers, refused = _waivers(desk, believed, comments)
    base = place.base or desk.project.config.review.base or desk.repository.default_branch()
    wanted = wanted_branch(desk.project, kept, believed.weigh_in, prefix=place.prefix, base=base)
    prepared = prepare(place.git, place.remote, wanted)
    if pull is None and prepared.empty:
        return _merged_already(believed.weigh_in, prepared, base, dry_run=desk.dry_run)
    context, notes = desk.context_of(believed.weigh_in, kept.bundle.envelopes)
    context = replace(context, now=desk.now, waivers=waivers)
    held = _Held(
        weigh_in=believed.weigh_in,
        context=with_changes(context, believed, changes_here(desk, place, model, prepared.commit)),
        refused=refused,
        prepared=prepared,
        base=base,
        pull=pull,
        comments=comments,
    )
    told = tuple(note for note in notes if note not in believed.objections)
    return replace(_written(desk, place, held), notes=(*refused, *told))


def _written(desk: Desk, place: Workplace, held: _Held) -> Reviewed:
    """Branch, pull request, comment, checks: whatever of them is not there yet."""
    prepared, weigh_in = held.prepared, held.weigh_in
    pushed = _pushed(desk, place, prepared)
    pull, opened = _pull(desk, place, held)
    number, url = (None, "") if pull is None else (pull.number, pull.url)
    text = comment_text(weigh_in, held.context, held.refused)
    said = say_comment(desk, weigh_in.model, text, held.comments, number)
    path = f"{place.prefix}{FILE_NAME}"
    document = file_in(place.git, prepared.commit, path)
    lines = line_finder(desk.project, weigh_in.model, document)
    shown = Shown(weigh_in=weigh_in, context=held.context, line_of=lines, toml_path=path)
    there = not (desk.dry_run and prepared.changed)
    conclusion, checked = say_checks(desk, shown, prepared.commit, url, pushed=there)
    return Reviewed(
        model=weigh_in.model,
        version=weigh_in.version,
        state="open",
        pull=number,
        url=url,
        branch=prepared.branch,
        commit=prepared.commit,
        conclusion=conclusion,
        done=(*pushed, *opened, *said, *checked),
        dry_run=desk.dry_run,
    )


def _waivers(
    desk: Desk, believed: Believed, comments: tuple[Comment, ...]
) -> tuple[tuple[Waiver, ...], tuple[str, ...]]:
    """What people waived; nobody can waive a budget of numbers that are not believed."""
    return ((), ()) if believed.objections else desk.waivers_of(believed.weigh_in, comments)


def current_pull(pulls: Sequence[PullRequest], full_name: str) -> PullRequest | None:
    """The pull request of a branch: the open one, else a merged one, else the newest closed one.

    Args:
        pulls: All of that branch's, newest first.
        full_name: The repository; a fork's branch of the same name is none of ours.
    """
    own = [pull for pull in pulls if not pull.from_fork(full_name)]
    ranked = sorted(own, key=lambda pull: (pull.state != "open", not pull.merged))
    return ranked[0] if ranked else None


def _left_alone(weigh_in: WeighIn, pull: PullRequest, *, dry_run: bool) -> Reviewed:
    """Somebody decided already: nothing is written."""
    closed = "was closed by somebody; --reopen opens it again"
    merged = "was merged; --renew opens a new one for evidence that was measured again"
    note = merged if pull.merged else closed
    return Reviewed(
        model=weigh_in.model,
        version=weigh_in.version,
        state="merged" if pull.merged else "closed",
        pull=pull.number,
        url=pull.url,
        branch=pull.head_branch,
        commit=pull.head_sha,
        conclusion=None,
        notes=(f"#{pull.number} {note}; nothing was written",),
        dry_run=dry_run,
    )


def _merged_already(weigh_in: WeighIn, prepared: Prepared, base: str, *, dry_run: bool) -> Reviewed:
    """The base branch has all of it, by whatever way it came there."""
    return Reviewed(
        model=weigh_in.model,
        version=weigh_in.version,
        state="merged",
        pull=None,
        url="",
        branch=prepared.branch,
        commit=prepared.commit,
        conclusion=None,
        notes=(f"branch '{base}' has this weigh-in already; nothing was written",),
        dry_run=dry_run,
    )


def _pushed(desk: Desk, place: Workplace, prepared: Prepared) -> tuple[str, ...]:
    if not prepared.changed:
        return ()
    if not desk.dry_run:
        push(place.git, place.remote, prepared)
    return (f"push branch {prepared.branch} ({prepared.commit[:12]})",)


def _pull(desk: Desk, place: Workplace, held: _Held) -> tuple[PullRequest | None, tuple[str, ...]]:
    """The pull request as it should be, and what was written for that."""
    pull = held.pull
    wanted = OpenPull(
        head=held.prepared.branch,
        base=held.base,
        title=pull_title(held.weigh_in, held.context, pull),
        body=pull_body(held.weigh_in, held.context, pull),
    )
    actions = pull_actions(pull, wanted, reopen=place.reopen)
    for action in actions:
        if not desk.dry_run:
            pull = write_pull(desk, action)
    return pull, tuple(in_words(action) for action in actions)
