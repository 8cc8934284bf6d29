import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from weighin.gates.report.context import Context
from weighin.gates.report.markdown import COMMENT_LENGTH, marker, summary_table, to_markdown
from weighin.gates.report.markdown_parts import Part, code, fitting, link
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]
OURS = re.compile(r"</?(details|summary|sub)>|<br>|<!-- weighin:[0-9a-f]{16} -->|\s")

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


@pytest.mark.parametrize(
    "name", ["since-release", "waived", "waived-only", "untrusted", "loosened", "evil-review"]
)
def test_the_comment_of_a_review_is_the_golden_one(
    review: Review, golden: Callable[[str, str], None], name: str
) -> None:
    weigh_in, context = review(name)
    golden(f"{name}.md", to_markdown(weigh_in, context=context))


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


def test_nothing_but_our_own_markup_is_in_a_comment(
    reviewed: tuple[WeighIn, Context],
) -> None:
    weigh_in, context = reviewed
    tokens = parse(to_markdown(weigh_in, context=context))
    markup_found = [t.content for t in (*tokens, *inline(tokens)) if t.type.startswith("html")]
    rest = [OURS.sub("", OURS.sub("", html)) for html in markup_found]
    titles = ("Every variant", "Budgets", "Data and files", "Users served", "How the recipes")
    assert all(not re.search(r"[<>&]", text) for text in rest), rest
    assert any(title in " ".join(markup_found) for title in titles)


def test_nobody_is_mentioned_and_nothing_is_linked_but_checked_addresses(
    reviewed: tuple[WeighIn, Context],
) -> None:
    weigh_in, context = reviewed
    found = inline(parse(to_markdown(weigh_in, context=context)))
    outside = [token.content for token in found if token.type == "text"]
    assert not [text for text in outside if re.search(r"@\w|#\d|www\.|://", text)]
    addresses = {str(t.attrs["href"]) for t in found if t.type == "link_open"}
    known = {context.report_url, *(waiver.url for waiver in context.waivers)}
    assert addresses <= known
    assert not any(" " in address or "<" in address for address in addresses)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://example.org/) [x](https://evil.example",
        "https://example.org/<script>",
        "https://example.org/\n# heading",
        "https://example.org/`|",
        "ftp://example.org/",
        "",
    ],
)
def test_an_address_that_could_be_more_is_shown_and_not_linked(address: str) -> None:
    assert "link_open" not in {token.type for token in inline(parse(link("page", address)))}


def test_untrusted_numbers_pass_nowhere_and_the_first_line_says_so(review: Review) -> None:
    weigh_in, context = review("untrusted")
    assert weigh_in.may_ship
    text = to_markdown(weigh_in, context=context)
    assert text.splitlines()[2:4] == [
        "> [!CAUTION]",
        "> **NOT TO BE TRUSTED.** Nothing below was shown to be true, so nothing is passed.",
    ]
    assert "### ❔ `digits-cnn v3` is undecided: `no trusted key signed it" in text
    assert not set(text) & {"✅", "✓"}
    assert "claims PASS" in text


def test_what_ships_only_by_waiver_is_red_and_says_who(review: Review) -> None:
    weigh_in, context = review("waived-only")
    text = to_markdown(weigh_in, context=context)
    assert "### 🔴 `digits-cnn v3` may ship only by waiver, on `host`:" in text
    assert "| 🔴 | `host` | `prune50+distill+int8.tflite` **only by waiver**" in text
    assert "| 🔴 **WAIVED** | latency p90 | `host` | `@ada` ([comment](https://github.com/" in text
    assert "✅" not in text


def test_an_expired_waiver_waives_nothing(review: Review) -> None:
    weigh_in, context = review("waived-only")
    late = replace(context, now=weigh_in.finished_at + timedelta(days=15))
    text = to_markdown(weigh_in, context=late)
    assert "### ❔ `digits-cnn v3` may not ship" in text
    assert "void, expired 2026-12-06" in text
    assert "🔴" not in text


