"""What the page says beyond the weigh-in, without a browser."""

import html
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric, Origin
from weighin.gates.report import chart_costs
from weighin.gates.report.chart_history import entries, history_spec
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.draw import draw
from weighin.gates.report.html import to_html
from weighin.gates.report.page_answers import header
from weighin.gates.report.page_chain import chain
from weighin.gates.report.page_changes import changed
from weighin.gates.report.page_history import history
from weighin.gates.report.page_notices import notices
from weighin.gates.weigh_in import WeighIn

Case = Callable[[str], tuple[WeighIn, Context]]
Sample = Callable[[str], WeighIn]


def text_of(markup: str) -> str:
    """What a reader sees, on one line."""
    shown = re.sub(r"<[^>]+>", " ", markup.replace("<wbr>", ""))
    return " ".join(html.unescape(shown).split())


ANSWERS = {
    "mixed": (
        "PASS: May ship",
        "3 of 4 devices, 1 more by waiver",
        "1 measured, 3 estimated",
        "What changed since v2 1 device gained, another file on 3",
    ),
    "none-passed": (
        "UNDECIDED: Undecided: may not ship",
        "0 of 4 devices",
        "Open on 1 of 4 devices",
    ),
    "zero-variants": ("May not ship", "0 of 4 devices", "Nothing was judged"),
    "closer": ("PASS: May ship", "Nothing to compare"),
    "untrusted": ("UNDECIDED: Undecided", "0 of 1 device", "Not at all"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_top_answers_whether_where_how_sure_and_what_changed(case: Case, name: str) -> None:
    told = text_of(header(*case(name)))
    for words in ANSWERS[name]:
        assert words in told


def test_a_device_of_many_that_needs_a_look_stands_among_the_first(case: Case) -> None:
    told = header(*case("big"))
    chips = re.findall(r"<li class=\"(\w+)\"><a", told)
    assert chips == ["fail", *["undecided"] * 4, *["pass"] * 3]
    assert "and 22 more" in told


def test_nothing_passes_on_a_page_that_is_not_to_be_trusted(case: Case) -> None:
    page = to_html(*case("untrusted"))
    assert "Not to be trusted" in page
    assert "The statements are not signed." in page
    assert not re.search(r'class="(verdict|tile|badge) pass"', page)
    matrix = page[page.index('id="matrix"') : page.index('id="size"')]
    assert set(re.findall(r'<td class="(\w+)"', matrix)) == {"undecided"}


def test_waivers_are_said_in_red_with_who_why_and_until_when(case: Case) -> None:
    weigh_in, context = case("mixed")
    shown = notices(weigh_in, context)
    told = text_of(shown)
    assert "1 budget waived by a person ! WAIVED latency p90 on galaxy-a51" in told
    assert "launch partners only, the fix is in v4" in told
    assert "By octavia, 2026-11-20, until 2026-12-06 12:00 UTC. It opens galaxy-a51." in told
    assert "! void peak memory on host" in told
    assert shown.count('class="notice"') == shown.count('class="notice void"') == 1
    assert "expired 2026-11-21" in told


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://github.com/acme/models/pull/7", True),
        ("javascript:alert(1)", False),
        ("http://plain.example", False),
        ("", False),
    ],
)
def test_only_a_web_address_becomes_a_link(case: Case, url: str, linked: bool) -> None:
    weigh_in, context = case("mixed")
    waiver = replace(context.waivers[0], url=url)
    shown = notices(weigh_in, replace(PLAIN, waivers=(waiver,), now=context.now))
    assert ("<a " in shown) is linked
    assert html.escape(url) in shown


def test_a_waiver_of_another_plan_is_not_shown(case: Case) -> None:
    weigh_in, context = case("mixed")
    other = tuple(replace(one, plan_digest="0" * 64) for one in context.waivers)
    assert "waived" not in notices(weigh_in, replace(context, waivers=other))


