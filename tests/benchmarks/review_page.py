"""The report page at its largest: 20 variants on 30 devices, with all that a review may know.

How heavy the file is, how long a headless Chromium takes from asking for it until its load event
is over, its pictures are there and a frame was drawn, and what axe-core objects to: in light, in
dark and on a phone, with every detail open, on this page and on others (nothing passed, no
variants, names that are markup). How long writing the page takes stands in the detail.
"""

import importlib.util
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from figures import Figure, present

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
REPORT_TESTS = ROOT / "tests" / "gates" / "report"
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
RUNS = 7
MOST_MB, MOST_SECONDS = 2.0, 1.0
LOOKED_AT = ("mixed", "none-passed", "zero-variants", "evil", "closer", "untrusted", "big")
WINDOWS = ((1280, "light"), (1280, "dark"), (390, "light"))

WHEN_OPEN = """addEventListener('load', () => requestAnimationFrame(() => setTimeout(() => {
  window.openedAfter = performance.now();
})));"""
VIOLATIONS = """async () => {
  document.querySelectorAll('details').forEach(details => { details.open = true; });
  const { violations } = await axe.run(document, { resultTypes: ['violations'] });
  return violations.flatMap(one => one.nodes.map(node => `${one.id} ${node.target}`));
}"""


def page_figures(workdir: Path) -> Iterator[Figure]:
    """The three figures of the page.

    Args:
        workdir: An existing folder for the pages.
    """
    pages = {name: workdir / f"{name}.html" for name in LOOKED_AT}
    written = {name: _write(name, file) for name, file in pages.items()}
    yield page_mb(pages["big"], written["big"])
    with browser_of() as browser:
        yield page_open_seconds(browser, pages["big"])
        yield accessibility_violations(browser, pages)


def page_mb(page: Path, seconds: float) -> Figure:
    """How heavy the page is, in millions of bytes."""
    return Figure(
        name="page_mb",
        value=page.stat().st_size / 1e6,
        goal=MOST_MB,
        detail=f"20 variants x 30 devices, all details; written in {seconds:.1f} s of CPU",
    )


def page_open_seconds(browser: "Browser", page: Path) -> Figure:
    """The median time until the page is there, each in a window of its own."""
    times = [_open(browser, page) for _ in range(RUNS)]
    return Figure(
        name="page_open_seconds",
        value=statistics.median(times),
        goal=MOST_SECONDS,
        detail=f"median of {RUNS}, {min(times):.2f} to {max(times):.2f} s, headless Chromium",
    )


def accessibility_violations(browser: "Browser", pages: dict[str, Path]) -> Figure:
    """Everything that axe-core objects to on any page in any window."""
    found = [
        f"{name} {width} {scheme}: {objection}"
        for name, page in pages.items()
        for width, scheme in WINDOWS
        for objection in _objections(browser, page, width, scheme)
    ]
    windows = f"{len(pages)} pages in {len(WINDOWS)} windows"
    return Figure(
        name="accessibility_violations",
        value=len(found),
        goal=0,
        detail="; ".join([f"axe-core, {windows}, every detail open", *found[:5]]),
    )


def _write(name: str, file: Path) -> float:
    """CPU seconds that it took to make the page."""
    from weighin.gates.report.html import to_html

    weigh_in, context = case_of(name)
    started = time.process_time()
    text = to_html(weigh_in, context)
    took = time.process_time() - started
    file.write_text(text, encoding="utf-8")
    return took


def case_of(name: str) -> tuple[Any, Any]:
    """The weigh-in and the context of a case of the tests."""
    samples, cases = _module(REPORT_TESTS, "samples"), _module(REPORT_TESTS / "page", "cases")
    of, context = cases.CASES[name]
    weigh_in = cases.with_quantiles(samples.SAMPLES[of]())
    return weigh_in, context(weigh_in)


def _module(folder: Path, name: str) -> ModuleType:
    """The tests' ``conftest.py`` of a folder, loaded as a module of another name."""
    spec = importlib.util.spec_from_file_location(f"page_{name}", folder / "conftest.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(folder / "conftest.py")
    if spec.name in sys.modules:
        return sys.modules[spec.name]
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def browser_of() -> "Generator[Browser]":
    """A headless Chromium, closed at the end."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise FileNotFoundError("this benchmark needs a chromium on PATH")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


def _open(browser: "Browser", file: Path) -> float:
    window = browser.new_context(viewport={"width": 1280, "height": 900})
    window.add_init_script(WHEN_OPEN)
    page = window.new_page()
    page.goto(file.as_uri())
    page.wait_for_function("() => window.openedAfter > 0")
    if page.locator("article.card").count() != 30 or page.locator("svg .m").count() < 30 * 20:
        raise ValueError(f"{file.name}: pictures are missing")
    seconds = float(page.evaluate("() => window.openedAfter")) / 1000
    window.close()
    return seconds


def _objections(browser: "Browser", file: Path, width: int, scheme: str) -> list[str]:
    dark: Any = scheme
    window = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=dark)
    window.set_default_timeout(300_000)
    page = window.new_page()
    page.goto(file.as_uri())
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(VIOLATIONS)
    window.close()
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        present(lambda: page_figures(Path(folder)), __doc__)
