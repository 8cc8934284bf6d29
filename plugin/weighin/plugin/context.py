"""Collects what a report of a weigh-in says beside it: history, release, signatures.

What this module does not do: it changes nothing, and it stops nothing. What cannot be read is
left out of the context, and a note says what and why.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighin.gates.errors import ConfigError, EvidenceError
from weighin.gates.evidence import open_statement, read_unverified
from weighin.gates.report.context import Context, Earlier, SignedFile
from weighin.gates.statement import Statement
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.history import (
    Notes,
    Releases,
    earlier_weigh_ins,
    read_releases,
    released_weigh_in,
)
from weighin.plugin.project import Project
from weighin.plugin.results import load_evidence, load_weigh_in, weigh_in_folder

if TYPE_CHECKING:
    from weighin.gates.signing import Key


def context_for(
    project: Project,
    weigh_in: WeighIn,
    now: datetime,
    *,
    compare: str | None = None,
    waivers: tuple[Waiver, ...] = (),
    envelopes: Mapping[str, bytes] | None = None,
) -> tuple[Context, Notes]:
    """What else is known of a weigh-in, and notes on what could not be read.

    Args:
        project: Where to look.
        weigh_in: What will be shown.
        now: The time of showing, UTC.
        compare: The version to tell changes against; else what the channel offers now, or, if
            that is this version, what was released before it.
        waivers: Those of this weigh-in, verified.
        envelopes: Its signed statements by file name; ``None``: those of its folder.

    Raises:
        WeighinError: the version to compare with has no report.
    """
    model, version = weigh_in.model, weigh_in.version
    releases = read_releases(project, model)
    history, left_out = earlier_weigh_ins(project, model, version, releases)
    if compare is None:
        against, missing = _since_the_release(project, weigh_in, history, releases)
    else:
        against, missing = load_weigh_in(weigh_in_folder(project, model, compare)), ()
    if envelopes is None:
        envelopes = load_evidence(weigh_in_folder(project, model, version))
    signatures, doubts = signed_files(project, weigh_in, envelopes)
    context = Context(
        now=now,
        history=history,
        against=against,
        waivers=waivers,
        signatures=signatures,
        report_url=report_url(project, model, version),
    )
    return context, (*releases.notes, *left_out, *missing, *doubts)


def signed_files(
    project: Project, weigh_in: WeighIn, envelopes: Mapping[str, bytes]
) -> tuple[tuple[SignedFile, ...], Notes]:
    """Who signed each statement; no key where it is nobody trusted, or about something else."""
    notes = list[str]()
    try:
        keys = trusted_keys(project)
    except ConfigError as error:
        keys = ()
        notes.append(f"no signature can be verified: {error}")
    looked_at = (
        _looked_at(weigh_in, name, envelope, keys, notes) for name, envelope in envelopes.items()
    )
    return tuple(one for one in looked_at if one is not None), tuple(notes)


def report_url(project: Project, model: str, version: str) -> str:
    """Where the page of a version can be looked at; empty if nowhere."""
    pattern = project.config.review.report_url or ""
    named = pattern.replace("{version}", quote(version, safe=""))
    return named.replace("{model}", quote(model, safe=""))


def _since_the_release(
    project: Project, weigh_in: WeighIn, history: tuple[Earlier, ...], releases: Releases
) -> tuple[WeighIn | None, Notes]:
    """What the channel offers; what was released before it, if this version is offered itself."""
    if releases.offered == weigh_in.version:
        shipped = [one.weigh_in for one in history if one.released_at is not None]
        return (shipped[-1] if shipped else None), ()
    released, notes = released_weigh_in(project, weigh_in.model, releases)
    return (None if released is None else released.weigh_in), notes


def _looked_at(
    weigh_in: WeighIn,
    name: str,
    envelope: bytes,
    keys: Collection["Key"],
    notes: list[str],
) -> SignedFile | None:
    """One statement; ``None`` for what is none."""
    keyid = ""
    try:
        signed = open_statement(envelope, keys)
        statement, keyid = signed.statement, signed.keyid
    except EvidenceError as error:
        notes.append(f"{name}: {error}")
        try:
            statement = read_unverified(envelope)
        except EvidenceError:
            return None
    if keyid and not _is_about(statement, weigh_in):
        notes.append(f"{name}: its evidence is about another weigh-in than this report")
        keyid = ""
    return SignedFile(
        label=statement.variant.label,
        device=statement.device,
        keyid=keyid,
        expires_at=statement.expires_at,
        envelope_sha256=hashlib.sha256(envelope).hexdigest(),
    )


def _is_about(statement: Statement, weigh_in: WeighIn) -> bool:
    """Whether a statement speaks of this very weigh-in and of a file in it."""
    same = all(
        getattr(statement, name) == getattr(weigh_in, name)
        for name in ("model", "version", "source_digest", "plan_digest")
    )
    return same and any(result.variant == statement.variant for result in weigh_in.results)
