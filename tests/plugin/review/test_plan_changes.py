# ruff: noqa: E501 - a table reads better in one line per row
"""What a pull request changes in what its models are judged by."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.report.context import PlanChange
from weighin.plugin.config import Config, ModelConfig
from weighin.plugin.config_file import parse_config
from weighin.plugin.review.plan_changes import file_changes, judged_files, plan_changes

BASE = """
[gate]
confidence = 0.95
[evidence]
valid_days = 30
trusted_keys = ["keys/a.json"]
[fleet]
file = "fleet.toml"
at_least_percent = 90
[review]
waivers = ["ada"]
[budgets.default]
accuracy_drop_points = 1.0
latency_p90_ms = { at_most = 10, least_origin = "device" }
size_vs_release_percent = { at_most = 5, floor = 0.1 }
slice_drop_points = { at_most = 3, least_rows = 80 }
[models.digits]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
devices = ["host", "pixel-4"]
recipes = ["int8"]
[models.digits.budgets.pixel-4]
size_mib = 2
"""


def config(text: str) -> Config:
    return parse_config(tomllib.loads(text))


def changes(old: str, new: str) -> tuple[PlanChange, ...]:
    assert BASE.count(old) == 1, "the row must change exactly one place"
    return plan_changes(config(BASE), config(BASE.replace(old, new)))


ALL = "models.digits.budgets.(all 2 devices)"
LOOSER = [
    pytest.param("accuracy_drop_points = 1.0", "accuracy_drop_points = 1.5", f"{ALL}.accuracy_drop_points", id="bound-raised"),
    pytest.param("accuracy_drop_points = 1.0\n", "", f"{ALL}.accuracy_drop_points", id="budget-removed"),
    pytest.param('least_origin = "device"', 'least_origin = "predicted"', f"{ALL}.latency_p90_ms", id="lesser-origin"),
    pytest.param('at_most = 10, least_origin = "device"', 'at_most = 5, least_origin = "predicted"', f"{ALL}.latency_p90_ms", id="lower-bound-but-lesser-origin"),
    pytest.param("floor = 0.1", "floor = 0.5", f"{ALL}.size_vs_release_percent", id="floor-raised"),
    pytest.param("least_rows = 80", "least_rows = 10", f"{ALL}.slice_drop_points", id="fewer-rows"),
    pytest.param("size_mib = 2", "size_mib = 2\naccuracy_drop_points = 9", "models.digits.budgets.pixel-4.accuracy_drop_points", id="overridden-on-one-device"),
    pytest.param('["host", "pixel-4"]', '["host", "pixel-4", "pixel-6"]', "models.digits.devices", id="device-added"),
    pytest.param('["host", "pixel-4"]', '["host"]', "models.digits.devices", id="device-removed"),
    pytest.param("data/evaluation.npz", "data/easy.npz", "models.digits.evaluation", id="other-evaluation-data"),
    pytest.param('recipes = ["int8"]', 'recipes = ["int8"]\nmetric = "top5_accuracy"', "models.digits.metric", id="other-metric"),
    pytest.param('recipes = ["int8"]', 'recipes = ["int8"]\ntrust_pickle = true', "models.digits.trust_pickle", id="pickle-trusted"),
    pytest.param('recipes = ["int8"]', 'recipes = ["int8"]\nmin_rows = 1', "models.digits.min_rows", id="fewer-rows-asked-for"),
    pytest.param("confidence = 0.95", "confidence = 0.8", "gate.confidence", id="less-sure"),
    pytest.param("confidence = 0.95", "seed = 3", "gate.seed", id="another-seed"),
    pytest.param("valid_days = 30", "valid_days = 365", "evidence.valid_days", id="older-evidence"),
    pytest.param('["keys/a.json"]', '["keys/a.json", "keys/mine.json"]', "evidence.trusted_keys", id="key-added"),
    pytest.param('trusted_keys = ["keys/a.json"]\n', "", "evidence.trusted_keys", id="keys-of-the-machine"),
    pytest.param("at_least_percent = 90", "at_least_percent = 50", "fleet.at_least_percent", id="fewer-users"),
    pytest.param("at_least_percent = 90\n", "", "fleet.at_least_percent", id="no-users-asked-for"),
    pytest.param('"fleet.toml"', '"mine.toml"', "fleet.file", id="another-fleet"),
    pytest.param('waivers = ["ada"]', 'waivers = ["ada", "mallory"]', "review.waivers", id="person-who-may-waive"),
    pytest.param('waivers = ["ada"]', 'waivers = ["ada"]\nwaiver_days = 900', "review.waiver_days", id="longer-waivers"),
    pytest.param("[budgets.default]", "[host]\non_noise = 'label'\n[budgets.default]", "host.on_noise", id="noise-let-through"),
    pytest.param("[budgets.default]", "[host]\nmost_noise = 0.9\n[budgets.default]", "host.most_noise", id="more-noise"),
    pytest.param("[models.digits.budgets.pixel-4]", "[models.new]\nevaluation='e'\ncalibration='c'\nrecipes=['int8']\n[models.digits.budgets.pixel-4]", "models.new", id="new-model"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "where"), LOOSER)
def test_what_lets_more_through_is_called_looser(old: str, new: str, where: str) -> None:
    found = {change.where: change for change in changes(old, new)}
    assert found[where].looser


STRICTER = [
    pytest.param("accuracy_drop_points = 1.0", "accuracy_drop_points = 0.5", f"{ALL}.accuracy_drop_points", id="bound-lowered"),
    pytest.param("size_mib = 2", "size_mib = 2\nenergy_mj = 9", "models.digits.budgets.pixel-4.energy_mj", id="budget-added"),
    pytest.param("confidence = 0.95", "confidence = 0.99", "gate.confidence", id="surer"),
    pytest.param('waivers = ["ada"]', "waivers = []", "review.waivers", id="person-removed"),
    pytest.param('recipes = ["int8"]', 'recipes = ["fp16"]', "models.digits.recipes", id="other-recipes"),
    pytest.param("at_least_percent = 90", "at_least_percent = 95", "fleet.at_least_percent", id="more-users"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "where"), STRICTER)
def test_what_lets_less_through_is_told_without_alarm(old: str, new: str, where: str) -> None:
    (change,) = changes(old, new)
    assert (change.where, change.looser) == (where, False)


def test_nothing_changed_is_nothing_told() -> None:
    assert plan_changes(config(BASE), config(BASE)) == ()
    assert changes("recipes", "# a note\nrecipes") == ()


def test_where_nothing_could_pass_a_first_budget_is_looser() -> None:
    bare = "[models.digits]\nevaluation='e'\ncalibration='c'\nrecipes=['int8']\n"
    told = plan_changes(config(bare), config(f"{bare}[models.digits.budgets.host]\nsize_mib=9\n"))
    assert [change.looser for change in told] == [True]


def test_looser_changes_come_first_and_both_sides_are_shown() -> None:
    text = BASE.replace("confidence = 0.95", "confidence = 0.99").replace(
        "at_most = 3", "at_most = 4"
    )
    first, second = plan_changes(config(BASE), config(text))
    assert first.looser
    assert not second.looser
    assert (first.before, first.after) == (
        "3, from predicted or better, 80 rows",
        "4, from predicted or better, 80 rows",
    )


def test_a_file_that_judging_reads_is_compared_by_content() -> None:
    paths = judged_files(config(BASE), "digits")
    assert {"data/evaluation.npz", "data/evaluation.npz.dvc", "keys/a.json", "fleet.toml"} <= {
        *paths
    }
    before: dict[str, bytes | None] = dict.fromkeys(paths)
    before["keys/a.json"] = b"key"
    (change,) = file_changes(before, before | {"keys/a.json": b"mine"})
    assert change.where == "keys/a.json"
    assert change.looser
    assert file_changes(before, before) == ()


METRICS = ["accuracy_drop_points", "size_mib", "latency_p90_ms"]
ORIGINS = ["device", "published", "predicted"]
BUDGET = st.fixed_dictionaries(
    {"at_most": st.sampled_from([1.0, 2.0, 4.0]), "least_origin": st.sampled_from(ORIGINS)}
)
TABLE = st.dictionaries(
    st.sampled_from(["default", "host", "pixel-4"]),
    st.dictionaries(st.sampled_from(METRICS), BUDGET, min_size=1, max_size=3),
    max_size=3,
)
DEVICES = ("host", "pixel-4")


def with_budgets(shared: dict[str, Any], own: dict[str, Any]) -> Config:
    model = ModelConfig(evaluation="e", calibration="c", devices=DEVICES, budgets=own)
    return Config(budgets=shared, models={"digits": model})


def passes(budgets: Any, numbers: dict[str, float], origin: str) -> bool:
    """What the gate does with exact numbers of one origin."""
    bounds = {budget.metric.value: budget for budget in budgets}
    return bool(bounds) and all(
        numbers[metric] <= bound.at_most
        and ORIGINS.index(origin) <= ORIGINS.index(bound.least_origin)
        for metric, bound in bounds.items()
    )


@given(TABLE, TABLE, TABLE, TABLE, st.fixed_dictionaries({m: st.sampled_from([0.5, 1.5, 3.0]) for m in METRICS}), st.sampled_from(ORIGINS))  # fmt: skip
def test_loosening_any_budget_is_found(
    shared: dict[str, Any],
    own: dict[str, Any],
    new_shared: dict[str, Any],
    new_own: dict[str, Any],
    numbers: dict[str, float],
    origin: str,
) -> None:
    """Whatever two files say: if something passes under the new one only, that is told."""
    before, after = with_budgets(shared, own), with_budgets(new_shared, new_own)
    told = plan_changes(before, after)
    for device in DEVICES:
        old, new = (which.budgets_for("digits", device) for which in (before, after))
        if passes(new, numbers, origin) and not passes(old, numbers, origin):
            assert any(change.looser for change in told)