def test_a_loosened_plan_is_loud_and_a_tightened_one_is_folded(case: Case) -> None:
    weigh_in, context = case("mixed")
    loud = notices(weigh_in, replace(PLAIN, changes=context.changes))
    assert "This pull request loosens 1 limit" in loud
    assert loud.index("latency_p90_ms") < loud.index("size_mib")
    quiet = notices(weigh_in, replace(PLAIN, changes=context.changes[1:]))
    assert "none made looser" in quiet
    assert "<details>" in quiet


def test_each_device_tells_before_and_after_and_what_is_surely_different(case: Case) -> None:
    told = text_of(changed(*case("mixed")))
    assert "Since v2" in told
    assert "host dynamic_int8.tflite → prune50+distill+int8.tflite" in told
    assert "0.296 → 0.169 ↓ 43 %" in told
    assert "0.06 → 0.9 ↑ 0.84 pt" in told
    assert "galaxy-a51 nothing → prune50+distill+int8.tflite (only by waiver)" in told


def test_a_device_that_lost_its_file_is_marked(case: Case) -> None:
    weigh_in, context = case("mixed")
    kept = tuple(one for one in weigh_in.results if one.variant.recipe == "prune50")
    shown = changed(replace(weigh_in, results=kept), context)
    assert re.search(r'data-d="host">.*?<td class="fail">dynamic_int8.tflite → nothing', shown)


def test_without_an_earlier_version_there_is_no_history_and_no_comparison(case: Case) -> None:
    weigh_in, _ = case("mixed")
    assert history(weigh_in, PLAIN) == changed(weigh_in, PLAIN) == notices(weigh_in, PLAIN) == ""
    assert to_html(weigh_in) == to_html(weigh_in, PLAIN)


def test_the_history_tells_what_each_device_got_of_each_version(case: Case) -> None:
    weigh_in, context = case("mixed")
    known = entries(weigh_in, context)
    assert [(one.place, one.released) for one in known if one.device == "host"] == [
        (0, True),
        (1, True),
        (2, None),
    ]
    got = {
        one.device: one.result.variant.label if one.result else None
        for one in known
        if one.place == 0
    }
    assert got == {
        "host": "fp16.tflite",
        "pixel-3a": None,
        "galaxy-a51": None,
        "pixel-8-pro": None,
    }
    told = text_of(history(weigh_in, context))
    assert "v1 host released fp16.tflite" in told
    assert "v1 pixel-3a released nothing passed" in told
    assert "v3 host weighed now prune50+distill+int8.tflite" in told
    assert "A host, B pixel-3a" in told


def test_a_long_history_shows_its_newest_versions_and_says_so(case: Case) -> None:
    weigh_in, context = case("mixed")
    long = replace(context, history=context.history * 10)
    assert {one.place for one in entries(weigh_in, long)} == set(range(12))
    assert entries(weigh_in, long)[0].weigh_in.version == "2"
    assert "9 older versions not shown." in history(weigh_in, long)
    assert "not shown" not in history(weigh_in, context)


def test_one_version_alone_draws_no_line(case: Case) -> None:
    weigh_in, context = case("mixed")
    empty = tuple(
        replace(one, weigh_in=replace(one.weigh_in, results=())) for one in context.history
    )
    known = entries(weigh_in, replace(context, history=empty))
    assert history_spec(known, weigh_in.devices) is None
    assert "fewer than two versions" in history(weigh_in, replace(context, history=empty))


def test_a_version_of_any_name_goes_below_the_axis_as_its_place(case: Case) -> None:
    weigh_in, context = case("mixed")
    named = tuple(
        replace(one, weigh_in=replace(one.weigh_in, version="']; alert(1); ['"))
        for one in context.history
    )
    shown = history(weigh_in, replace(context, history=named))
    svg = shown[shown.index("<svg") : shown.index("</svg>")]
    assert "#1<" in svg
    assert "alert" not in re.sub(r'data-t="[^"]*"', "", svg)


