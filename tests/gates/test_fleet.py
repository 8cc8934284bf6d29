"""Shares of users: what passes, what nobody knows, and what never raises a share."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.fleet import Fleet, FleetPart, Share, of_best, of_variant, part_outcome, share
from weighin.gates.judge import Outcome

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.UNDECIDED
DEVICES = ("a", "b", "c", "d")
LABELS = ("int8", "fp16")


def fleet(*parts: tuple[str, float, tuple[str, ...]]) -> Fleet:
    return Fleet(
        parts=tuple(FleetPart(name=n, percent=p, devices=d) for n, p, d in parts),
        source="somebody",
        as_of=date(2026, 11, 1),
    )


USERS = fleet(("a", 50, ("a",)), ("tier:low", 30, ("b", "c", "z")), ("y", 5, ("y",)))


def test_a_share_passes_where_every_phone_that_stands_for_it_does() -> None:
    assert share(USERS, {"a": PASS, "b": PASS, "c": PASS}) == Share(
        passed=80, undecided=0, failed=0, not_covered=20
    )
    assert share(USERS, {"a": PASS, "b": PASS, "c": OPEN}) == Share(
        passed=50, undecided=30, failed=0, not_covered=20
    )
    assert share(USERS, {"a": OPEN, "b": FAIL, "c": OPEN}) == Share(
        passed=0, undecided=50, failed=30, not_covered=20
    )


def test_who_was_not_weighed_for_and_who_is_not_named_is_not_covered() -> None:
    assert USERS.other_percent == 15
    assert share(USERS, {"a": PASS}).not_covered == 50
    assert share(USERS, {}) == Share(passed=0, undecided=0, failed=0, not_covered=100)
    assert part_outcome(USERS.parts[2], {"a": PASS}) is None


@pytest.mark.parametrize(
    ("passed", "undecided", "at_least", "outcome"),
    [
        (90.0, 0.0, 90, PASS),
        (89.9, 0.1, 90, OPEN),
        (89.9, 0.0, 90, FAIL),
        (80.0, 9.9, 90, FAIL),
        (0.0, 100.0, 90, OPEN),
        (100.0, 0.0, 100, PASS),
    ],
)
def test_a_budget_on_the_share_has_three_outcomes(
    passed: float, undecided: float, at_least: float, outcome: Outcome
) -> None:
    rest = 100 - passed - undecided
    found = Share(passed=passed, undecided=undecided, failed=rest, not_covered=0)
    assert found.against(at_least) is outcome


def test_shares_that_people_type_add_up() -> None:
    thirds = fleet(("a", 33.3, ("a",)), ("b", 33.3, ("b",)), ("c", 33.4, ("c",)))
    found = share(thirds, dict.fromkeys("abc", PASS))
    assert found == Share(passed=100, undecided=0, failed=0, not_covered=0)
    tenths = fleet(*((f"d{k}", 0.1, ("a",)) for k in range(9)))
    assert share(tenths, {"a": PASS}).against(0.9) is PASS


def test_the_best_assignment_gives_each_device_what_passes_there() -> None:
    outcomes = {("int8", "a"): PASS, ("int8", "b"): FAIL, ("fp16", "a"): FAIL, ("fp16", "b"): PASS}
    assert of_variant("int8", outcomes, ("a", "b")) == {"a": PASS, "b": FAIL}
    assert of_best(outcomes, ("a", "b")) == {"a": PASS, "b": PASS}


def test_a_missing_verdict_decides_nothing() -> None:
    outcomes = {("int8", "a"): FAIL, ("fp16", "b"): FAIL}
    assert of_best(outcomes, ("a", "b", "c")) == {"a": OPEN, "b": OPEN, "c": OPEN}
    assert of_best({}, ("a",)) == {"a": OPEN}


def outcomes() -> st.SearchStrategy[dict[tuple[str, str], Outcome]]:
    keys = st.tuples(st.sampled_from(LABELS), st.sampled_from(DEVICES))
    return st.dictionaries(keys, st.sampled_from(Outcome))


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    members = draw(st.permutations(("a", "b", "c", "d", "z")))
    cuts = sorted(draw(st.sets(st.integers(1, 4), max_size=3)))
    groups = [tuple(members[i:j]) for i, j in zip([0, *cuts], [*cuts, len(members)], strict=True)]
    total = draw(st.floats(1, 100))
    return fleet(*((f"p{k}", total / len(groups), group) for k, group in enumerate(groups)))


@given(fleets(), outcomes())
def test_the_four_shares_are_everybody(users: Fleet, known: dict[tuple[str, str], Outcome]) -> None:
    found = share(users, of_best(known, DEVICES))
    parts = (found.passed, found.undecided, found.failed, found.not_covered)
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(100)


@given(fleets(), outcomes(), st.data())
def test_taking_away_any_verdict_never_raises_the_share_that_passes(
    users: Fleet, known: dict[tuple[str, str], Outcome], data: st.DataObject
) -> None:
    """Nor does turning a pass into anything else: a share cannot be improved by hiding."""
    if not known:
        return
    gone = data.draw(st.sampled_from(sorted(known)))
    less = {key: outcome for key, outcome in known.items() if key != gone}
    worse = {**known, gone: data.draw(st.sampled_from([FAIL, OPEN]))}
    for changed in (less, worse) if known[gone] is PASS else (less,):
        for label in LABELS:
            before = share(users, of_variant(label, known, DEVICES))
            after = share(users, of_variant(label, changed, DEVICES))
            assert after.passed <= before.passed
        before, after = (share(users, of_best(k, DEVICES)) for k in (known, changed))
        assert after.passed <= before.passed


@given(fleets(), outcomes())
def test_the_best_assignment_reaches_at_least_what_any_one_variant_reaches(
    users: Fleet, known: dict[tuple[str, str], Outcome]
) -> None:
    best = share(users, of_best(known, DEVICES))
    for label in LABELS:
        assert share(users, of_variant(label, known, DEVICES)).passed <= best.passed


@given(fleets(), outcomes(), st.floats(1, 100))
def test_a_fail_of_the_budget_stays_one_however_the_open_verdicts_turn_out(
    users: Fleet, known: dict[tuple[str, str], Outcome], at_least: float
) -> None:
    on = of_best(known, DEVICES)
    lucky = {device: PASS if outcome is OPEN else outcome for device, outcome in on.items()}
    if share(users, on).against(at_least) is FAIL:
        assert share(users, lucky).against(at_least) is FAIL
    if share(users, on).against(at_least) is PASS:
        assert share(users, lucky).against(at_least) is PASS
