"""``python -m weighin.plugin.github.simulator REPOSITORY.git --as OWNER/NAME``: try a review here.

Serves a bare git repository as a repository on a simulated GitHub until it is interrupted. What is
written to it (pull requests, comments, checks) is shown as it comes in and lost at the end;
branches stay in git.

What this module does not do: it knows no call; ``server`` does.
"""

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from weighin.plugin.github.simulator.people import personal, workflow
from weighin.plugin.github.simulator.server import GitHubSimulator
from weighin.plugin.github.simulator.wire import Exchange

# Tokens for a server on this machine that anybody here may read: no secrets.
_APP_TOKEN = "ghs_simulated"  # noqa: S105
_PERSON_TOKEN = "ghp_simulated"  # noqa: S105
_WELCOME = """\
{name} is on a simulated GitHub, with the branches of {git}.

  in weighin.toml                    [review]
                                     repository = "{name}"
                                     api = "{url}"
  as a workflow (check runs)         export WEIGHIN_GITHUB_TOKEN={app}
  as a person (commit statuses)      export WEIGHIN_GITHUB_TOKEN={person}
  to merge pull request 1            curl -X PUT -H "Authorization: token {person}" \\
                                       {url}/repos/{name}/pulls/1/merge

Ctrl-C ends it.
"""


def serve(arguments: Sequence[str], out: TextIO, wait: Callable[[], None]) -> int:
    """Serve until ``wait`` returns; 2 if there is no such repository."""
    parser = argparse.ArgumentParser(prog="python -m weighin.plugin.github.simulator")
    parser.add_argument("git", type=Path, help="a bare git repository")
    parser.add_argument("--as", dest="name", default="me/models", help="OWNER/NAME")
    parser.add_argument("--branch", default="main", help="where pull requests go")
    asked = parser.parse_args(arguments)
    if not (asked.git / "HEAD").is_file():
        out.write(f"{asked.git} is no bare git repository. Make one: git init --bare {asked.git}\n")
        return 2

    def show(exchange: Exchange) -> None:
        out.write(f"{exchange.call.method:6} {exchange.call.path}  {exchange.answer.status}\n")
        out.flush()

    with GitHubSimulator(observer=show) as simulator:
        simulator.world.host(asked.name, asked.git.resolve(), default_branch=asked.branch)
        simulator.world.add_token(workflow(_APP_TOKEN))
        simulator.world.add_token(personal(_PERSON_TOKEN))
        facts = {"name": asked.name, "git": asked.git, "url": simulator.url}
        out.write(_WELCOME.format(**facts, app=_APP_TOKEN, person=_PERSON_TOKEN))
        out.flush()
        wait()
    return 0


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:], sys.stdout, _until_interrupted))