def test_the_chain_says_where_it_would_break(case: Case) -> None:
    weigh_in, context = case("mixed")
    shown = chain(weigh_in, context)
    told = text_of(shown)
    names = ["Registered model", "Plan", "Data", "Files", "Signed statements", "Channel"]
    assert re.findall(r"<li[^>]*><h3>([^<]+)</h3>", shown) == names
    assert "17 of 19 statements signed by a trusted key and in date" in told
    assert told.count("no trusted key") == 1
    assert told.count("expired") == 1
    assert 'class="broken"' in shown
    digests = [weigh_in.source_digest, weigh_in.plan_digest, *(d.sha256 for d in weigh_in.data)]
    assert all(digest in shown for digest in digests)


def test_a_statement_out_of_date_offers_nothing(case: Case) -> None:
    weigh_in, context = case("mixed")
    late = replace(context, now=weigh_in.finished_at + timedelta(days=365), waivers=())
    told = text_of(chain(weigh_in, late))
    assert "0 of 19 statements" in told
    assert "May offer a file to 0 of 4 devices" in told
    unsigned = text_of(chain(weigh_in, PLAIN))
    assert "None was looked at for this page" in unsigned
    assert "Could offer a file to 3 of 4 devices once signed" in unsigned


quantiles = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0.001, 1e6)), min_size=2, max_size=25
).map(
    lambda pairs: tuple(zip(sorted(p[0] for p in pairs), sorted(p[1] for p in pairs), strict=True))
)


@given(quantiles)
def test_percentiles_keep_their_order_and_stay_among_the_known(
    pairs: tuple[tuple[float, float], ...],
) -> None:
    reading = Measurement(
        metric=Metric.LATENCY_P90_MS,
        value=1.0,
        lower=1.0,
        upper=1.0,
        n=9,
        origin=Origin.DEVICE,
        artifact_sha256="a" * 64,
        device="host",
        runtime="ai-edge-litert 2.3.0",
        measured_at=datetime(2026, 11, 22, tzinfo=UTC),
        quantiles=pairs,
    )
    cost = chart_costs.Cost(number=1, reading=reading, outcome=None)
    told = list(cost.spread.values())
    assert told == sorted(told)
    assert pairs[0][1] <= told[0] <= told[-1] <= pairs[-1][1]
    assert cost.reach.lower <= told[0] <= told[-1] <= cost.reach.upper


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_spread_that_is_none_is_not_drawn(case: Case, bad: float) -> None:
    weigh_in, _ = case("mixed")
    (first, *_) = chart_costs.device_costs(weigh_in, "host", Metric.LATENCY_P90_MS)
    broken = replace(first.reading, quantiles=((0.5, 1.0), (0.9, bad)))
    assert replace(first, reading=broken).spread == {}
    assert replace(first, reading=replace(first.reading, quantiles=((0.5, 1.0),))).spread == {}


def test_only_devices_whose_runs_are_known_show_them(case: Case) -> None:
    weigh_in, _ = case("mixed")
    shown = {one: chart_costs.runs_spec(weigh_in, one) is not None for one in weigh_in.devices}
    assert shown == {"host": True, "pixel-3a": False, "galaxy-a51": False, "pixel-8-pro": False}
    assert chart_costs.costs_spec(weigh_in, "nowhere") is None


def test_what_a_mark_says_is_escaped_and_an_unknown_key_says_nothing() -> None:
    values = [{"x": 1, "key": "1"}, {"x": 2, "key": "2"}]
    encoding = {
        "x": {"field": "x", "type": "quantitative"},
        "description": {"field": "key", "type": "nominal"},
    }
    mark = {"name": "point", "mark": "point", "data": {"values": values}, "encoding": encoding}
    svg = draw({"config": {"aria": True}, **mark}, {"1": '"><script>'})
    assert 'data-v="1" data-t="&quot;&gt;&lt;script&gt;"' in svg
    assert svg.count("data-v") == 1
    assert "<script" not in svg
    assert not re.search(r"aria-label=\"\d+\"|https?:", svg)
