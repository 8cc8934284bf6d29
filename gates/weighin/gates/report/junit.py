"""A weigh-in as JUnit XML, for CI systems that show test results.

A suite per device. Its first case, ``gets a variant``, is the gate: it is red exactly where the
device gets nothing. ``FAIL`` is a failure, ``UNDECIDED`` an error (it could not be judged): both
turn a build red. A device that only a waiver opens is skipped, neither red nor green.

The variants follow as cases of their own, with the deciding number: what passed passes, and the
rest is *skipped* with the reason. They are alternatives, and one that passes is enough; counted
as failures they would turn every build red. Builds that failed are skipped cases too. The share
of users, if a budget asks for it, is a suite of one case.

Source: the Jenkins and Ant form, https://github.com/windyroad/JUnit-Schema

What this module does not do: it decides no exit status. ``weighin`` exits 0 if something may ship,
even where one device's case is red.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from weighin.gates.judge import Outcome
from weighin.gates.report import summary
from weighin.gates.report.annotations import waiver_words
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.fleet_words import fleet_report, served_words
from weighin.gates.report.misses import of_fate
from weighin.gates.report.verdict_words import Fate, Standing, fates, standing_of
from weighin.gates.report.words import plain
from weighin.gates.weigh_in import Result, WeighIn

GATE = "gets a variant"
_TAGS = {Standing.FAIL: "failure", Standing.UNDECIDED: "error", Standing.WAIVED: "skipped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One test case; ``tag`` is empty where it passed."""

    name: str
    tag: str
    message: str
    details: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    name: str
    package: str
    cases: tuple[_Case, ...]


def to_junit(weigh_in: WeighIn, *, context: Context = PLAIN) -> str:
    """The XML document.

    Args:
        weigh_in: What is told of.
        context: For its waivers, and for whether the numbers may be believed.
    """
    suites = list(_suites(weigh_in, context))
    seconds = (weigh_in.finished_at - weigh_in.started_at).total_seconds()
    every = [case for suite in suites for case in suite.cases]
    root = ET.Element("testsuites", {"name": _text("weighin"), **_counts(every, seconds)})
    for place, suite in enumerate(suites):
        _add_suite(root, suite, weigh_in, place, seconds if place == 0 else 0.0)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suites(weigh_in: WeighIn, context: Context) -> Iterable[_Suite]:
    package = f"weighin.{weigh_in.model}.v{weigh_in.version}"
    for fate in fates(weigh_in, context):
        variants = [_variant(weigh_in, result, fate.device, context) for result in weigh_in.results]
        cases = (_gate(weigh_in, fate, context), *variants)
        yield _Suite(name=fate.device, package=package, cases=cases)
    if (users := _users(weigh_in, context)) is not None:
        yield _Suite(name="users", package=package, cases=(users,))
    if weigh_in.failures:
        cases = tuple(
            _Case(
                name=f"{failure.recipe}{failure.format.suffix}",
                tag="skipped",
                message=f"could not be built: {failure.reason}",
            )
            for failure in weigh_in.failures
        )
        yield _Suite(name="builds", package=package, cases=cases)


def _gate(weigh_in: WeighIn, fate: Fate, context: Context) -> _Case:
    tag = _TAGS.get(fate.standing, "")
    said = [f"{miss.words}{waiver_words(miss)}" for miss in of_fate(weigh_in, fate, context)]
    label = "" if fate.result is None else plain(fate.result.variant.label)
    details = f"gets {label}" if not tag else "\n".join(said)
    if fate.standing is Standing.WAIVED:
        details = f"gets {label} only by waiver\n{details}"
    message = said[0] if said else ""
    return _Case(name=GATE, tag=tag, message=message, details=details, kind=fate.standing.value)


def _variant(weigh_in: WeighIn, result: Result, device: str, context: Context) -> _Case:
    name, verdict = result.variant.label, summary.verdict_on(result, device)
    if verdict is None:
        return _Case(name=name, tag="skipped", message="not weighed for this device")
    standing = standing_of(weigh_in, verdict, context)
    check = summary.deciding_check(verdict)
    why = verdict.reason if check is None else summary.why(check)
    details = "\n".join(summary.why(check) for check in verdict.checks)
    if standing is Standing.PASS:
        return _Case(name=name, tag="", message="", details=details)
    return _Case(name=name, tag="skipped", message=f"{standing}: {why}", details=details)


def _users(weigh_in: WeighIn, context: Context) -> _Case | None:
    told = fleet_report(weigh_in)
    if told is None or told.outcome is None:
        return None
    outcome = Outcome.UNDECIDED if context.untrusted else told.outcome
    tag = _TAGS.get(Standing(outcome.value), "")
    words = served_words(told)
    return _Case(
        name="enough are served", tag=tag, message=words, details=words, kind=outcome.value
    )


def _add_suite(
    root: ET.Element, suite: _Suite, weigh_in: WeighIn, place: int, seconds: float
) -> None:
    added = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _text(suite.name),
            "package": _text(suite.package),
            "id": str(place),
            "timestamp": f"{weigh_in.started_at:%Y-%m-%dT%H:%M:%S}",
            "hostname": "localhost",
            **_counts(suite.cases, seconds),
        },
    )
    classname = _text(f"{suite.package}.{suite.name}")
    for case in suite.cases:
        head = {"name": _text(case.name), "classname": classname, "time": "0.000"}
        shown = ET.SubElement(added, "testcase", head)
        if case.tag:
            kind = {"type": case.kind} if case.kind and case.tag != "skipped" else {}
            ET.SubElement(shown, case.tag, {"message": _text(case.message), **kind})
        if case.details:
            ET.SubElement(shown, "system-out").text = _lines(case.details)


def _counts(cases: Sequence[_Case], seconds: float) -> dict[str, str]:
    tags = [case.tag for case in cases]
    return {
        "tests": str(len(tags)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": f"{seconds:.3f}",
    }


def _text(text: str) -> str:
    """On one line; with control, unpaired and undefined characters goes all XML cannot hold."""
    return plain(text)


def _lines(text: str) -> str:
    return "\n".join(map(_text, text.split("\n")))
