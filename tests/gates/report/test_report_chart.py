import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.measurement import Measurement
from weighin.gates.report import chart
from weighin.gates.report.axis import axis_for
from weighin.gates.report.draw import Spec, draw
from weighin.gates.report.labels import place_labels
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]


@pytest.fixture(scope="session")
def one(sample: Sample) -> Measurement:
    reading = sample("one-device").results[0].readings[0]
    assert isinstance(reading, Measurement)
    return reading


def spread(one: Measurement, values: list[float], half: float) -> list[Measurement]:
    return [replace(one, value=v, lower=v - half, upper=v + half) for v in values]


@pytest.mark.parametrize(
    ("values", "limit", "positive", "kind"),
    [
        ([1.0, 2.0, 5.0], 4.0, True, "linear"),
        ([1.0, 2.0, 50.0], 4.0, True, "log"),
        ([0.0, 2.0, 50.0], 4.0, True, "linear"),
        ([0.1, 0.4, 2.0], 1.0, False, "linear"),
        ([0.1, 0.4, 60.0], 1.0, False, "symlog"),
        ([0.1, 0.4, 60.0], None, False, "linear"),
        ([], None, True, "linear"),
        ([], 5.0, False, "linear"),
        ([0.0], 0.0, False, "linear"),
    ],
)
def test_the_kind_of_axis_follows_the_spread(
    one: Measurement, values: list[float], limit: float | None, positive: bool, kind: str
) -> None:
    axis = axis_for(spread(one, values, 0.05), limit, 300, positive=positive)
    assert axis.kind == kind
    assert axis.low < axis.high
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


positive_values = st.floats(min_value=1e-3, max_value=1e6)


@given(st.lists(positive_values, min_size=1, max_size=20), st.none() | positive_values)
def test_every_value_and_budget_lies_on_the_axis_in_order(
    one: Measurement, values: list[float], limit: float | None
) -> None:
    for positive in (True, False):
        axis = axis_for(spread(one, values, 0.0), limit, 300, positive=positive)
        shown = sorted(values if limit is None else [*values, limit])
        pixels = [axis.pixel(value) for value in shown]
        assert pixels == sorted(pixels)
        assert 0 <= pixels[0] <= pixels[-1] <= 300
        assert all(axis.low <= value <= axis.high for value in shown)


def test_our_pixels_are_those_of_vega(sample: Sample) -> None:
    """The numbers stand beside their points only if our scales agree with the drawn ones."""
    weigh_in = sample("mixed")
    for device in weigh_in.devices:
        spec = chart.device_spec(weigh_in, device)
        svg = draw(spec)
        points = svg[svg.index('class="point"') :]
        drawn = [
            (float(x), float(y))
            for x, y in re.findall(
                r"translate\(([\d.]+),([\d.]+)\)", points[: points.index("</g>")]
            )
        ]
        marks = chart.device_marks(weigh_in, device)
        x = axis_for([m.x for m in marks], weigh_in_limit(spec, "x"), 300, positive=True)
        y = axis_for([m.y for m in marks], weigh_in_limit(spec, "y"), 205, positive=False)
        expected = [(x.pixel(m.x.value), 205 - y.pixel(m.y.value)) for m in marks]
        assert len(drawn) == len(expected)
        for there, here in zip(drawn, expected, strict=True):
            assert there == pytest.approx(here, abs=0.06)


def weigh_in_limit(spec: Spec, channel: str) -> float:
    layers = spec["layer"]
    assert isinstance(layers, list)
    return next(
        float(layer["encoding"][channel]["datum"])
        for layer in layers
        if layer["mark"].get("strokeDash") and "datum" in (layer["encoding"].get(channel) or {})
    )


def test_labels_of_points_apart_touch_nothing() -> None:
    spots = [(40.0 * i + 20, 30.0 * j + 20, 5.0) for i in range(6) for j in range(5)]
    labels = place_labels(spots, 300, 205)
    for (ax, ay), (bx, by) in combinations(labels, 2):
        assert abs(ax - bx) >= 15.9 or abs(ay - by) >= 11.9
    for x, y in labels:
        assert 0 <= x <= 300
        assert 0 <= y <= 205
        assert all(math.hypot(x - a, y - b) > radius for a, b, radius in spots)


def test_a_record_without_devices_or_variants_has_no_marks(sample: Sample) -> None:
    assert chart.size_marks(sample("zero-variants")) == ()
    assert chart.device_marks(sample("zero-variants"), "host") == ()
