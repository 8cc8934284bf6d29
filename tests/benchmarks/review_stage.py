"""A project, its remote, and a simulated GitHub that shows it: what whole reviews are run on."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from review_home import Home
from review_samples import NOW, TOML

from weighin.plugin.github.simulator.hosted import Hosted, PullRow
from weighin.plugin.github.simulator.people import READ_ONLY, personal, workflow
from weighin.plugin.github.simulator.server import GitHubSimulator
from weighin.plugin.github.simulator.wire import Exchange
from weighin.plugin.review.connect import Wishes, open_desk, open_workplace
from weighin.plugin.review.desk import Reviewed
from weighin.plugin.review.fork import review_pull
from weighin.plugin.review.run import review
from weighin.plugin.review.trust import Bundle

AT = NOW + timedelta(hours=2)
WORKFLOW, PERSON, READER = "ghs_workflow", "ghp_person", "ghs_reader"


@dataclass
class Stage:
    """A project, its remote, and the GitHub that shows it."""

    home: Home
    hub: GitHubSimulator
    hosted: Hosted
    seen: list[Exchange] = field(default_factory=list)
    now: datetime = AT
    more: Mapping[str, str] = field(default_factory=dict[str, str])

    def environ(self, token: str) -> Mapping[str, str]:
        return {**self.home.environ, "GITHUB_TOKEN": token, "GITHUB_ACTIONS": "true", **self.more}

    def wishes(self, **changed: object) -> Wishes:
        return replace(Wishes(repository="octo/app", api=self.hub.url), **changed)  # type: ignore[arg-type]

    def review(self, model: str = "digits", token: str = WORKFLOW, **changed: object) -> Reviewed:
        wishes, environ = self.wishes(**changed), self.environ(token)
        opened = open_desk(wishes, environ, self.home.root, signs=True, now=self.now)
        place = open_workplace(wishes, environ, opened)
        return review(opened.desk, place, model, "3")

    def report(self, number: int, sha: str, bundle: Bundle, token: str = WORKFLOW) -> Reviewed:
        environ = self.environ(token)
        opened = open_desk(self.wishes(), environ, self.home.root, signs=False, now=self.now)
        return review_pull(opened.desk, number, sha, bundle, prefix="")

    def writes(self, act: Callable[[], object]) -> list[str]:
        """What a step writes on GitHub."""
        self.seen.clear()
        act()
        return [f"{e.call.method} {e.call.path}" for e in self.seen if e.call.method != "GET"]

    def comments(self) -> list[str]:
        return [row.body for row in self.hosted.comments.values()]

    def check(self, name: str, sha: str) -> str:
        rows = [r for r in self.hosted.checks.values() if (r.sha, r.facts["name"]) == (sha, name)]
        return str(rows[-1].facts["conclusion"])


@contextmanager
def staged(
    home: Home,
    *observers: Callable[[Exchange], None],
    prefix: str = "",
    clock: Callable[[], datetime] = lambda: AT,
) -> Generator[Stage]:
    """Start the simulated GitHub; ``/api/v3`` makes it one of an enterprise."""
    seen: list[Exchange] = []

    def observe(exchange: Exchange) -> None:
        for observer in (seen.append, *observers):
            observer(exchange)

    with GitHubSimulator(now=clock, observer=observe, prefix=prefix) as hub:
        for token in (workflow(WORKFLOW), personal(PERSON)):
            hub.world.add_token(token)
        hub.world.add_token(workflow(READER, permissions=READ_ONLY))
        yield Stage(home=home, hub=hub, hosted=hub.world.host("octo/app", home.bare), seen=seen)


@dataclass(frozen=True)
class Fork:
    """Somebody else's repository, and the pull request from it."""

    number: int
    sha: str
    bundle: Bundle


def fork_of(stage: Stage, *, toml: str = TOML, commits: bool = True, more: str = "") -> Fork:
    """A pull request from a fork with its own ``weighin.toml``, and what was measured there."""
    base = stage.home
    place = base.bare.parent
    bare = place / "fork.git"
    base.git("clone", "-q", "--bare", str(base.bare), str(bare))
    theirs = Home(root=place / "theirs", bare=bare, environ=base.environ)
    base.git("clone", "-q", str(bare), str(theirs.root))
    for setting, value in (("user.name", "Mallory"), ("user.email", "m@example.org")):
        theirs.git("config", setting, value)
    (theirs.root / "weighin.toml").write_text(toml)
    if more:
        (theirs.root / more).write_text("artifacts: {}\n")
    bundle = base.bundle()
    if commits:
        kept = theirs.root / "variants" / "digits" / "v3" / "weigh-in"
        (kept / "evidence").mkdir(parents=True)
        (kept / "report.json").write_bytes(bundle.report)
    sha = theirs.commit("patch")
    forked = stage.hub.world.host("mallory/app", bare, fork_of="octo/app")
    return Fork(number=open_pull(stage, forked, sha), sha=sha, bundle=bundle)


def open_pull(stage: Stage, forked: Hosted, sha: str) -> int:
    number = 1 + max(stage.hosted.pulls, default=0)
    row = PullRow(
        number=number,
        id=9000 + number,
        author="mallory",
        title="My patch",
        body="",
        head_repository=forked,
        head_branch="patch",
        head_sha=sha,
        base_branch="main",
        created_at=AT,
        updated_at=AT,
    )
    stage.hosted.pulls[number] = row
    stage.hosted.keep(row)
    return number
