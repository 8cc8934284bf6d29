"""``weighin bundle``: carry reports and evidence between a machine without keys and one with."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError, EvidenceError
from weighin.plugin.console import say, warn

if TYPE_CHECKING:
    from weighin.plugin.bundle import Bundled
    from weighin.plugin.bundle_fetch import Api, Run

SUMMARY = "carry results from an untrusted machine to a trusted one"
DESCRIPTION = (
    "Pull requests from forks are measured on a machine without secrets. A bundle carries what "
    "it made to a second one, which reads it as hostile and believes nothing in it but "
    "signatures of trusted keys."
)
EXAMPLE = """examples:
  weighin bundle write out        what is committed and measured here, into the new folder `out`
  weighin bundle check out        is it a bundle? a folder, or a zip
  weighin bundle fetch out        in a workflow_run: the finished run's bundle, and on standard
                                  output its pull request and commit; nothing if that has moved on
  weighin bundle restore COMMIT   a review branch's variants, reports and evidence, as data; on
                                  standard output MODEL/VERSION of each report that came with it

exit codes: 0 done; 1 it is no bundle, or GitHub or git refused
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("what", choices=("write", "check", "fetch", "restore"))
    parser.add_argument("where", metavar="FOLDER|ZIP|COMMIT")


def run(args: argparse.Namespace) -> int:
    """Do one of them."""
    match args.what:
        case "write":
            return _write(Path(args.where))
        case "check":
            return _check(Path(args.where))
        case "fetch":
            return _fetch(Path(args.where))
        case _:
            return _restore(args.where)


def _write(folder: Path) -> int:
    from weighin.plugin.bundle import read_bundle, write_bundle
    from weighin.plugin.bundle_collect import collect
    from weighin.plugin.config_file import find_root

    _refuse_existing(folder)
    write_bundle(folder, collect(find_root(Path.cwd())))
    _tell(len(read_bundle(folder)))
    return 0


def _check(source: Path) -> int:
    from weighin.plugin.bundle import read_bundle

    _tell(len(read_bundle(source)))
    return 0


def _fetch(folder: Path) -> int:
    from weighin.plugin.bundle import write_bundle
    from weighin.plugin.bundle_fetch import RestApi, pull_of, run_of

    _refuse_existing(folder)
    event = json.loads(Path(_given("GITHUB_EVENT_PATH")).read_bytes())
    repository = _given("GITHUB_REPOSITORY")
    api = RestApi(
        os.environ.get("GITHUB_API_URL", "https://api.github.com"), _given("GITHUB_TOKEN")
    )
    finished = run_of(event)
    number = pull_of(finished, repository, api)
    if number is None:
        warn("weighin: no open pull request is at the commit of this run; nothing to report")
        return 0
    weigh_ins = _received(finished, repository, api, folder)
    write_bundle(folder, weigh_ins)
    _tell(len(weigh_ins))
    say(f"{number} {finished.head_sha}")
    return 0


def _received(finished: "Run", repository: str, api: "Api", folder: Path) -> "tuple[Bundled, ...]":
    """What the run left; a bundle that is refused is told, and counts as empty."""
    from weighin.plugin.bundle import LIMITS, read_bundle
    from weighin.plugin.bundle_fetch import packed_bundle
    from weighin.registry.files import replacing

    try:
        packed = packed_bundle(finished, repository, api, LIMITS.packed_bytes)
        if packed is None:
            warn("weighin: the run left no bundle")
            return ()
        with replacing(folder.with_name(f"{folder.name}.zip")) as temporary:
            temporary.write_bytes(packed)
            return read_bundle(temporary)
    except EvidenceError as error:
        warn(f"weighin: the run's bundle is refused: {error}")
        return ()


def _restore(commit: str) -> int:
    from weighin.plugin.bundle_commit import restore
    from weighin.plugin.config_file import find_root

    for reference in restore(find_root(Path.cwd()), commit):
        say(reference)
    return 0


def _tell(count: int) -> None:
    warn(f"weighin: {count} weigh-in{'' if count == 1 else 's'} in the bundle")


def _given(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"`weighin bundle fetch` needs {name}; it is for a GitHub workflow")
    return value


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a new folder")
