"""The page in a real browser: what it looks like, what it does, and what nobody can make it do."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

Show = Callable[..., "Page"]
WIDTHS = (320, 390, 768, 1280)
ROOT = Path(__file__).parents[4]
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
IMAGES = ROOT / "docs" / "images"

OPEN_ALL = "open => document.querySelectorAll('details').forEach(d => { d.open = open })"
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const frames = '.scroll, .toolbar nav, .tip, .skip';
  const out = [...document.querySelectorAll('main *')]
    .filter(e => !e.closest(frames) || e.matches('.scroll, .toolbar nav'))
    .filter(e => e.getBoundingClientRect().right > width + 0.5)
    .map(e => `${e.tagName}.${e.getAttribute('class')}`);
  const scrolls = document.documentElement.scrollWidth > width;
  return scrolls ? [...out, 'the page'] : out;
}"""
RUN_AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] });
  return violations.flatMap(v => v.nodes.map(node => `${v.id}: ${node.html.slice(0, 160)}`));
}"""


@pytest.mark.parametrize(
    "name", ["mixed", "none-passed", "zero-variants", "evil", "closer", "untrusted"]
)
def test_nothing_sticks_out_at_any_width(show: Show, name: str) -> None:
    page = show(name)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        for is_open in (False, True):
            page.evaluate(OPEN_ALL, is_open)
            assert page.evaluate(STICKING_OUT) == [], (width, is_open)


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("mixed", 1280, "light"),
        ("mixed", 1280, "dark"),
        ("closer", 390, "light"),
        ("none-passed", 390, "dark"),
        ("zero-variants", 1280, "light"),
        ("evil", 390, "dark"),
        ("untrusted", 1280, "light"),
    ],
)
def test_axe_finds_nothing_to_object_to(show: Show, name: str, width: int, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core: npm ci in tests/node")
    page = show(name, width=width, color_scheme=scheme)
    page.evaluate(OPEN_ALL, name != "mixed")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(RUN_AXE) == []


def test_pictures_have_marks_intervals_and_budget_lines(show: Show) -> None:
    page = show("mixed")
    counted: list[dict[str, int]] = page.evaluate(
        """() => [...document.querySelectorAll('#device-1 svg')].map(svg => Object.fromEntries(
          ['point', 'interval', 'budget', 'number', 'box', 'whisker', 'mediantick', 'hightick',
           'toptick', 'bar', 'dot'].map(layer =>
            [layer, svg.querySelectorAll(`.${layer} > path, .${layer} > text`).length])))"""
    )
    pareto, runs, costs = counted
    assert (pareto["point"], pareto["number"], pareto["interval"], pareto["budget"]) == (
        14, 14, 28, 2,
    )  # fmt: skip
    ticks = {runs["mediantick"], runs["hightick"], runs["toptick"]}
    assert (ticks, runs["box"], runs["whisker"], runs["budget"]) == ({14}, 14, 14, 1)
    assert (costs["bar"] + costs["dot"], costs["interval"], costs["budget"]) == (28, 28, 1)
    assert page.locator("#history svg .point > path").count() == 24
    assert page.locator("#history svg .line > path").count() == 12


def rows_of(page: "Page", table: str) -> list[str]:
    """The variants' numbers from top to bottom, of a table on the screen or not."""
    numbers: list[str] = page.locator(f"{table} tbody tr .row-number").all_text_contents()
    return numbers


def test_a_click_sorts_up_then_down_then_back(show: Show) -> None:
    page = show("mixed")
    page.evaluate(OPEN_ALL, True)
    table = "#device-1 table.checks"
    head = page.locator(f"{table} thead th", has_text="latency p90")
    before = rows_of(page, table)
    column = int(head.evaluate("th => th.cellIndex"))
    exact = f"rows => rows.map(r => Number(r.cells[{column}].querySelector('data').value))"
    for direction, order in (("ascending", 1), ("descending", -1)):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        values: list[float] = page.locator(f"{table} tbody tr").evaluate_all(exact)
        assert [order * value for value in values] == sorted(order * value for value in values)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "none"
    assert rows_of(page, table) == before


def test_outcomes_and_origins_sort_by_severity_and_by_keyboard(show: Show) -> None:
    page = show("mixed")
    page.evaluate(OPEN_ALL, True)
    table = "#matrix table"
    head = page.locator(f"{table} thead th", has_text="galaxy-a51")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    column = head.evaluate("th => th.cellIndex")
    classes: list[str] = page.locator(f"{table} tbody tr").evaluate_all(
        f"rows => rows.map(r => r.cells[{column}].className)"
    )
    ranks = [("pass", "waived", "fail", "undecided").index(one) for one in classes]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 1
    assert page.locator(f"{table} thead th[aria-sort=ascending]").count() == 1


def test_the_filter_keeps_what_its_words_name(show: Show) -> None:
    page = show("mixed")
    page.get_by_label("Filter").fill("pixel distill50")
    assert page.locator(".tiles > li:visible h3").all_inner_texts() == ["pixel-3a", "pixel-8-pro"]
    assert page.locator("#matrix thead th:visible").count() == 3
    assert rows_of(page, "#matrix table")[0:1] == ["1"]
    assert page.locator("#matrix tbody tr:visible .label").all_inner_texts() == [
        "distill50.tflite", "distill50.onnx",
    ]  # fmt: skip
    assert page.get_by_role("status").inner_text() == "2 of 4 devices, 2 of 14 variants"
    page.get_by_label("Filter").fill("nokia")
    assert page.locator(".tiles > li:visible").count() == 0
    page.get_by_label("Filter").fill("")
    assert page.locator(".tiles > li:visible").count() == 4


