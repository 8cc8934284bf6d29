"""A command is what a reader sees as a line of its own; everything else in a comment is talk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.metric import Metric
from weighin.plugin.waiver_command import (
    MOST_REASON,
    RefusedAsk,
    WaiverAsk,
    parse_waiver_command,
)

SIZE = WaiverAsk(metric=Metric.SIZE_MIB, device=None, reason="fits all the same")


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        pytest.param("weighin: waive size_mib fits all the same", [SIZE], id="alone"),
        pytest.param("Hello\nweighin: waive size_mib fits all the same", [SIZE], id="in a comment"),
        pytest.param("weighin:waive size_mib fits all the same", [SIZE], id="without a blank"),
        pytest.param("a\r\nweighin: waive size_mib fits all the same\r\n", [SIZE], id="CRLF"),
        pytest.param("Weighin: Waive Size_MiB fits all the same", [SIZE], id="in capitals"),
        pytest.param("weighin: waive `size_mib` fits **all** the same", [SIZE], id="marked up"),
        pytest.param("weighin: waive size_mib: fits all the same", [SIZE], id="with a colon"),
        pytest.param(
            "weighin: waive latency_p90_ms on pixel-4 slow camera",
            [WaiverAsk(metric=Metric.LATENCY_P90_MS, device="pixel-4", reason="slow camera")],
            id="on a device",
        ),
        pytest.param(
            "weighin: waive size_mib fits all the same\nweighin: waive energy_mj on host mains",
            [SIZE, WaiverAsk(metric=Metric.ENERGY_MJ, device="host", reason="mains")],
            id="several",
        ),
        pytest.param(
            "weighin: waive size_mib \u202edlo\x07 reason\u200b",
            [WaiverAsk(metric=Metric.SIZE_MIB, device=None, reason="\ufffddlo\ufffd reason\ufffd")],
            id="control and direction characters are made plain",
        ),
        pytest.param(
            "weighin: waive size_mib <script>alert(1)</script> | `x`",
            [
                WaiverAsk(
                    metric=Metric.SIZE_MIB, device=None, reason="<script>alert(1)</script> | x"
                )
            ],
            id="markup is text, for renderers to escape",
        ),
    ],
)
def test_a_command_is_read(body: str, asks: list[WaiverAsk]) -> None:
    assert list(parse_waiver_command(body)) == asks


LINE = "weighin: waive size_mib because"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("You can write `weighin: waive size_mib because`", id="within a sentence"),
        pytest.param(f"please {LINE}", id="not at the start of its line"),
        pytest.param(f"    {LINE}", id="an indented code block"),
        pytest.param(f"```\n{LINE}\n```", id="a fenced code block"),
        pytest.param(f"~~~~text\n{LINE}\n~~~\n{LINE}\n~~~~", id="a longer fence"),
        pytest.param(f"```\n{LINE}", id="a fence that never ends"),
        pytest.param(f"`\n{LINE}\n`", id="a code span over lines"),
        pytest.param(f"> {LINE}", id="a quote"),
        pytest.param(f"> > x\n> > {LINE}", id="a quote in a quote"),
        pytest.param(f"> she wrote\n{LINE}", id="a quote that goes on lazily"),
        pytest.param(f"- {LINE}", id="a list"),
        pytest.param(f"1. x\n\n   {LINE}", id="a paragraph in a list"),
        pytest.param(f"# {LINE}", id="a heading"),
        pytest.param(f"{LINE}\n===", id="a heading by underline"),
        pytest.param(f"| a |\n| - |\n| {LINE} |", id="a table"),
        pytest.param(f"{LINE} | b\n--- | ---\n1 | 2", id="the head of a table"),
        pytest.param(f"<!--\n{LINE}\n-->", id="hidden"),
        pytest.param(f"x <!--\n{LINE}\n--> y", id="hidden within a paragraph"),
        pytest.param(f"<pre>\n{LINE}\n</pre>", id="preformatted"),
        pytest.param(f"~~{LINE}~~", id="struck out"),
        pytest.param(f"![{LINE}](x.png)", id="the text of a picture"),
        pytest.param(f"\u200b{LINE}", id="behind an invisible character"),
        pytest.param("weighin: waiver size_mib because", id="another word"),
        pytest.param("weighin : waive size_mib because", id="another spelling"),
        pytest.param("w\u0435ighin: waive size_mib because", id="a Cyrillic letter"),
    ],
)
def test_talk_about_a_command_is_no_command(body: str) -> None:
    assert parse_waiver_command(body) == ()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("weighin: waive", "it names no metric; there are accuracy", id="nothing"),
        pytest.param("weighin: waive nope why not", "no metric 'nope'; there are", id="no metric"),
        pytest.param("weighin: waive \u202esize_mib x", "no metric", id="a metric that is drawn"),
        pytest.param("weighin: waive size_mib", "gives no reason", id="no reason"),
        pytest.param("weighin: waive size_mib on host", "gives no reason", id="only a device"),
        pytest.param("weighin: waive size_mib on", "names no device", id="no device"),
        pytest.param("weighin: waive size_mib ... !", "gives no reason", id="only dots"),
        pytest.param("weighin: waive size_mib \u200b\u202e", "gives no reason", id="invisible"),
        pytest.param(f"weighin: waive size_mib {'x' * 301}", "301 characters; 300", id="too long"),
        pytest.param("weighin: waive x y\n" * 51, "51 commands in one comment", id="too many"),
        pytest.param(f"{LINE} {'x' * 4_000}", "goes into one of its own", id="a long comment"),
    ],
)
def test_a_command_that_cannot_be_obeyed_says_why(body: str, why: str) -> None:
    [ask] = parse_waiver_command(body)
    assert isinstance(ask, RefusedAsk)
    assert why in ask.why
    assert len(ask.said) <= 80


def test_a_reason_of_exactly_the_longest_length_fits() -> None:
    [ask] = parse_waiver_command(f"weighin: waive size_mib {'x' * MOST_REASON}")
    assert isinstance(ask, WaiverAsk)


@given(body=st.text() | st.text("weighin: vsz_mb\n>`#-~<!*_[]()|\t\r", max_size=80))
def test_law_whatever_is_written_is_read_without_harm(body: str) -> None:
    for ask in parse_waiver_command(f"{body}\n{LINE}\n{body}"):
        shown = ask.said + ask.why if isinstance(ask, RefusedAsk) else ask.reason
        assert "\n" not in shown
        assert "\x1b" not in shown


@given(
    metric=st.sampled_from(Metric),
    device=st.none() | st.from_regex(r"\A[a-z][a-z0-9-]{0,20}\Z"),
    reason=st.from_regex(r"\A[a-z][a-z ]{0,200}[a-z]\Z").filter(
        lambda text: text.split()[0] != "on"
    ),
)
def test_law_a_plain_command_means_what_it_says(
    metric: Metric, device: str | None, reason: str
) -> None:
    where = "" if device is None else f" on {device}"
    said = WaiverAsk(metric=metric, device=device, reason=" ".join(reason.split()))
    assert parse_waiver_command(f"weighin: waive {metric}{where} {reason}") == (said,)
