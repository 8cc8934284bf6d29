import base64
import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from weighin.gates.measurement import Measurement
from weighin.gates.report import chart, chart_parts
from weighin.gates.report.html import to_html
from weighin.gates.report.limit_words import limit_of
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import ends_and_origin
from weighin.gates.report.summary import sentence
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
PageOf = Callable[[str], str]
VOID = {"meta", "wbr"}


@dataclass
class Node:
    name: str
    attributes: dict[str, str]
    children: list["Node | str"] = field(default_factory=list["Node | str"])

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, name: str, class_: str = "") -> Iterator["Node"]:
        for child in self.children:
            if isinstance(child, Node):
                if child.name == name and class_ in ["", *child.classes]:
                    yield child
                yield from child.all(name, class_)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()


class Tree(HTMLParser):
    """Refuses what a browser would silently repair: elements that do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Node("root", {})
        self.open = [self.root]
        self.feed(page)
        self.close()
        assert self.open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        assert len(node.attributes) == len(attrs)
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Node:
    return Tree(page).root


def numbers_of(weigh_in: WeighIn) -> set[float]:
    """Every number of the record that a page may show."""
    known: set[float] = set()
    for result in weigh_in.results:
        known.add(result.variant.size_bytes / 2**20)
        judged = [check.reading for verdict in result.verdicts for check in verdict.checks]
        for reading in (*result.readings, *judged):
            if isinstance(reading, Measurement):
                known |= {reading.value, reading.lower, reading.upper}
                known |= slice_numbers(reading)
        known |= {c.budget.at_most for verdict in result.verdicts for c in verdict.checks}
    return known


def slice_numbers(reading: Measurement) -> set[float]:
    """Drops with their ends, each slice at its share of the risk."""
    ends = (
        one.points(1 - (1 - reading.confidence) / len(reading.slices)) for one in reading.slices
    )
    return {number for end in ends for number in (end.value, end.lower, end.upper)}


def test_the_page_starts_with_the_verdict_in_words(weigh_in: WeighIn, page: str) -> None:
    tree = parse(page)
    (verdict,) = tree.all("div", "verdict")
    assert sentence(weigh_in) in verdict.text
    assert next(tree.all("title")).text.endswith("weigh-in")


def test_every_number_on_the_page_is_one_of_the_record(weigh_in: WeighIn, page: str) -> None:
    known = numbers_of(weigh_in)
    for shown in parse(page).all("data"):
        exact = float(shown.attributes["value"])
        assert exact in {float(f"{value:.6g}") for value in known}
        assert float(shown.text.replace("\u2212", "-")) == pytest.approx(exact, rel=0.006)


def test_every_check_is_on_the_page_with_value_and_interval(
    sample: Sample, page_of: PageOf
) -> None:
    weigh_in, page = sample("mixed"), page_of("mixed")
    cells = Counter(
        (data.attributes["value"], "".join(small.text for small in cell.all("small")))
        for table in parse(page).all("table", "checks")
        for cell in table.all("td")
        for data in cell.all("data")
    )
    for result in weigh_in.results:
        for verdict in result.verdicts:
            for check in verdict.checks:
                match check.reading:
                    case Measurement() as reading:
                        ends = ends_and_origin(reading, limit_of(check))
                        value = f"{reading.value:.6g}"
                        assert any(one == value and ends in text for one, text in cells)
                    case unreadable:
                        assert unreadable.reason in page


def test_each_device_has_a_tile_a_card_and_a_column(weigh_in: WeighIn, page: str) -> None:
    tree = parse(page)
    shown = len(weigh_in.devices) if weigh_in.results else 0
    assert len(list(tree.all("div", "tile"))) == shown
    assert len(list(tree.all("article", "card"))) == shown
    columns = [th for t in tree.all("table", "matrix") for th in t.all("th")]
    heads = [th for th in columns if th.attributes.get("scope") == "col" and th.text != "variant"]
    assert len(heads) == shown


def test_failures_are_shown_with_their_reasons(sample: Sample, page_of: PageOf) -> None:
    text = parse(page_of("zero-variants")).text
    assert all(failure.reason in text for failure in sample("zero-variants").failures)


def test_a_verdict_that_is_missing_is_shown_as_missing(sample: Sample) -> None:
    weigh_in = sample("one-device")
    extended = replace(weigh_in, devices=(*weigh_in.devices, "watch"))
    page = parse(to_html(extended))
    assert "watch: not weighed for this device" in page.text
    assert len(list(page.all("article", "card"))) == 2


def test_digests_of_data_and_files_stand_on_the_page_in_full(
    sample: Sample, page_of: PageOf
) -> None:
    weigh_in, text = sample("mixed"), parse(page_of("mixed")).text
    digests = [data.sha256 for data in weigh_in.data]
    digests += [result.variant.sha256 for result in weigh_in.results]
    assert all(digest in text for digest in (*digests, weigh_in.plan_digest))


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "<!-- ",
    "&lt;b&gt;",
    "\x1b[31mred\x00",
    "a\nb\u2028c\u202ed",
    "javascript:alert(1)",
    "x" * 5_000,
    "",
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: repr(attack[:24]))
def test_a_name_cannot_add_to_the_page(sample: Sample, attack: str) -> None:
    tame = sample("one-device")
    result = tame.results[0]
    variant = replace(result.variant, recipe=attack, path=attack, notes=((attack, attack),))
    evil = replace(
        tame,
        model=attack,
        source=attack,
        results=(replace(result, variant=variant), *tame.results[1:]),
    )
    before, after = (shape(parse(to_html(weigh_in))) for weigh_in in (tame, evil))
    assert after == before


def shape(node: Node) -> Counter[tuple[str, ...]]:
    """Elements with the names of their attributes; where a name may be broken does not count."""
    nodes = [node]
    found: Counter[tuple[str, ...]] = Counter()
    while nodes:
        one = nodes.pop()
        nodes += [child for child in one.children if isinstance(child, Node)]
        if one.name != "wbr":
            found[(one.name, *one.attributes)] += 1
    return found


def test_the_page_needs_nothing_and_nobody_else(page: str) -> None:
    assert not re.search(r"https?:|//\w|@import|url\(", re.sub(r"sha256-[^']+", "", page))
    tree = parse(page)
    for forbidden in ("link", "img", "iframe", "object", "use", "image", "form", "base"):
        assert not list(tree.all(forbidden))
    assert all(a.attributes["href"].startswith("#") for a in tree.all("a"))


def test_the_policy_allows_exactly_the_pages_own_style_and_script(page: str) -> None:
    tree = parse(page)
    (policy,) = (m.attributes for m in tree.all("meta") if "http-equiv" in m.attributes)
    (style,), (script,) = (list(tree.all(name)) for name in ("style", "script"))
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert script.attributes == style.attributes == {}
    hashed = {
        name: base64.b64encode(hashlib.sha256(node.text.encode()).digest()).decode()
        for name, node in (("style", style), ("script", script))
    }
    assert policy["content"] == (
        f"default-src 'none'; style-src 'sha256-{hashed['style']}'; "
        f"script-src 'sha256-{hashed['script']}'; base-uri 'none'; form-action 'none'"
    )
    assert not [node for node in every(tree) if {"style", "onclick"} & node.attributes.keys()]


def every(node: Node) -> Iterator[Node]:
    for child in node.children:
        if isinstance(child, Node):
            yield child
            yield from every(child)


def test_a_big_report_stays_light_though_every_device_has_its_pictures(page_of: PageOf) -> None:
    page = page_of("many-devices")
    assert len(page.encode()) < 2_000_000
    cards = list(parse(page).all("article", "card"))
    assert len(cards) == 30
    assert all(len(list(card.all("svg"))) == 2 for card in cards)


def test_pictures_hold_a_mark_for_each_variant_with_numbers(
    sample: Sample, page_of: PageOf
) -> None:
    weigh_in = sample("mixed")
    pictures = [svg for svg in parse(page_of("mixed")).all("svg") if list(svg.all("g", "point"))]
    marks = [
        chart.size_marks(weigh_in), *(chart.device_marks(weigh_in, d) for d in weigh_in.devices)
    ]  # fmt: skip
    assert [len(found) for found in marks] == [14, 14, 14, 7, 14]
    for svg, expected in zip(pictures, marks, strict=True):
        (points,), (numbers,) = (list(svg.all("g", name)) for name in ("point", "number"))
        symbols = list(points.all("path"))
        assert [s.attributes["data-v"] for s in symbols] == [str(m.number) for m in expected]
        colours = [s.attributes.get("fill") or points.attributes["fill"] for s in symbols]
        assert colours == [chart_parts.COLOURS[mark.outcome] for mark in expected]
        assert [t.text for t in numbers.all("text")] == [str(mark.number) for mark in expected]


def test_what_a_picture_cannot_show_is_listed_beside_it(page_of: PageOf) -> None:
    captions = [caption.text for caption in parse(page_of("mixed")).all("figcaption")]
    told = [words for words in captions if "Not shown" in words]
    assert len(told) == 1
    assert "Not shown, for want of a number: 2, 4, 6, 8, 10, 12, 14." in told[0]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_breaks_no_picture(sample: Sample, bad: float) -> None:
    weigh_in = sample("one-device")
    result = weigh_in.results[0]
    readings = tuple(
        replace(reading, value=bad) if isinstance(reading, Measurement) else reading
        for reading in result.readings
    )
    checks = tuple(replace(c, readings=readings[:1]) for c in result.verdicts[0].checks)
    verdict = replace(result.verdicts[0], checks=checks)
    broken = replace(result, readings=readings, verdicts=(verdict,))
    weigh_in = replace(weigh_in, results=(broken, *weigh_in.results[1:]))
    assert len(chart.device_marks(weigh_in, "host")) == len(weigh_in.results) - 1
    assert "the interval is not finite" in to_html(weigh_in)


def test_tables_and_pictures_are_named_for_screen_readers(page_of: PageOf) -> None:
    page = parse(page_of("mixed"))
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    for table in page.all("table"):
        assert next(table.all("caption")).text
        assert all(th.attributes["scope"] in ("col", "row") for th in table.all("th"))
    for region in page.all("div", "scroll"):
        assert region.attributes["tabindex"] == "0"
        assert region.attributes["aria-label"]
    for picture in page.all("div", "picture"):
        assert picture.attributes["role"] == "img"
        assert re.search("Accuracy drop against|of each variant", picture.attributes["aria-label"])
    identifiers = [n.attributes["id"] for name in ("section", "h2") for n in page.all(name)]
    assert len(identifiers) == len(set(identifiers))


def themes() -> dict[str, dict[str, str]]:
    style = files("weighin.gates.report").joinpath("page.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    colours = re.compile(r"--([\w-]+): (#\w{6})")
    return {"light": dict(colours.findall(light)), "dark": dict(colours.findall(dark))}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "ground", ["paper", "raised", "sunk", "pass", "fail", "undecided", "waived"]
)
def test_text_has_enough_contrast(theme: str, ground: str) -> None:
    """WCAG 2 level AA: 4.5 to 1."""
    colours = themes()[theme]
    tinted = ground not in ("paper", "raised", "sunk")
    below = luminance(colours[f"{ground}-soft" if tinted else ground])
    words = ("ink", "quiet", "link", *([ground] if tinted else []))
    for text in words:
        high, low = sorted((luminance(colours[text]), below), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, text


def test_the_dark_theme_knows_every_colour_of_the_pictures() -> None:
    style = files("weighin.gates.report").joinpath("page.css").read_text()
    of = chart_parts
    colours = (*of.COLOURS.values(), of.INK, of.QUIET, of.GRID, of.ALLOWED, of.PAPER)
    assert all(f'="{colour}"]' in style for colour in colours)


def test_markup_escapes_whatever_is_not_markup() -> None:
    shown = tag("p", "a<b", Html("<i>c</i>"), title='"<', hidden="", id=None, class_="x")
    assert shown == '<p title="&quot;&lt;" hidden class="x">a&lt;b<i>c</i></p>'
    assert join(" & ", tag("wbr")) == " &amp; <wbr>"
