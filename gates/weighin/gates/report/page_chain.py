"""The evidence as a chain on the HTML page: from the registered model to what may be released.

Each link names what it takes from the one before by digest, so a reader sees where it would
break. What this module does not do: it verifies nothing; signatures were looked at before.
"""

from collections.abc import Sequence
from datetime import datetime

from weighin.gates.report.context import Context, SignedFile
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import NOTHING, digest, folded, row, section, table
from weighin.gates.report.verdict_words import Standing, fates, moment_of
from weighin.gates.report.words import count
from weighin.gates.weigh_in import WeighIn

_KEY = 12
"""So many characters of a key id tell one key from another; whole ids stand above the table."""


def chain(weigh_in: WeighIn, context: Context) -> Html:
    """The links, in the order in which each makes the next."""
    links = (
        _source(weigh_in),
        _plan(weigh_in),
        _data(weigh_in),
        _files(weigh_in),
        _statements(weigh_in, context),
        _channel(weigh_in, context),
    )
    return section("chain", "The evidence chain", tag("ol", *links, class_="chain"))


def _link(name: str, words: str, *more: str, state: str = "") -> Html:
    head = tag("h3", name)
    return tag("li", head, tag("p", words), *more, class_=state or None)


def _source(weigh_in: WeighIn) -> Html:
    words = join("Version ", tag("bdi", weigh_in.version), " of ", tag("bdi", weigh_in.model))
    return _link("Registered model", words, _digest(weigh_in.source_digest))


def _plan(weigh_in: WeighIn) -> Html:
    words = "What is built, on which data, with which tools, and by which budgets it is judged"
    return _link("Plan", words, _digest(weigh_in.plan_digest))


def _data(weigh_in: WeighIn) -> Html:
    rows = sum(one.rows for one in weigh_in.data if one.role == "evaluation")
    words = f"{count(len(weigh_in.data), 'file')}, {rows} rows to judge on"
    links = [tag("li", tag("span", one.role), " ", digest(one.sha256)) for one in weigh_in.data]
    return _link("Data", words, tag("ul", *links, class_="digests"))


def _files(weigh_in: WeighIn) -> Html:
    words = f"{count(len(weigh_in.results), 'variant')} built from that model"
    if weigh_in.failures:
        words += f", {len(weigh_in.failures)} could not be"
    shown = [
        tag("li", tag("bdi", one.variant.label), " ", digest(one.variant.sha256))
        for one in weigh_in.results
    ]
    listed = tag("ul", *shown, class_="digests")
    return _link("Files", words, folded("Digests", listed) if shown else NOTHING)


def _statements(weigh_in: WeighIn, context: Context) -> Html:
    signed = context.signatures
    if not signed:
        return _link(
            "Signed statements", "None was looked at for this page",
            state="open",
        )  # fmt: skip
    now = moment_of(weigh_in, context)
    good = [one for one in signed if _state(one, now) == "good"]
    words = f"{len(good)} of {count(len(signed), 'statement')} signed by a trusted key and in date"
    keys = [digest(key) for key in dict.fromkeys(one.keyid for one in signed if one.keyid)]
    by = tag("p", "Key ", *keys, class_="note") if keys else NOTHING
    state = "" if len(good) == len(signed) else "broken"
    return _link("Signed statements", words, by, _signature_table(signed, now), state=state)


def _signature_table(signed: Sequence[SignedFile], now: datetime) -> Html:
    rows = (_signature(one, now) for one in signed)
    head = ["variant", "device", "state", "key", "relied on until", "sha256 of the envelope"]
    return folded("Every statement", table("Signed statements", head, rows, "signatures"))


def _signature(one: SignedFile, now: datetime) -> Html:
    state = _state(one, now)
    rank = ("good", "expired", "no trusted key").index(state)
    shown = tag("td", state, class_="fail" if rank else "pass", data_k=str(rank))
    expires = tag("td", f"{one.expires_at:%Y-%m-%d %H:%M} UTC")
    key = tag("code", f"{one.keyid[:_KEY]}\u2026") if one.keyid else "none"
    return row(
        one.label,
        [tag("bdi", one.device), shown, key, expires, digest(one.envelope_sha256)],
        device=one.device,
    )


def _state(one: SignedFile, now: datetime) -> str:
    if not one.keyid:
        return "no trusted key"
    return "good" if now < one.expires_at else "expired"


def _channel(weigh_in: WeighIn, context: Context) -> Html:
    known = fates(weigh_in, context)
    opened = [one for one in known if one.standing in {Standing.PASS, Standing.WAIVED}]
    if not context.signatures:
        words = f"Could offer a file to {len(opened)} of {count(len(known), 'device')} once signed"
        return _link("Channel", words, state="open")
    now = moment_of(weigh_in, context)
    good = {(one.label, one.device) for one in context.signatures if _state(one, now) == "good"}
    offered = [
        one
        for one in opened
        if one.result is not None and (one.result.variant.label, one.device) in good
    ]
    words = f"May offer a file to {len(offered)} of {count(len(known), 'device')}"
    rest = "It judges the readings of each statement again before it takes a file"
    state = "" if offered else "open"
    return _link("Channel", words, tag("p", rest, class_="note"), state=state)


def _digest(sha256: str) -> Html:
    return tag("p", digest(sha256), class_="of")