@pytest.mark.parametrize(
    "field", [{"model": "other"}, {"version": "4"}, {"plan_digest": "f" * 64}], ids=str
)
def test_a_waiver_of_something_else_is_not_shown(review: Review, field: dict[str, str]) -> None:
    weigh_in, context = review("waived-only")
    foreign = tuple(replace(waiver, **field) for waiver in context.waivers)  # type: ignore[arg-type]
    text = to_markdown(weigh_in, context=replace(context, waivers=foreign))
    assert text == to_markdown(weigh_in, context=replace(context, waivers=()))


def test_untrusted_beats_a_waiver(review: Review) -> None:
    weigh_in, context = review("waived-only")
    text = to_markdown(weigh_in, context=replace(context, untrusted="a fork"))
    assert "only by waiver" not in text
    assert "🔴 `digits" not in text


def test_loosened_settings_come_before_what_they_would_let_through(review: Review) -> None:
    weigh_in, context = review("loosened")
    text = to_markdown(weigh_in, context=context)
    assert "**This pull request loosens 2 settings that it is judged by.**" in text
    assert text.index("🔴 **looser**") < text.index("not looser") < text.index("| ✅ |")


def test_evidence_that_nobody_may_rely_on_is_told_at_the_top(review: Review) -> None:
    weigh_in, context = review("since-release")
    text = to_markdown(weigh_in, context=context)
    said = "⚠️ **Evidence**: 4 of 56 statements cannot be relied on: 4 signed by no trusted key."
    assert said in text.split("| --- |")[0]
    late = replace(context, now=weigh_in.finished_at + timedelta(days=40))
    said = "56 of 56 statements cannot be relied on: 4 signed by no trusted key, 52 expired."
    assert said in to_markdown(weigh_in, context=late)
    good = tuple(replace(one, keyid="ab") for one in context.signatures)
    assert "⚠️" not in to_markdown(weigh_in, context=replace(context, signatures=good))


@pytest.mark.parametrize("name", ["שלום v3", "مرحبا 123", "٣"])
def test_a_name_from_right_to_left_turns_round_nothing_beside_it(name: str) -> None:
    assert code(name) == f"\u2068`{name}`\u2069"
    assert code("int8.tflite") == "`int8.tflite`"


def test_settings_made_stricter_are_folded(review: Review) -> None:
    weigh_in, context = review("loosened")
    strict = tuple(change for change in context.changes if not change.looser)
    text = to_markdown(weigh_in, context=replace(context, changes=strict))
    assert "<summary>1 setting of the plan changed, none made looser</summary>" in text
    assert "🔴" not in text


def test_thirty_devices_and_twenty_variants_fit_and_what_needs_a_look_is_first(
    review: Review,
) -> None:
    weigh_in, context = review("big-review")
    text = to_markdown(weigh_in, context=context)
    assert len(text) <= COMMENT_LENGTH
    rows = [line for line in text.splitlines() if re.match(r"\| (✅|❌|❔|🔴) \| `", line)]
    assert [row[2] for row in rows[:6]] == ["❌", "❔", "❔", "❔", "❔", "✅"]
    assert len(rows) == 30
    assert all(code(device) in text for device in weigh_in.devices)
    assert all(code(result.variant.label) in text for result in weigh_in.results)
    assert text.endswith("[The whole report](https://reports.example.org/digits-cnn/3/)\n")


@given(st.lists(st.tuples(st.text("ab\n", max_size=40), st.integers(0, 3)), max_size=6))
def test_parts_fit_or_are_cut(texts: list[tuple[str, int]]) -> None:
    parts = [Part(forms=(text, text[:5], ""), gives=gives) for text, gives in texts]
    for longest in (10, 40, 400):
        assert len(fitting([*parts, Part(forms=("the end",))], longest, "short")) <= longest


def test_the_part_that_gives_first_gets_shorter_first() -> None:
    parts = [
        Part(forms=("a" * 50,)),
        Part(forms=("b" * 50, "b"), gives=2),
        Part(forms=("c" * 50, "c"), gives=1),
        Part(forms=("end",)),
    ]
    assert fitting(parts, 130, "note") == f"{'a' * 50}\n\nb\n\n{'c' * 50}\n\nnote\n\nend\n"
