"""The pull request's comment, rendered as GitHub does: GFM, Mermaid, nothing that runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from weighin.gates.report.context import Context
from weighin.gates.report.markdown import to_markdown
from weighin.gates.weigh_in import WeighIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Review = Callable[[str], tuple[WeighIn, Context]]

ROOT = Path(__file__).parents[4]
IMAGES = ROOT / "docs" / "images"
MERMAID = ROOT / "tests/node/node_modules/mermaid/dist/mermaid.min.js"
STYLE = """
body { font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif;
       color: #1f2328; max-width: 860px; margin: 24px; }
table { border-collapse: collapse; margin: 0 0 16px; }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px; text-align: left; vertical-align: top; }
tr:nth-child(2n) td { background: #f6f8fa; }
code { background: #818b981f; padding: .2em .4em; border-radius: 6px; font-size: 85%; }
h3 { border: 0; font-size: 1.25em; } sub { font-size: 85%; vertical-align: baseline; }
"""


def rendered(browser: "Browser", markdown: str) -> Any:
    """The comment in a window; Mermaid draws what is open."""
    if not MERMAID.is_file():
        pytest.skip("tests/node has no mermaid: `make test` installs it where npm is")
    body = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(markdown)
    body = body.replace('<pre><code class="language-mermaid">', '<pre class="mermaid">')
    page = browser.new_page(viewport={"width": 920, "height": 900})
    page.set_content(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{body}")
    page.add_script_tag(path=str(MERMAID))
    page.evaluate("mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' })")
    page.evaluate("mermaid.run({ nodes: [document.querySelector('.mermaid')] })")
    return page


def test_the_comment_answers_at_the_top_and_has_a_chart(browser: "Browser", review: Review) -> None:
    weigh_in, context = review("since-release")
    page = rendered(browser, to_markdown(weigh_in, context=context))
    assert "may ship" in page.locator("h3").first.inner_text()
    top: Any = page.locator("table").first.bounding_box()
    assert top["y"] + top["height"] < 900  # seen without scrolling
    assert page.locator(".mermaid").first.locator("svg circle").count() > 5
    if os.environ.get("WEIGHIN_UPDATE_IMAGES") == "1":
        page.set_viewport_size({"width": 920, "height": 1420})
        page.screenshot(path=IMAGES / "review-comment.png")
    page.close()


def test_no_name_becomes_markup(browser: "Browser", review: Review) -> None:
    weigh_in, context = review("evil-review")
    page = rendered(browser, to_markdown(weigh_in, context=context))
    assert page.locator("script:not([src])").count() == 1  # Mermaid's own
    assert page.locator("img, iframe, form, input").count() == 0
    page.close()
