"""The search in every shape of the report: what was tried, what was kept, and why the rest fell."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from weighin.gates.report.html import to_html
from weighin.gates.report.markdown import to_markdown
from weighin.gates.report.search_words import fate, search_lines
from weighin.gates.report.terminal import to_text
from weighin.gates.search import DeviceStanding, Round, SearchRecord, Standing, Trial
from weighin.gates.variant import Format
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
EVIL = "<b>|`x`\n# y"


def trial(recipe: str, standing: Standing, reason: str = "size: too large") -> Trial:
    return Trial(
        recipe=recipe,
        format=Format.LITERT,
        size_bytes=2**20,
        drop_points=0.5,
        drop_at_most=0.8,
        accurate=True,
        dominated=False,
        devices=(
            DeviceStanding(
                device="host",
                standing=standing,
                open_checks=1,
                overshoot=math.inf,
                latency_ms=None,
                reason=reason,
            ),
        ),
        reason="",
    )


FAILED = replace(
    trial("prune93", Standing.FELL), size_bytes=None, devices=(), reason="nothing can be removed"
)


def record(*trials: Trial, kept: tuple[str, ...] = ()) -> SearchRecord:
    return SearchRecord(
        minutes=20.0,
        rounds=(
            Round(
                question="why not",
                recipes=tuple(one.recipe for one in trials),
                trains=False,
                seconds=90.0,
                trials=trials,
            ),
        ),
        ended="every question was answered",
        kept=kept,
    )


@pytest.mark.parametrize(
    ("one", "words"),
    [
        pytest.param(trial("int8", Standing.SURE), "1 MiB, drop 0.5 pt; host: fits", id="fits"),
        pytest.param(trial("int8", Standing.FELL), "host: fell, size: too large", id="fell"),
        pytest.param(trial("int8", Standing.OPEN, "unknown"), "host: open, unknown", id="open"),
        pytest.param(FAILED, "could not be made: nothing can be removed", id="not-made"),
        pytest.param(
            replace(trial("w4", Standing.SURE), dominated=True), "as good or faster", id="dominated"
        ),
    ],
)
def test_what_became_of_a_file_stands_in_one_line(one: Trial, words: str) -> None:
    assert words in fate(one)


def test_the_nearest_miss_is_named_only_if_nothing_fits(sample: Sample) -> None:
    weigh_in = sample("one-device")
    fell = trial("int8", Standing.FELL)
    missed = dict(search_lines(replace(weigh_in, search=record(fell, FAILED))))
    assert missed["nearest miss"] == "host: int8.tflite, fell, size: too large"
    fitted = record(fell, trial("w4", Standing.SURE), kept=("w4",))
    lines = dict(search_lines(replace(weigh_in, search=fitted)))
    assert "nearest miss" not in lines
    assert lines["kept for the gate"] == "w4"


def test_every_shape_shows_what_was_tried(sample: Sample) -> None:
    weigh_in = replace(
        sample("one-device"), search=record(FAILED, trial("w4", Standing.FELL), kept=("w4",))
    )
    for page in (to_html(weigh_in), to_markdown(weigh_in)):
        assert "nothing can be removed" in page
        assert "why not" in page
    assert "2 files in 1 round, 1.5 of 20 min, on tuning data" in " ".join(
        to_text(weigh_in, width=200).split()
    )


def test_without_a_search_nothing_is_said_of_one(sample: Sample) -> None:
    weigh_in = sample("one-device")
    assert list(search_lines(weigh_in)) == []
    assert 'id="search"' not in to_html(weigh_in)


def test_a_name_in_a_search_is_only_text(sample: Sample) -> None:
    evil = replace(
        trial(EVIL, Standing.FELL, EVIL), devices=trial("x", Standing.FELL, EVIL).devices
    )
    weigh_in = replace(sample("one-device"), search=record(evil, kept=(EVIL,)))
    assert "<b>" not in to_html(weigh_in)
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(weigh_in))
    html = [token.content for token in tokens if token.type == "html_block"]
    assert not any("<b>" in text for text in html)
