import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.judge import Outcome
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.junit import GATE, to_junit
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]
COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}
EVIL = [
    "]]>", "<failure/>", '"quoted" & <b>', "\x00\x08\x1b[31m", "\ufffe\uffff\ufdd0", "\ud800",
    "two\nlines", "-->", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", "&e;", "",
]  # fmt: skip


def tree(text: str) -> ET.Element:
    return ET.fromstring(text.encode())  # noqa: S314 - our own


def gates(root: ET.Element) -> dict[str, str]:
    """Per suite what its first case is."""
    found = {}
    for suite in root:
        for case in suite:
            if case.get("name") == GATE:
                tags = [child.tag for child in case if child.tag != "system-out"]
                found[suite.get("name", "")] = tags[0] if tags else "passed"
    return found


def test_counts_times_and_names_are_consistent(weigh_in: WeighIn) -> None:
    root = tree(to_junit(weigh_in))
    assert root.tag == "testsuites"
    assert [suite.tag for suite in root] == ["testsuite"] * len(root)
    for one in (root, *root):
        cases = one.findall(".//testcase")
        assert one.get("tests") == str(len(cases))
        for name, tag in COUNTED.items():
            assert one.get(name) == str(len([case for case in cases if case.find(tag) is not None]))
    for suite in root:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        names = [(case.get("classname"), case.get("name")) for case in suite]
        assert all(all(pair) for pair in names)
    seconds = (weigh_in.finished_at - weigh_in.started_at).total_seconds()
    assert sum(float(suite.get("time", "")) for suite in root) in {seconds, 0.0}


def test_a_devices_case_is_red_exactly_where_it_gets_nothing(weigh_in: WeighIn) -> None:
    shown = gates(tree(to_junit(weigh_in)))
    assert len(shown) == len(weigh_in.devices)
    for device, tag in zip(weigh_in.devices, shown.values(), strict=True):
        outcome = summary.device_outcome(weigh_in, device)
        expected = {Outcome.PASS: "passed", Outcome.FAIL: "failure", Outcome.UNDECIDED: "error"}
        assert tag == expected[outcome]


def test_a_variant_that_fails_beside_one_that_passes_turns_nothing_red(sample: Sample) -> None:
    root = tree(to_junit(sample("mixed")))
    host = next(suite for suite in root if suite.get("name") == "host")
    assert (host.get("failures"), host.get("errors")) == ("0", "0")
    assert int(host.get("skipped", "0")) > 0
    (slow,) = [case for case in host if case.get("name") == "dynamic_int8.onnx"]
    skipped = slow.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "FAIL: latency p90 at least 26.2 ms, budget 6 ms"


def test_only_by_waiver_is_neither_red_nor_green(review: Review) -> None:
    weigh_in, context = review("waived-only")
    root = tree(to_junit(weigh_in, context=context))
    assert gates(root)["host"] == "skipped"
    assert gates(root)["pixel-3a"] == "failure"
    message = root[0][0][0].get("message", "")
    assert "WAIVED by ada until 2026-12-06" in message


def test_untrusted_numbers_pass_no_case(review: Review) -> None:
    weigh_in, context = review("untrusted")
    root = tree(to_junit(weigh_in, context=context))
    assert set(gates(root).values()) == {"error"}
    assert all(len(case) and case[0].tag != "system-out" for case in root.iter("testcase"))


def test_no_variants_at_all_is_red_everywhere(sample: Sample) -> None:
    root = tree(to_junit(sample("zero-variants")))
    assert set(gates(root).values()) == {"error"}
    assert "no variant was built (2 builds failed)" in to_junit(sample("zero-variants"))


@pytest.mark.parametrize("name", EVIL, ids=ascii)
def test_no_name_can_break_the_document(sample: Sample, name: str) -> None:
    weigh_in = sample("mixed")
    failure = replace(weigh_in.failures[0], recipe=name, reason=name)
    first = weigh_in.results[0]
    evil = replace(first, variant=replace(first.variant, recipe=name))
    named = replace(
        weigh_in, model=name, failures=(failure,), results=(evil, *weigh_in.results[1:])
    )
    assert [[case.tag for case in suite.iter()] for suite in tree(to_junit(named))] == [
        [case.tag for case in suite.iter()]
        for suite in tree(to_junit(replace(weigh_in, failures=weigh_in.failures[:1])))
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(name=st.text(st.characters(), max_size=20))
def test_any_text_is_a_well_formed_name(sample: Sample, name: str) -> None:
    weigh_in = replace(sample("zero-variants"), model=name)
    assert tree(to_junit(weigh_in)).get("name") == "weighin"
