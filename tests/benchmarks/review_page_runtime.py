"""The other way to have pictures: the charting library in the page, drawing when it is opened.

The same 31 pictures of accuracy as the report page has, 20 variants on 30 devices, drawn by
Vega's own bundle in headless Chromium. It prints how heavy such a page is before any text, and
how long it takes to open; ``docs/adr/0017`` compares that with ``review_page.py``.
"""

import json
import statistics
import tempfile
from pathlib import Path

from review_page import RUNS, browser_of, case_of

PAGE = """<!doctype html><meta charset="utf-8"><body><script>{bundle}</script><script type="module">
const specs = {specs};
for (const spec of specs) {{
  const place = document.body.appendChild(document.createElement('div'));
  await vegaEmbed(place, spec, {{ actions: false, renderer: 'svg' }});
}}
window.openedAfter = performance.now();
</script>"""


def main() -> None:
    import vl_convert

    from weighin.gates.report.chart import device_spec, size_spec

    weigh_in, _ = case_of("big")
    specs = [size_spec(weigh_in), *(device_spec(weigh_in, one) for one in weigh_in.devices)]
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace(
        "</script", "<\\/script"
    )
    text = PAGE.format(bundle=bundle, specs=json.dumps(specs))
    with tempfile.TemporaryDirectory() as folder, browser_of() as browser:
        file = Path(folder) / "runtime.html"
        file.write_text(text, encoding="utf-8")
        times = []
        for _ in range(RUNS):
            page = browser.new_page()
            page.goto(file.as_uri())
            page.wait_for_function("() => window.openedAfter > 0", timeout=60_000)
            times.append(float(page.evaluate("() => window.openedAfter")) / 1000)
            assert page.locator("svg").count() == len(specs)
            page.close()
    print(f"{len(text.encode()) / 1e6:.2f} MB without any text or table")
    print(f"open after {statistics.median(times):.2f} s, median of {RUNS}, {len(specs)} pictures")


if __name__ == "__main__":
    main()
