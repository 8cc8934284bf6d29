"""``weighin promote``: release what passed into the signed channel."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError
from weighin.plugin.console import say, say_json, warn

if TYPE_CHECKING:
    from weighin.plugin.merged import Merged
    from weighin.plugin.project import Project
    from weighin.plugin.promote import Promotion

SUMMARY = "release the passing variants of a version"
DESCRIPTION = (
    "Verify the signed evidence of a weigh-in against today's plan (configuration, budgets, "
    "data, tools) and files, and publish what passes into the channel. Believes "
    "signatures, not reports. What people named in weighin.toml waived is released as waived."
)
EXAMPLE = """examples:
  weighin promote digits/1                     release the passing variants of version 1
  weighin promote digits/1 --json              what the channel offers now, as JSON
  weighin promote --merged "$BEFORE" "$AFTER"  release what a merge brought, in CI

exit codes: 0 released; 1 the evidence does not hold; 3 nothing may be released
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("reference", metavar="MODEL/VERSION", nargs="?")
    parser.add_argument(
        "--merged",
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="every version whose weigh-in was committed between two git revisions",
    )
    parser.add_argument("--json", action="store_true", help="print the release as JSON")


def run(args: argparse.Namespace) -> int:
    """Promote one version, or what a merge brought."""
    from weighin.plugin.project import open_project, parse_reference

    if bool(args.reference) is bool(args.merged):
        raise ConfigError("either MODEL/VERSION or --merged BEFORE AFTER is needed, not both")
    if args.merged:
        return _merged(args)
    from weighin.plugin.promote import promote_version
    from weighin.registry.release import release_to_json

    name, version = parse_reference(args.reference)
    project = open_project(Path.cwd())
    promotion = promote_version(project, name, version)
    _warn(promotion.notes)
    if args.json:
        say_json(release_to_json(promotion.release))
    else:
        _say(project, name, version, promotion)
    return 0 if promotion.release.variants else 3


def _merged(args: argparse.Namespace) -> int:
    import os

    from weighin.plugin.merged import promote_merged
    from weighin.plugin.project import open_project, with_mlflow_of

    project = with_mlflow_of(open_project(Path.cwd()), os.environ)
    merged = promote_merged(project, *args.merged)
    for one in merged:
        _warn(one.promotion.notes if one.promotion is not None else ())
        if one.refused:
            warn(f"weighin: {one.model}/{one.version}: {one.refused}")
    if args.json:
        say_json([_to_json(one) for one in merged])
    elif not merged:
        say("no weigh-in was merged between these commits")
    else:
        for one in merged:
            _say(project, one.model, one.version, one.promotion)
    if any(one.failed for one in merged):
        return 1
    return 0 if all(one.released for one in merged) else 3


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        warn(f"weighin: {note}")


def _say(project: "Project", name: str, version: str, promotion: "Promotion | None") -> None:
    if promotion is None or not promotion.release.variants:
        nothing = "nothing may be released" if promotion is not None else "it is refused"
        say(f"{name}/{version}: {nothing}, so nothing was")
        return
    release, what = promotion.release, "is released" if promotion.changed else "was released before"
    say(f"{name}/{version} {what} in channel '{project.config.channel.name}':")
    for device in release.devices:
        best = release.best_for(device)
        approval = best.approval_for(device) if best else None
        waived = f"  WAIVED: {', '.join(approval.waived)}" if approval and approval.waived else ""
        say(f"  {device:<16} {best.label if best else '-'}{waived}")
    say(f"channel: {project.channel}")


def _to_json(one: "Merged") -> dict[str, object]:
    from weighin.registry.release import release_to_json

    promotion = one.promotion
    return {
        "model": one.model,
        "version": one.version,
        "released": one.released,
        "changed": promotion is not None and promotion.changed,
        "refused": one.refused,
        "notes": list(promotion.notes) if promotion is not None else [],
        "release": release_to_json(promotion.release) if promotion is not None else None,
    }
