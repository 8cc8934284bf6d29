import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from weighin.gates.report.brief import to_brief
from weighin.gates.report.context import Context
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]


@pytest.mark.parametrize(
    "name", ["since-release", "waived", "untrusted", "loosened", "evil-review", "big-review"]
)
def test_the_brief_is_the_golden_one(
    review: Review, golden: Callable[[str, str], None], name: str
) -> None:
    weigh_in, context = review(name)
    golden(f"{name}.brief.md", to_brief(weigh_in, context=context))


def test_it_is_a_dozen_lines_that_every_chat_reads_alike(
    reviewed: tuple[WeighIn, Context],
) -> None:
    weigh_in, context = reviewed
    text = to_brief(weigh_in, context=context)
    first, blank, *lines = text.splitlines()
    assert len([first, *lines]) <= 12
    assert blank == ""
    assert len({first, *(line.removeprefix("- ") for line in lines)}) == 1 + len(lines)
    assert all(line.startswith("- ") for line in lines)
    assert max(map(len, lines)) <= 302
    outside = re.sub(r"`[^`]*`", "", text)
    assert not re.search(r"[<>*_|#\[\]]", outside.replace("://", ""))
    assert text.count("`") % 2 == 0


def test_a_name_pings_nobody(review: Review) -> None:
    weigh_in, context = review("evil-review")
    evil = replace(weigh_in, model="<!channel> @here <@U123> &lt;!here&gt;")
    text = to_brief(evil, context=context)
    assert not re.search(r"[<>@]", text)


def test_the_verdict_comes_first_and_the_address_last(review: Review) -> None:
    weigh_in, context = review("since-release")
    first, *_, last = to_brief(weigh_in, context=context).splitlines()
    assert first.startswith("✅ `digits-cnn v3` may ship on 3 of 4 devices")
    assert last == "- Report: https://reports.example.org/digits-cnn/3/"


def test_of_many_devices_those_that_get_nothing_are_named(review: Review) -> None:
    weigh_in, context = review("big-review")
    text = to_brief(weigh_in, context=context)
    assert text.index("❌ `phone-28-ultra`") < text.index("✅ `phone-00-ultra`")
    assert "and 24 more devices" in text


def test_untrusted_numbers_are_not_even_shown(review: Review) -> None:
    weigh_in, context = review("untrusted")
    text = to_brief(weigh_in, context=context)
    assert "✅" not in text
    assert " ms" not in text


@pytest.mark.parametrize(
    "address",
    [
        "https://e.example/a b",
        "https://e.example/<x>",
        "javascript:alert(1)",
        "https://e.example/`",
    ],
)
def test_an_address_that_is_none_is_a_name(sample: Sample, address: str) -> None:
    text = to_brief(sample("one-device"), context=Context(report_url=address))
    assert re.search(r"\n- Report: `[^`\n]*`\n$", text)