def test_pointing_at_a_mark_tells_it_and_lights_its_rows(show: Show) -> None:
    page = show("mixed")
    mark = page.locator("#device-1 .point .m[data-v='7']")
    mark.hover(force=True)
    tip = page.locator(".tip")
    assert "7 int8.tflite" in tip.inner_text()
    assert "1.51 to 1.6" in tip.inner_text()
    lit: list[str] = page.locator(".on").evaluate_all("all => all.map(e => e.dataset.v)")
    assert set(lit) == {"7"}
    assert page.locator("#matrix tr.on").count() == 1
    page.locator("h1").hover()
    assert not tip.is_visible()
    assert page.locator(".on").count() == 0


def test_a_picture_is_one_stop_of_the_keyboard_and_arrows_go_through_its_marks(show: Show) -> None:
    page = show("mixed")
    picture = page.locator("#device-1 .picture").first
    assert picture.locator("[tabindex='0']").count() == 1
    picture.locator("[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    focused = "() => document.activeElement.getAttribute('aria-label')"
    assert str(page.evaluate(focused)).startswith("2 float32.onnx PASS, latency p90")
    assert page.locator(".tip").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert str(page.evaluate(focused)).startswith("14 ")


def test_the_first_stop_of_the_keyboard_skips_to_the_verdict(show: Show) -> None:
    page = show("mixed")
    page.keyboard.press("Tab")
    assert page.locator(".skip").evaluate("e => e.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    assert page.url.endswith("#verdict")


def test_without_scripts_all_is_there(show: Show) -> None:
    page = show("mixed", java_script_enabled=False)
    assert page.locator("#device-1 svg").count() == 3
    assert page.locator(".filter, .sort, .tip").count() == 0
    page.locator("#device-1 summary").first.click()
    assert page.locator("#device-1 table.checks").is_visible()


def test_on_paper_every_detail_is_open(show: Show) -> None:
    page = show("closer")
    page.emulate_media(media="print")
    hidden = """() => [...document.querySelectorAll('details > :not(summary)')]
      .filter(e => e.getBoundingClientRect().height < 5).length"""
    assert page.locator("details").count() > 5
    assert page.evaluate(hidden) == 0
    assert page.locator(".toolbar:visible, .tip:visible").count() == 0
    pages = page.pdf(format="A4").count(b"/Type /Page\n")
    assert pages >= 4


def test_names_that_are_scripts_do_not_run(show: Show) -> None:
    page = show("evil")
    assert "weigh-in" in page.title()
    assert page.locator("script").count() == 1
    assert page.locator("img, [onerror], a[href^='javascript']").count() == 0


ATTEMPTS = {
    "handler": "<img src=x onerror='document.title = `owned`'>",
    "script": "<script>document.title = 'owned'</script>",
    "frame": "<iframe srcdoc='<script>parent.document.title = `owned`</script>'></iframe>",
    "style": "<style>main { display: none }</style>",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_policy_stops_what_escaping_would_have_let_through(show: Show, attempt: str) -> None:
    """If a name ever became markup, the browser would still refuse to obey it."""
    page = show("untrusted")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        """markup => {
          const inside = document.createRange().createContextualFragment(markup);
          document.querySelector('main').append(inside);
        }""",
        ATTEMPTS[attempt],
    )
    page.wait_for_timeout(60)
    assert "owned" not in page.title()
    assert page.locator("main").is_visible()
    assert [url for url in asked if not url.startswith(("file:", "about:"))] == []


def test_a_reader_who_wants_no_motion_gets_none(show: Show) -> None:
    page = show("untrusted", reduced_motion="reduce")
    style: Any = page.locator(".m").first.evaluate("e => getComputedStyle(e).transitionDuration")
    assert style == "0s"


SHOTS: dict[str, dict[str, Any]] = {
    "review-page-desktop.png": {"width": 1280, "color_scheme": "light", "at": "header"},
    "review-page-pictures.png": {"width": 1280, "color_scheme": "light", "at": "#device-1"},
    "review-page-dark.png": {"width": 1280, "color_scheme": "dark", "at": "#matrix"},
    "review-page-chain.png": {"width": 1280, "color_scheme": "light", "at": "#chain"},
    "review-page-phone.png": {"width": 390, "color_scheme": "light", "at": "header"},
}


@pytest.mark.parametrize("shot", SHOTS)
def test_screenshots_for_the_guide(show: Show, shot: str, tmp_path: Path) -> None:
    """``WEIGHIN_UPDATE_IMAGES=1`` keeps them."""
    place = IMAGES if os.environ.get("WEIGHIN_UPDATE_IMAGES") == "1" else tmp_path
    window = dict(SHOTS[shot])
    at = window.pop("at")
    page = show("mixed", **window)
    page.locator(at).evaluate("e => e.scrollIntoView()")
    page.wait_for_timeout(150)
    taken = page.screenshot(path=place / shot)
    assert 20_000 < len(taken) < 400_000  # not empty, and fit for a document
