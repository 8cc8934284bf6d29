"""What the tests of the page share: weigh-ins with everything a review may know, and a browser."""

import functools
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

from weighin.gates.measurement import Measurement, Reading
from weighin.gates.metric import Metric, Origin
from weighin.gates.report.context import PLAIN, Context, Earlier, PlanChange, SignedFile
from weighin.gates.report.html import to_html
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import Result, WeighIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

Sample = Callable[[str], WeighIn]
PageOf = Callable[[str], str]


class Show(Protocol):
    """Opens the page of a case."""

    def __call__(self, name: str, *, width: int = ..., **window: object) -> "Page": ...


LEVELS = (0.01, 0.05, *(step / 10 for step in range(1, 10)), 0.25, 0.75, 0.95, 0.99)
EVIL = '<script>document.title="owned"</script>"><img src=x onerror=alert(1)>\u202e|`x`'
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def with_quantiles(weigh_in: WeighIn) -> WeighIn:
    """The same, with the spread of the single runs wherever a device itself was measured."""
    return _changed(weigh_in, _spread)


def earlier(weigh_in: WeighIn, version: str, recipes: tuple[str, ...], slower: float) -> WeighIn:
    """The version before it: fewer recipes, another time, other latencies."""

    def older(reading: Measurement) -> Measurement:
        if reading.metric is not Metric.LATENCY_P90_MS:
            return reading
        low, value, high = (slower * x for x in (reading.lower, reading.value, reading.upper))
        return replace(reading, lower=low, value=value, upper=high)

    kept = tuple(one for one in weigh_in.results if one.variant.recipe in recipes)
    before = timedelta(days=30 * (int(weigh_in.version) - int(version)))
    return _changed(
        replace(
            weigh_in,
            version=version,
            results=kept,
            failures=(),
            started_at=weigh_in.started_at - before,
            finished_at=weigh_in.finished_at - before,
        ),
        older,
    )


def reviewed(weigh_in: WeighIn) -> Context:
    """Everything at once: history, waivers, signatures, and a plan that somebody loosened."""
    first = earlier(weigh_in, "1", ("float32", "fp16"), 1.3)
    second = earlier(weigh_in, "2", ("float32", "fp16", "dynamic_int8", "int8"), 1.12)
    return Context(
        now=weigh_in.finished_at + timedelta(hours=2),
        history=(
            Earlier(weigh_in=first, released_at=first.finished_at),
            Earlier(weigh_in=second, released_at=second.finished_at),
        ),
        against=second,
        waivers=(
            waiver(weigh_in, "galaxy-a51", Metric.LATENCY_P90_MS, days=14),
            waiver(weigh_in, "host", Metric.PEAK_MEMORY_MIB, days=-1),
        ),
        signatures=signatures(weigh_in),
        changes=(
            PlanChange(
                where="models.digits.budgets.pixel-3a.latency_p90_ms",
                before="9",
                after="14",
                looser=True,
            ),
            PlanChange(
                where="models.digits.budgets.host.size_mib", before="2", after="1.5", looser=False
            ),
        ),
    )


def waiver(weigh_in: WeighIn, device: str, metric: Metric, *, days: int) -> Waiver:
    at = weigh_in.finished_at
    return Waiver(
        model=weigh_in.model,
        version=weigh_in.version,
        plan_digest=weigh_in.plan_digest,
        metric=metric,
        device=device,
        reason="launch partners only, the fix is in v4",
        by="octavia",
        url="https://github.com/acme/models/pull/7#issuecomment-1",
        issued_at=at - timedelta(days=2),
        expires_at=at + timedelta(days=days),
    )


def signatures(weigh_in: WeighIn) -> tuple[SignedFile, ...]:
    key = hashlib.sha256(b"key").hexdigest()
    pairs = [(one.variant, device) for one in weigh_in.results for device in one.passed_on]
    return tuple(
        SignedFile(
            label=variant.label,
            device=device,
            keyid="" if place == 3 else key,
            expires_at=weigh_in.finished_at + timedelta(days=-2 if place == 5 else 90),
            envelope_sha256=hashlib.sha256(f"{variant.sha256}{device}".encode()).hexdigest(),
        )
        for place, (variant, device) in enumerate(pairs)
    )


