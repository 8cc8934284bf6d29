"""Check runs and commit statuses of one repository, each written once.

GitHub takes 50 annotations a call and adds those of an update to the old ones; none can be taken
back. So the rest follows in updates, and an update sends only those that are not there yet.

What this module does not do: it knows no pull request; ``connection`` does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighin.gates.errors import GitHubError
from weighin.plugin.github import rows
from weighin.plugin.github.records import Annotation, CheckRun, KnownCheck, Status
from weighin.plugin.github.refusals import Ask
from weighin.plugin.github.talk import Talk, path_of

_CHECKS = "checks"
_STATUSES = "statuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What a token may say about a commit.

    Attributes:
        talk: The session.
        root: The repository's path.
        app: The App's name in addresses that the token belongs to; empty if unknown.
        writes_checks: Whether check runs may be written.
        ask: Puts what is done, and the permission that it takes, into words.
    """

    talk: Talk
    root: str
    app: str
    writes_checks: bool
    ask: Callable[[str, str], Ask]

    def known(self, sha: str, name: str = "") -> list[KnownCheck]:
        """The newest check run of each name on a commit that this App wrote."""
        ask = self.ask(f"read the check runs of commit {sha}", f"{_CHECKS}: read")
        params = {"filter": "latest"} | ({"check_name": name} if name else {})
        path = self.root + path_of("commits", sha, "check-runs")
        found: dict[str, KnownCheck] = {}
        listed = self.talk.pages(ask, path, params, key="check_runs")
        for row in sorted(listed, key=lambda row: int(row["id"])):
            app = row["app"] or {}
            if self.app and app.get("slug") not in (None, self.app):
                continue
            count = row["output"].get("annotations_count", 0)
            notes = self._annotations(row["id"]) if count else []
            known = rows.known_check_of(row, notes)
            if known is not None:
                found[row["name"]] = known
        return list(found.values())

    def _annotations(self, check_id: int) -> list[Annotation]:
        ask = self.ask(f"read the annotations of check run {check_id}", f"{_CHECKS}: read")
        path = self.root + path_of("check-runs", check_id, "annotations")
        return [rows.annotation_of(row) for row in self.talk.pages(ask, path)]

    def create(self, sha: str, check: CheckRun) -> int:
        """Write a finished check run, all of its annotations included."""
        self._may_write(check)
        ask = self.ask(f"write the check run {check.name!r}", f"{_CHECKS}: write")
        first = check.annotations[: rows.ANNOTATIONS_A_CALL]
        fields = {"head_sha": sha, **rows.check_fields(check, first)}
        path = self.root + path_of("check-runs")
        check_id = self.talk.write_once(
            lambda: int(self.talk.write(ask, path, fields)["id"]),
            lambda: self._written(sha, check),
        )
        if len(check.annotations) > len(first):
            self.update(check_id, check)
        return check_id

    def _written(self, sha: str, check: CheckRun) -> int | None:
        for known in self.known(sha, check.name):
            written = known.check
            if (written.external_id, written.summary) == (check.external_id, check.summary):
                return known.id
        return None

    def update(self, check_id: int, check: CheckRun) -> None:
        """Replace a check run's outcome and text, and add the annotations that are missing."""
        self._may_write(check)
        ask = self.ask(f"change the check run {check.name!r}", f"{_CHECKS}: write")
        path = self.root + path_of("check-runs", check_id)
        there = set(self._annotations(check_id)) if check.annotations else set[Annotation]()
        missing = [row for row in check.annotations if row not in there]
        for part in _parts(missing):
            if self.talk.change(ask, path, rows.check_fields(check, part)) is None:
                raise GitHubError(
                    f"GitHub no longer has the check run {check_id} ({check.name!r}). "
                    "Run the same command again: it writes a new one."
                )

    def _may_write(self, check: CheckRun) -> None:
        if not self.writes_checks:
            raise GitHubError(
                f"The check run {check.name!r} cannot be written: GitHub takes check runs from "
                "Apps and workflows only. With a person's token write a commit status."
            )

    def statuses(self, sha: str) -> list[Status]:
        """The newest status of each context on a commit."""
        ask = self.ask(f"read the statuses of commit {sha}", f"{_STATUSES}: read")
        path = self.root + path_of("commits", sha, "status")
        return [rows.status_of(row) for row in self.talk.pages(ask, path, key="statuses")]

    def set_status(self, sha: str, status: Status) -> None:
        """Write a commit status; the newest of a context counts, so twice is as good as once."""
        ask = self.ask(f"set the status {status.context!r} of commit {sha}", f"{_STATUSES}: write")
        path = self.root + path_of("statuses", sha)
        self.talk.write(ask, path, rows.status_fields(status), repeatable=True)


def _parts(missing: Sequence[Annotation]) -> list[Sequence[Annotation]]:
    size = rows.ANNOTATIONS_A_CALL
    return [missing[at : at + size] for at in range(0, max(1, len(missing)), size)]
