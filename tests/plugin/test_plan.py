"""The plan's digest: it names everything that decides a result, and nothing else."""

import tomllib
from typing import Any

import pytest

from weighin.gates.weigh_in import DataDigest
from weighin.plugin.config_file import parse_config
from weighin.plugin.plan import Plan, make_plan

BASE: dict[str, Any] = tomllib.loads("""
[build]
seed = 0
[budgets.default]
size_mib = 1
[models.digits]
evaluation = "e.npz"
calibration = "c.npz"
recipes = ["float32", "int8"]
devices = ["host", "pixel-4"]
[models.cats]
evaluation = "e.npz"
calibration = "c.npz"
recipes = ["float32"]
""")
DATA = (DataDigest(role="evaluation", path="e.npz", sha256="ab", rows=9),)


def plan(
    changed: dict[str, Any] | None = None,
    data: tuple[DataDigest, ...] = DATA,
    tools: dict[str, str] | None = None,
) -> Plan:
    document = {**BASE, **(changed or {})}
    return make_plan(parse_config(document), "digits", data, tools or {"torch": "2.13.0"})


def model(**changed: Any) -> dict[str, Any]:
    models = BASE["models"]
    return {"models": {**models, "digits": {**models["digits"], **changed}}}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"budgets": {"default": {"size_mib": 2}}}, id="budget"),
        pytest.param({"budgets": {"pixel-4": {"size_mib": 2}}}, id="budget-of-a-device"),
        pytest.param({"build": {"seed": 1}}, id="seed"),
        pytest.param({"build": {"seed": 0, "epochs": 9}}, id="epochs"),
        pytest.param({"evidence": {"valid_days": 3}}, id="validity"),
        pytest.param(model(recipes=["float32"]), id="recipes"),
        pytest.param(model(devices=["host"]), id="devices"),
        pytest.param(model(formats=["onnx"]), id="formats"),
        pytest.param(model(usage={"inferences_per_second": 9}), id="use"),
        pytest.param({"host": {"most_noise": 0.2}}, id="noise"),
        pytest.param(model(teacher="big/1"), id="teacher"),
        pytest.param(model(recipes=["float32", "int8", "auto"]), id="search"),
        pytest.param(model(tuning="t.npz"), id="tuning-data"),
    ],
)
def test_what_decides_a_result_changes_the_plan(changed: dict[str, Any]) -> None:
    assert plan(changed).digest != plan().digest


def test_other_data_or_tools_are_another_plan() -> None:
    other = (DataDigest(role="evaluation", path="e.npz", sha256="cd", rows=9),)
    assert plan(data=other).digest != plan().digest
    assert plan(tools={"torch": "2.14.0"}).digest != plan().digest


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"channel": {"name": "beta"}}, id="channel"),
        pytest.param({"dvc": {"commit": False}}, id="commits"),
        pytest.param({"build": {"workers": 1}}, id="workers"),
        pytest.param({"search": {"minutes": 1}}, id="search-that-nobody-asked-for"),
        pytest.param({"models": {"digits": BASE["models"]["digits"]}}, id="other-models"),
    ],
)
def test_what_decides_nothing_leaves_the_plan_alone(changed: dict[str, Any]) -> None:
    assert plan(changed).digest == plan().digest


def test_auto_brings_a_search_and_its_limits_decide() -> None:
    asked = model(recipes=["float32", "auto"])
    quick = plan({**asked, "search": {"minutes": 1}})
    assert quick.search is not None
    assert [str(recipe) for recipe in quick.recipes] == ["float32"]
    assert quick.digest != plan(asked).digest


def test_each_device_gets_its_own_budgets() -> None:
    targets = plan({"budgets": {"default": {"size_mib": 1}, "pixel-4": {"energy_mj": 5}}}).targets
    assert [len(target.budgets) for target in targets] == [1, 2]
