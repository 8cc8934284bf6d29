"""The chart of the comment, parsed and drawn by Mermaid itself in a real browser."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.context import Context
from weighin.gates.report.mermaid import harmless, quadrant_chart
from weighin.gates.report.mermaid_axis import drop_axis, latency_axis
from weighin.gates.report.summary import budgets_on
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]
MERMAID = Path(__file__).parents[2] / "node/node_modules/mermaid/dist/mermaid.min.js"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
NAMES = [
    "<script>alert(1)</script>", "a|b|c", "`ticks` ```", "two\nlines", '"quoted"', "'single'",
    "\\", 'x"]: [0.9, 0.9]', "%%{init: {}}%%", "%% comment", "---", "a --> b", "#quot;",
    "&quot;;", "title x", "quadrant-1 x", "\u202egnp", "\x00\x1b[31m", "🎉 emoji", "日本語",
    "\U0001f468\u200d\U0001f469", "", " ", ":::class", "[0.1, 0.2]", "~~~~", "</pre>",
    "classDef x color: red", "radius: 9", "x" * 500,
]  # fmt: skip
POINT = re.compile(r'    "([^"]*)": \[(\d\.\d{3}), (\d\.\d{3})\] radius: [46], color: #[0-9a-f]{6}')


@pytest.fixture
def one_device(sample: Sample) -> WeighIn:
    """A weigh-in on one device, with seven variants."""
    return sample("one-device")


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page with Mermaid in it."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    if not MERMAID.is_file():
        pytest.skip("tests/node has no mermaid: `make test` installs it where npm is")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        shown = browser.new_page(viewport={"width": 800, "height": 600})
        shown.set_content("<!doctype html><body></body>")
        shown.add_script_tag(path=str(MERMAID))
        shown.evaluate("mermaid.initialize({startOnLoad: false, securityLevel: 'strict'})")
        yield shown
        browser.close()


def parsed(page: Any, texts: list[str]) -> list[str]:
    """What Mermaid says of each text: its kind of diagram, or the error."""
    found: list[str] = page.evaluate(
        "texts => Promise.all(texts.map(t => mermaid.parse(t).then(r => r.diagramType, String)))",
        texts,
    )
    return found


def named(weigh_in: WeighIn, name: str) -> WeighIn:
    first = weigh_in.results[0]
    evil = replace(first, variant=replace(first.variant, recipe=name))
    return replace(weigh_in, results=(evil, *weigh_in.results[1:]))


def chart(weigh_in: WeighIn, context: Context | None = None) -> str:
    found = quadrant_chart(weigh_in, weigh_in.devices[0], context or Context())
    assert found is not None
    return found.text


def test_mermaid_understands_whatever_a_variant_is_called(page: Any, sample: Sample) -> None:
    texts = [chart(named(sample("one-device"), name)) for name in NAMES]
    assert parsed(page, texts) == ["quadrantChart"] * len(NAMES)


def test_mermaid_understands_every_review(page: Any, review: Review) -> None:
    names = ("since-release", "waived", "untrusted", "evil-review", "big-review")
    texts = [chart(*review(name)) for name in names]
    assert parsed(page, texts) == ["quadrantChart"] * len(names)


def test_mermaid_would_refuse_a_name_as_it_is(page: Any) -> None:
    """The other tests could fail: the parser is a real one."""
    (said,) = parsed(page, ['quadrantChart\n    "a"b": [0.1, 0.2]'])
    assert "error" in said.lower()


def test_every_variant_is_a_point_inside_the_picture(page: Any, sample: Sample) -> None:
    weigh_in = sample("mixed")
    text = chart(weigh_in)
    svg = page.evaluate("text => mermaid.render('drawn', text).then(r => r.svg)", text)
    assert svg.count("<circle") == len(weigh_in.results)
    page.evaluate("svg => document.body.innerHTML = svg", svg)
    names = page.evaluate(
        """() => {
          const frame = document.querySelector("svg").getBoundingClientRect();
          return [...document.querySelectorAll("svg text")]
            .filter(e => /^[✓✗?] /.test(e.textContent))
            .map(e => e.getBoundingClientRect())
            .map(b => b.left >= frame.left && b.right <= frame.right);
        }"""
    )
    assert len(names) >= 5
    assert all(names)


@given(st.text(max_size=80))
def test_only_harmless_characters_reach_the_diagram(name: str) -> None:
    shown = harmless(name)
    assert shown.strip()
    assert len(shown) <= 32
    assert all(char.isalnum() or char in " ._+-/·" for char in shown)
    assert "--" not in shown


def moved(weigh_in: WeighIn, values: list[tuple[float, float]]) -> WeighIn:
    """The same variants elsewhere: latency and drop of each."""

    def shifted(reading: object, latency: float, drop: float) -> Any:
        if not isinstance(reading, Measurement):
            return reading
        new = {Metric.LATENCY_P90_MS: latency, Metric.ACCURACY_DROP_POINTS: drop}
        return replace(reading, value=new.get(reading.metric, reading.value))

    results = []
    for result, (latency, drop) in zip(weigh_in.results, values, strict=False):
        verdicts = tuple(
            replace(
                verdict,
                checks=tuple(
                    replace(
                        check,
                        readings=tuple(shifted(one, latency, drop) for one in check.readings),
                    )
                    for check in verdict.checks
                ),
            )
            for verdict in result.verdicts
        )
        results.append(replace(result, verdicts=verdicts))
    return replace(weigh_in, results=tuple(results))


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=7))
def test_whatever_the_numbers_are_points_lie_inside(
    one_device: WeighIn, values: list[tuple[float, float]]
) -> None:
    weigh_in = moved(one_device, values)
    found = quadrant_chart(weigh_in, weigh_in.devices[0])
    if found is None:
        return
    points = POINT.findall(found.text)
    assert len(points) == len(weigh_in.results) - found.left_out >= 2
    assert all(0 < float(share) < 1 for _, x, y in points for share in (x, y))


MS, DROPS = st.floats(0.01, 1000), st.floats(-5, 50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(latency=MS, other=MS, drop=DROPS, second=DROPS)
def test_a_point_is_left_of_the_middle_exactly_within_its_budget(
    one_device: WeighIn, latency: float, other: float, drop: float, second: float
) -> None:
    weigh_in = moved(one_device, [(latency, drop), (other, second)])
    found = quadrant_chart(weigh_in, weigh_in.devices[0])
    assert found is not None
    budgets = {m: c.budget.at_most for m, c in budgets_on(weigh_in, weigh_in.devices[0]).items()}
    fast = [ms <= budgets[Metric.LATENCY_P90_MS] for ms in (latency, other)]
    right = [points <= budgets[Metric.ACCURACY_DROP_POINTS] for points in (drop, second)]
    places = [(float(x) <= 0.5, float(y) >= 0.5) for _, x, y in POINT.findall(found.text)]
    assert sorted(places) == sorted(zip(fast, right, strict=True)) or _on_the_line(found.text)


def _on_the_line(text: str) -> bool:
    """Rounded to three digits, a point may stand on the middle."""
    return any("0.500" in (x, y) for _, x, y in POINT.findall(text))


def test_a_device_with_fewer_than_two_known_variants_has_no_chart(sample: Sample) -> None:
    weigh_in = sample("one-device")
    assert quadrant_chart(replace(weigh_in, results=weigh_in.results[:1]), "host") is None
    assert quadrant_chart(weigh_in, "no-such-device") is None


def test_what_has_no_name_or_no_place_is_told(sample: Sample) -> None:
    found = quadrant_chart(sample("mixed"), "galaxy-a51")
    assert found is not None
    assert found.left_out == 7
    assert found.unnamed == ("dynamic_int8.tflite", "fp16.tflite")
    assert json.dumps(found.unnamed[0]) not in found.text


@pytest.mark.parametrize("factor", [1e-4, 1e4], ids=["far-within", "far-beyond"])
def test_variants_far_from_the_budget_can_still_be_told_apart(factor: float) -> None:
    axis = latency_axis([6 * factor, 12 * factor, 60 * factor], 6.0, 0.1)
    shares = sorted(axis.shares)
    assert shares[1] - shares[0] > 0.03
    assert shares[2] - shares[1] > 0.06


def test_values_that_hardly_differ_are_drawn_close_together() -> None:
    latency, drop = latency_axis([4.1, 4.11], 6.0, 0.1), drop_axis([0.0, 0.001], 1.5)
    assert latency.shares[1] - latency.shares[0] < 0.02
    assert drop.shares[1] - drop.shares[0] < 0.01
    assert drop.best == 0.0
    assert latency.best == pytest.approx(4.1)


@given(st.lists(MS, min_size=1, max_size=9), st.none() | MS)
def test_an_axis_keeps_the_order(values: list[float], limit: float | None) -> None:
    ordered = sorted(values)
    for axis in (latency_axis(ordered, limit, 0.2), drop_axis(ordered, limit)):
        assert list(axis.shares) == sorted(axis.shares)
