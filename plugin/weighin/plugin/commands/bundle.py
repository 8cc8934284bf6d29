"""``weighin bundle``: carry reports and evidence between a machine without keys and one with."""

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError, EvidenceError
from weighin.plugin.console import say, say_json, warn

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


MOST = 20
"""How many weigh-ins of one pull request are reported."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("what", choices=("write", "check", "fetch", "restore"))
    parser.add_argument("where", metavar="FOLDER|ZIP|COMMIT")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(args: argparse.Namespace) -> int:
    """Do one of them."""
    match args.what:
        case "write":
            told = _write(Path(args.where))
        case "check":
            told = _check(Path(args.where))
        case "fetch":
            told = _fetch(Path(args.where))
        case _:
            told = _restore(args.where)
    if args.json:
        say_json(told.document)
    else:
        for line in told.lines:
            say(line)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What was done, for a script that reads lines and for one that reads JSON."""

    document: Mapping[str, object]
    lines: tuple[str, ...] = ()


def _write(folder: Path) -> _Told:
    from weighin.plugin.bundle import write_bundle
    from weighin.plugin.bundle_collect import collect
    from weighin.plugin.config_file import find_root

    _refuse_existing(folder)
    write_bundle(folder, collect(find_root(Path.cwd())))
    return _check(folder)


def _check(source: Path) -> _Told:
    from weighin.plugin.bundle import read_bundle

    return _Told(document={"weigh_ins": _counted(read_bundle(source))})


def _fetch(folder: Path) -> _Told:
    from weighin.plugin.bundle import write_bundle
    from weighin.plugin.bundle_collect import new_to
    from weighin.plugin.bundle_fetch import RestApi, pull_of, run_of
    from weighin.plugin.config_file import find_root

    _refuse_existing(folder)
    finished = run_of(_event(Path(_given("GITHUB_EVENT_PATH"))))
    repository = _given("GITHUB_REPOSITORY")
    address = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    api = RestApi(address, _given("GITHUB_TOKEN"))
    number = pull_of(finished, repository, api)
    if number is None:
        warn("weighin: no open pull request is at the commit of this run; nothing to report")
        return _Told(document={"pull": None, "sha": finished.head_sha, "weigh_ins": 0})
    weigh_ins = new_to(find_root(Path.cwd()), _received(finished, repository, api))
    if len(weigh_ins) > MOST:
        warn(f"weighin: {len(weigh_ins) - MOST} more weigh-ins in the bundle are left out")
    weigh_ins = weigh_ins[:MOST]
    write_bundle(folder, weigh_ins)
    document = {"pull": number, "sha": finished.head_sha, "weigh_ins": _counted(weigh_ins)}
    return _Told(document=document, lines=(f"{number} {finished.head_sha}",))


def _received(finished: "Run", repository: str, api: "Api") -> "tuple[Bundled, ...]":
    """What the run left; a bundle that is refused is told, and counts as empty."""
    from weighin.plugin.bundle import LIMITS, read_bundle
    from weighin.plugin.bundle_fetch import packed_bundle

    try:
        packed = packed_bundle(finished, repository, api, LIMITS.packed_bytes)
        if packed is None:
            warn("weighin: the run left no bundle")
            return ()
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "bundle.zip"
            file.write_bytes(packed)
            return read_bundle(file)
    except EvidenceError as error:
        warn(f"weighin: the run's bundle is refused: {error}")
        return ()


def _restore(commit: str) -> _Told:
    from weighin.plugin.bundle_commit import restore
    from weighin.plugin.config_file import find_root

    references = restore(find_root(Path.cwd()), commit)
    return _Told(document={"references": list(references)}, lines=references)


def _counted(weigh_ins: "Sequence[Bundled]") -> int:
    count = len(weigh_ins)
    warn(f"weighin: {count} weigh-in{'' if count == 1 else 's'} in the bundle")
    return count


def _event(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: the event cannot be read: {error}") from error


def _given(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"`weighin bundle fetch` needs {name}; it is for a GitHub workflow")
    return value


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a new folder")
