"""A chain of evidence in words: 80 columns for people, JSON for scripts. Pure."""

import textwrap
from collections.abc import Iterator

from weighin.gates.judge import Check
from weighin.gates.report.words import plain
from weighin.gates.waiver import Waiver
from weighin.registry.chain_records import Chain, Examined, Link, State

SCHEMA = "weighin/chain/v1"
WIDTH = 80
_LABEL = 41


def chain_text(chain: Chain) -> str:
    """The chain as lines of at most 80 columns; broken links are spelled out below."""
    broken = list(_broken(chain))
    said = "the chain holds" if chain.holds else f"the chain is broken ({len(broken)})"
    lines = [f"{plain(chain.model)}/{plain(chain.version)}: {said}", ""]
    for link in chain.links:
        shown = link.detail if link.state is not State.BROKEN else "see below"
        lines += _wrapped(f"{link.state.value:<8}{link.name:<10}", shown)
    if chain.evidence:
        lines += ["", f"{'':<8}{'evidence':<{_LABEL}}{'now':<10}{'until':<11}sha256"]
        lines += [_line(one) for one in chain.evidence]
        lines += _legend(chain)
    if broken:
        lines += ["", "broken:"]
        for name, detail in broken:
            lines += _wrapped(f"  {name}: ", detail)
    return "\n".join(line.rstrip() for line in lines)


def chain_to_json(chain: Chain) -> dict[str, object]:
    """Everything that is known of the chain."""
    return {
        "schema": SCHEMA,
        "model": chain.model,
        "version": chain.version,
        "at": chain.at.isoformat(),
        "holds": chain.holds,
        "links": [_link_to_json(link) for link in chain.links],
        "evidence": [_examined_to_json(one) for one in chain.evidence],
    }


def _line(one: Examined) -> str:
    label = plain(one.about)
    if len(label) >= _LABEL:
        label = f"{label[: _LABEL - 3]}.."
    state = State.HOLDS if one.holds else State.BROKEN
    verdict = one.verdict.outcome.value if one.verdict is not None else "-"
    until = f"{one.statement.expires_at:%Y-%m-%d}" if one.statement is not None else "-"
    star = ("*" if one.released else "") + ("w" if one.waivers else "")
    return f"{state.value:<8}{label:<{_LABEL}}{verdict:<10}{until:<11}{one.sha256[:8]}{star}"


def _legend(chain: Chain) -> list[str]:
    """What the marks behind a digest mean; only those that are there."""
    said = ["* what the channel offers"] if any(one.released for one in chain.evidence) else []
    said += ["w waived: it does not pass"] if any(one.waivers for one in chain.evidence) else []
    return ["", *said] if said else []


def _broken(chain: Chain) -> Iterator[tuple[str, str]]:
    """Broken links, each sentence once, with the statements that it is true of."""
    yield from ((k.name, k.detail) for k in chain.links if k.state is State.BROKEN)
    found: dict[tuple[str, str], list[str]] = {}
    for one in chain.evidence:
        for link in one.links:
            if link.state is State.BROKEN:
                found.setdefault((link.name, link.detail), []).append(one.about)
    for (name, detail), abouts in found.items():
        more = f" and {len(abouts) - 1} more" if len(abouts) > 1 else ""
        yield name, f"{abouts[0]}{more}: {detail}"


def _wrapped(head: str, text: str) -> list[str]:
    indent = " " * min(len(head), 18)
    return textwrap.wrap(
        plain(text), WIDTH, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False
    ) or [head]


def _link_to_json(link: Link) -> dict[str, object]:
    return {"link": link.name, "state": link.state.name.lower(), "detail": link.detail}


def _waived_to_json(check: Check, waiver: Waiver) -> dict[str, object]:
    return {
        "metric": check.budget.metric.value,
        "outcome": check.outcome.value,
        "by": waiver.by,
        "reason": waiver.reason,
        "url": waiver.url,
        "expires_at": waiver.expires_at.isoformat(),
    }


def _examined_to_json(one: Examined) -> dict[str, object]:
    statement, verdict = one.statement, one.verdict
    return {
        "file": one.file,
        "sha256": one.sha256,
        "variant": statement and statement.variant.label,
        "artifact_sha256": statement and statement.variant.sha256,
        "device": statement and statement.device,
        "key": one.keyid or None,
        "expires_at": statement and statement.expires_at.isoformat(),
        "then": statement and statement.verdict.outcome.value,
        "now": verdict and verdict.outcome.value,
        "reason": verdict and verdict.reason,
        "released": one.released,
        "waived": [_waived_to_json(check, waiver) for check, waiver in one.waivers],
        "holds": one.holds,
        "links": [_link_to_json(link) for link in one.links],
    }
