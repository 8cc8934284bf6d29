"""The page in a real browser: nothing sticks out, on a phone and on a desk."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WIDTHS = (320, 390, 768, 1280)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=20000", "--window-size=1400,900",
)  # fmt: skip

MEASURE = """
const found = [];
for (const frame of document.querySelectorAll("iframe")) {
  const page = frame.contentDocument, width = page.documentElement.clientWidth;
  for (const open of [false, true]) {
    page.querySelectorAll("details").forEach(d => d.open = open);
    const out = [...page.querySelectorAll("main *")]
      .filter(e => !e.closest(".scroll") || e.matches(".scroll"))
      .filter(e => e.getBoundingClientRect().right > width + 0.5)
      .map(e => e.tagName + "." + e.getAttribute("class"));
    found.push({name: frame.title, width, open, scroll: page.documentElement.scrollWidth, out,
                height: page.documentElement.scrollHeight});
  }
}
document.title = "measured";
document.body.replaceChildren(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine")
    return path


def measure(chromium: str, folder: Path, pages: dict[str, str]) -> list[dict[str, Any]]:
    """Show every page in frames of several widths and ask where things are."""
    frames = "".join(
        f'<iframe title="{name}" style="width:{width}px;height:800px;border:0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.items()
        for width in WIDTHS
    )
    script = f"<script>addEventListener('load', () => {{{MEASURE}}})</script>"
    file = folder / "frames.html"
    file.write_text(f'<!doctype html><meta charset="utf-8"><body>{frames}{script}</body>')
    command = [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, file.as_uri()], capture_output=True, text=True, check=True, timeout=300
    )
    body = re.search(r"<body>(.*)</body>", done.stdout, flags=re.DOTALL)
    assert body, done.stdout[:500]
    found: list[dict[str, Any]] = json.loads(html.unescape(body[1]))
    return found


def test_nothing_sticks_out_at_any_width(
    chromium: str, tmp_path: Path, page_of: Callable[[str], str]
) -> None:
    names = ("mixed", "none-passed", "zero-variants", "one-device", "evil", "closer", "stepwise")
    found = measure(chromium, tmp_path, {name: page_of(name) for name in names})
    assert len(found) == 2 * len(names) * len(WIDTHS)
    assert {one["width"] for one in found} == set(WIDTHS)
    sticking_out = [one for one in found if one["out"] or one["scroll"] > one["width"]]
    assert not sticking_out
    assert all(one["height"] > 300 for one in found)
