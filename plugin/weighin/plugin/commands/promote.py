"""``weighin promote MODEL/VERSION``: release what passed into the signed channel."""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json, warn

SUMMARY = "release the passing variants of a version"
DESCRIPTION = (
    "Verify the signed evidence of a weigh-in against today's plan (configuration, budgets, "
    "data, tools) and files, and publish what passes into the channel. Believes "
    "signatures, not reports."
)
EXAMPLE = """examples:
  weighin promote digits/1          release the passing variants of version 1
  weighin promote digits/1 --json   what the channel offers now, as JSON

exit codes: 0 released; 1 the evidence does not hold; 3 nothing may be released
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("reference", metavar="MODEL/VERSION")
    parser.add_argument("--json", action="store_true", help="print the release as JSON")


def run(args: argparse.Namespace) -> int:
    """Promote one version."""
    from weighin.plugin.project import open_project, parse_reference
    from weighin.plugin.promote import promote_version
    from weighin.registry.release import release_to_json

    name, version = parse_reference(args.reference)
    project = open_project(Path.cwd())
    promotion = promote_version(project, name, version)
    release = promotion.release
    for note in promotion.notes:
        warn(f"weighin: {note}")
    if args.json:
        say_json(release_to_json(release))
    elif not release.variants:
        say(f"{name}/{version}: nothing may be released, so nothing was")
    else:
        say(f"{name}/{version} is released in channel '{project.config.channel.name}':")
        for device in release.devices:
            best = release.best_for(device)
            say(f"  {device:<16} {best.label if best else '-'}")
        say(f"channel: {project.channel}")
    return 0 if release.variants else 3
