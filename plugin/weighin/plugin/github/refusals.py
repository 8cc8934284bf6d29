"""GitHub's refusals in words: what was refused, of which thing, and what to do.

    GitHubError
    └── InDoubt    nobody knows whether it was carried out; who wrote looks before writing again

What this module does not do: it sends nothing and reads no token.
"""

from dataclasses import dataclass

from weighin.gates.errors import GitHubError
from weighin.plugin.github.patience import Reply, one_line, reset_at

_STATUS_PAGE = "https://www.githubstatus.com"


class InDoubt(GitHubError):  # noqa: N818 - it says what is known
    """A write was sent and no answer came: it may have been carried out or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call in words, for messages.

    Attributes:
        doing: What it does to which thing: ``comment on octo/models#7``.
        needs: The permission that it takes: ``pull-requests: write``.
        token: Whose rights it has, in words: ``the token in GITHUB_TOKEN``.
    """

    doing: str
    needs: str
    token: str


def refusal(ask: Ask, reply: Reply) -> GitHubError:
    """The error of an answer that is no success."""
    words = reply.message() or f"status {reply.status}"
    if reply.limited():
        return GitHubError(_limit(ask, reply))
    match reply.status:
        case 401:
            return GitHubError(
                f"GitHub does not accept {ask.token} ({words}), so weighin could not "
                f"{ask.doing}. It expired, was revoked, or is for another server: make a new one."
            )
        case 403:
            return GitHubError(_forbidden(ask, reply, words))
        case 404 | 410:
            return GitHubError(
                f"GitHub could not {ask.doing} ({words}). Either it is not there, or {ask.token} "
                f"may not see it: check the name, and that it has the permission {ask.needs!r}."
            )
        case 405 | 409 | 422:
            return GitHubError(
                f"GitHub refused to {ask.doing}: {_details(reply, words).rstrip('.')}."
            )
        case status if 300 <= status < 400:
            return GitHubError(
                f"GitHub answered from elsewhere when asked to {ask.doing} (status {status}); "
                "weighin follows that for reading on the same server only. If the repository was "
                "renamed, use its new name."
            )
        case status if status >= 500:
            return GitHubError(
                f"GitHub failed to {ask.doing} (status {status}) and did not recover in time. "
                f"See {_STATUS_PAGE}, or ask who runs your server; then run the same command again."
            )
        case status:
            return GitHubError(f"GitHub refused to {ask.doing} (status {status}): {words}.")


def _limit(ask: Ask, reply: Reply) -> str:
    reset, told = reset_at(reply), reply.headers.get("retry-after", "")
    if reset is not None:
        when = f"begins anew at {reset:%Y-%m-%d %H:%M:%S} UTC"
    elif told.isdecimal():
        when = f"asks to wait {told} seconds"
    else:
        when = "asks to wait some minutes"
    return (
        f"GitHub's rate limit for {ask.token} kept weighin from a call to "
        f"{ask.doing}; it {when}, longer than weighin waits. Run the same command again after that."
    )


def _forbidden(ask: Ask, reply: Reply, words: str) -> str:
    accepted = one_line(reply.headers.get("x-accepted-github-permissions", ""))
    needs = accepted.replace("=", ": ").replace("; ", "' or '").replace("_", "-") or ask.needs
    text = (
        f"GitHub does not let {ask.token} {ask.doing} ({words}). It needs the permission '{needs}'."
    )
    if "by integration" in words:
        text += (
            " In a workflow give it under `permissions:`; a workflow of a pull request from a "
            "fork never gets it, and leaves writing to a second workflow."
        )
    return text


def _details(reply: Reply, words: str) -> str:
    content = reply.content()
    errors = content.get("errors") if isinstance(content, dict) else None
    found: list[str] = []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            told = error.get("message") or f"{error.get('field')}: {error.get('code')}"
            found.append(one_line(str(told)))
        else:
            found.append(one_line(str(error)))
    return f"{words}: {'; '.join(found)}" if found else words


def unreachable(ask: Ask, host: str, problem: str) -> GitHubError:
    """The error of a connection that did not come about."""
    return GitHubError(
        f"{host} cannot be reached to {ask.doing} ({one_line(problem)}). Check the network, and "
        "`api` in [review] of weighin.toml."
    )


def in_doubt(ask: Ask, problem: str) -> InDoubt:
    """The error of a write that may have been carried out."""
    return InDoubt(
        f"GitHub was asked to {ask.doing} and did not say whether it did ({one_line(problem)}). "
        "Run the same command again: what is there already is found and changed."
    )


def unreadable(ask: Ask) -> GitHubError:
    """The error of a success without the content that it must have."""
    return GitHubError(
        f"GitHub answered with nothing that can be read when asked to {ask.doing}. If this is "
        "GitHub Enterprise, `api` in [review] of weighin.toml must end in /api/v3."
    )
