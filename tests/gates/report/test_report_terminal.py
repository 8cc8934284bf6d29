import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from weighin.gates.report import terminal
from weighin.gates.report.context import Context
from weighin.gates.report.summary import sentence
from weighin.gates.report.words import plain
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]


@pytest.mark.parametrize(
    "name",
    ["mixed", "none-passed", "zero-variants", "one-device", "evil", "closer", "stepwise"],
)
def test_terminal_text_is_the_golden_one(
    sample: Sample, golden: Callable[[str, str], None], name: str
) -> None:
    golden(f"{name}.txt", terminal.to_text(sample(name)))


@pytest.mark.parametrize(
    "name",
    [
        "since-release",
        "waived",
        "waived-only",
        "untrusted",
        "loosened",
        "evil-review",
        "big-review",
    ],
)
def test_terminal_text_of_a_review_is_the_golden_one(
    review: Review, golden: Callable[[str, str], None], name: str
) -> None:
    weigh_in, context = review(name)
    golden(f"{name}.txt", terminal.to_text(weigh_in, context=context))


@pytest.mark.parametrize("width", [60, 80])
def test_no_line_of_a_review_is_wider_than_the_window(
    reviewed: tuple[WeighIn, Context], width: int
) -> None:
    weigh_in, context = reviewed
    lines = terminal.to_text(weigh_in, context=context, width=width).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 132, 200])
def test_no_line_is_wider_than_the_window(weigh_in: WeighIn, width: int) -> None:
    lines = terminal.to_text(weigh_in, width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_the_verdict_comes_first(weigh_in: WeighIn) -> None:
    text = " ".join(terminal.to_text(weigh_in).split())
    assert sentence(weigh_in) in text[: len(sentence(weigh_in)) + 2]


def test_many_devices_have_a_sign_each_and_figures_where_it_matters(sample: Sample) -> None:
    weigh_in = sample("many-devices")
    text = terminal.to_text(weigh_in)
    assert all(plain(device) in text for device in weigh_in.devices)
    signs = next(line for line in text.splitlines() if line.startswith("float32.onnx"))
    assert re.sub(r"[^✓✗?]", "", signs) == "".join(
        {"PASS": "✓", "FAIL": "✗", "UNDECIDED": "?"}[verdict.outcome]
        for verdict in weigh_in.results[1].verdicts
    )
    assert "phone-25-go phone-26-go phone-27-go\n" in text
    assert len(text.splitlines()) < 150


def test_untrusted_numbers_pass_nowhere(review: Review) -> None:
    weigh_in, context = review("untrusted")
    text = terminal.to_text(weigh_in, context=context)
    assert text.startswith("! NOT TO BE TRUSTED\n? digits-cnn v3 is undecided")
    assert "✓" not in text


def test_waivers_come_before_what_they_open(review: Review) -> None:
    weigh_in, context = review("waived")
    text = terminal.to_text(weigh_in, context=context)
    assert text.index("\nWAIVED\n") < text.index("! galaxy-a51   only by waiver:")
    assert "! would not pass, WAIVED by a person" in text


def test_what_goes_to_no_terminal_has_no_trailing_blanks(sample: Sample) -> None:
    text = shown_on(sample("mixed"), a_terminal=False, environment={})
    assert text == terminal.to_text(sample("mixed"))


def test_a_name_can_send_no_escape_sequence_and_no_markup(sample: Sample) -> None:
    weigh_in = replace(sample("evil"), model="[bold red]x[/] \x1b]8;;http://e\x07 \x9b2J")
    text = terminal.to_text(weigh_in)
    assert not any(char in text for char in "\x1b\x07\x9b\r\u202e")
    assert "[bold red]x[/]" in text


def shown_on(weigh_in: WeighIn, *, a_terminal: bool, environment: dict[str, str]) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=a_terminal, _environ=environment)
    terminal.print_report(weigh_in, console)
    return stream.getvalue()


def test_colours_only_on_a_terminal_that_wants_them(sample: Sample) -> None:
    weigh_in, colours = sample("mixed"), {"TERM": "xterm-256color"}
    green = "\x1b[32m"
    assert green in shown_on(weigh_in, a_terminal=True, environment=colours)
    no_colour = colours | {"NO_COLOR": "1"}
    assert green not in shown_on(weigh_in, a_terminal=True, environment=no_colour)
    assert "\x1b" not in shown_on(weigh_in, a_terminal=False, environment=colours)


def test_a_terminal_without_unicode_still_tells_fail_from_undecided(sample: Sample) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.print_report(sample("mixed"), Console(file=stream, width=80, _environ={}))
    stream.flush()
    text = raw.getvalue().decode("ascii")
    assert "+ pass, with its latency  x fail, ? undecided" in text
    assert text.splitlines()[0].startswith("+ digits-cnn v3 may ship on 3 of 4 devices")
    assert "x 78 ms*" in text
