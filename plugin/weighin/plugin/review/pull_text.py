"""What the pull request of a model version is called, and what its description says. Pure.

The description has a part of ours between two invisible lines; what people write around it stays.
So does a title that a person chose.
"""

import shlex

from weighin.gates.judge import Outcome
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.markdown_parts import code
from weighin.gates.report.words import count, plain
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.github.records import PullRequest

_BEGIN, _END = "<!-- weighin:begin -->", "<!-- weighin:end -->"
_LONGEST_TITLE = 200
_LONGEST_NAME = 100


def pull_title(weigh_in: WeighIn, context: Context, pull: PullRequest | None) -> str:
    """The title: a person's own if they changed it, else ours with the verdict in it."""
    prefix = _prefix(weigh_in)
    if pull is not None and not pull.title.startswith(prefix):
        return pull.title
    return f"{prefix}{_verdict(weigh_in, context)}"[:_LONGEST_TITLE]


def pull_body(weigh_in: WeighIn, context: Context, pull: PullRequest | None) -> str:
    """The description, with our part replaced and everything else as it was."""
    ours = f"{_BEGIN}\n{_our_part(weigh_in, context)}\n{_END}"
    said = "" if pull is None else pull.body
    before, began, rest = said.partition(_BEGIN)
    _, ended, after = rest.partition(_END)
    if began and ended:
        return f"{before}{ours}{after}"
    return f"{said.rstrip()}\n\n{ours}".strip()


def _prefix(weigh_in: WeighIn) -> str:
    return f"{plain(weigh_in.model)[:_LONGEST_NAME]} v{plain(weigh_in.version)}: "


def _verdict(weigh_in: WeighIn, context: Context) -> str:
    if context.untrusted:
        return "not believed"
    if not weigh_in.passed:
        failed = summary.overall_outcome(weigh_in) is Outcome.FAIL
        return "nothing passed" if failed else "nothing passed, something is undecided"
    reached, devices = len(summary.covered(weigh_in)), len(weigh_in.devices)
    where = f"on {reached} of {count(devices, 'device')}"
    return f"passed {where}" if weigh_in.may_ship else f"passed {where}, too few users"


def _our_part(weigh_in: WeighIn, context: Context) -> str:
    folder = f"variants/{weigh_in.model}/v{weigh_in.version}/"
    reference = plain(f"{weigh_in.model}/{weigh_in.version}")
    lines = [
        f"This adds the variants of {code(f'{weigh_in.model} v{weigh_in.version}')} under "
        f"{code(folder)}: their DVC pointers, `dvc.yaml`, and the signed evidence.",
        "The comment below has the verdict and the numbers; there is one check per device. "
        "**Merging releases what passed**, and nothing else.",
        f"To look at the files: `dvc pull`. To weigh them again: {_command(reference)}",
    ]
    if context.report_url:
        lines.insert(2, f"[Report page]({context.report_url})")
    return "\n\n".join(lines).replace("<!--", "\u2039!--")


def _command(reference: str) -> str:
    return code(f"weighin run {shlex.quote(reference)}")