def _spread(reading: Measurement) -> Measurement:
    if reading.metric is not Metric.LATENCY_P90_MS or reading.origin is not Origin.DEVICE:
        return reading
    quantiles = tuple(
        (level, reading.value * (0.84 + 0.16 * (level / 0.9) ** 2 + 2 * max(0.0, level - 0.9)))
        for level in sorted(LEVELS)
    )
    return replace(reading, quantiles=quantiles)


def _changed(weigh_in: WeighIn, change: Callable[[Measurement], Measurement]) -> WeighIn:
    def one(reading: Reading) -> Reading:
        return change(reading) if isinstance(reading, Measurement) else reading

    def result(of: Result) -> Result:
        verdicts = tuple(
            replace(
                verdict,
                checks=tuple(
                    replace(check, readings=tuple(map(one, check.readings)))
                    for check in verdict.checks
                ),
            )
            for verdict in of.verdicts
        )
        return replace(of, verdicts=verdicts, readings=tuple(map(one, of.readings)))

    return replace(weigh_in, results=tuple(map(result, weigh_in.results)))


def evil_context(weigh_in: WeighIn) -> Context:
    """Names and words that want to be markup, in everything that a context holds."""
    tame = reviewed(replace(weigh_in, version="3"))
    held = waiver(weigh_in, weigh_in.devices[1], Metric.LATENCY_P90_MS, days=14)
    return replace(
        tame,
        history=tuple(
            replace(one, weigh_in=replace(one.weigh_in, version=f"{EVIL}{place}"))
            for place, one in enumerate(tame.history)
        ),
        waivers=(replace(held, reason=EVIL, by=EVIL, url="javascript:alert(1)"),),
        signatures=tuple(replace(one, label=EVIL, keyid=EVIL) for one in tame.signatures[:2]),
        changes=(PlanChange(where=EVIL, before=EVIL, after=EVIL, looser=True),),
    )


CASES: dict[str, tuple[str, Callable[[WeighIn], Context]]] = {
    "mixed": ("mixed", reviewed),
    "none-passed": ("none-passed", lambda _: PLAIN),
    "zero-variants": ("zero-variants", reviewed),
    "evil": ("evil", evil_context),
    "closer": ("closer", lambda _: PLAIN),
    "untrusted": ("one-device", lambda _: Context(untrusted="the statements are not signed")),
    "big": ("many-devices", reviewed),
}
"""The pages that a browser looks at: which weigh-in, and what else is known of it."""


@pytest.fixture(scope="session")
def case(sample: Sample) -> Callable[[str], tuple[WeighIn, Context]]:
    """A weigh-in with its context, by name."""

    def made(name: str) -> tuple[WeighIn, Context]:
        of, context = CASES[name]
        weigh_in = with_quantiles(sample(of))
        return weigh_in, context(weigh_in)

    return made


@pytest.fixture(scope="session")
def review_of(case: Callable[[str], tuple[WeighIn, Context]]) -> PageOf:
    """The page of a case, written once."""
    return functools.cache(lambda name: to_html(*case(name)))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One headless browser for a module's tests; its event loop must not outlive them."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def show(browser: "Browser", review_of: PageOf, tmp_path: Path) -> "Iterator[Show]":
    """Open a case's page in a window of its own; closed when the test is over."""
    windows: list[BrowserContext] = []

    def opened(name: str, *, width: int = 1280, **window: object) -> "Page":
        context = browser.new_context(
            viewport={"width": width, "height": 900}, **cast("dict[str, Any]", window)
        )
        windows.append(context)
        file = tmp_path / f"{name}.html"
        file.write_text(review_of(name), encoding="utf-8")
        page = context.new_page()
        page.goto(file.as_uri())
        return page

    yield opened
    for window in windows:
        window.close()
