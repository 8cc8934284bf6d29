import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from weighin.gates.report import terminal
from weighin.gates.report.summary import sentence
from weighin.gates.report.words import plain
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]


@pytest.mark.parametrize(
    "name",
    ["mixed", "none-passed", "zero-variants", "one-device", "evil", "closer", "stepwise"],
)
def test_terminal_text_is_the_golden_one(
    sample: Sample, golden: Callable[[str, str], None], name: str
) -> None:
    golden(f"{name}.txt", terminal.to_text(sample(name)))


@pytest.mark.parametrize("width", [60, 80, 132, 200])
def test_no_line_is_wider_than_the_window(weigh_in: WeighIn, width: int) -> None:
    lines = terminal.to_text(weigh_in, width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_the_verdict_comes_first(weigh_in: WeighIn) -> None:
    text = " ".join(terminal.to_text(weigh_in).split())
    assert sentence(weigh_in) in text[: len(sentence(weigh_in)) + 2]


def test_many_devices_get_more_tables_and_none_is_lost(sample: Sample) -> None:
    weigh_in = sample("many-devices")
    text = terminal.to_text(weigh_in)
    assert text.count("float32.tflite") > 5
    assert all(plain(device) in text for device in weigh_in.devices)


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
