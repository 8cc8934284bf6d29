import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from weighin.gates.report.markdown import marker, summary_table, to_markdown
from weighin.gates.report.markdown_parts import code
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]

ATTACKS = [
    "<script>alert(1)</script>",
    "a|b|c",
    "a\\|b",
    "`ticks` ``and`` more```",
    "two\nlines\n\n# heading",
    "</details>",
    "@everyone #1 www.example.org https://example.org",
    "[link](javascript:alert(1)) ![x](y)",
    "\x1b[31mred",
    "~~~~",
    "-->",
    "",
]


@pytest.mark.parametrize(
    "name",
    ["mixed", "none-passed", "zero-variants", "one-device", "evil", "closer", "stepwise"],
)
def test_markdown_is_the_golden_one(
    sample: Sample, golden: Callable[[str, str], None], name: str
) -> None:
    golden(f"{name}.md", to_markdown(sample(name)))


def parse(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(markdown)


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or []]


def markup(tokens: list[Token]) -> list[str]:
    found = [t.content for t in (*tokens, *inline(tokens)) if t.type.startswith("html")]
    return [re.sub(r"weighin:[0-9a-f]{16}", "", html) for html in found]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_name_cannot_leave_its_code_span(sample: Sample, attack: str) -> None:
    weigh_in = sample("one-device")
    result = weigh_in.results[0]
    evil = replace(result, variant=replace(result.variant, recipe=attack, path=attack))
    named = replace(weigh_in, model=attack, source=attack, results=(evil, *weigh_in.results[1:]))
    tame, tokens = parse(to_markdown(weigh_in)), parse(to_markdown(named))
    assert [t.type for t in tokens] == [t.type for t in tame]
    assert markup(tokens) == markup(tame)
    assert not {t.type for t in inline(tokens)} & {"link_open", "image"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_is_one_span(attack: str) -> None:
    (span,) = inline(parse(code(attack)))
    assert span.type == "code_inline"


def test_every_row_has_as_many_cells_as_its_head(weigh_in: WeighIn) -> None:
    tokens = parse(to_markdown(weigh_in))
    head = cells = 0
    for token in tokens:
        head = 0 if token.type == "thead_open" else head + (token.type == "th_open")
        cells = 0 if token.type == "tr_open" else cells + (token.type == "td_open")
        if token.type == "tr_close" and cells:
            assert cells == head


def test_every_device_and_variant_is_named(sample: Sample) -> None:
    weigh_in = sample("many-devices")
    text = to_markdown(weigh_in)
    assert all(code(device) in text for device in weigh_in.devices)
    assert all(code(result.variant.label) in text for result in weigh_in.results)


def test_a_comment_that_would_be_too_long_drops_details_and_says_so(sample: Sample) -> None:
    weigh_in = sample("many-devices")
    text = to_markdown(weigh_in, longest=20_000)
    assert len(text) <= 20_000
    assert "Details were left out" in text
    assert all(code(device) in text for device in weigh_in.devices)
    assert len(to_markdown(weigh_in, longest=500)) <= 500


def test_the_marker_is_the_same_for_a_model_and_differs_between_models(sample: Sample) -> None:
    weigh_in = sample("mixed")
    assert to_markdown(weigh_in).startswith(marker("digits-cnn"))
    assert to_markdown(replace(weigh_in, version="4")).startswith(marker("digits-cnn"))
    assert marker("digits-cnn") != marker("digits-cnn2")


def test_the_summary_is_short_and_starts_with_the_verdict(sample: Sample) -> None:
    text = summary_table(sample("mixed"))
    assert text.startswith("✅ `digits-cnn v3` may ship on 3 of 4 devices")
    assert len(text) < 2_000


def test_a_summary_of_too_many_devices_is_its_verdict(sample: Sample) -> None:
    weigh_in = sample("many-devices")
    assert len(summary_table(weigh_in)) <= 5_000
    text = summary_table(weigh_in, longest=1_000)
    assert len(text) <= 1_000
    assert "30 devices: too many for this place" in text
